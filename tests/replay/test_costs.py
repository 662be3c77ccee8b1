"""Every clause of the cost model, on sessions whose cost is worked out by hand."""

from __future__ import annotations

import pytest

from stepfare.core.model import Provider
from stepfare.core.money import LengthStep, Rates
from stepfare.core.step import Tier
from stepfare.replay.costs import Course, Rung, cheapest_that_fits, hourly
from stepfare.replay.policies import always, course_of, gated
from stepfare.replay.recording import RecordedStep
from tests.replay.little import BALANCED, FLOORS, FRUGAL, PREMIUM, a_ladder, a_rung, a_session, a_step, an_edit, costs


def check(rung: Rung, steps: list[RecordedStep], expected: list[tuple[int, int]]) -> None:
    """One model for all steps: what each read from its cache, and what each cost."""
    course = course_of(a_session(*steps), always({rung.tier: rung}, rung.tier))
    assert [(call.usage.cache_read_tokens, call.pusd) for call in course.calls] == expected


def test_the_cached_beginning_is_read_and_the_rest_written() -> None:
    check(
        BALANCED,
        [a_step(0, 2_000, 10), a_step(60, 3_000, 20)],
        [(0, 2_000 * 120 + 10 * 500), (2_000, 2_000 * 10 + 1_000 * 120 + 20 * 500)],
    )


@pytest.mark.parametrize(("pause_s", "read"), [(299.9, 2_000), (300, 0)])
def test_a_cache_lives_five_minutes_after_its_last_use(pause_s: float, read: int) -> None:
    check(BALANCED, [a_step(0, 2_000, 0), a_step(pause_s, 2_000, 0)], [(0, 240_000), (read, read * 10 + (2_000 - read) * 120)])


@pytest.mark.parametrize(("pause_s", "read"), [(3_599.9, 2_000), (3_600, 0)])
def test_a_cache_that_was_written_for_an_hour_lives_an_hour(pause_s: float, read: int) -> None:
    steps = [a_step(0, 2_000, 0), a_step(pause_s, 2_000, 0)]
    check(hourly(BALANCED), steps, [(0, 400_000), (read, read * 10 + (2_000 - read) * 200)])


def test_above_a_length_step_an_hour_is_dearer_too() -> None:
    rung = a_rung(Tier.FRUGAL, Rates(10, 1, 12, 20, 50), LengthStep(5_000, Rates(50, 5, 60, 100, 75)))
    check(hourly(rung), [a_step(0, 6_000, 0)], [(0, 6_000 * 100)])


def test_every_use_prolongs_the_life_of_a_cache() -> None:
    check(BALANCED, [a_step(0, 2_000, 0), a_step(200, 2_000, 0), a_step(400, 2_000, 0)], [(0, 240_000), (2_000, 20_000), (2_000, 20_000)])


def test_a_warm_cache_keeps_the_lifetime_that_it_was_opened_for() -> None:
    course = Course([a_step(0, 2_000, 0), a_step(10, 2_100, 0), a_step(400, 2_100, 0)])
    hours = []
    for at, hour in enumerate((False, True, True)):
        course.arrive(at)
        hours.append(course.call(BALANCED, 0, hour=hour).usage.cache_write_1h_tokens)
    assert hours == [0, 0, 2_100]


@pytest.mark.parametrize(("tokens", "read"), [(1_024, 1_024), (1_023, 0)])
def test_a_prompt_below_the_minimum_is_not_kept(tokens: int, read: int) -> None:
    check(BALANCED, [a_step(0, tokens, 0), a_step(1, tokens, 0)], [(0, tokens * 120), (read, read * 10 + (tokens - read) * 120)])


@pytest.mark.parametrize(("after", "read"), [(7_500, 7_500), (7_499, 3_000)])
def test_a_compaction_leaves_the_shortest_prompt_of_the_session(after: int, read: int) -> None:
    steps = [a_step(0, 4_000, 0), a_step(1, 10_000, 0), a_step(2, after, 0), a_step(3, 3_000, 0), a_step(4, 3_000, 0)]
    course = course_of(a_session(*steps), always(a_ladder(), Tier.BALANCED))
    assert [call.usage.cache_read_tokens for call in course.calls[:3]] == [0, 4_000, read]


def test_a_compaction_is_felt_by_the_caches_of_all_models() -> None:
    course = Course([a_step(0, 10_000), a_step(1, 2_000), a_step(2, 9_000), a_step(3, 9_000)])
    for at, rung in enumerate((FRUGAL, BALANCED, BALANCED, FRUGAL)):
        course.arrive(at)
        course.call(rung, 10)
    assert [call.usage.cache_read_tokens for call in course.calls] == [0, 0, 2_000, 2_000]


