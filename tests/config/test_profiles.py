"""Profiles and the names by which clients ask for them."""

from __future__ import annotations

import pytest

from stepfare.config.profiles import PROFILES, alias_of, profile_named
from stepfare.core.step import StepKind, Tier

ROUTINE = (StepKind.EXPLORE, StepKind.SUMMARIZE, StepKind.SIDE, StepKind.COMPLETE, StepKind.RUN)


@pytest.mark.parametrize(
    ("name", "edit", "plan"),
    [
        ("frugal", Tier.FRUGAL, Tier.FRUGAL),
        ("balanced", Tier.BALANCED, Tier.BALANCED),
        ("careful", Tier.BALANCED, Tier.PREMIUM),
        ("premium", Tier.PREMIUM, Tier.PREMIUM),
    ],
)
def test_the_shipped_profiles_are_frugal_in_routine(name: str, edit: Tier, plan: Tier) -> None:
    profile = profile_named(name, {})
    assert profile is not None
    assert set(profile) == set(StepKind)
    assert {profile[kind] for kind in ROUTINE} == {Tier.FRUGAL}
    assert profile[StepKind.EDIT] is profile[StepKind.ANSWER] is edit
    assert profile[StepKind.PLAN] is profile[StepKind.RECOVER] is plan


def test_a_profile_of_ones_own_says_what_differs_from_balanced() -> None:
    assert profile_named("nightly", {"nightly": {StepKind.EDIT: Tier.FRUGAL}}) == {**PROFILES["balanced"], StepKind.EDIT: Tier.FRUGAL}
    assert profile_named("nightly", {}) is None
    assert profile_named("balanced", {"balanced": {StepKind.EDIT: Tier.FRUGAL}}) == PROFILES["balanced"]


@pytest.mark.parametrize(
    ("asked", "profile"),
    [
        ("auto", "auto"),
        ("balanced", "balanced"),
        ("stepfare/careful", "careful"),
        ("neo-mode/frugal", "frugal"),
        ("claude-stepfare-premium", "premium"),
        ("gpt-5-stepfare-auto", "auto"),
        ("gpt-5", None),
        (" Stepfare/Auto ", "auto"),
        ("stepfare/nightly", "nightly"),
        ("stepfare/simulator", None),
        ("openai/gpt-5", None),
        ("", None),
        ("ladder", "ladder"),
    ],
)
def test_aliases_stand_for_profiles(asked: str, profile: str | None) -> None:
    assert alias_of(asked, ["nightly"]) == profile
