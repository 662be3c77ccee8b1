"""Which caches are worth a ping: what it costs, what it may save, whether anybody comes back, and who pays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfare.core.money import Rates
from stepfare.core.session import HOUR_MS, Habits, Session, Warmth
from stepfare.core.step import StepKind, Tier
from stepfare.routing.keeping import EARLY_MS, PING_OUTPUT_TOKENS, Kept, Ping, due_ms, ping
from tests.routing.samples import NOW_MS

TOKENS = 50_000
RATES = Rates(input=3_000_000, cache_read=300_000, cache_write=3_750_000, cache_write_1h=6_000_000, output=15_000_000)
COST = TOKENS * 300_000 + PING_OUTPUT_TOKENS * 15_000_000
FLOORS = {StepKind.EXPLORE: Tier.FRUGAL, StepKind.EDIT: Tier.BALANCED, StepKind.PLAN: Tier.PREMIUM}
BALANCED = Kept("lab/middle", Tier.BALANCED, RATES, RATES.cache_write, FLOORS)
DYING = Warmth("lab/middle", TOKENS, NOW_MS + EARLY_MS)


def session(quiet_ms: int = 280_000, last: StepKind = StepKind.SUMMARIZE, saved: int = 10 * COST, **fields: object) -> Session:
    habits = Habits(
        steps=40, kinds={StepKind.EDIT: 9}, segments=3, segments_with={StepKind.EDIT: 3}, last_ms=NOW_MS - quiet_ms, last_kind=last
    )
    known = Session("s1", habits=habits, balanced_pusd=30 * COST + saved, spent_pusd=30 * COST, warm={"lab/middle": DYING})
    return replace(known, **fields)


def test_a_ping_reads_what_is_cached_and_is_due_just_before_that_dies() -> None:
    found = ping(BALANCED, session(), Habits(), NOW_MS)
    assert isinstance(found, Ping)
    assert (found.usage.input_tokens, found.usage.cache_read_tokens, found.usage.output_tokens) == (TOKENS, TOKENS, PING_OUTPUT_TOKENS)
    assert found.pusd == COST
    assert due_ms(DYING) == NOW_MS


@pytest.mark.parametrize(
    ("last", "lives"),
    [(StepKind.SUMMARIZE, 2), (StepKind.ANSWER, 2), (StepKind.EXPLORE, 5), (StepKind.EDIT, 5)],
)
def test_the_longer_nobody_comes_the_less_is_waited_for(last: StepKind, lives: int) -> None:
    """At these prices a ping has to save its cost with a chance of one in eleven; this session edits in every segment."""
    asked = [ping(BALANCED, session(quiet_ms=280_000 + 300_000 * before, last=last), Habits(), NOW_MS) is not None for before in range(8)]
    assert asked == [True] * lives + [False] * (8 - lives)


def test_it_is_paid_from_what_was_saved_and_from_nothing_else() -> None:
    assert ping(BALANCED, session(saved=2 * COST), Habits(), NOW_MS) is not None
    assert ping(BALANCED, session(saved=2 * COST - 1), Habits(), NOW_MS) is None
    assert ping(BALANCED, session(saved=2 * COST, reserved_pusd=1), Habits(), NOW_MS) is None


def test_who_is_cheapest_is_needed_whatever_comes_and_who_serves_no_floor_never() -> None:
    frugal = replace(BALANCED, tier=Tier.FRUGAL)
    assert ping(frugal, session(quiet_ms=880_000), Habits(), NOW_MS) is None
    assert ping(frugal, session(), Habits(), NOW_MS) is not None
    assert ping(replace(BALANCED, floors={StepKind.EXPLORE: Tier.FRUGAL}), session(), Habits(), NOW_MS) is None
    assert ping(replace(BALANCED, tier=Tier.PREMIUM), session(quiet_ms=580_000), Habits(), NOW_MS) is None


@pytest.mark.parametrize(
    "warm",
    [
        {},
        {"lab/middle": replace(DYING, until_ms=NOW_MS)},
        {"lab/middle": replace(DYING, share=0.4)},
        {"lab/middle": replace(DYING, lifetime_ms=HOUR_MS)},
        {"lab/middle": replace(DYING, lifetime_ms=30_000)},
    ],
    ids=["cold", "dead", "found wanting", "for an hour", "too short"],
)
def test_a_cache_that_is_not_there_or_not_known_or_lives_long_is_left(warm: dict[str, Warmth]) -> None:
    assert ping(BALANCED, session(warm=warm), Habits(), NOW_MS) is None


def test_agents_that_are_left_alone_with_a_task_are_done_when_their_turn_ends() -> None:
    assert ping(BALANCED, session(client="mini-swe-agent"), Habits(), NOW_MS) is None
    assert ping(BALANCED, session(client="mini-swe-agent", last=StepKind.RUN), Habits(), NOW_MS) is not None


def test_nobody_comes_back_to_a_subagent() -> None:
    assert ping(BALANCED, session(parent="s0"), Habits(), NOW_MS) is None


def test_what_costs_nothing_to_write_is_not_kept() -> None:
    free = Rates(input=0, cache_read=0, cache_write=0, cache_write_1h=0, output=0)
    assert ping(replace(BALANCED, rates=free, write=0), session(), Habits(), NOW_MS) is None


@pytest.mark.parametrize(("ended", "resumed", "waited"), [(0, 0, True), (40, 38, True), (40, 30, True), (6, 0, True), (40, 0, False)])
def test_where_nobody_ever_comes_back_nobody_is_waited_for(ended: int, resumed: int, waited: bool) -> None:
    """Agents that are left alone with a task end a turn once, for good; in the middle of one they go on as others do."""
    project = Habits(turns_ended=ended, turns_resumed=resumed)
    assert (ping(BALANCED, session(), project, NOW_MS) is not None) is waited
    assert ping(BALANCED, session(last=StepKind.RUN), project, NOW_MS) is not None
