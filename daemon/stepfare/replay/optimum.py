"""The cheapest way through a session that knows it beforehand: which model serves each step, found exactly by dynamic programming.

It chooses between the balanced and the frugal model (a step whose floor is higher is served by the model of that floor), never asks a
model in vain, and never serves a step below its floor. What has to be known of the past is what each cache holds and until when.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from stepfare.core.step import Tier
from stepfare.replay.costs import NOTHING, Course, Held, Rung, cheapest_that_fits
from stepfare.replay.floors import Floors
from stepfare.replay.price_sets import Ladder
from stepfare.replay.recording import RecordedStep, kept_tokens

Caches: TypeAlias = tuple[Held, ...]


class _Way(NamedTuple):
    """How a state was reached: the last choice (place of the rung, for an hour or not, a warm cache opened anew) and the way before."""

    rung: int
    hour: bool
    anew: bool
    before: _Way | None


def optimum(ladder: Ladder, floors: Floors, steps: Sequence[RecordedStep]) -> Course:
    """The course of least cost. Where a provider sells it, a cache may be opened for an hour as well as for the usual time."""
    rungs = tuple(ladder.values())
    kept = kept_tokens(steps)
    states: dict[Caches, tuple[int, _Way | None]] = {(NOTHING,) * len(rungs): (0, None)}
    for at, step in enumerate(steps):
        lost = at > 0 and kept[at] < steps[at - 1].prompt_tokens
        able = _able(ladder, rungs, floors.needed(step), step.prompt_tokens)
        following: dict[Caches, tuple[int, _Way | None]] = {}
        for caches, (spent, way) in states.items():
            present = tuple(_present(rung, held, step.at_ms, kept[at] if lost else None) for rung, held in zip(rungs, caches, strict=True))
            for place in able:
                rung, held = rungs[place], present[place]
                for hour in (False, True) if rung.rule.hour else (False,):
                    anew = held.tokens > 0 and held.hour is not hour
                    found = NOTHING if anew else held
                    cost = spent + _cost(rung, found, step, hour=hour)
                    after = rung.after(found, step.at_ms, step.prompt_tokens, hour=hour)
                    state = (*present[:place], after, *present[place + 1 :])
                    known = following.get(state)
                    if known is None or cost < known[0]:
                        following[state] = (cost, _Way(place, hour, anew, way))
        states = _undominated(following)
    _, last = min(states.values(), key=lambda reached: reached[0])
    return _walked(rungs, steps, last)


def _able(ladder: Ladder, rungs: Sequence[Rung], needed: Tier, prompt_tokens: int) -> tuple[int, ...]:
    """Places of the rungs among which this step may choose: those up to balanced that meet its floor, else the next that does."""
    meeting = [place for place, rung in enumerate(rungs) if needed <= rung.tier <= max(needed, Tier.BALANCED) and rung.fits(prompt_tokens)]
    return tuple(meeting) or (rungs.index(cheapest_that_fits(ladder, needed, prompt_tokens)),)


def _present(rung: Rung, held: Held, at_ms: int, kept: int | None) -> Held:
    """What is left in a cache when the step begins. What is dead is nothing, so that states that differ in it only are one."""
    if kept is not None:
        held = held._replace(tokens=min(held.tokens, kept))
    return held if rung.alive(held, at_ms) else NOTHING


def _cost(rung: Rung, held: Held, step: RecordedStep, *, hour: bool) -> int:
    rates = rung.price.rates_for(step.prompt_tokens)
    read = min(held.tokens, step.prompt_tokens)
    write = (rates.cache_write_1h if hour else rates.cache_write) if rung.caches else rates.input
    return read * rates.cache_read + (step.prompt_tokens - read) * write + step.output_tokens * rates.output


def _undominated(states: dict[Caches, tuple[int, _Way | None]]) -> dict[Caches, tuple[int, _Way | None]]:
    """Without the states that another one beats: no dearer, and every cache holds at least as much for at least as long. Reading is never
    dearer than writing, so what is to come can only be cheaper from there: whatever the other does next can be done too. (Where lifetimes
    are free, that includes opening a warm cache anew for the other one. A cache opened for an hour writes dearer, so those compare among
    themselves only.)"""
    kept: list[Caches] = []
    for state in sorted(states, key=lambda one: states[one][0]):
        if not any(_beats(other, state) for other in kept):
            kept.append(state)
    return {state: states[state] for state in kept}


def _beats(one: Caches, other: Caches) -> bool:
    for mine, theirs in zip(one, other, strict=True):
        if mine[0] < theirs[0] or mine[1] < theirs[1] or mine[2] is not theirs[2]:
            return False
    return True


def _walked(rungs: Sequence[Rung], steps: Sequence[RecordedStep], way: _Way | None) -> Course:
    """The course of these choices, with every call as it is paid."""
    choices: list[_Way] = []
    while way is not None:
        choices.append(way)
        way = way.before
    course = Course(steps)
    for at, choice in enumerate(reversed(choices)):
        step = course.arrive(at)
        course.call(rungs[choice.rung], step.output_tokens, hour=choice.hour, anew=choice.anew)
    return course
