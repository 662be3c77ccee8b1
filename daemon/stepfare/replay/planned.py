"""The daemon's own planner as a policy of replay: it meets each step with what the daemon would know then, and nothing else.

Sessions and caches are believed in by the daemon's own fold of the journal, fed with what each call of the replay used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stepfare.core.decision import Ranked
from stepfare.core.entry import Opened, Reserved, Settled
from stepfare.core.session import Session
from stepfare.core.step import StepKind, Tier
from stepfare.counting.outputs import Outputs
from stepfare.replay.costs import Call, Course, Rung
from stepfare.replay.floors import Floors
from stepfare.replay.policies import PROBE_OUTPUT_TOKENS
from stepfare.replay.recording import RecordedStep, Recording
from stepfare.routing.futures import Outlook
from stepfare.routing.planner import planned
from stepfare.routing.snapshot import Policy, Snapshot
from stepfare.sessions.index import SessionIndex
from stepfare.steps.classify import expected_output_tokens

POLICY = Policy(gate_enabled=True)
UNFORESEEN: Mapping[StepKind, float] = {StepKind.EXPLORE: 1.0}
"""What is expected of a step of which nothing was foreseen: what most steps are."""
OUTPUT_TOKENS: Mapping[StepKind, int] = {kind: expected_output_tokens(kind) for kind in StepKind}


@dataclass(slots=True)
class Planner:
    """Serves sessions of one project, in the order of time, and learns from them as the daemon does."""

    rungs: Sequence[Rung]
    floors: Floors
    index: SessionIndex = field(default_factory=SessionIndex)
    outputs: Outputs = field(default_factory=lambda: Outputs(OUTPUT_TOKENS))
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
        outlook, least = self._outlook(step)
        rows = self._planned(recording, step, outlook, least)
        needed = self.floors.needed(step)
        first, *more = rows
        meeting = [row for row in more if row.candidate.model.tier >= needed]
        if first.candidate.model.tier < needed and outlook.gated and meeting:
            self._call(recording, course, step, first, PROBE_OUTPUT_TOKENS, probe=True)
            first = meeting[0]
        self._call(recording, course, step, first, step.output_tokens, probe=False)

    def _outlook(self, step: RecordedStep) -> tuple[Outlook, Tier]:
        """What may come, and the tier that is enough to begin with: behind the gate the lowest, without it that of the foreseen kind."""
        floors, chances = self.floors.foreseen(step), step.probabilities or UNFORESEEN
        least = self.floors.lowest(step)
        gated = not step.certain and max(floors.values()) > least
        likeliest = max(chances, key=chances.__getitem__)
        return Outlook(chances, floors, gated), least if gated else floors[likeliest]

    def _planned(self, recording: Recording, step: RecordedStep, outlook: Outlook, least: Tier) -> Sequence[Ranked]:
        session = self.index.get(recording.id) or Session(recording.id)
        fitting = [rung for rung in self.rungs if rung.fits(step.prompt_tokens)] or [max(self.rungs, key=lambda one: one.window_tokens)]
        able = [rung.candidate for rung in fitting if rung.tier >= least] or [max(fitting, key=lambda one: one.tier).candidate]
        outputs = {rung.id: self.outputs.of(rung.id) for rung in self.rungs}
        snapshot = Snapshot(
            step.at_ms,
            POLICY,
            tuple(able),
            {},
            session,
            project=self.index.project_habits(recording.project),
            counted_tokens=step.prompt_tokens,
            output_tokens=OUTPUT_TOKENS,
            outputs=outputs,
        )
        return planned(able, outlook, snapshot, step.prompt_tokens)

    def _call(self, recording: Recording, course: Course, step: RecordedStep, row: Ranked, output_tokens: int, *, probe: bool) -> None:
        call = course.call(self._by_id[row.candidate.model.id], output_tokens, hour=row.hour, probe=probe)
        self._attempts += 1
        for entry in _entries(recording, course.at, step, call, f"{recording.id}:{self._attempts}"):
            self.index.apply(entry)
            self.outputs.apply(entry)


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
