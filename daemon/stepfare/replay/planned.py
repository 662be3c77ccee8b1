"""The daemon's own planner as a policy of replay: it meets each step with what the daemon would know then, and nothing else.

Sessions and caches are believed in by the daemon's own fold of the journal, fed with what each call of the replay used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stepfare.core.decision import Ranked
from stepfare.core.entry import KEPT_WARM, Opened, Reserved, Settled
from stepfare.core.session import Session
from stepfare.core.step import StepKind, Tier
from stepfare.counting.outputs import Outputs
from stepfare.replay.costs import Call, Course, Rung
from stepfare.replay.floors import Floors
from stepfare.replay.policies import PROBE_OUTPUT_TOKENS, always, course_of
from stepfare.replay.price_sets import Ladder
from stepfare.replay.recording import RecordedStep, Recording
from stepfare.routing.futures import Outlook
from stepfare.routing.keeping import Kept, due_ms, ping
from stepfare.routing.planner import planned
from stepfare.routing.snapshot import Policy, Snapshot
from stepfare.sessions.index import SessionIndex
from stepfare.steps.classify import expected_output_tokens

POLICY = Policy(gate_enabled=True)
NEVER_AGAIN_MS = 86_400_000
"""After its last step a session is waited for as after any other: nobody knows that it was the last."""
UNFORESEEN: Mapping[StepKind, float] = {StepKind.EXPLORE: 1.0}
"""What is expected of a step of which nothing was foreseen: what most steps are."""
OUTPUT_TOKENS: Mapping[StepKind, int] = {kind: expected_output_tokens(kind) for kind in StepKind}


@dataclass(slots=True)
class Planner:
    """Serves sessions of one project, in the order of time, and learns from them as the daemon does."""

    rungs: Sequence[Rung]
    floors: Floors
    baselines: Ladder
    """Who always-balanced is."""
    pings: bool = True
    """Whether caches may be kept alive between steps."""
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
        balanced = course_of(recording, always(self.baselines, Tier.BALANCED)).calls
        self.index.apply(Opened(recording.id, recording.steps[0].at_ms, recording.agent, "", recording.project, "", ""))
        for at, step in enumerate(recording.steps):
            self._keep(recording, course, step.at_ms)
            self._serve(recording, course, course.arrive(at), balanced[at].pusd)
        self._keep(recording, course, recording.steps[-1].at_ms + NEVER_AGAIN_MS)
        return course

    def _keep(self, recording: Recording, course: Course, until_ms: int) -> None:
        """What the daemon does while no step comes: it pings the caches that are worth it, each when it is due."""
        if course.at < 0 or not self.pings:
            return
        step = course.steps[course.at]
        waiting = {model: due_ms(warmth) for model, warmth in self._session(recording).warm.items()}
        while waiting and (now_ms := max(step.at_ms, min(waiting.values()))) < until_ms:
            model = min(waiting, key=waiting.__getitem__)
            rung = self._by_id[model]
            floors = self.floors.foreseen(step)
            found = ping(
                Kept(model, rung.tier, *rung.rates_at(step.prompt_tokens), floors),
                self._session(recording),
                self.index.project_habits(recording.project),
                now_ms,
            )
            if found is None:
                del waiting[model]
                continue
            call = course.ping(rung, found.usage.output_tokens, now_ms)
            self._book(recording, course.at, now_ms, step, call, side=KEPT_WARM, outcome=KEPT_WARM)
            waiting[model] = due_ms(self._session(recording).warm[model])

    def _session(self, recording: Recording) -> Session:
        return self.index.get(recording.id) or Session(recording.id)

    def _serve(self, recording: Recording, course: Course, step: RecordedStep, balanced_pusd: int) -> None:
        outlook, least = self._outlook(step)
        rows = self._planned(recording, step, outlook, least)
        needed = self.floors.needed(step)
        first, *more = rows
        meeting = [row for row in more if row.candidate.model.tier >= needed]
        if first.candidate.model.tier < needed and outlook.gated and meeting:
            probed = course.call(self._by_id[first.candidate.model.id], PROBE_OUTPUT_TOKENS, hour=first.hour, probe=True)
            self._book(recording, course.at, step.at_ms, step, probed, outcome="escalated")
            first = meeting[0]
        call = course.call(self._by_id[first.candidate.model.id], step.output_tokens, hour=first.hour)
        self._book(recording, course.at, step.at_ms, step, call, balanced_pusd=balanced_pusd)

    def _outlook(self, step: RecordedStep) -> tuple[Outlook, Tier]:
        """What may come, and the tier that is enough to begin with: behind the gate the lowest, without it that of the foreseen kind."""
        floors, chances = self.floors.foreseen(step), step.probabilities or UNFORESEEN
        least = self.floors.lowest(step)
        gated = not step.certain and max(floors.values()) > least
        likeliest = max(chances, key=chances.__getitem__)
        return Outlook(chances, floors, gated), least if gated else floors[likeliest]

    def _planned(self, recording: Recording, step: RecordedStep, outlook: Outlook, least: Tier) -> Sequence[Ranked]:
        session = self._session(recording)
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

    def _book(
        self, recording: Recording, at: int, at_ms: int, step: RecordedStep, call: Call,
        *, outcome: str = "ok", side: str = "", balanced_pusd: int = 0,
    ) -> None:  # fmt: skip
        """Enter the call as the journal would hold it."""
        self._attempts += 1
        attempt, model = f"{recording.id}:{self._attempts}", call.rung.candidate.model
        kind = StepKind.SIDE if side else step.kind
        reserved = Reserved(
            attempt=attempt,
            decision="",
            session=recording.id,
            step=at + 1,
            at_ms=at_ms,
            model=model.id,
            tier=model.tier.word,
            kind=kind.value,
            floor=Tier.FRUGAL.word,
            floor_source="settings",
            ceiling_pusd=None,
            client=recording.agent,
            counted_tokens=0 if side else step.prompt_tokens,
            side=side,
        )
        settled = Settled(
            attempt=attempt,
            session=recording.id,
            at_ms=at_ms,
            outcome=outcome,
            kind=kind.value,
            usage=call.usage,
            cost_pusd=call.pusd,
            source="usage-priced",
            rates=call.rung.price.rates_for(call.usage.input_tokens),
            catalogue="",
            always_balanced_pusd=balanced_pusd,
            committed=outcome == "ok",
        )
        for entry in (reserved, settled):
            self.index.apply(entry)
            self.outputs.apply(entry)