def test_above_a_length_step_the_whole_call_is_dearer() -> None:
    rung = a_rung(Tier.FRUGAL, Rates(10, 1, 12, 20, 50), LengthStep(5_000, Rates(50, 5, 60, 100, 75)))
    check(
        rung,
        [a_step(0, 5_000, 2), a_step(1, 5_001, 2)],
        [(0, 5_000 * 12 + 2 * 50), (5_000, 5_000 * 5 + 60 + 2 * 75)],
    )


def test_a_model_whose_window_is_nearly_passed_cannot_serve() -> None:
    ladder = a_ladder(a_rung(Tier.FRUGAL, Rates(10, 1, 12, 20, 50), window_tokens=100_000), BALANCED)
    served = [cheapest_that_fits(ladder, Tier.FRUGAL, tokens).tier for tokens in (97_000, 97_001)]
    assert served == [Tier.FRUGAL, Tier.BALANCED]


def test_where_no_window_is_wide_enough_the_widest_serves() -> None:
    ladder = a_ladder(a_rung(Tier.FRUGAL, Rates(10, 1, 12, 20, 50), window_tokens=100_000), BALANCED)
    assert cheapest_that_fits(ladder, Tier.FRUGAL, 2_000_000) is BALANCED


def test_a_provider_without_a_cache_is_paid_for_every_token() -> None:
    rung = a_rung(Tier.FRUGAL, Rates(10, 1, 12, 20, 50), provider=Provider("lab", "openai", "http://127.0.0.1:9/v1"))
    check(rung, [a_step(0, 2_000, 0), a_step(1, 2_000, 0)], [(0, 20_000), (0, 20_000)])


def test_the_gate_asks_the_frugal_model_before_the_one_that_an_edit_needs() -> None:
    course = course_of(a_session(a_step(0, 2_000, 10), an_edit(1, 2_100, 40), a_step(2, 2_200, 10)), gated(a_ladder(), FLOORS))
    assert costs(course.calls) == [
        ("frugal", 0, 2_000 * 12 + 10 * 50),
        ("frugal", 2_000, 2_000 + 100 * 12 + 80 * 50),
        ("balanced", 0, 2_100 * 120 + 40 * 500),
        ("frugal", 2_100, 2_100 + 100 * 12 + 10 * 50),
    ]
    assert [call.probe for call in course.calls] == [False, True, False, False]


def test_a_step_beyond_the_frugal_window_is_not_asked_there() -> None:
    ladder = a_ladder(a_rung(Tier.FRUGAL, Rates(10, 1, 12, 20, 50), window_tokens=2_000), BALANCED)
    course = course_of(a_session(a_step(0, 2_000), an_edit(1, 2_000)), gated(ladder, FLOORS))
    assert [call.rung.tier for call in course.calls] == [Tier.BALANCED, Tier.BALANCED]


@pytest.mark.parametrize(("pause_s", "tier"), [(180, Tier.FRUGAL), (181, Tier.BALANCED)])
def test_touch_uses_a_warm_balanced_cache_before_it_dies(pause_s: float, tier: Tier) -> None:
    course = course_of(a_session(an_edit(0, 2_000), a_step(pause_s, 2_000)), gated(a_ladder(), FLOORS, touch=True))
    assert course.calls[-1].rung.tier is tier


def test_a_call_is_paid_by_what_it_wrote_and_why() -> None:
    # Frugal reads on while balanced sleeps; then balanced writes what it forgot, what frugal read meanwhile, and what is new.
    course = Course([an_edit(0, 2_000), a_step(1, 3_000), an_edit(400, 3_500)])
    for at, rung in enumerate((BALANCED, FRUGAL, BALANCED)):
        course.arrive(at)
        course.call(rung, 10)
    last = course.calls[-1]
    assert (last.expired_pusd, last.carried_pusd, last.new_pusd) == (2_000 * 120, 1_000 * 120, 500 * 120)
    assert (last.read_pusd, last.output_pusd, last.pusd) == (0, 5_000, 3_500 * 120 + 5_000)


def test_a_switch_pays_for_what_the_model_before_still_held_warm() -> None:
    course = Course([a_step(0, 2_000), an_edit(1, 2_500), an_edit(2, 2_600), an_edit(500, 2_600)])
    for at, rung in enumerate((FRUGAL, BALANCED, PREMIUM, BALANCED)):
        course.arrive(at)
        course.call(rung, 10)
    # The last one finds nothing warm anywhere: it pays for age, not for the switch.
    assert [call.switch_pusd for call in course.calls] == [0, 2_000 * 120, 2_500 * 240, 0]
