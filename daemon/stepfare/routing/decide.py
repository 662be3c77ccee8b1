"""Policy, filters, planner: a decision on one step, with every reason in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stepfare.core import tokens
from stepfare.core.decision import Decision, Floor, Ranked, Rejection
from stepfare.core.model import Candidate
from stepfare.core.money import usd_text
from stepfare.core.request import RequestView
from stepfare.core.step import Step, StepFeatures, StepKind, Tier
from stepfare.routing.filters import Losses, Need, no_losses, rejected, served
from stepfare.routing.futures import Outlook
from stepfare.routing.planner import planned
from stepfare.routing.policy import behind_gate, floors_for, gate_plan, lowered, lowest
from stepfare.routing.snapshot import Snapshot
from stepfare.routing.warmth import warm_tokens

CANDIDATES_KEPT = 8
"""Ranked candidates that a decision keeps for each floor that may come to hold: more are never tried, and explanations stay readable."""


def decide(
    view: RequestView, features: StepFeatures, step: Step, snapshot: Snapshot, decision_id: str, losses: Losses = no_losses
) -> Decision:
    """Choose for this step. Where nothing is left, `ranked` is empty and the rejections say why. `losses` tells what of the request a
    format cannot say."""
    prompt_tokens = tokens.prompt_tokens(snapshot.session, len(view.raw), snapshot.counted_tokens, snapshot.factors)
    output_tokens = snapshot.output_tokens.get(step.kind, 0)
    manual = bool(snapshot.named)
    floors = dict.fromkeys(StepKind, _manual_floor(snapshot.named)) if manual else floors_for(view, features, snapshot)
    gate = gate_plan(step, features, floors, snapshot, manual=manual)
    floor = behind_gate(lowest(floors), gate) if gate.on else floors[step.kind]
    need = Need(view, floor, prompt_tokens, snapshot, manual, losses, gate)
    able, rejections = _sifted(need)
    wanted = floors[StepKind.EDIT if gate.on else step.kind]
    if not any(one.model.tier >= wanted.tier for one in able) and any(no.reason == "budget" for no in rejections):
        lower = lowered(wanted, snapshot)
        if lower is not None:
            # The user goes on with frugal models whatever they do: then there is nothing to hold an answer for.
            floor, gate = lower, replace(gate, on=False)
            need = replace(need, floor=floor, gate=gate)
            able, rejections = _sifted(need)
    outlook = Outlook(step.probabilities, {kind: each.tier for kind, each in floors.items()}, gated=gate.on)
    rows = _kept(_asked_first(planned(able, outlook, snapshot, prompt_tokens), need), need)
    because = (step.because, floor.words, *_choice(rows, snapshot), *_said_otherwise(rows, view, losses))
    return Decision(decision_id, snapshot.session.id, step, floor, rows, tuple(rejections), because, prompt_tokens, output_tokens, gate)


def _sifted(need: Need) -> tuple[list[Candidate], list[Rejection]]:
    snapshot = need.snapshot
    able: list[Candidate] = []
    rejections: list[Rejection] = []
    for candidate in snapshot.named or snapshot.candidates:
        no = rejected(candidate, need)
        if no is None:
            able.append(candidate)
        else:
            rejections.append(no)
    return able, rejections


def _asked_first(rows: Sequence[Ranked], need: Need) -> tuple[Ranked, ...]:
    """Those that may serve the step's own floor first; behind them those that are there for what needs more."""
    placed = [replace(row, serves=served(row.candidate, need)) for row in rows]
    return tuple(sorted(placed, key=lambda row: need.floor.tier not in row.serves))


def _kept(rows: Sequence[Ranked], need: Need) -> tuple[Ranked, ...]:
    """The first for each floor, so that however many can look around somebody is left who may edit."""
    kept: set[str] = set()
    for tier in need.floors:
        serving = [row.candidate.model.id for row in rows if tier in row.serves]
        kept |= set(serving[:CANDIDATES_KEPT])
    return tuple(row for row in rows if row.candidate.model.id in kept)


def _manual_floor(named: Sequence[Candidate]) -> Floor:
    tier = min((candidate.model.tier for candidate in named), default=Tier.FRUGAL)
    return Floor(tier, "model", f"the client names the model itself ({named[0].model.id})")


def _choice(rows: Sequence[Ranked], snapshot: Snapshot) -> Sequence[str]:
    """Why the first is first, said against the second and the model that served before."""
    if not rows:
        return ("no model can serve this step",)
    best = rows[0]
    words = [f"{best.candidate.model.id} is the cheapest that can: {_price(best)} expected"]
    if best.expected_pusd is None:
        words = [f"{best.candidate.model.id} is the only kind left: its price is not known"]
    if len(rows) > 1:
        words[0] += f", {rows[1].candidate.model.id} {_price(rows[1])}"
    warm = warm_tokens(snapshot.session, best.candidate.model.id, best.prompt_tokens, snapshot.now_ms)
    if warm:
        words.append(f"its cache is believed to hold {warm:,} of about {best.prompt_tokens:,} prompt tokens")
    last = snapshot.session.last_model
    if last and last != best.candidate.model.id:
        words.append(f"the session leaves {last}")
    return words


def _said_otherwise(rows: Sequence[Ranked], view: RequestView, losses: Losses) -> Sequence[str]:
    """What the first candidate is not told, because it speaks another format than the client."""
    spoken = rows[0].candidate.provider.door(view.dialect).dialect if rows else view.dialect
    if spoken == view.dialect:
        return ()
    left_out = "; ".join(dict.fromkeys(loss.words for loss in losses(spoken)))
    return (f"it is asked in {spoken} where the client speaks {view.dialect}" + (f"; it cannot be given {left_out}" if left_out else ""),)


def _price(row: Ranked) -> str:
    return "an unknown sum" if row.expected_pusd is None else f"${usd_text(row.expected_pusd)}"
