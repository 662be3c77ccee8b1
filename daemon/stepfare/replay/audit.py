"""Whether routing helped on sessions that were really served: against always-balanced, and against chance.

Both sides are reckoned by the cost model, like with like: what the steps cost on the tiers that served them, what they would have cost on
one model, and what the same tiers would have cost, dealt to the session's steps at random. Sessions are drawn again and again, so that an
interval can be given. Chance is handed in, since nothing here rolls dice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from stepfare.core.step import Tier
from stepfare.replay.costs import Course, cheapest_that_fits
from stepfare.replay.policies import PROBE_OUTPUT_TOKENS, always, course_of
from stepfare.replay.price_sets import Ladder
from stepfare.replay.recording import Recording

SESSIONS_MIN = 8
"""Fewer say nothing, whatever they say."""
DEALS = 20
"""How often a session's tiers are dealt anew."""
DRAWS = 2_000
CONFIDENCE_PERCENT = 95

Pick: TypeAlias = Callable[[int], int]
"""A number from 0 up to, not including, the one given."""


class Verdict(StrEnum):
    HELPED = "helped"
    NOT = "did not help"
    NONE = "no evidence"


@dataclass(frozen=True, slots=True)
class Served:
    """One session as it was served, and what else it might have cost, all by the cost model."""

    recording: Recording
    routed_pusd: int
    balanced_pusd: int
    premium_pusd: int
    dealt_pusd: int
    """The mean of all deals."""

    @property
    def booked_pusd(self) -> int | None:
        booked = [step.booked_pusd for step in self.recording.steps if step.booked_pusd is not None]
        return sum(booked) if len(booked) == len(self.recording.steps) else None


@dataclass(frozen=True, slots=True)
class Interval:
    """A share and the bounds between which it lies in 95 of 100 draws."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Audit:
    """The verdict with what it stands on. `saved` is the part of always-balanced that was not spent; `beside_chance` the part of it by
    which the same tiers, dealt at random, would have cost more."""

    verdict: Verdict
    because: str
    sessions: tuple[Served, ...]
    saved: Interval
    saved_of_premium: Interval
    beside_chance: Interval


def served(recording: Recording, ladder: Ladder, pick: Pick) -> Served:
    """What the session cost by the cost model. Each of its steps must say which tier served it."""
    hands = [(step.probes, step.tier) for step in recording.steps if step.tier is not None]
    assert len(hands) == len(recording.steps), recording.id
    dealt = 0
    for _ in range(DEALS):
        shuffled = list(hands)
        for place in range(len(shuffled) - 1, 0, -1):
            other = pick(place + 1)
            shuffled[place], shuffled[other] = shuffled[other], shuffled[place]
        dealt += _cost(recording, ladder, shuffled)
    return Served(
        recording,
        routed_pusd=_cost(recording, ladder, hands),
        balanced_pusd=_always(recording, ladder, Tier.BALANCED),
        premium_pusd=_always(recording, ladder, Tier.PREMIUM),
        dealt_pusd=dealt // DEALS,
    )


def audited(sessions: Sequence[Served], pick: Pick) -> Audit:
    """The verdict on these sessions; there must be one at least."""
    saved = _interval([(one.balanced_pusd - one.routed_pusd, one.balanced_pusd) for one in sessions], pick)
    of_premium = _interval([(one.premium_pusd - one.routed_pusd, one.premium_pusd) for one in sessions], pick)
    chance = _interval([(one.dealt_pusd - one.routed_pusd, one.balanced_pusd) for one in sessions], pick)
    verdict, because = _verdict(len(sessions), saved, chance)
    return Audit(verdict, because, tuple(sessions), saved, of_premium, chance)


def _verdict(sessions: int, saved: Interval, chance: Interval) -> tuple[Verdict, str]:
    if sessions < SESSIONS_MIN:
        seen = "is only 1 session" if sessions == 1 else f"are only {sessions} sessions"
        return Verdict.NONE, f"there {seen}; {SESSIONS_MIN} are the least that can say anything"
    if saved.high < 0:
        return Verdict.NOT, "the balanced model alone would have been cheaper"
    if saved.low <= 0:
        return Verdict.NONE, "the sessions differ too much to tell whether it was cheaper than the balanced model alone"
    if chance.high < 0:
        return (
            Verdict.NOT,
            "it was cheaper than the balanced model alone, but the same tiers dealt to the steps at random were cheaper still",
        )
    if chance.low <= 0:
        return Verdict.NONE, (
            "it was cheaper than the balanced model alone, but the same tiers dealt to the steps at random were not clearly dearer: what "
            "was saved came from cheaper models, not from choosing when to use them"
        )
    return Verdict.HELPED, "it was cheaper than the balanced model alone, and cheaper than the same tiers dealt to the steps at random"


def _interval(pairs: Sequence[tuple[int, int]], pick: Pick) -> Interval:
    """Of sums over sessions: the part that the first are of the second, for these sessions and for draws of as many from them."""
    shares = sorted(_share([pairs[pick(len(pairs))] for _ in pairs]) for _ in range(DRAWS))
    tail = DRAWS * (100 - CONFIDENCE_PERCENT) // 200
    return Interval(_share(pairs), shares[tail], shares[-1 - tail])


def _share(pairs: Sequence[tuple[int, int]]) -> float:
    whole = sum(pair[1] for pair in pairs)
    return sum(pair[0] for pair in pairs) / whole if whole else 0.0


def _cost(recording: Recording, ladder: Ladder, hands: Sequence[tuple[tuple[Tier, ...], Tier]]) -> int:
    course = Course(recording.steps)
    for at, (probes, tier) in enumerate(hands):
        step = course.arrive(at)
        for probe in probes:
            course.call(cheapest_that_fits(ladder, probe, step.prompt_tokens), PROBE_OUTPUT_TOKENS, probe=True)
        course.call(cheapest_that_fits(ladder, tier, step.prompt_tokens), step.output_tokens)
    return sum(call.pusd for call in course.calls)


def _always(recording: Recording, ladder: Ladder, tier: Tier) -> int:
    return sum(call.pusd for call in course_of(recording, always(ladder, tier)).calls)
