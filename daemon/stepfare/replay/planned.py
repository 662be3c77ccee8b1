"""The daemon's own planner as a policy of replay: it meets each step with what the daemon would know then, and nothing else.

Sessions and caches are believed in by the daemon's own fold of the journal, fed with what each call of the replay used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stepfare.core.decision import Floor, Ranked
from stepfare.core.entry import Opened, Reserved, Settled
from stepfare.core.session import Session
from stepfare.core.step import StepKind, Tier
from stepfare.replay.costs import Call, Course, Rung
from stepfare.replay.floors import Floors
from stepfare.replay.policies import PROBE_OUTPUT_TOKENS
from stepfare.replay.recording import RecordedStep, Recording
from stepfare.routing.ranking import ranked
from stepfare.routing.snapshot import Policy, Snapshot
from stepfare.sessions.index import SessionIndex
from stepfare.steps.classify import expected_output_tokens

OUTPUT_TOKENS: Mapping[StepKind, int] = {kind: expected_output_tokens(kind) for kind in StepKind}


@dataclass(slots=True)
class Planner:
    """Serves sessions of one project, in the order of time, and learns from them as the daemon does."""

    rungs: Sequence[Rung]
    floors: Floors
    index: SessionIndex = field(default_factory=SessionIndex)
    _by_id: dict[str, Rung] = field(default_factory=dict[str, Rung])
    _attempts: int = 0

    def __post_init__(self) -> None:
        self._by_id = {rung.id: rung for rung in self.rungs}
        self.index = SessionIndex(lambda model: self._by_id[model].rule if self._by_id[model].caches else None)

    def course(self, recording: Recording) -> Course:
        """The session as the planner serves it."""
        course = Course(recording.steps)
        self.index.apply(Opened(recording.id, recording.steps[0].at_ms, recording.agent, "", recording.project, "", ""))
        for at in range(len(recording.steps)):
            self._serve(recording, course, course.arrive(at))
        return course

    def _serve(self, recording: Recording, course: Course, step: RecordedStep) -> None:
        # A kind that is certain needs no gate: then its floor holds, right or wrong, as in the daemon.
        certain = max(step.probabilities, key=step.probabilities.__getitem__) if step.certain else None
        floors = self.floors.foreseen(step)
        least = floors[certain] if certain is not None else min(floors.values())
        rows = self._ranked(recording, step, least)
        first = self._by_id[rows[0].candidate.model.id]
        needed = self.floors.needed(step)
        if first.tier < needed and certain is None:
            meeting = [rung for row in rows if (rung := self._by_id[row.candidate.model.id]).tier >= needed]
            if meeting:
                self._call(recording, course, step, first, PROBE_OUTPUT_TOKENS, probe=True)
                first = meeting[0]
        self._call(recording, course, step, first, step.output_tokens, probe=False)

    def _ranked(self, recording: Recording, step: RecordedStep, least: Tier) -> Sequence[Ranked]:
        session = self.index.get(recording.id) or Session(recording.id)
        fitting = [rung for rung in self.rungs if rung.fits(step.prompt_tokens)] or [max(self.rungs, key=lambda one: one.window_tokens)]
        able = [rung.candidate for rung in fitting if rung.tier >= least] or [max(fitting, key=lambda one: one.tier).candidate]
        snapshot = Snapshot(step.at_ms, Policy(), tuple(able), {}, session, output_tokens=OUTPUT_TOKENS)
        predicted = max(step.probabilities, key=step.probabilities.__getitem__, default=step.kind)
        return ranked(able, Floor(least, "settings", ""), snapshot, step.prompt_tokens, OUTPUT_TOKENS[predicted])

    def _call(self, recording: Recording, course: Course, step: RecordedStep, rung: Rung, output_tokens: int, *, probe: bool) -> None:
        call = course.call(rung, output_tokens, probe=probe)
        self._attempts += 1
        attempt = f"{recording.id}:{self._attempts}"
        reserved, settled = _entries(recording, course.at, step, call, attempt)
        self.index.apply(reserved)
        self.index.apply(settled)


def _entries(recording: Recording, at: int, step: RecordedStep, call: Call, attempt: str) -> tuple[Reserved, Settled]:
    """The call as the journal would hold it."""
    model = call.rung.candidate.model
    reserved = Reserved(
        attempt=attempt,
        decision="",
        session=recording.id,
        step=at + 1,
        at_ms=step.at_ms,
        model=model.id,
        tier=model.tier.word,
        kind=step.kind.value,
        floor=Tier.FRUGAL.word,
        floor_source="settings",
        ceiling_pusd=None,
        client=recording.agent,
        counted_tokens=step.prompt_tokens,
    )
    settled = Settled(
        attempt=attempt,
        session=recording.id,
        at_ms=step.at_ms,
        outcome="escalated" if call.probe else "ok",
        kind=step.kind.value,
        usage=call.usage,
        cost_pusd=call.pusd,
        source="usage-priced",
        rates=call.rung.price.rates_for(step.prompt_tokens),
        catalogue="",
        committed=not call.probe,
    )
    return reserved, settled
