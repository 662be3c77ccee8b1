"""A state with a small catalogue of priced models, and attempts in it, for the tests of what is computed around one exchange."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from stepfare.config.check import check_settings
from stepfare.core.attempt import Fault
from stepfare.core.decision import Decision, Floor, Ranked
from stepfare.core.model import Candidate, PriceRow
from stepfare.core.session import Session
from stepfare.core.step import StepKind, Tier
from stepfare.dialects.base import Finished, StreamEvent, TextDelta
from stepfare.dialects.bridge import Translation
from stepfare.providers.catalog import Catalog
from stepfare.providers.prices import bundled_prices
from stepfare.routing.decide import decide
from stepfare.runtime.clock import World
from stepfare.runtime.consider import Asked
from stepfare.runtime.entries import Run
from stepfare.runtime.state import Play, State
from stepfare.runtime.workspaces import Workspace
from stepfare.sessions.identify import Identity
from tests.routing.samples import NOW_MS, candidate, features, rates, request, snapshot, step

WORLD = World(now_ms=lambda: NOW_MS, new_id=lambda prefix: f"{prefix}_1")
# Dollars a million tokens, times a million: input, read 1/10, written 5/4, output five times the input.
SMALL = candidate("lab/small", Tier.FRUGAL, rates(100_000, 500_000, read=10_000, write=125_000))
MIDDLE = candidate("lab/middle", Tier.BALANCED, rates(2_000_000, 10_000_000, read=200_000, write=2_500_000))
LARGE = candidate("lab/large", Tier.PREMIUM, rates(4_000_000, 20_000_000, read=400_000, write=5_000_000))
UNPRICED = candidate("lab/unpriced", Tier.BALANCED, None)


def a_state(*candidates: Candidate, settings: str = "") -> State:
    """A state in which just these candidates are in play."""
    chosen = candidates or (SMALL, MIDDLE, LARGE)
    checked = check_settings(settings, "config.toml")
    assert checked.problems == (), checked.problems
    models = {
        one.model.id: replace(one.model, prices=(PriceRow(one.price),) if one.price else (), tier_source="config.toml") for one in chosen
    }
    providers = {one.provider.id: one.provider for one in chosen}
    catalog = Catalog(MappingProxyType(providers), MappingProxyType(models), tuple(models), bundled_prices())
    return State(Play(checked, catalog, frozenset(), False), WORLD)


def asked(
    *candidates: Candidate, session: Session | None = None, side: str = "", kind: StepKind = StepKind.EXPLORE, **fields: Any
) -> Asked:
    """A request of 40,000 bytes, which is 10,000 tokens, in a known session, decided."""
    view = request(**{"turns": (), "body_digest": b"b" * 16, **fields})
    seen = features(side=side, human_words="Fix  the\ntest " + "x" * 100)
    known = session or Session("s1", steps=3)
    world = snapshot(*candidates or (SMALL, MIDDLE, LARGE), session=known)
    decision: Decision = decide(view, seen, step(kind), world, "d1")
    place = Workspace("/ws/sub", project="/ws", branch="main", folder="/ws")
    identity = Identity(known.id, 0, "", "chain", "it continues this session's conversation")
    return Asked(view, seen, place, identity, known, not known.steps, known.steps + 1, world, decision, Translation(view))


def a_run(one: Candidate = SMALL, *events: StreamEvent, fault: Fault | None = None, **fields: Any) -> Run:
    """An attempt that was sent, heard these events, and ended."""
    run = Run("a1", Ranked(one, 1, (), 10_000), Floor(Tier.FRUGAL, "settings", "profile frugal"), NOW_MS, sent=True, fault=fault)
    run.heard.hear(events)
    for name, value in fields.items():
        setattr(run, name, value)
    return run


TEXT = (TextDelta("x" * 3600), Finished("stop"))
