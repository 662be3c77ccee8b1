"""What an answer tells of its own decision: headers, the last comment of a stream, and the stored record of the decision."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from stepfare.core.decision import Decision
from stepfare.core.model import Billing
from stepfare.core.money import usd_text
from stepfare.runtime.consider import Asked
from stepfare.runtime.entries import Run
from stepfare.runtime.turn import Turn
from stepfare.simulator.catalogue import PROVIDER_ID
from stepfare.steps.vector import FEATURES_VERSION

REASON_CHARS_MAX = 240


def headers_of(asked: Asked, run: Run | None, attempts: int, *, simulated: bool) -> dict[str, str]:
    """The `x-stepfare-*` headers with what is known when the answer begins. `simulated` is whether the simulator plays where nobody has
    answered yet."""
    decision = asked.decision
    headers = {
        "x-stepfare-decision": decision.id,
        "x-stepfare-session": decision.session,
        "x-stepfare-step": decision.step.kind.value,
        "x-stepfare-floor": (run.floor if run is not None else decision.floor).tier.word,
        "x-stepfare-reason": _plain(reason_of(decision) if run is None else _reason(asked, run)),
        "x-stepfare-attempts": str(attempts),
    }
    if run is not None:
        model = run.ranked.candidate.model
        simulated = model.provider == PROVIDER_ID  # A local model may be asked for by name beside the simulator.
        headers |= {"x-stepfare-tier": model.tier.word, "x-stepfare-model": _plain(model.id)}
        if run.ranked.candidate.billing is Billing.SUBSCRIPTION:
            headers["x-stepfare-billing"] = Billing.SUBSCRIPTION.value
    if simulated:
        headers["x-stepfare-simulator"] = "true"
    return headers


def comment_of(asked: Asked, run: Run, turn: Turn, kind: str, cost_pusd: int | None) -> bytes:
    """The last comment of a stream: the truth, once everything is known."""
    decision, model = asked.decision, run.ranked.candidate.model
    told: dict[str, object] = {
        "decision": decision.id,
        "session": decision.session,
        "step": kind,
        "floor": run.floor.tier.word,
        "tier": model.tier.word,
        "model": model.id,
        "attempts": turn.attempts,
        "escalated": turn.escalations > 0,
        "cost_usd": cost_text(run, cost_pusd),
        "reason": _reason(asked, run),
    }
    if model.provider == PROVIDER_ID:
        told["simulator"] = True
    return b": stepfare " + msgspec.json.encode(told) + b"\n\n"


def cost_text(run: Run, cost_pusd: int | None) -> str | None:
    """What the step has cost, in dollars; None where nobody knows, and where a subscription alone served it: that is no sum."""
    unbilled = run.ranked.candidate.billing is Billing.SUBSCRIPTION and not cost_pusd
    return None if cost_pusd is None or unbilled else usd_text(cost_pusd)


def _reason(asked: Asked, run: Run) -> str:
    """Why it was this model: what was decided, or what an earlier answer turned out to need."""
    same = run.floor.tier == asked.decision.floor.tier
    return reason_of(asked.decision) if same else run.floor.words[:REASON_CHARS_MAX]


def reason_of(decision: Decision) -> str:
    return "; ".join(decision.because[1:3])[:REASON_CHARS_MAX] or "no reason"


def record_of(decision: Decision, notes: Sequence[str] = ()) -> bytes:
    """The decision as the control API's message, ready to be stored. `notes` are further sentences on the step."""
    chosen = decision.chosen
    return msgspec.json.encode(
        {
            "id": decision.id or None,
            "session": decision.session,
            "kind": decision.step.kind,
            "probabilities": {kind: round(p, 6) for kind, p in decision.step.probabilities.items()},
            **_features_of(decision),
            "contributions": [{"words": words, "log_odds": round(log_odds, 4)} for words, log_odds in decision.step.contributions],
            "floor": {"tier": decision.floor.tier.word, "source": decision.floor.source, "words": decision.floor.words},
            "candidates": [
                {
                    "model": row.candidate.model.id,
                    "tier": row.candidate.model.tier.word,
                    "expected_pusd": row.expected_pusd,
                    "arithmetic": row.arithmetic,
                }
                for row in decision.ranked
            ],
            "rejections": decision.rejections,
            "gate": {
                "on": decision.gate.on,
                "needs": decision.gate.needs.word if decision.gate.on and decision.gate.needs is not None else None,
                "hold_ms": decision.gate.hold_ms if decision.gate.on else 0,
            },
            "floors": {
                kind: {"tier": floor.tier.word, "source": floor.source, "words": floor.words}
                for kind, floor in decision.gate.floors.items()
            },
            "chosen": chosen.candidate.model.id if chosen else None,
            "because": (*decision.because, *notes),
        }
    )


def _features_of(decision: Decision) -> dict[str, object]:
    """What the step looked like in numbers, to be learnt from; whole ones without a point, for there are many and most are small."""
    if not decision.step.vector:
        return {}
    values = msgspec.json.encode(decision.step.vector).replace(b".0,", b",").replace(b".0]", b"]")
    return {"features": {"version": FEATURES_VERSION, "values": msgspec.Raw(values)}}


def _plain(text: str) -> str:
    """Text as a header may carry it."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if " " <= char <= "~" else "?" for char in text)
