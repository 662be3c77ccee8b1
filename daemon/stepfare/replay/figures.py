"""Sums over replayed sessions: what a policy cost against its baselines and the optimum, and of what the gap is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from stepfare.core.step import Tier
from stepfare.replay.costs import Call, Course
from stepfare.replay.floors import Floors
from stepfare.replay.recording import RecordedStep

ABOVE = (102, 100)
"""A session is counted as one that lost where it cost more than this many hundredths of always-balanced."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Of what a course's cost is made, in picodollars; the parts add up to the whole."""

    probes_pusd: int = 0
    """Reads and output of answers that were thrown away because they turned out to need a better model."""
    expired_pusd: int = 0
    """Writes of what the same model's cache had held and forgot by age."""
    carried_pusd: int = 0
    """Writes of what another model had read already."""
    new_pusd: int = 0
    """Writes of what nobody had seen before."""
    reads_pusd: int = 0
    output_pusd: int = 0
    kept_pusd: int = 0
    """Calls that did nothing but keep a cache alive."""

    @property
    def pusd(self) -> int:
        return sum(getattr(self, one.name) for one in fields(self))

    def __add__(self, other: Parts) -> Parts:
        return Parts(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Parts)))


def parts_of(course: Course) -> Parts:
    probes = [call for call in course.calls if call.probe]
    answers = [call for call in course.calls if not call.probe]
    return Parts(
        probes_pusd=sum(call.read_pusd + call.output_pusd for call in probes),
        expired_pusd=sum(call.expired_pusd for call in course.calls),
        carried_pusd=sum(call.carried_pusd for call in course.calls),
        new_pusd=sum(call.new_pusd for call in course.calls),
        reads_pusd=sum(call.read_pusd for call in answers),
        output_pusd=sum(call.output_pusd for call in answers),
        kept_pusd=sum(call.pusd for call in course.pings),
    )


@dataclass(frozen=True, slots=True)
class Decided:
    """One step under the policy: what it needed, who was asked in vain, who answered, and what that cost in all."""

    step: RecordedStep
    needed: Tier
    probes: tuple[str, ...]
    model: str
    tier: Tier
    pusd: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """One session under one price set."""

    session: str
    agent: str
    project: str
    steps: int
    policy: Parts
    optimum: Parts
    balanced_pusd: int
    premium_pusd: int
    frugal_pusd: int
    switch_pusd: int
    edits_below_floor: int
    escalations: int
    pings: int = 0
    booked_pusd: int | None = None
    """What the books say that it really cost, where they do."""
    decided: tuple[Decided, ...] = ()
    """Step by step, where that was asked for."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over sessions. Shares are of always-balanced; they are None where that costs nothing."""

    sessions: int
    steps: int
    policy: Parts
    optimum: Parts
    balanced_pusd: int
    premium_pusd: int
    frugal_pusd: int
    switch_pusd: int
    edits_below_floor: int
    escalations: int
    pings: int
    """Calls that kept a cache alive."""
    worst_share: float | None
    worst_session: str
    sessions_above: int
    excess_pusd: int
    """What the sessions above cost beyond 1.02 x always-balanced."""
    booked_pusd: int | None

    def share(self, pusd: int) -> float | None:
        return pusd / self.balanced_pusd if self.balanced_pusd else None


def figures_of(outcomes: Sequence[Outcome]) -> Figures:
    """The sums; `outcomes` must not be empty."""
    worst = max(outcomes, key=lambda one: one.policy.pusd / one.balanced_pusd if one.balanced_pusd else 0.0)
    above = [one for one in outcomes if ABOVE[1] * one.policy.pusd > ABOVE[0] * one.balanced_pusd]
    booked = [one.booked_pusd for one in outcomes if one.booked_pusd is not None]
    return Figures(
        sessions=len(outcomes),
        steps=sum(one.steps for one in outcomes),
        policy=_total(one.policy for one in outcomes),
        optimum=_total(one.optimum for one in outcomes),
        balanced_pusd=sum(one.balanced_pusd for one in outcomes),
        premium_pusd=sum(one.premium_pusd for one in outcomes),
        frugal_pusd=sum(one.frugal_pusd for one in outcomes),
        switch_pusd=sum(one.switch_pusd for one in outcomes),
        edits_below_floor=sum(one.edits_below_floor for one in outcomes),
        escalations=sum(one.escalations for one in outcomes),
        pings=sum(one.pings for one in outcomes),
        worst_share=worst.policy.pusd / worst.balanced_pusd if worst.balanced_pusd else None,
        worst_session=worst.session,
        sessions_above=len(above),
        excess_pusd=sum(one.policy.pusd - one.balanced_pusd * ABOVE[0] // ABOVE[1] for one in above),
        booked_pusd=sum(booked) if len(booked) == len(outcomes) else None,
    )


def edits_below(course: Course, floors: Floors) -> int:
    """Edits whose shown answer came from a model below the floor of an edit."""
    answers = [call for call in course.calls if not call.probe]
    return sum(step.edits and call.rung.tier < floors.needed(step) for step, call in zip(course.steps, answers, strict=True))


def decided(course: Course, floors: Floors) -> tuple[Decided, ...]:
    """The course step by step."""
    found: list[Decided] = []
    probes: list[Call] = []
    calls = iter(course.calls)
    for step in course.steps:
        while (call := next(calls)).probe:
            probes.append(call)
        rung, pusd = call.rung, sum(one.pusd for one in (*probes, call))
        found.append(Decided(step, floors.needed(step), tuple(one.rung.id for one in probes), rung.id, rung.tier, pusd))
        probes = []
    return tuple(found)


def _total(parts: Iterable[Parts]) -> Parts:
    return sum(parts, Parts())
