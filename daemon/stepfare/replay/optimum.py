"""The cheapest way through a session that knows it beforehand: which model serves each step, found exactly by dynamic programming.

It chooses between the balanced and the frugal model (a step whose floor is higher is served by the model of that floor), never asks a
model in vain, and never serves a step below its floor. What has to be known of the past is what each cache holds and until when.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from stepfare.core.step import Tier
from stepfare.replay.costs import NOTHING, Course, Held, Rung, cheapest_that_fits
from stepfare.replay.floors import Floors
from stepfare.replay.price_sets import Ladder
from stepfare.replay.recording import RecordedStep, kept_tokens

Caches: TypeAlias = tuple[Held, ...]
"""What each of the rungs holds, in their order."""


class _Way(NamedTuple):
    """How a state was reached: the last choice (place of the rung, for an hour or not, a warm cache opened anew) and the way before."""

    rung: int
    hour: bool
    anew: bool
    before: _Way | None


class _Option(NamedTuple):
    """One choice in a step: the place of a rung and what its tokens cost there, with its cache opened for this long."""

    place: int
    hour: bool
    read: int
    write: int
    output_pusd: int
    after: Held


States: TypeAlias = dict[Caches, tuple[int, _Way | None]]
"""What was spent at least to get to these caches, and how."""


def optimum(ladder: Ladder, floors: Floors, steps: Sequence[RecordedStep]) -> Course:
    """The course of least cost. Where a provider sells it, a cache may be opened for an hour as well as for the usual time."""
    able = [_able(ladder, floors.needed(step), step.prompt_tokens) for step in steps]
    rungs = [rung for rung in ladder.values() if any(rung in choice for choice in able)]
    kept = kept_tokens(steps)
    states: States = {(NOTHING,) * len(rungs): (0, None)}
    for at, step in enumerate(steps):
        lost = at > 0 and kept[at] < steps[at - 1].prompt_tokens
        options = [option for rung in able[at] for option in _options(rungs.index(rung), rung, step)]
        groups: dict[tuple[int, int], States] = {}
        for caches, (spent, way) in states.items():
            present = tuple(_present(rung, held, step.at_ms, kept[at] if lost else None) for rung, held in zip(rungs, caches, strict=True))
            hours = sum(held[2] << place for place, held in enumerate(present))
            for option in options:
                place, hour, read_rate, write_rate, output_pusd, after = option
                held = present[place]
                anew = held[0] > 0 and held[2] is not hour
                read = 0 if anew else min(held[0], step.prompt_tokens)
                cost = spent + read * read_rate + (step.prompt_tokens - read) * write_rate + output_pusd
                state = (*present[:place], after, *present[place + 1 :])
                group = groups.setdefault((place, hours & ~(1 << place) | hour << place), {})
                known = group.get(state)
                if known is None or cost < known[0]:
                    group[state] = (cost, _Way(place, hour, anew, way))
        states = {state: reached for group in groups.values() for state, reached in _undominated(group)}
    _, last = min(states.values(), key=lambda reached: reached[0])
    return _walked(rungs, steps, last)


def _able(ladder: Ladder, needed: Tier, prompt_tokens: int) -> tuple[Rung, ...]:
    """Among which rungs this step may choose: those up to balanced that meet its floor, else the next that does."""
    meeting = [rung for rung in ladder.values() if needed <= rung.tier <= max(needed, Tier.BALANCED) and rung.fits(prompt_tokens)]
    return tuple(meeting) or (cheapest_that_fits(ladder, needed, prompt_tokens),)


def _options(place: int, rung: Rung, step: RecordedStep) -> Iterator[_Option]:
    rates = rung.price.rates_for(step.prompt_tokens)
    for hour in (False, True) if rung.rule.hour else (False,):
        write = (rates.cache_write_1h if hour else rates.cache_write) if rung.caches else rates.input
        after = rung.after(NOTHING, step.at_ms, step.prompt_tokens, hour=hour)
        yield _Option(place, hour, rates.cache_read, write, step.output_tokens * rates.output, after)


def _present(rung: Rung, held: Held, at_ms: int, kept: int | None) -> Held:
    """What is left in a cache when the step begins. What is dead is nothing, so that states that differ in it only are one."""
    if kept is not None and held[0] > kept:
        held = Held(kept, held[1], held[2])
    return held if at_ms < held[1] and held[0] >= rung.rule.min_tokens else NOTHING


def _undominated(states: States) -> Iterator[tuple[Caches, tuple[int, _Way | None]]]:
    """Without the states that another one beats: no dearer, and every cache holds at least as much for at least as long. Reading is never
    dearer than writing, so what is to come can only be cheaper from there: whatever the other does next can be done too. (Where lifetimes
    are free, that includes opening a warm cache anew for the other one. A cache opened for an hour writes dearer, so that only states are
    compared whose caches live equally long.)"""
    kept: list[Caches] = []
    most: list[tuple[int, int]] = []
    for state, reached in sorted(states.items(), key=lambda one: one[1][0]):
        # Who holds more of anything than all that are cheaper is beaten by none of them.
        more = not kept or any(held[0] > tokens or held[1] > until for held, (tokens, until) in zip(state, most, strict=True))
        if not more and any(_beats(other, state) for other in reversed(kept)):
            continue
        kept.append(state)
        before = most or [(0, 0)] * len(state)
        most = [(max(held[0], tokens), max(held[1], until)) for held, (tokens, until) in zip(state, before, strict=True)]
        yield state, reached


def _beats(one: Caches, other: Caches) -> bool:
    return all(mine[0] >= theirs[0] and mine[1] >= theirs[1] for mine, theirs in zip(one, other, strict=True))


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
