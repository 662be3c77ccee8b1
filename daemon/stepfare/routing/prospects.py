"""What the rest of a segment is expected to bring, from the session's own habits: how many steps until the next long pause, how many of
them need more than the cheapest model, and whether any will.

Rates of few cases lean on those of recorded Claude Code sessions, as if so many cases had been seen before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stepfare.core.session import LIFETIME_MS, Habits
from stepfare.core.step import StepKind

STEPS_PER_SEGMENT, SEGMENTS_BEFORE = 20.0, 2.0
"""Steps between two pauses of five minutes, and for how many segments that figure counts."""
STEPS_BEFORE = 20.0
SHARES: Mapping[StepKind, float] = {StepKind.EDIT: 0.21, StepKind.ANSWER: 0.05, StepKind.PLAN: 0.01, StepKind.RECOVER: 0.02}
"""The part of steps of a kind; routine kinds share the rest."""
KINDS_SEGMENTS_BEFORE = 3.0
IN_A_SEGMENT: Mapping[StepKind, float] = {StepKind.EDIT: 0.66, StepKind.ANSWER: 0.35, StepKind.PLAN: 0.1, StepKind.RECOVER: 0.1}
"""The part of segments that hold a step of a kind at all."""
LEANING = 1.2
"""Chances are taken for so much higher: a cold cache opened beside the one that is needed after all costs a short session more than it
can save. On recorded sessions that halves what the dearest ones lose, for a tenth of a point in all."""


@dataclass(frozen=True, slots=True)
class Prospects:
    """Expected of the rest of a segment: `steps` until the next long pause, as `habits` say; `over` segments lie behind it."""

    steps: float
    habits: Habits
    over: int

    def share(self, kinds: Iterable[StepKind]) -> float:
        """The part of the steps that are of these kinds."""
        known, seen = self.habits.kinds, self.habits.steps + STEPS_BEFORE
        return sum(known.get(kind, 0) + STEPS_BEFORE * SHARES.get(kind, 0.0) for kind in kinds) / seen

    def chance(self, kinds: Iterable[StepKind]) -> float:
        """The chance that a segment holds a step of at least one of these kinds: that of the likeliest."""
        return max((self._in_a_segment(kind) for kind in kinds), default=0.0)

    def _in_a_segment(self, kind: StepKind) -> float:
        held = self.habits.segments_with.get(kind, 0)
        # The segment under way counts only if it has held one: it may still do so.
        chance = (held + KINDS_SEGMENTS_BEFORE * IN_A_SEGMENT.get(kind, 0.0)) / (max(held, self.over) + KINDS_SEGMENTS_BEFORE)
        return min(1.0, LEANING * chance)


def prospects(habits: Habits, now_ms: int) -> Prospects:
    """What is to come after this moment. Runs have no memory: what is left of one is expected to be as long as a whole one."""
    over = habits.segments if now_ms - habits.last_ms >= LIFETIME_MS else max(0, habits.segments - 1)
    return Prospects((habits.steps + SEGMENTS_BEFORE * STEPS_PER_SEGMENT) / (over + 1 + SEGMENTS_BEFORE), habits, over)
