"""The user's own sessions as recordings: what the books say of each step, whoever is asked for it."""

from __future__ import annotations

from collections.abc import Mapping

from stepfare.cli.asking import Answers
from stepfare.cli.spend import whole_id
from stepfare.control.protocol import SessionDetail, Step
from stepfare.core.step import StepKind, Tier
from stepfare.replay.recording import RecordedStep, Recording

SESSIONS_MAX = 1_000
ESCALATED = "escalated"
"""How the attempt ended whose answer turned out to need a better model."""
EDITING = frozenset({StepKind.EDIT, StepKind.RECOVER})


async def recordings(source: Answers, session_id: str | None, since_ms: int | None) -> list[Recording]:
    """One session, or all that were active since. Raises Trouble and Refused."""
    if session_id is not None:
        return [recording_of(await source.session(await whole_id(source, session_id)))]
    found = await source.sessions(since_ms=since_ms, limit=SESSIONS_MAX)
    return [recording_of(await source.session(one.id)) for one in found.sessions]


def recording_of(detail: SessionDetail) -> Recording:
    """A session of the books. Steps that are still open, or of which no usage was reported, are not known."""
    session = detail.session
    known = [step for step in detail.steps if step.usage is not None and step.usage.input_tokens > 0]
    tiers = {step.model: Tier.of(step.tier) for step in detail.steps if step.model and step.tier}
    return Recording(
        id=session.id,
        agent=session.client or "unknown",
        project=session.project or session.workspace,
        steps=tuple(_step(step, tiers) for step in known),
        unknown_steps=len(detail.steps) - len(known),
    )


def _step(step: Step, tiers: Mapping[str, Tier]) -> RecordedStep:
    assert step.usage is not None, step
    kind = StepKind(step.kind)
    probabilities = {StepKind(name): chance for name, chance in step.probabilities.items()}
    predicted = StepKind(step.predicted)
    return RecordedStep(
        at_ms=step.at_ms,
        prompt_tokens=step.usage.input_tokens,
        output_tokens=step.usage.output_tokens,
        kind=kind,
        edits=kind in EDITING,
        probabilities=probabilities or {predicted: 1.0},
        certain=len(probabilities) == 1,
        stuck=StepKind.RECOVER in (kind, predicted),
        tier=Tier.of(step.tier) if step.tier else None,
        probes=tuple(tiers.get(one.model, Tier.FRUGAL) for one in step.attempts if one.outcome == ESCALATED),
        booked_pusd=step.cost_pusd,
    )
