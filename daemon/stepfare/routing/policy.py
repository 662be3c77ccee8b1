"""Which floors hold for a step: everybody who may say so, strongest first, each with words that name file and line; and whether the gate
makes the lowest of them enough to begin with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from stepfare.config.profiles import AUTO, LADDER, alias_of, profile_named
from stepfare.core.decision import Floor, GatePlan
from stepfare.core.request import RequestView
from stepfare.core.session import Session
from stepfare.core.step import Step, StepFeatures, StepKind, Tier
from stepfare.routing.snapshot import Snapshot
from stepfare.steps.rules import RECOVERABLE
from stepfare.steps.trouble import pieces, stuck

TIER_HEADER = "x-stepfare-tier"
FLOORS_KEPT_MAX = 256
CHANGING = frozenset({StepKind.EDIT, StepKind.RECOVER})
"""Kinds of turns whose files a project may guard: what they touch is known when they have been said, not before."""


def floors_for(view: RequestView, features: StepFeatures, snapshot: Snapshot) -> Mapping[StepKind, Floor]:
    """The floor of every kind that this step may turn out to be. Strongest first: the call's own header, the session's pin, the
    project's path rules (which only lift), its `[steps]`, its `profile`, the profile that the requested model name stands for, the
    user's settings. In trouble the kinds that become a recovery have its floor."""
    asked = _asked(view) or _pinned(snapshot)
    if asked is not None:
        return dict.fromkeys(StepKind, asked)
    lifted = _by_path(features.files, snapshot)
    profile = _profile_in_force(view, snapshot)
    if profile.name == LADDER:
        profile = _lifted(profile, rungs(snapshot.session, features))
    floors = {kind: _higher(lifted, _stepwise(kind, snapshot) or profile.floor(kind)) for kind in StepKind}
    trouble = stuck(features)
    if trouble:
        # What would be an edit, an answer or a plan is a recovery.
        recovery = replace(floors[StepKind.RECOVER], words=f"{trouble}; {floors[StepKind.RECOVER].words}")
        floors |= dict.fromkeys((*RECOVERABLE, StepKind.RECOVER), recovery)
    return floors


def floor_of_action(kind: StepKind, files: Sequence[str], floors: Mapping[StepKind, Floor], snapshot: Snapshot) -> Floor:
    """The floor of a turn that turned out to be of this kind; one that changes files (relative to the project's folder) may touch some
    that the project guards."""
    floor = floors[kind]
    if kind not in CHANGING or floor.source in _FIXED:
        return floor
    return _higher(_by_path(files, snapshot), floor)


def gate_plan(step: Step, features: StepFeatures, floors: Mapping[StepKind, Floor], snapshot: Snapshot, *, manual: bool) -> GatePlan:
    """Whether this step may begin below the floor that an edit needs. It is of no use where the tier is fixed, where the kind is certain,
    where the model cannot act, or where no action needs more than a look around does."""
    edit = floors[StepKind.EDIT]
    highest = max((floor.tier for floor in floors.values()), default=Tier.FRUGAL)
    if snapshot.dotfile is not None and edit.source not in _FIXED:
        highest = max((highest, *(rule.tier for rule in snapshot.dotfile.paths)))
    on = (
        snapshot.policy.gate_enabled
        and not manual
        and not step.certain
        and features.agent_loop
        and edit.source not in _FIXED
        and highest > lowest(floors).tier
    )
    return GatePlan(on, edit.tier, snapshot.policy.gate_hold_ms, floors, highest)


def lowest(floors: Mapping[StepKind, Floor]) -> Floor:
    """The floor that is enough to look around, which is what most steps do."""
    return min((floors[kind] for kind in _ROUTINE), key=lambda floor: floor.tier)


def rungs(session: Session, features: StepFeatures) -> int:
    """By how many tiers evidence has lifted this session: each piece that its last step did not show yet lifts it by one, for good."""
    return min(Tier.PREMIUM, session.rungs + max(0, pieces(features) - session.evidence))


def lowered(floor: Floor, snapshot: Snapshot) -> Floor | None:
    """The floor where no budget is left for a model that meets it: frugal where the user said `on_limit = "frugal"`, else None."""
    cap = next((cap for cap in snapshot.caps if cap.on_limit == "frugal"), None)
    if cap is None or floor.tier is Tier.FRUGAL:
        return None
    words = f'the {cap.scope} budget ({cap.source}) leaves no room for {floor.tier.word} and on_limit is "frugal"; else: {floor.words}'
    return Floor(Tier.FRUGAL, "budget", words)


def behind_gate(floor: Floor, plan: GatePlan) -> Floor:
    """The floor to begin with, which says what comes of an action that needs more."""
    needs = plan.floors[StepKind.EDIT]
    return replace(floor, words=f"{floor.words}; held until its action is known, for {needs.words}")


_FIXED = frozenset({"header", "pin"})
_ROUTINE = (StepKind.EXPLORE, StepKind.RUN, StepKind.SUMMARIZE)


def _higher(lifted: Floor | None, ruled: Floor) -> Floor:
    return lifted if lifted is not None and lifted.tier >= ruled.tier else ruled


def _asked(view: RequestView) -> Floor | None:
    word = view.headers.get(TIER_HEADER, "").strip().lower()
    if word in {tier.word for tier in Tier}:
        return Floor(Tier.of(word), "header", f"the call asks for {word} ({TIER_HEADER})")
    return None


def _pinned(snapshot: Snapshot) -> Floor | None:
    pin = snapshot.session.pin
    return None if pin is None else Floor(pin, "pin", f"the session is pinned to {pin.word}")


def _by_path(files: Sequence[str], snapshot: Snapshot) -> Floor | None:
    found = snapshot.dotfile.floor_for(files) if snapshot.dotfile else None
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


@dataclass(frozen=True, slots=True)
class _Profile:
    """The profile that holds, who says so, and the beginning of the sentence that tells it."""

    name: str
    table: Mapping[StepKind, Tier]
    source: str
    words: str

    def floor(self, kind: StepKind) -> Floor:
        return _floor(self.table[kind], self.source, self.words, kind)


@lru_cache(FLOORS_KEPT_MAX)
def _floor(tier: Tier, source: str, words: str, kind: StepKind) -> Floor:
    """The same for nearly every step."""
    return Floor(tier, source, f"{words}: {kind} is {tier.word}")


def _lifted(profile: _Profile, by: int) -> _Profile:
    if not by:
        return profile
    table = {kind: Tier(min(Tier.PREMIUM, tier + by)) for kind, tier in profile.table.items()}
    return replace(profile, table=table, words=f"{profile.words}, where evidence of trouble has lifted the session by {by}")


def _profile_in_force(view: RequestView, snapshot: Snapshot) -> _Profile:
    policy, dotfile = snapshot.policy, snapshot.dotfile
    alias = alias_of(view.model, policy.profiles)
    if dotfile is not None and dotfile.profile:
        table = profile_named(dotfile.profile, policy.profiles)
        if table is not None:
            return _Profile(dotfile.profile, table, "profile", f"{dotfile.cite('profile')} starts from profile {dotfile.profile}")
    if alias is not None and alias != AUTO:
        table = profile_named(alias, policy.profiles)
        if table is not None:
            return _Profile(alias, table, "alias", f"the client asks for profile {alias}")
    table = profile_named(policy.profile, policy.profiles)
    assert table is not None, policy.profile  # startup accepts no settings whose profile is unknown
    return _Profile(policy.profile, table, "settings", f"profile {policy.profile} ({policy.profile_source})")
