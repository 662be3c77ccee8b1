"""Who is first: expected cost with what is warm, worked out by hand, then who serves already, then the user's order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.model import Candidate
from stepfare.core.session import Habits, Session, Warmth
from stepfare.core.step import StepKind, Tier
from stepfare.routing.futures import Outlook
from stepfare.routing.planner import planned
from stepfare.routing.snapshot import Policy
from stepfare.routing.warmth import warm_tokens
from tests.routing.samples import CACHES, LARGE, MIDDLE, NOW_MS, candidate, rates, snapshot, stepped, warm

LOOK = Outlook({StepKind.EXPLORE: 1.0}, {StepKind.EXPLORE: Tier.FRUGAL})


def order(*candidates: Candidate, prompt: int = 10_000, **world: object) -> list[str]:
    return [row.candidate.model.id for row in planned(candidates, LOOK, snapshot(*candidates, **world), prompt)]


def lines(one: Candidate, prompt: int = 10_000, **world: object) -> list[tuple[str, int, int, int]]:
    (row,) = planned((one,), LOOK, snapshot(one, **world), prompt)
    assert row.expected_pusd == sum(line.pusd for line in row.arithmetic)
    return [(line.what, line.tokens, line.rate, line.pusd) for line in row.arithmetic]


def test_a_cold_prompt_is_written_where_the_provider_caches() -> None:
    assert lines(candidate(price=rates(100, 500, write=125))) == [
        ("to be written into its cache", 10_000, 125, 1_250_000),
        ("expected output", 200, 500, 100_000),
    ]


def test_a_cold_prompt_is_fresh_where_nothing_is_cached() -> None:
    assert lines(candidate(price=rates(100, 500, write=125), cache=None))[0] == ("not cached", 10_000, 100, 1_000_000)
    assert lines(candidate(price=rates(100, 500, write=125)), prompt=1_023)[0] == ("not cached", 1_023, 100, 102_300)
    assert lines(candidate(price=rates(100, 500, write=125)), prompt=1_024)[0] == ("to be written into its cache", 1_024, 125, 128_000)


def test_what_is_warm_is_read_and_the_rest_written() -> None:
    session = Session("s1", warm=warm(small=8_000))
    assert lines(candidate(price=rates(100, 500, read=10, write=125)), session=session) == [
        ("warm in its cache", 8_000, 10, 80_000),
        ("to be written into its cache", 2_000, 125, 250_000),
        ("expected output", 200, 500, 100_000),
    ]


def test_a_length_step_holds_for_the_whole_request() -> None:
    price = stepped(rates(100, 500), 100_000, rates(500, 2_500))
    assert lines(candidate(price=price), prompt=100_000)[0][2] == 100
    assert lines(candidate(price=price), prompt=100_001) == [
        ("to be written into its cache", 100_001, 500, 50_000_500),
        ("expected output", 200, 2_500, 500_000),
    ]


@pytest.mark.parametrize(
    ("warmth", "tokens"),
    [
        (Warmth("lab/small", 8_000, NOW_MS + 1), 8_000),
        (Warmth("lab/small", 8_000, NOW_MS), 0),
        (Warmth("lab/small", 8_000, NOW_MS + 1, share=0.25), 2_000),
        (Warmth("lab/small", 80_000, NOW_MS + 1), 10_000),
        (Warmth("lab/other", 8_000, NOW_MS + 1), 0),
    ],
)
def test_a_cache_is_believed_in_while_it_lives_as_far_as_it_was_seen(warmth: Warmth, tokens: int) -> None:
    session = Session("s1", warm={warmth.model: warmth})
    assert warm_tokens(session, "lab/small", 10_000, NOW_MS) == tokens


SMALL_ONE, MIDDLE_ONE, LARGE_ONE = candidate(), candidate("lab/middle", Tier.BALANCED, MIDDLE), candidate("lab/large", Tier.PREMIUM, LARGE)


def test_cheapest_first() -> None:
    assert order(LARGE_ONE, SMALL_ONE, MIDDLE_ONE) == ["lab/small", "lab/middle", "lab/large"]


def test_a_warm_dear_model_beats_a_cold_one_that_is_a_little_cheaper() -> None:
    neighbour = candidate("lab/cheaper", Tier.BALANCED, rates(1_500_000, 7_500_000))
    assert order(MIDDLE_ONE, neighbour) == ["lab/cheaper", "lab/middle"]
    assert order(MIDDLE_ONE, neighbour, session=Session("s1", warm=warm(middle=10_000))) == ["lab/middle", "lab/cheaper"]


def test_a_length_step_can_turn_the_order_round() -> None:
    stepping = candidate("lab/stepping", price=stepped(rates(90_000), 100_000, rates(450_000)))
    assert order(SMALL_ONE, stepping, prompt=100_000) == ["lab/stepping", "lab/small"]
    assert order(SMALL_ONE, stepping, prompt=100_001) == ["lab/small", "lab/stepping"]


def test_an_unpriced_model_comes_after_all_whose_cost_is_known() -> None:
    unpriced = candidate("lab/aaa", Tier.FRUGAL, None)
    assert order(unpriced, LARGE_ONE, session=Session("s1", last_model="lab/aaa")) == ["lab/large", "lab/aaa"]
    (row,) = planned((unpriced,), LOOK, snapshot(unpriced), 10_000)
    assert (row.expected_pusd, row.arithmetic) == (None, ())


TIED = [candidate(f"lab/{name}", tier) for name, tier in (("b", Tier.FRUGAL), ("a", Tier.FRUGAL), ("c", Tier.BALANCED), ("d", Tier.FRUGAL))]


@pytest.mark.parametrize(
    ("world", "first"),
    [
        ({}, ["lab/a", "lab/b", "lab/d", "lab/c"]),
        ({"session": Session("s1", last_model="lab/d")}, ["lab/d", "lab/a", "lab/b", "lab/c"]),
        ({"policy": Policy(tiers={Tier.FRUGAL: ("lab/d", "lab/b")})}, ["lab/d", "lab/b", "lab/a", "lab/c"]),
        (
            {"policy": Policy(tiers={Tier.FRUGAL: ("lab/d", "lab/b")}), "session": Session("s1", last_model="lab/a")},
            ["lab/a", "lab/d", "lab/b", "lab/c"],
        ),
        ({"policy": Policy(tiers={Tier.BALANCED: ("lab/d",)})}, ["lab/a", "lab/b", "lab/d", "lab/c"]),
    ],
)
def test_where_cost_ties_the_serving_model_stays_then_the_users_order_then_the_lower_tier(world: dict, first: list[str]) -> None:
    assert order(*TIED, **world) == first


@settings(max_examples=50)
@given(
    st.permutations([SMALL_ONE, MIDDLE_ONE, LARGE_ONE, *TIED, candidate("lab/un", price=None)]),
    st.integers(1, 180_000),
    st.integers(0, 180_000),
)
def test_the_order_does_not_depend_on_that_of_the_catalogue(candidates: list[Candidate], prompt: int, held: int) -> None:
    session = Session("s1", warm=warm(middle=held, small=held // 2))
    found = planned(candidates, LOOK, snapshot(session=session), prompt)
    again = planned(sorted(candidates, key=lambda one: one.model.id), LOOK, snapshot(session=session), prompt)
    assert found == again
    costs = [row.expected_pusd for row in found if row.expected_pusd is not None]
    assert costs == sorted(costs)
    for row in found:
        if row.expected_pusd is not None:
            assert sum(line.tokens for line in row.arithmetic if line.what != "expected output") == prompt


def test_the_same_model_elsewhere_is_another_candidate() -> None:
    elsewhere = candidate("other/small", price=rates(50_000, 250_000), cache=CACHES)
    assert order(SMALL_ONE, elsewhere) == ["other/small", "lab/small"]
    short_runs = Habits(steps=60, segments=30, kinds={StepKind.EXPLORE: 60})
    assert order(SMALL_ONE, elsewhere, session=Session("s1", warm=warm(small=10_000))) == ["other/small", "lab/small"]
    assert order(SMALL_ONE, elsewhere, session=Session("s1", warm=warm(small=10_000), habits=short_runs)) == ["lab/small", "other/small"]
