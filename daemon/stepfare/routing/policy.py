"""Which floor a step gets: everybody who may say so, strongest first, each with words that name file and line."""

from __future__ import annotations

from collections.abc import Mapping

from stepfare.config.profiles import AUTO, alias_of, profile_named
from stepfare.core.decision import Floor
from stepfare.core.request import RequestView
from stepfare.core.step import Step, StepFeatures, StepKind, Tier
from stepfare.routing.snapshot import Snapshot

TIER_HEADER = "x-stepfare-tier"


def floor_for(view: RequestView, step: Step, features: StepFeatures, snapshot: Snapshot) -> Floor:
    """The floor of this step. Strongest first: the call's own header, the session's pin, the project's path rules (which only lift),
    its `[steps]`, its `profile`, the profile that the requested model name stands for, the user's settings."""
    asked = _asked(view) or _pinned(snapshot)
    if asked is not None:
        return asked
    ruled = _stepwise(step.kind, snapshot) or _profiled(view, step.kind, snapshot)
    lifted = _by_path(features, snapshot)
    return lifted if lifted is not None and lifted.tier >= ruled.tier else ruled


def lowered(floor: Floor, snapshot: Snapshot) -> Floor | None:
    """The floor where no budget is left for a model that meets it: frugal where the user said `on_limit = "frugal"`, else None."""
    cap = next((cap for cap in snapshot.caps if cap.on_limit == "frugal"), None)
    if cap is None or floor.tier is Tier.FRUGAL:
        return None
    words = f'the {cap.scope} budget ({cap.source}) leaves no room for {floor.tier.word} and on_limit is "frugal"; else: {floor.words}'
    return Floor(Tier.FRUGAL, "budget", words)


def _asked(view: RequestView) -> Floor | None:
    word = view.headers.get(TIER_HEADER, "").strip().lower()
    if word in {tier.word for tier in Tier}:
        return Floor(Tier.of(word), "header", f"the call asks for {word} ({TIER_HEADER})")
    return None


def _pinned(snapshot: Snapshot) -> Floor | None:
    pin = snapshot.session.pin
    return None if pin is None else Floor(pin, "pin", f"the session is pinned to {pin.word}")


def _by_path(features: StepFeatures, snapshot: Snapshot) -> Floor | None:
    found = snapshot.dotfile.floor_for(features.files) if snapshot.dotfile else None
    if snapshot.dotfile is None or found is None:
        return None
    words = f"{snapshot.dotfile.source}:{found.line} asks for {found.tier.word} on {found.glob}, and {found.file} is in play"
    return Floor(found.tier, "path", words)


def _stepwise(kind: StepKind, snapshot: Snapshot) -> Floor | None:
    dotfile = snapshot.dotfile
    tier = dotfile.steps.get(kind) if dotfile else None
    if dotfile is None or tier is None:
        return None
    return Floor(tier, "dotfile", f"{dotfile.cite(f'steps.{kind.value}')} sets {kind.value} to {tier.word}")


def _profiled(view: RequestView, kind: StepKind, snapshot: Snapshot) -> Floor:
    policy, dotfile = snapshot.policy, snapshot.dotfile
    alias = alias_of(view.model, policy.profiles)
    if dotfile is not None and dotfile.profile:
        named = _in_profile(dotfile.profile, kind, policy.profiles)
        if named is not None:
            return Floor(named, "profile", f"{dotfile.cite('profile')} starts from profile {dotfile.profile}: {kind.value} is {named.word}")
    if alias is not None and alias != AUTO:
        named = _in_profile(alias, kind, policy.profiles)
        if named is not None:
            return Floor(named, "alias", f"the client asks for profile {alias}: {kind.value} is {named.word}")
    tier = _in_profile(policy.profile, kind, policy.profiles)
    assert tier is not None, policy.profile  # startup accepts no settings whose profile is unknown
    return Floor(tier, "settings", f"profile {policy.profile} ({policy.profile_source}): {kind.value} is {tier.word}")


def _in_profile(name: str, kind: StepKind, profiles: Mapping[str, Mapping[StepKind, Tier]]) -> Tier | None:
    table = profile_named(name, profiles)
    return None if table is None else table[kind]
