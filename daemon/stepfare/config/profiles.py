"""Profiles: which tier each kind of step gets at least, and the model names that stand for a profile.

Which profile holds for a step is the business of routing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from stepfare.core.step import StepKind, Tier

DEFAULT_PROFILE = "balanced"
AUTO = "auto"
"""The alias that leaves the profile to the project's file and the user's settings."""

_ROUTINE = (StepKind.EXPLORE, StepKind.SUMMARIZE, StepKind.SIDE, StepKind.COMPLETE, StepKind.RUN)
_WORK = (StepKind.ANSWER, StepKind.EDIT)
_THOUGHT = (StepKind.PLAN, StepKind.RECOVER)


def _profile(work: Tier, thought: Tier) -> Mapping[StepKind, Tier]:
    rows = dict.fromkeys(_ROUTINE, Tier.FRUGAL) | dict.fromkeys(_WORK, work) | dict.fromkeys(_THOUGHT, thought)
    return MappingProxyType({kind: rows[kind] for kind in StepKind})


PROFILES: Mapping[str, Mapping[StepKind, Tier]] = MappingProxyType(
    {
        "frugal": _profile(Tier.FRUGAL, Tier.FRUGAL),
        "balanced": _profile(Tier.BALANCED, Tier.BALANCED),
        "careful": _profile(Tier.BALANCED, Tier.PREMIUM),
        "premium": _profile(Tier.PREMIUM, Tier.PREMIUM),
        "ladder": _profile(Tier.FRUGAL, Tier.FRUGAL),
    }
)
"""The profiles that ship. Routine steps are frugal in all of them."""

LADDER = "ladder"
"""The profile that begins on the lowest rung whatever is to be done; evidence of trouble lifts the whole session."""

RESERVED_NAMES = frozenset(PROFILES) | {AUTO}
"""Names that a profile of the user's own cannot take."""

ALIAS_PREFIXES = ("stepfare/", "neo-mode/", "claude-stepfare-", "gpt-5-stepfare-")
"""The last two are for clients that list only models whose names begin with claude, and for one that tells by the name which format to
speak."""


def profile_named(name: str, user_profiles: Mapping[str, Mapping[StepKind, Tier]]) -> Mapping[StepKind, Tier] | None:
    """The whole table of that profile. A user's own profile says what differs from `balanced`; None where nobody knows the name."""
    if name in PROFILES:
        return PROFILES[name]
    own = user_profiles.get(name)
    return None if own is None else MappingProxyType({**PROFILES[DEFAULT_PROFILE], **own})


def alias_of(model_name: str, user_profiles: Collection[str] = ()) -> str | None:
    """The profile (or `auto`) that a requested model name stands for; None where it names a model."""
    name = model_name.strip().lower()
    for prefix in ALIAS_PREFIXES:
        name = name.removeprefix(prefix)
    return name if name == AUTO or name in PROFILES or name in user_profiles else None
