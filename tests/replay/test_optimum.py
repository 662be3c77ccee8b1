"""The optimum is what trying every way through a session finds."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.model import CacheRule
from stepfare.core.money import LengthStep, Rates
from stepfare.core.step import Tier
from stepfare.replay.costs import Course, Rung, cheapest_that_fits
from stepfare.replay.optimum import optimum
from stepfare.replay.price_sets import Ladder
from stepfare.replay.recording import RecordedStep
from tests.replay.little import BALANCED, CACHING, FLOORS, FRUGAL, PREMIUM, a_ladder, a_rung, a_step, an_edit

STEEP = a_ladder(
    a_rung(Tier.FRUGAL, Rates(10, 1, 12, 20, 50), LengthStep(3_000, Rates(60, 6, 72, 120, 300)), window_tokens=6_000), BALANCED
)

SELLS_HOURS = replace(CACHING, cache=CacheRule(hour=True))
FREE = a_ladder(*(a_rung(rung.tier, rung.price.base, provider=SELLS_HOURS) for rung in (FRUGAL, BALANCED)))


def tried(ladder: Ladder, steps: list[RecordedStep]) -> int:
    """The least cost of all ways through the session."""

    def choices(step: RecordedStep) -> list[Rung]:
        able = [rung for rung in ladder.values() if FLOORS.needed(step) <= rung.tier <= Tier.BALANCED and rung.fits(step.prompt_tokens)]
        return able or [cheapest_that_fits(ladder, FLOORS.needed(step), step.prompt_tokens)]

    each = [[(rung, hour) for rung in choices(step) for hour in ((False, True) if rung.rule.hour else (False,))] for step in steps]
    least = None
    for way in product(*each):
        course = Course(steps)
        for at, (rung, hour) in enumerate(way):
            step = course.arrive(at)
            held = course.held.get(rung.id)
            anew = held is not None and held.hour is not hour and course.warm(rung) > 0
            course.call(rung, step.output_tokens, hour=hour, anew=anew)
        spent = sum(call.pusd for call in course.calls)
        least = spent if least is None else min(least, spent)
    assert least is not None
    return least


STEPS = st.lists(
    st.tuples(st.sampled_from((5, 200, 290, 400, 3_700)), st.integers(900, 7_000), st.integers(0, 200), st.booleans()),
    min_size=1,
    max_size=5,
)


def session_of(rows: list[tuple[int, int, int, bool]]) -> list[RecordedStep]:
    steps: list[RecordedStep] = []
    at_s = 0
    for gap_s, prompt, output, edits in rows:
        at_s += gap_s
        steps.append((an_edit if edits else a_step)(at_s, prompt, output))
    return steps


@settings(max_examples=80, deadline=None)
@given(rows=STEPS, ladder=st.sampled_from((a_ladder(), STEEP)))
def test_the_optimum_is_the_cheapest_of_all_ways(rows: list[tuple[int, int, int, bool]], ladder: Ladder) -> None:
    steps = session_of(rows)
    course = optimum(ladder, FLOORS, steps)
    assert sum(call.pusd for call in course.calls) == tried(ladder, steps)


@settings(max_examples=30, deadline=None)
@given(rows=STEPS.filter(lambda rows: len(rows) <= 4))
def test_it_is_so_where_lifetimes_are_free_too(rows: list[tuple[int, int, int, bool]]) -> None:
    steps = session_of(rows)
    course = optimum(FREE, FLOORS, steps)
    assert sum(call.pusd for call in course.calls) == tried(FREE, steps)


def test_no_step_is_served_below_its_floor_and_none_asked_in_vain() -> None:
    steps = [a_step(0, 2_000), an_edit(1, 2_100), a_step(2, 2_200), an_edit(3, 2_300)]
    course = optimum(a_ladder(), FLOORS, steps)
    assert all(call.rung.tier >= FLOORS.needed(step) for step, call in zip(steps, course.calls, strict=True))


def test_it_stays_where_it_is_warm_when_a_look_around_is_short() -> None:
    dear = a_ladder(a_rung(Tier.FRUGAL, Rates(50, 5, 60, 100, 250)), BALANCED, PREMIUM)
    steps = [an_edit(0, 2_000), a_step(1, 2_000), an_edit(2, 2_000)]
    assert [call.rung for call in optimum(dear, FLOORS, steps).calls] == [BALANCED] * 3


@pytest.mark.parametrize(("pause_s", "hour"), [(100, False), (2_000, True)])
def test_with_lifetimes_free_it_pays_for_an_hour_where_a_pause_is_long(pause_s: float, hour: bool) -> None:
    course = optimum(FREE, FLOORS, [an_edit(0, 50_000), an_edit(pause_s, 50_000)])
    assert bool(course.calls[0].usage.cache_write_1h_tokens) is hour
