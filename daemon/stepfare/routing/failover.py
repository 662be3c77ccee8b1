"""What to do after failures: the next candidate, a short wait, or giving up with the right word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from stepfare.core.attempt import Failure, Fault
from stepfare.core.decision import Decision, Ranked
from stepfare.core.step import Tier
from stepfare.routing.health import subject_of

ATTEMPTS_MAX = 6
ROUNDS = 2
"""How often the whole list is gone through; between rounds the shortest wait that a provider asked for, or BACKOFF_MS."""
BACKOFF_MS = 500
WAIT_MS_MAX = 8_000
"""Clients bear about 20 s of silence: a longer wait is theirs to decide."""


class Verdict(StrEnum):
    """Why nothing more is tried."""

    CUT = "cut"
    REFUSED = "refused"
    OVERFLOW = "overflow"
    EXHAUSTED = "exhausted"
    NO_CANDIDATE = "no-candidate"


@dataclass(frozen=True, slots=True)
class Try:
    ranked: Ranked
    after_ms: int = 0


@dataclass(frozen=True, slots=True)
class GiveUp:
    verdict: Verdict
    words: str
    retry_after_ms: int | None = None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """A candidate that was tried, and its fault."""

    model: str
    fault: Fault


_WORTH_ANOTHER_ROUND = frozenset({Failure.BUSY, Failure.DOWN, Failure.SLOW, Failure.CUT})
"""A stream that was cut before anything was shown is like a connection that never came to be."""


def next_move(decision: Decision, failed: Sequence[Failed], *, started: bool, at_least: Tier | None = None) -> Try | GiveUp:
    """What to do after these failures. Once the client has seen content, nobody else may finish the answer. `at_least` is the tier that an
    answer turned out to need which the gate has dropped."""
    if started:
        return GiveUp(Verdict.CUT, failed[-1].fault.words if failed else "the stream broke", fault=failed[-1].fault if failed else None)
    rows = _meeting(decision, at_least)
    if not rows:
        return GiveUp(Verdict.NO_CANDIDATE, "no model can serve this step")
    last = failed[-1].fault if failed else None
    if last is not None and last.failure is Failure.REFUSED:
        return GiveUp(Verdict.REFUSED, f"{failed[-1].model}: {last.words}", fault=last)
    able = [row for row in _able(decision, failed) if row in rows]
    tried = {one.model for one in failed}
    nobody_there = _unreachable(decision, failed)
    fresh = next((one for one in able if one.candidate.model.id not in tried and one.candidate.provider.id not in nobody_there), None)
    if fresh is not None and len(failed) < ATTEMPTS_MAX:
        return Try(fresh)
    again = _another_round(able, failed)
    if again is not None and len(failed) < ATTEMPTS_MAX:
        return again
    overflow = next((one.fault for one in reversed(failed) if one.fault.failure is Failure.OVERFLOW), None)
    if overflow is not None and all(one.fault.failure in (Failure.OVERFLOW, Failure.KEY) for one in failed):
        # No wait makes a prompt shorter; the client can.
        return GiveUp(Verdict.OVERFLOW, overflow.words, fault=overflow)
    waits = [one.fault.retry_after_ms for one in failed if one.fault.retry_after_ms is not None]
    words = "; ".join(f"{one.model}: {one.fault.words}" for one in failed)
    return GiveUp(Verdict.EXHAUSTED, words, min(waits, default=None), last)


def _meeting(decision: Decision, at_least: Tier | None) -> Sequence[Ranked]:
    """Who may be asked for an answer of that tier, or else for the first one."""
    floor = decision.floor.tier if at_least is None else at_least
    return [row for row in decision.ranked if floor in row.serves]


def _another_round(able: Sequence[Ranked], failed: Sequence[Failed]) -> Try | None:
    """The candidate that can be asked again soonest, if its wait is one that a client bears."""
    soonest: tuple[int, Ranked] | None = None
    for ranked in able:
        faults = [one.fault for one in failed if one.model == ranked.candidate.model.id]
        if not faults or len(faults) >= ROUNDS or faults[-1].failure not in _WORTH_ANOTHER_ROUND:
            continue
        asked = faults[-1].retry_after_ms
        wait_ms = BACKOFF_MS if asked is None else asked
        if wait_ms <= WAIT_MS_MAX and (soonest is None or wait_ms < soonest[0]):
            soonest = (wait_ms, ranked)
    return Try(soonest[1], soonest[0]) if soonest else None


def _unreachable(decision: Decision, failed: Sequence[Failed]) -> set[str]:
    """Providers that could not be connected to: their other models stand behind the same door."""
    provider_of = {one.candidate.model.id: one.candidate.provider.id for one in decision.ranked}
    return {provider_of.get(one.model, "") for one in failed if one.fault.failure is Failure.DOWN and not one.fault.status}


def _able(decision: Decision, failed: Sequence[Failed]) -> list[Ranked]:
    """Who may still be asked: nobody whose key was not taken, and after an overflow only those with a larger window."""
    candidates = {one.candidate.model.id: one.candidate for one in decision.ranked}
    keyless: set[str] = set()
    too_small_tokens = 0
    for one in failed:
        candidate = candidates.get(one.model)
        if candidate is None:
            continue  # There is no budget for it any more.
        if one.fault.failure is Failure.OVERFLOW:
            too_small_tokens = max(too_small_tokens, candidate.model.context_tokens)
        elif one.fault.failure is Failure.KEY:
            keyless.add(subject_of(one.fault, provider=candidate.provider.id, model=one.model))
    return [
        one
        for one in decision.ranked
        if keyless.isdisjoint((one.candidate.provider.id, one.candidate.model.id)) and one.candidate.model.context_tokens > too_small_tokens
    ]
