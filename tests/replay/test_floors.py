"""What each recorded step needs under a profile, and under the floors that published figures use."""

from __future__ import annotations

import pytest

from stepfare.config.profiles import PROFILES
from stepfare.core.step import StepKind, Tier
from stepfare.replay.floors import Floors, by_profile, edits_only
from stepfare.replay.recording import RecordedStep

BALANCED, CAREFUL, LADDER = (PROFILES[name] for name in ("balanced", "careful", "ladder"))


def a_step(kind: StepKind, *, edits: bool = False, stuck: bool = False, rungs: int = 0) -> RecordedStep:
    return RecordedStep(0, 2_000, 10, kind, edits, stuck=stuck, rungs=rungs)


@pytest.mark.parametrize(
    ("floors", "step", "needed"),
    [
        (edits_only(BALANCED), a_step(StepKind.EDIT, edits=True), Tier.BALANCED),
        (edits_only(BALANCED), a_step(StepKind.RECOVER, edits=True, stuck=True), Tier.BALANCED),
        (edits_only(BALANCED), a_step(StepKind.RECOVER, stuck=True), Tier.FRUGAL),
        (edits_only(BALANCED), a_step(StepKind.ANSWER), Tier.FRUGAL),
        (edits_only(BALANCED), a_step(StepKind.PLAN), Tier.FRUGAL),
        (by_profile(BALANCED), a_step(StepKind.ANSWER), Tier.BALANCED),
        (by_profile(BALANCED), a_step(StepKind.SIDE), Tier.FRUGAL),
        (by_profile(CAREFUL), a_step(StepKind.RECOVER, edits=True, stuck=True), Tier.PREMIUM),
        (by_profile(CAREFUL), a_step(StepKind.EDIT, edits=True), Tier.BALANCED),
        (by_profile(LADDER, lifts=True), a_step(StepKind.EDIT, edits=True), Tier.FRUGAL),
        (by_profile(LADDER, lifts=True), a_step(StepKind.EXPLORE, rungs=1), Tier.BALANCED),
        (by_profile(LADDER, lifts=True), a_step(StepKind.EXPLORE, rungs=5), Tier.PREMIUM),
    ],
)
def test_what_a_step_needs(floors: Floors, step: RecordedStep, needed: Tier) -> None:
    assert floors.needed(step) is needed
    if not step.edits:
        assert floors.foreseen(step)[step.kind] is needed


def test_in_trouble_what_would_be_an_answer_has_to_be_a_recovery() -> None:
    foreseen = by_profile(CAREFUL).foreseen(a_step(StepKind.EXPLORE, stuck=True))
    assert (foreseen[StepKind.ANSWER], foreseen[StepKind.EDIT], foreseen[StepKind.EXPLORE]) == (Tier.PREMIUM, Tier.PREMIUM, Tier.FRUGAL)
