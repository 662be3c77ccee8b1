"""Entries and whole journals for tests: a few by hand, any number by hypothesis."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st

from stepfare.core.budget import Scope
from stepfare.core.entry import Entry, Extended, Lost, Opened, Reserved, Settled, Voided
from stepfare.core.money import Rates, Usage

NOW_MS = 1_795_000_000_000
RATES = Rates(2_000_000, 100_000, 2_500_000, 4_000_000, 10_000_000)
USAGE = Usage(1_000, 800, 100, 50)


def opened(session: str = "s1", at_ms: int = NOW_MS, workspace: str = "/home/ann/shop", title: str = "Fix the basket") -> Opened:
    return Opened(session, at_ms, "cline", workspace, "shop", "main", title, user="ann")


def reserved(attempt: str = "a1", session: str = "s1", step: int = 1, at_ms: int = NOW_MS, ceiling_pusd: int | None = 900) -> Reserved:
    return Reserved(
        attempt, f"d-{attempt}", session, step, at_ms, "lab/large", "balanced", "edit", "balanced", "profile", ceiling_pusd, "cline"
    )


def settled(attempt: str = "a1", session: str = "s1", at_ms: int = NOW_MS + 10, cost_pusd: int | None = 500, kind: str = "edit") -> Settled:
    source = "unpriced" if cost_pusd is None else "usage-priced"
    return Settled(attempt, session, at_ms, "ok", kind, USAGE, cost_pusd, source, None if cost_pusd is None else RATES, "2026-11-21")


def voided(attempt: str = "a1", session: str = "s1", at_ms: int = NOW_MS + 10) -> Voided:
    return Voided(attempt, session, at_ms, "busy", "the provider asks to wait")


def lost(attempt: str = "a1", session: str = "s1", at_ms: int = NOW_MS + 10, ceiling_pusd: int | None = 900) -> Lost:
    return Lost(attempt, session, at_ms, ceiling_pusd)


def extended(name: str = "e1", at_ms: int = NOW_MS, scope: Scope = Scope.DAY, subject: str = "", pusd: int = 700) -> Extended:
    return Extended(name, at_ms, scope, subject, pusd, "cli", "ann")


SOME = settings(max_examples=30, deadline=None)
"""As many journals as find a mistake soon; drawing one costs more than what is done with it."""

MONEY = st.none() | st.integers(0, 10**15)
HOURS_MS = st.integers(0, 4 * 3_600_000).map(lambda after_ms: NOW_MS + after_ms)
TEXTS = st.text(max_size=8)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    tokens = st.integers(0, 10**6)
    read, write, output = draw(tokens), draw(tokens), draw(tokens)
    return Usage(read + write + draw(tokens), read, write, output, draw(st.integers(0, write)), draw(st.integers(0, output)))


@st.composite
def closings(draw: st.DrawFn, of: Reserved) -> Settled | Voided | Lost:
    at_ms = draw(HOURS_MS)
    match draw(st.sampled_from(("settled", "settled", "settled", "voided", "lost"))):
        case "voided":
            return voided(of.attempt, of.session, at_ms)
        case "lost":
            return Lost(of.attempt, of.session, at_ms, of.ceiling_pusd)
        case _:
            return replace(
                settled(of.attempt, of.session, at_ms, draw(MONEY), draw(st.sampled_from(("edit", "explore", "run")))),
                usage=draw(usages()),
                always_premium_pusd=draw(MONEY),
                always_balanced_pusd=draw(MONEY),
                switch_write_pusd=draw(st.integers(0, 10**9)),
                committed=draw(st.booleans()),
                files=tuple(draw(st.lists(st.sampled_from(("a.py", "src/b.py", "c d.md")), max_size=3, unique=True))),
            )


@st.composite
def journals(draw: st.DrawFn, attempts_max: int = 12) -> list[Entry]:
    """Legal journals: a few sessions, steps of several attempts, sessions that open late or never, clocks that run back, open ends."""
    entries: list[Entry] = []
    still_open: list[Reserved] = []
    if draw(st.booleans()):
        entries.append(extended(at_ms=draw(HOURS_MS)))
    unopened = {f"s{number}" for number in range(3)}
    for number in range(draw(st.integers(0, attempts_max))):
        session = draw(st.sampled_from(("s0", "s1", "s2")))
        if session in unopened and draw(st.integers(0, 3)):
            unopened.remove(session)
            entries.append(opened(session, draw(HOURS_MS), draw(st.sampled_from(("/a", "/b"))), draw(TEXTS)))
        tier, model = draw(st.sampled_from((("frugal", "lab/small"), ("balanced", "lab/large"), ("balanced", "lab/other"))))
        attempt = reserved(f"a{number}", session, draw(st.integers(1, 4)), draw(HOURS_MS), draw(MONEY))
        still_open.append(replace(attempt, tier=tier, model=model))
        entries.append(still_open[-1])
        while still_open and draw(st.booleans()):
            entries.append(draw(closings(still_open.pop(draw(st.integers(0, len(still_open) - 1))))))
    return entries
