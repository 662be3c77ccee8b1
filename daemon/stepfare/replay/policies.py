"""Policies that can be replayed: who serves each step of a course, asked one step after the other.

A policy knows of a step what the daemon would know of it; only what the answer turned out to need ends a probe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from stepfare.core.step import Tier
from stepfare.replay.costs import NOTHING, Course, Rung, cheapest_that_fits
from stepfare.replay.floors import Floors
from stepfare.replay.price_sets import Ladder
from stepfare.replay.recording import RecordedStep, Recording

Serve: TypeAlias = Callable[[Course, RecordedStep], None]

PROBE_OUTPUT_TOKENS = 80
"""What a model has written when its action is known to need a better one."""
TOUCH_AT = 0.6
"""The part of its life after which a warm cache that nobody used is touched."""


def course_of(recording: Recording, serve: Serve) -> Course:
    """The session as this policy serves it."""
    course = Course(recording.steps)
    for at in range(len(recording.steps)):
        serve(course, course.arrive(at))
    return course


def always(ladder: Ladder, tier: Tier) -> Serve:
    """One tier for every step, whatever it needs."""

    def serve(course: Course, step: RecordedStep) -> None:
        course.call(cheapest_that_fits(ladder, tier, step.prompt_tokens), step.output_tokens)

    return serve


def gated(ladder: Ladder, floors: Floors, *, touch: bool = False) -> Serve:
    """Each step is first asked on the cheapest model that may look around, and again on the one that it needs if that is another. With
    `touch`, a warm balanced cache that is about to die serves the step instead."""

    def serve(course: Course, step: RecordedStep) -> None:
        first = cheapest_that_fits(ladder, floors.lowest(step), step.prompt_tokens)
        if touch and (upper := ladder.get(Tier.BALANCED)) is not None and _unused(course, upper, step.at_ms) > TOUCH_AT:
            first = upper
        needed = floors.needed(step)
        if first.tier < needed:
            course.call(first, PROBE_OUTPUT_TOKENS, probe=True)
            first = cheapest_that_fits(ladder, needed, step.prompt_tokens)
        course.call(first, step.output_tokens)

    return serve


def _unused(course: Course, rung: Rung, at_ms: int) -> float:
    """The part of its life that a warm cache has been unused; 0 where it is cold."""
    held = course.held.get(rung.id, NOTHING)
    return 1 - (held.until_ms - at_ms) / rung.rule.lifetime_ms if rung.alive(held, at_ms) else 0.0
