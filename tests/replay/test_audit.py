"""When the audit says that routing helped, that it did not, and that nothing can be said."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from stepfare.core.money import Rates
from stepfare.core.step import Tier
from stepfare.replay.audit import Audit, Verdict, audited, served
from stepfare.replay.price_sets import Ladder
from stepfare.replay.recording import Recording
from tests.replay.little import BALANCED, PREMIUM, a_ladder, a_rung, a_session, a_step

LADDER = a_ladder()
DEAR = a_ladder(a_rung(Tier.FRUGAL, Rates(90, 9, 108, 180, 450)), BALANCED, PREMIUM)


def a_served(tiers: str, *, gap_s: float = 100, probes: tuple[Tier, ...] = (), name: str = "s") -> Recording:
    """A session of these steps, f for frugal and b for balanced, that grows by 500 tokens a step."""
    steps = [
        replace(a_step(gap_s * at, 20_000 + 500 * at), tier=Tier.FRUGAL if word == "f" else Tier.BALANCED, probes=probes)
        for at, word in enumerate(tiers)
    ]
    return a_session(*steps, name=name)


def the_audit(sessions: Sequence[Recording], ladder: Ladder = LADDER, seed: int = 1) -> Audit:
    pick = random.Random(seed).randrange
    return audited([served(one, ladder, pick) for one in sessions], pick)


RUNS = [a_served("f" * (20 + n) + "b" * 4) for n in range(12)]
"""Cheap steps in one run and dear ones in another: what routing is for."""
WAVERING = [a_served("fb" * (8 + n), gap_s=200) for n in range(12)]
"""Each model is used again only when its cache has died."""

SPREAD = [a_served(("f" * 30 + "b") * (3 + n), gap_s=10) for n in range(8)]
"""The dear model is needed just when its cache has died; left to chance, it would now and then find it warm."""


@pytest.mark.parametrize(
    ("sessions", "ladder", "verdict", "because"),
    [
        (RUNS, LADDER, Verdict.HELPED, "cheaper than the same tiers dealt"),
        (RUNS[:7], LADDER, Verdict.NONE, "only 7 sessions"),
        (WAVERING, DEAR, Verdict.NOT, "the balanced model alone would have been cheaper"),
        (WAVERING[:3] + [a_served("f" * 40)] * 9, LADDER, Verdict.NONE, "differ too much"),
        ([a_served("f" * (9 + n)) for n in range(12)], LADDER, Verdict.NONE, "cheaper models, not from choosing when"),
        (SPREAD, LADDER, Verdict.NOT, "dealt to the steps at random were cheaper still"),
    ],
)
def test_the_verdict(sessions: list[Recording], ladder: Ladder, verdict: Verdict, because: str) -> None:
    found = the_audit(sessions, ladder)
    assert (found.verdict, because in found.because) == (verdict, True), found.because


def test_what_was_dealt_at_random_is_no_evidence() -> None:
    deal = random.Random(7)
    sessions = [a_served("".join(deal.sample("f" * 36 + "b" * 4, 40)), gap_s=60) for _ in range(20)]
    found = the_audit(sessions)
    assert found.verdict is Verdict.NONE
    assert found.beside_chance.low < 0 < found.beside_chance.high


def test_an_interval_holds_its_share_and_narrows_with_more_sessions() -> None:
    few, many = the_audit(RUNS[:8]).saved, the_audit(RUNS[:8] * 6).saved
    assert few.low < few.share < few.high
    assert many.high - many.low < few.high - few.low


def test_the_same_seed_gives_the_same_audit() -> None:
    assert the_audit(RUNS) == the_audit(RUNS)
    assert the_audit(RUNS, seed=2).saved != the_audit(RUNS).saved


def test_answers_asked_in_vain_are_paid_by_the_routing_that_asked_them() -> None:
    plain, probed = (served(a_served("bbbb", probes=probes), LADDER, random.Random(1).randrange) for probes in ((), (Tier.FRUGAL,)))
    assert plain.routed_pusd == plain.balanced_pusd == probed.balanced_pusd < probed.routed_pusd


def test_the_books_are_told_beside_where_they_say_all() -> None:
    recording = a_served("ff")
    booked = a_session(*(replace(step, booked_pusd=5) for step in recording.steps))
    assert [served(one, LADDER, random.Random(1).randrange).booked_pusd for one in (recording, booked)] == [None, 10]
