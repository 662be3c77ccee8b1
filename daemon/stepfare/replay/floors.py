"""Which tier each kind of turn needs in replay: as a profile says, or edits alone, as the published figures count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from stepfare.core.step import StepKind, Tier
from stepfare.replay.recording import RecordedStep


@dataclass(frozen=True, slots=True)
class Floors:
    """`edit` is what a step needs that writes or changes code; `kinds` what every other one needs by its kind."""

    name: str
    kinds: Mapping[StepKind, Tier]
    edit: Tier

    def needed(self, step: RecordedStep) -> Tier:
        """What the step turned out to need."""
        return max(self.edit, self.kinds[step.kind]) if step.edits else self.kinds[step.kind]

    @property
    def lowest(self) -> Tier:
        return min(self.kinds.values())


def edits_only(profile: Mapping[StepKind, Tier]) -> Floors:
    """Edits and writes need what the profile asks for edits, everything else the cheapest model."""
    frugal = dict.fromkeys(StepKind, Tier.FRUGAL)
    return Floors("edits", MappingProxyType({**frugal, StepKind.EDIT: profile[StepKind.EDIT]}), profile[StepKind.EDIT])


def by_profile(profile: Mapping[StepKind, Tier]) -> Floors:
    """Every kind needs what the profile asks for it; an edit out of trouble at least what an edit does."""
    return Floors("profile", profile, profile[StepKind.EDIT])
