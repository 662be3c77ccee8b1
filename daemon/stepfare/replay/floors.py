"""Which tier each kind of turn needs in replay: as a profile says, or edits alone, as the published figures count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from stepfare.core.step import StepKind, Tier
from stepfare.replay.recording import RecordedStep
from stepfare.steps.rules import RECOVERABLE

ROUTINE = (StepKind.EXPLORE, StepKind.RUN, StepKind.SUMMARIZE)


@dataclass(frozen=True, slots=True)
class Floors:
    """`edit` is what a step needs that writes or changes code; `kinds` what every other one needs by its kind. Where evidence `lifts`,
    every floor of a session rises with it."""

    name: str
    kinds: Mapping[StepKind, Tier]
    edit: Tier
    lifts: bool = False

    def needed(self, step: RecordedStep) -> Tier:
        """What the step turned out to need."""
        floor = max(self.edit, self.kinds[step.kind]) if step.edits else self.kinds[step.kind]
        return self._lifted(floor, step)

    def foreseen(self, step: RecordedStep) -> Mapping[StepKind, Tier]:
        """What the step needs if it turns out to be of that kind."""
        if not step.stuck and not (self.lifts and step.rungs):
            return self.kinds
        recovery = self.kinds[StepKind.RECOVER]
        kinds = {**self.kinds, **dict.fromkeys(RECOVERABLE, recovery)} if step.stuck else dict(self.kinds)
        kinds[StepKind.EDIT] = max(self.edit, kinds[StepKind.EDIT])
        return {kind: self._lifted(tier, step) for kind, tier in kinds.items()}

    def lowest(self, step: RecordedStep) -> Tier:
        """What is enough to look around, which is what most steps do."""
        kinds = self.foreseen(step)
        return min(kinds[kind] for kind in ROUTINE)

    def _lifted(self, tier: Tier, step: RecordedStep) -> Tier:
        return Tier(min(Tier.PREMIUM, tier + step.rungs)) if self.lifts else tier


def edits_only(profile: Mapping[StepKind, Tier], *, lifts: bool = False) -> Floors:
    """Edits and writes need what the profile asks for edits, everything else the cheapest model."""
    frugal = dict.fromkeys(StepKind, Tier.FRUGAL)
    return Floors("edits", MappingProxyType({**frugal, StepKind.EDIT: profile[StepKind.EDIT]}), profile[StepKind.EDIT], lifts)


def by_profile(profile: Mapping[StepKind, Tier], *, lifts: bool = False) -> Floors:
    """Every kind needs what the profile asks for it; an edit out of trouble at least what an edit does."""
    return Floors("profile", profile, profile[StepKind.EDIT], lifts)
