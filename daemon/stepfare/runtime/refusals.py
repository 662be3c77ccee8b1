"""When a step gets no answer: which status the client is told, chosen so that it neither retries in vain nor dies in silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil

from stepfare.core.attempt import Failure
from stepfare.core.decision import Decision, Floor
from stepfare.core.money import usd_text
from stepfare.dialects.openai_chat import QUOTA
from stepfare.ledger.claims import OverCap
from stepfare.routing.failover import Failed, GiveUp, Verdict

BUDGET_REACHED = "budget_reached"
RETRY_AFTER_MS = 15_000
"""What a client is asked to wait where no provider named a time."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """`body` is the provider's own where the request itself was wrong: clients recover by its exact words."""

    status: int
    code: str
    words: str
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


def refusal_of(verdict: GiveUp, decision: Decision, floor: Floor, failed: Sequence[Failed]) -> Refusal:
    """The refusal for a verdict of failover; `floor` is the one that nobody could meet."""
    match verdict.verdict:
        case Verdict.CUT:
            return Refusal(502, "stream_cut", verdict.words)
        case Verdict.REFUSED | Verdict.OVERFLOW if verdict.fault is not None and verdict.fault.status:
            body = verdict.fault.body
            # Clients make a prompt shorter by words that they know; where a provider has others, they are told in ours.
            known = verdict.verdict is Verdict.REFUSED or any(mark in body.lower() for mark in _RECOVERED_BY)
            return Refusal(verdict.fault.status, _code(verdict), verdict.words, body=body if known else b"")
        case Verdict.REFUSED | Verdict.OVERFLOW:
            return Refusal(400, _code(verdict), verdict.words)
        case Verdict.NO_CANDIDATE:
            return _no_candidate(decision, floor)
        case Verdict.EXHAUSTED:
            return _exhausted(verdict, failed)


_RECOVERED_BY = (b"context_length_exceeded", b"prompt is too long")


FINAL_STATUS = {"aider": 400, "mini-swe-agent": 404}
"""Clients whose library asks again after a 402, and what it takes as final: of litellm's own errors each retries others."""


def overspent(over: OverCap) -> Refusal:
    """Others who share the books were quicker, again and again."""
    used, limit = usd_text(over.used_pusd), usd_text(over.claim.limit_pusd)
    words = f"a budget of ${limit} has ${used} used or reserved by those who share it, and this call may cost more than is left"
    return Refusal(402, BUDGET_REACHED, f"{words}. `stepfare budget` shows what is left, and `stepfare budget extend` goes on.")


def in_words_of(dialect: str, client: str, refusal: Refusal) -> Refusal:
    """The same refusal with the status by which this client neither retries in vain nor dies: Codex goes on asking after a 402,
    and stops at a 400 that speaks of the quota."""
    if refusal.status != 402 or (dialect != "responses" and client not in FINAL_STATUS):
        return refusal
    return replace(refusal, status=400 if dialect == "responses" else FINAL_STATUS[client], code=QUOTA)


def unbooked(words: str) -> Refusal:
    """The books cannot be written: nothing is sent that could not be accounted for."""
    said = f"stepfare cannot write its ledger, so nothing was sent: {words}"
    return Refusal(503, "ledger_unavailable", said, _wait(RETRY_AFTER_MS))


def _no_candidate(decision: Decision, floor: Floor) -> Refusal:
    last_hurdle = [no for no in decision.rejections if no.reason not in ("below-floor", "not-chosen", "denied")]
    listed = "; ".join(f"{no.model}: {no.words}" for no in (last_hurdle or decision.rejections)[:8])
    asked = f"{decision.step.kind.value}, floor {floor.tier.word}: {floor.words}"
    words = f"stepfare found no model for this step ({asked}). {listed or 'No provider has a key.'}"
    # What stands last before a yes is what the person can do something about: a model that lacks sight is no reason to stop
    # where another one only rests.
    reasons = {no.reason for no in last_hurdle}
    if "budget" in reasons:
        return Refusal(402, BUDGET_REACHED, f"{words}. `stepfare budget` shows what is left, and `stepfare budget extend` goes on.")
    if "health" in reasons:
        return Refusal(503, "all_resting", words, _wait(RETRY_AFTER_MS))
    if "context" in reasons:
        return Refusal(400, "context_length_exceeded", f"prompt is too long: {words}")
    return Refusal(400, "no_candidate", f"{words}. `stepfare models` shows what is in play.")


def _exhausted(verdict: GiveUp, failed: Sequence[Failed]) -> Refusal:
    words = f"stepfare tried {len(failed)} time(s) and no provider answered. {verdict.words}"
    kinds = {one.fault.failure for one in failed}
    if kinds == {Failure.KEY}:
        # Waiting mends no key: a status that clients do not retry.
        return Refusal(400, "provider_key", f"{words}. Check the key: `stepfare doctor`.")
    if all(one.fault.status == 404 for one in failed):
        return Refusal(400, "model_not_found", f"{words}. `stepfare models` shows what is in play.")
    wait = _wait(RETRY_AFTER_MS if verdict.retry_after_ms is None else verdict.retry_after_ms)
    if kinds == {Failure.BUSY}:
        return Refusal(429, "rate_limited", words, wait)
    return Refusal(503, "upstream_exhausted", words, wait)


def _wait(wait_ms: int) -> dict[str, str]:
    return {"retry-after": str(max(1, ceil(wait_ms / 1000)))}


def _code(verdict: GiveUp) -> str:
    return "context_length_exceeded" if verdict.verdict is Verdict.OVERFLOW else "refused_by_provider"
