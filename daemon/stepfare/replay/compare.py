"""Replays sessions under one policy beside its baselines and the optimum: the sentence that the other modules are the words of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from stepfare.config.profiles import DEFAULT_PROFILE, PROFILES
from stepfare.core.step import StepKind, Tier
from stepfare.replay.costs import Course, Rung, fixed, hourly
from stepfare.replay.figures import Outcome, decided, edits_below, parts_of
from stepfare.replay.floors import Floors, by_profile, edits_only
from stepfare.replay.optimum import optimum
from stepfare.replay.planned import Planner
from stepfare.replay.policies import Serve, always, course_of, gated
from stepfare.replay.price_sets import Ladder, baselines_of, cheapest_of
from stepfare.replay.recording import Recording

POLICIES = ("planner", "gate", "touch", "frugal", "balanced", "premium", "optimum")

LIFETIMES: Mapping[str, Callable[[Rung], Rung]] = {"5m": fixed, "1h": hourly, "free": lambda rung: rung}
"""For how long caches are opened: five minutes (or what the provider gives), an hour, or either, as a policy sees fit."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is replayed: a policy, the tiers that kinds of steps need, and for how long caches are opened (5m, 1h, free)."""

    policy: str = "planner"
    profile: Mapping[StepKind, Tier] | None = None
    """None: `balanced`, as it ships."""
    edits_only: bool = True
    lifetime: str = "5m"
    lifts: bool = False
    """Whether evidence of trouble lifts all floors of a session, as in the profile `ladder`."""
    stepwise: bool = False
    """Whether outcomes tell each step."""
    pings: bool = True
    """Whether the planner may keep caches alive between the steps of a session, out of what it has saved."""

    def floors(self) -> Floors:
        profile = PROFILES[DEFAULT_PROFILE] if self.profile is None else self.profile
        return edits_only(profile, lifts=self.lifts) if self.edits_only else by_profile(profile, lifts=self.lifts)


@dataclass(frozen=True, slots=True)
class _Models:
    """Who may serve in a replay, and the ladders that are made of them."""

    all: tuple[Rung, ...]
    baselines: Ladder
    cheapest: Ladder
    floors: Floors


def compared(recordings: Iterable[Recording], rungs: Sequence[Rung], plan: Plan) -> list[Outcome]:
    """What each session cost. Sessions of a project follow each other in time, since a policy may learn from the ones before. `rungs` are
    all models that may serve; baselines stand on the dearest of each tier, the gate alone and the optimum on the cheapest."""
    opened = LIFETIMES[plan.lifetime]
    rungs = tuple(opened(rung) for rung in rungs)
    models = _Models(rungs, baselines_of(rungs), cheapest_of(rungs), plan.floors())
    found: list[Outcome] = []
    by_project: dict[str, list[Recording]] = {}
    for recording in recordings:
        by_project.setdefault(recording.project, []).append(recording)
    for of_project in by_project.values():
        run = _runner(plan, models)
        in_time = sorted(of_project, key=lambda one: one.steps[0].at_ms)
        found += [_outcome(recording, run(recording), models, plan) for recording in in_time]
    return found


def _runner(plan: Plan, models: _Models) -> Callable[[Recording], Course]:
    def simply(serve: Serve) -> Callable[[Recording], Course]:
        return lambda recording: course_of(recording, serve)

    match plan.policy:
        case "planner":
            return Planner(models.all, models.floors, models.baselines, pings=plan.pings).course
        case "optimum":
            return lambda recording: optimum(models.cheapest, models.floors, recording.steps)
        case "gate" | "touch":
            return simply(gated(models.cheapest, models.floors, touch=plan.policy == "touch"))
        case _:
            return simply(always(models.baselines, Tier.of(plan.policy)))


def _outcome(recording: Recording, course: Course, models: _Models, plan: Plan) -> Outcome:
    # With lifetimes free, the baselines stay at the usual one: that is what a session without us costs.
    baselines = {tier: parts_of(course_of(recording, always(models.baselines, tier))).pusd for tier in Tier}
    booked = [step.booked_pusd for step in recording.steps if step.booked_pusd is not None]
    return Outcome(
        session=recording.id,
        agent=recording.agent,
        project=recording.project,
        steps=len(recording.steps),
        policy=parts_of(course),
        optimum=parts_of(optimum(models.cheapest, models.floors, recording.steps)),
        balanced_pusd=baselines[Tier.BALANCED],
        premium_pusd=baselines[Tier.PREMIUM],
        frugal_pusd=baselines[Tier.FRUGAL],
        switch_pusd=sum(call.switch_pusd for call in course.calls),
        edits_below_floor=edits_below(course, models.floors),
        escalations=sum(call.probe for call in course.calls),
        pings=len(course.pings),
        booked_pusd=sum(booked) if len(booked) == len(recording.steps) else None,
        decided=decided(course, models.floors) if plan.stepwise else (),
    )
