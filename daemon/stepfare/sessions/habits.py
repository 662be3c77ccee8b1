"""How sessions and projects go: how often a step needs more, how long they go on without a pause, which lifetime of caches would have
paid. A fold of served steps; what follows from it for a decision is for `routing`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from stepfare.core.session import COMPACTED_SHARE, ENDS_A_TURN, HOUR_MS, LIFETIME_MS, Habits
from stepfare.core.step import StepKind

PROJECTS_MAX = 500


def after_step(habits: Habits, kind: StepKind, at_ms: int, prompt_tokens: int) -> Habits:
    """The habits after one more step, served at that time."""
    pause_ms = at_ms - habits.last_ms if habits.steps else HOUR_MS
    begins = pause_ms >= LIFETIME_MS
    present = frozenset({kind}) if begins else habits.present | {kind}
    compacted = prompt_tokens < COMPACTED_SHARE * habits.last_tokens
    seen_tokens = min(prompt_tokens, habits.least_tokens if compacted else habits.last_tokens)
    forgotten = pause_ms >= HOUR_MS
    return Habits(
        steps=habits.steps + 1,
        kinds=_counted(habits.kinds, (kind,)),
        segments=habits.segments + begins,
        segments_with=_counted(habits.segments_with, present if begins else present - habits.present),
        new_tokens=habits.new_tokens + prompt_tokens - (0 if forgotten else seen_tokens),
        returned_tokens=habits.returned_tokens + (seen_tokens if begins and not forgotten else 0),
        turns_ended=habits.turns_ended + (kind in ENDS_A_TURN),
        turns_resumed=habits.turns_resumed + bool(habits.steps and habits.last_kind in ENDS_A_TURN),
        present=present,
        last_ms=at_ms,
        last_kind=kind,
        last_tokens=prompt_tokens,
        least_tokens=min(prompt_tokens, habits.least_tokens or prompt_tokens),
    )


@dataclass(slots=True)
class ProjectHabits:
    """The habits of projects, each the sum of its sessions; those that nobody used for longest go first."""

    _projects: OrderedDict[str, Habits] = field(default_factory=OrderedDict[str, Habits])

    def of(self, project: str) -> Habits:
        return self._projects.get(project, Habits())

    def learn(self, project: str, before: Habits, after: Habits) -> None:
        """A session of that project went on from one to the other."""
        if not project:
            return
        known = self.of(project)
        self._projects[project] = replace(
            known,
            steps=known.steps + after.steps - before.steps,
            kinds=_grown(known.kinds, before.kinds, after.kinds),
            segments=known.segments + after.segments - before.segments,
            segments_with=_grown(known.segments_with, before.segments_with, after.segments_with),
            new_tokens=known.new_tokens + after.new_tokens - before.new_tokens,
            returned_tokens=known.returned_tokens + after.returned_tokens - before.returned_tokens,
            turns_ended=known.turns_ended + after.turns_ended - before.turns_ended,
            turns_resumed=known.turns_resumed + after.turns_resumed - before.turns_resumed,
        )
        self._projects.move_to_end(project)
        while len(self._projects) > PROJECTS_MAX:
            self._projects.popitem(last=False)


def _counted(counts: Mapping[StepKind, int], kinds: Iterable[StepKind]) -> Mapping[StepKind, int]:
    more = dict(counts)
    for kind in kinds:
        more[kind] = more.get(kind, 0) + 1
    return more


def _grown(known: Mapping[StepKind, int], before: Mapping[StepKind, int], after: Mapping[StepKind, int]) -> Mapping[StepKind, int]:
    return {kind: known.get(kind, 0) + after.get(kind, 0) - before.get(kind, 0) for kind in {**known, **after}}
