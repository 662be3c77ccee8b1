"""What a step does to the caches that later steps will need, seen in who is first: opening, touching, staying, and whole segments above."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfare.core.model import Candidate
from stepfare.core.session import Habits, Session, Warmth
from stepfare.core.step import StepKind, Tier
from stepfare.routing.futures import Outlook
from stepfare.routing.planner import planned
from tests.routing.samples import NOW_MS, candidate, rates, snapshot

EXPLORE, EDIT = StepKind.EXPLORE, StepKind.EDIT
HAIKU = candidate("lab/haiku", Tier.FRUGAL, rates(1_000_000, 5_000_000, read=100_000, write=1_250_000))
SONNET = candidate("lab/sonnet", Tier.BALANCED, rates(3_000_000, 15_000_000, read=300_000, write=3_750_000))
OPUS = candidate("lab/opus", Tier.PREMIUM, rates(5_000_000, 25_000_000, read=500_000, write=6_250_000))
LADDER = (HAIKU, SONNET, OPUS)
PROMPT_TOKENS = 100_000


def caches(**ages_ms: int) -> dict[str, Warmth]:
    """Caches of the whole prompt, last used so long ago."""
    return {f"lab/{name}": Warmth(f"lab/{name}", PROMPT_TOKENS, NOW_MS + 300_000 - age_ms) for name, age_ms in ages_ms.items()}


def session(*, last: str = "haiku", habits: Habits | None = None, **ages_ms: int) -> Session:
    return Session("s1", last_model=f"lab/{last}", warm=caches(**ages_ms), habits=habits or Habits())


def first(of: Session, edit: float = 0.05, able: tuple[Candidate, ...] = LADDER, *, gated: bool = True) -> str:
    outlook = Outlook({EXPLORE: 1 - edit, EDIT: edit}, {EXPLORE: Tier.FRUGAL, EDIT: Tier.BALANCED}, gated)
    rows = planned(able, outlook, snapshot(*able, session=of), PROMPT_TOKENS)
    for row in rows:
        assert row.expected_pusd == sum(line.pusd for line in row.arithmetic) >= 0
    return rows[0].candidate.model.upstream


def test_a_session_begins_on_the_cheap_model() -> None:
    assert first(Session("s1")) == "haiku"


@pytest.mark.parametrize(
    ("age_ms", "model"), [(10_000, "haiku"), (160_000, "haiku"), (190_000, "sonnet"), (290_000, "sonnet"), (301_000, "haiku")]
)
def test_a_warm_cache_that_would_die_unused_is_touched(age_ms: int, model: str) -> None:
    assert first(session(haiku=5_000, sonnet=age_ms)) == model


def test_what_is_left_to_die_is_said() -> None:
    of = session(haiku=5_000, sonnet=190_000)
    rows = planned(
        LADDER, Outlook({EXPLORE: 1.0}, {EXPLORE: Tier.FRUGAL, EDIT: Tier.BALANCED}, gated=True), snapshot(session=of), PROMPT_TOKENS
    )
    said = {row.candidate.model.upstream: [line.what for line in row.arithmetic] for row in rows}
    assert said["haiku"] == ["warm in its cache", "expected output", "lets the cache of lab/sonnet die, which is needed again"]
    assert said["sonnet"] == ["warm in its cache", "expected output"]


def used_to(edits: int, steps: int, segments: int, *, with_edits: int | None = None) -> Habits:
    kinds = {EXPLORE: steps - edits, EDIT: edits}
    held = {EXPLORE: segments, EDIT: segments if with_edits is None else with_edits}
    return Habits(steps, kinds, segments, held, last_ms=NOW_MS - 400_000)


def test_after_a_pause_a_session_that_soon_edits_begins_on_the_model_that_edits() -> None:
    assert first(session(habits=used_to(20, 40, 10))) == "sonnet"
    assert first(session(habits=used_to(2, 400, 10))) == "haiku"
    assert first(session(habits=used_to(2, 40, 10, with_edits=2))) == "haiku"


def test_a_cheap_model_is_not_opened_for_a_run_that_does_not_repay_it() -> None:
    assert first(session(last="sonnet", sonnet=5_000, habits=used_to(10, 40, 10))) == "sonnet"
    assert first(session(last="sonnet", sonnet=5_000, habits=used_to(10, 1_000, 10))) == "haiku"


@pytest.mark.parametrize(("edit", "model"), [(0.3, "haiku"), (0.6, "haiku"), (0.8, "sonnet"), (1.0, "sonnet")])
def test_who_is_nearly_sure_to_edit_is_not_probed(edit: float, model: str) -> None:
    assert first(session(haiku=5_000, sonnet=5_000), edit) == model


def test_a_warm_premium_model_beats_a_cold_balanced_one() -> None:
    outlook = Outlook({EDIT: 1.0}, dict.fromkeys((EXPLORE, EDIT), Tier.BALANCED))
    short = Habits(20, {EDIT: 20}, 10, {EDIT: 10}, last_ms=NOW_MS - 5_000)
    of = session(last="opus", opus=5_000, habits=short)
    assert planned((SONNET, OPUS), outlook, snapshot(session=of), PROMPT_TOKENS)[0].candidate is OPUS


def test_neighbours_are_not_swapped_for_short_runs() -> None:
    """Sonnet saves a fifth of a dollar a million a step, and 3.45 dollars to open: 17 steps, three times over."""
    outlook = Outlook({EDIT: 1.0}, dict.fromkeys((EXPLORE, EDIT), Tier.BALANCED))

    def served(steps: int) -> Candidate:
        habits = Habits(steps, {EDIT: steps}, 1, {EDIT: 1}, last_ms=NOW_MS - 5_000)
        return planned((SONNET, OPUS), outlook, snapshot(session=session(last="opus", opus=5_000, habits=habits)), PROMPT_TOKENS)[
            0
        ].candidate

    assert [served(steps) for steps in (1, 40, 400)] == [OPUS, OPUS, SONNET]


def test_a_single_candidate_is_counted_without_what_comes_later() -> None:
    (row,) = planned((SONNET,), Outlook({EDIT: 1.0}, {EDIT: Tier.BALANCED}), snapshot(session=session()), PROMPT_TOKENS)
    assert [line.what for line in row.arithmetic] == ["to be written into its cache", "expected output"]


def test_what_nobody_goes_on_from_opens_nothing_for_later() -> None:
    rows = planned(LADDER, Outlook({StepKind.COMPLETE: 1.0}, {StepKind.COMPLETE: Tier.FRUGAL}), snapshot(session=session()), PROMPT_TOKENS)
    assert all(line.pusd > 0 for row in rows for line in row.arithmetic)


def test_a_write_for_an_hour_is_priced_and_asked_for() -> None:
    assert SONNET.provider.cache is not None
    sells = replace(SONNET, provider=replace(SONNET.provider, cache=replace(SONNET.provider.cache, hour=True)))
    pays = Habits(new_tokens=1_000, returned_tokens=2_000)
    (row,) = planned(
        (sells,), Outlook({EDIT: 1.0}, {EDIT: Tier.BALANCED}), snapshot(sells, session=Session("s1", habits=pays)), PROMPT_TOKENS
    )
    assert row.hour
    assert next((line.what, line.rate) for line in row.arithmetic) == ("to be written into its cache, for an hour", 7_500_000)
