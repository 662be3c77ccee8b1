"""Owns what changes: settings, catalogue, health, sessions, budgets. Everything else sees frozen snapshots of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace

from stepfare.config.check import Checked, limits_of
from stepfare.config.dotfile import UserLimits
from stepfare.config.profiles import alias_of
from stepfare.config.schema import Settings
from stepfare.core.attempt import Fault
from stepfare.core.budget import Cap
from stepfare.core.entry import Entry
from stepfare.core.model import Billing, CacheRule, Candidate
from stepfare.core.problem import Problem
from stepfare.core.session import Session
from stepfare.core.step import StepKind, Tier
from stepfare.counting.factors import Factors
from stepfare.counting.lengths import Lengths
from stepfare.counting.outputs import Outputs
from stepfare.dialects.meter import CHARS_PER_TOKEN
from stepfare.ledger.claims import Claim
from stepfare.providers import catalog as catalogs
from stepfare.providers.catalog import Catalog
from stepfare.routing.health import WELL, Health, after_failure, subject_of
from stepfare.routing.snapshot import Policy, Snapshot
from stepfare.runtime.budgets import Budgets
from stepfare.runtime.clock import World
from stepfare.runtime.keepsakes import Keepsakes
from stepfare.runtime.lessons import Lessons
from stepfare.runtime.reach import Reach
from stepfare.runtime.surroundings import Surroundings
from stepfare.runtime.tokenizer import Tokenizer
from stepfare.runtime.workspaces import Workspace, Workspaces
from stepfare.sessions.footprints import Footprints
from stepfare.sessions.index import SessionIndex
from stepfare.sessions.shown import Shown
from stepfare.sessions.thoughts import ThoughtIndex
from stepfare.steps.classify import WEIGHTS, expected_output_tokens
from stepfare.steps.trail import Trails
from stepfare.steps.weights import Weights

MINUTE_MS = 60_000
PRICES_HOLD_MS = 60_000
"""Prices change by the day and by the hour: candidates with their prices are made anew this often."""


@dataclass(frozen=True, slots=True)
class Play:
    """What is in play: the user's settings, the catalogue with them, the providers whose key is there, and what tells steps apart."""

    settings: Checked[Settings]
    catalog: Catalog
    keys: frozenset[str]
    simulated: bool
    problems: tuple[Problem, ...] = ()
    weights: Weights = WEIGHTS
    """What tells steps apart."""


class State:
    """The daemon's memory. `apply` and the few setters below are its only ways to change; all are called on the event loop."""

    def __init__(self, play: Play, world: World) -> None:
        self._world = world
        self.play = play
        self.user = ""
        """In whose name the books are kept."""
        self.sessions = SessionIndex(self.cache_rule_of)
        self.shown = Shown()
        self.thoughts = ThoughtIndex()
        self.keepsakes = Keepsakes()
        self.reach = Reach()
        self.footprints = Footprints()
        self.trails: Trails = {}
        self.factors = Factors()
        self.lengths = Lengths(CHARS_PER_TOKEN)
        self.outputs = Outputs(_OUTPUT_TOKENS)
        self.tokenizer = Tokenizer()
        self.lessons = Lessons(world.now_ms)
        self.workspaces = Workspaces(self.user_limits)
        self.surroundings = Surroundings()
        self.budgets = Budgets(world.day_start_ms(), world.month_start_ms(), world.team_month_start_ms())
        self.health: dict[str, Health] = {}
        self._trouble: dict[str, str] = {}
        self._candidates: tuple[Candidate, ...] = ()
        self._candidates_ms = -PRICES_HOLD_MS
        self._policy = _policy_of(play.settings)
        self._minute = -1

    @property
    def settings(self) -> Settings:
        return self.play.settings.value

    def replace_play(self, play: Play) -> None:
        self.play = play
        self._policy = _policy_of(play.settings)
        self._candidates_ms = -PRICES_HOLD_MS

    def user_limits(self) -> UserLimits:
        return limits_of(self.settings)

    def apply(self, entry: Entry) -> None:
        self.sessions.apply(entry)
        self.thoughts.apply(entry)
        self.factors.apply(entry)
        self.lengths.apply(entry)
        self.outputs.apply(entry)
        self.budgets.apply(entry)

    def apart(self, sessions: SessionIndex | None = None) -> State:
        """The same state for a dry run: what deciding remembers there, this one does not. `sessions` stand in the place of its own, and
        of what it knows of conversations."""
        other = copy(self)
        other.sessions = self.sessions if sessions is None else sessions
        other.trails = dict(self.trails) if sessions is None else {}
        other.workspaces = self.workspaces.apart()
        other.budgets = self.budgets.apart()
        return other

    def trouble(self, subject: str, words: str) -> None:
        """Something is wrong with the daemon itself (shown in the overview until the words are empty)."""
        if words:
            self._trouble[subject] = words
        else:
            self._trouble.pop(subject, None)

    def problems(self) -> tuple[Problem, ...]:
        """All that is wrong with files, and with the daemon itself."""
        own = tuple(Problem(subject, "trouble", words) for subject, words in self._trouble.items())
        return (*own, *self.play.settings.problems, *self.play.problems)

    def candidates(self) -> tuple[Candidate, ...]:
        """All models in play with the prices of now."""
        now_ms = self._world.now_ms()
        if now_ms - self._candidates_ms >= PRICES_HOLD_MS:
            self._candidates = catalogs.candidates(self.play.catalog, self.play.keys, now_ms)
            self._candidates_ms = now_ms
        return self._candidates

    def named(self, model: str) -> tuple[Candidate, ...]:
        """The candidates that a requested name means by itself; empty for an alias and for a name that nobody here can serve."""
        if alias_of(model, self.settings.profiles) is not None:
            return ()
        return catalogs.named(self.play.catalog, model, self.play.keys, self._world.now_ms())

    def snapshot(self, session: Session, workspace: Workspace, named: Sequence[Candidate], counted_tokens: int = 0) -> Snapshot:
        """Everything that a decision may look at, read now."""
        session = replace(session, pin=self.shown.pin(session.id))
        candidates = self.candidates()
        compared = {one.model.id for one in (*candidates, *named)}
        return Snapshot(
            now_ms=self._world.now_ms(),
            policy=self._policy,
            candidates=candidates,
            health=self.health,
            session=session,
            project=self.sessions.project_habits(workspace.project),
            dotfile=workspace.dotfile,
            named=tuple(named),
            caps=self.caps(session, workspace),
            counted_tokens=counted_tokens,
            factors={model: self.factors.of(model) for model in compared | {session.last_model}},
            output_tokens=_OUTPUT_TOKENS,
            outputs={model: self.outputs.of(model) for model in compared},
        )

    def caps(self, session: Session | None, workspace: Workspace) -> tuple[Cap, ...]:
        """The caps that hold for this session, each with what is used of it by now."""
        minute = self._world.now_ms() // MINUTE_MS
        if minute != self._minute:  # No day begins within one.
            self._minute = minute
            self.budgets.begin(self._world.day_start_ms(), self._world.month_start_ms(), self._world.team_month_start_ms())
        if session is None:
            return self.budgets.caps(self.play.settings, None, workspace)
        return self.budgets.caps(self.play.settings, self.with_merged(session), workspace, self.merged_with(session.id))

    def claims(self, session: Session, workspace: Workspace, tier: int) -> tuple[Claim, ...]:
        """What a reservation for a model of that tier must find room for in books that others spend from too."""
        return self.budgets.claims(self.caps(session, workspace), tier, self.merged_with(session.id))

    def caps_of(self, session: str) -> tuple[Cap, ...]:
        """The same by the session's name, in its workspace as it was last seen."""
        known = self.sessions.get(session)
        return self.caps(known, self.workspaces.last_seen(known.workspace if known else ""))

    def failed(self, candidate: Candidate, fault: Fault) -> None:
        """Remember a failure against whom it concerns."""
        subject = subject_of(fault, provider=candidate.provider.id, model=candidate.model.id)
        health = after_failure(self.health.get(subject, WELL), fault, self._world.now_ms())
        if health is not WELL:
            self.health[subject] = health

    def forget_thoughts(self, session: str, model: str) -> None:
        """What this model thought in this session is refused by its provider: it is not sent again."""
        self.thoughts.forget(session, model)
        self.keepsakes.forget(session, model)

    def served(self, candidate: Candidate) -> None:
        """An answer came: provider and model are well again."""
        self.health.pop(candidate.provider.id, None)
        self.health.pop(candidate.model.id, None)

    def baseline(self, tier: Tier) -> Candidate | None:
        """The model on which savings are measured: the user's choice for premium, else the dearest priced one of that tier. None where
        there is none, or where it is paid for by the month: what it would have cost is no sum of dollars."""
        wanted = self.settings.baseline
        if tier is Tier.PREMIUM and wanted:
            named = self.named(wanted)
            if named:
                return named[0] if named[0].billing is not Billing.SUBSCRIPTION else None
        of_tier = [
            candidate
            for candidate in self.candidates()
            if candidate.model.tier is tier and candidate.price is not None and candidate.billing is not Billing.SUBSCRIPTION
        ]
        return max(of_tier, key=lambda candidate: candidate.price.base.input if candidate.price else 0, default=None)

    def session_or_new(self, session: str, client: str, workspace: str) -> Session:
        known = self.sessions.get(session)
        return known if known is not None else Session(session, client=client, workspace=workspace, started_ms=self._world.now_ms())

    def merged_with(self, session: str) -> tuple[str, ...]:
        """The other sessions of the journal that people made one with this one."""
        if not self.shown.into:
            return ()
        others = [piece.session for piece in self.shown.pieces(self.shown.going_on(session)) if piece.session != session]
        return tuple(dict.fromkeys(others))

    def with_merged(self, session: Session) -> Session:
        """The session as it stands now, with what was spent by those that it was merged with: a cap holds for all of them together."""
        session = self.sessions.get(session.id) or session
        merged = [known for name in self.merged_with(session.id) if (known := self.sessions.get(name)) is not None]
        if not merged:
            return session
        return replace(
            session,
            spent_pusd=session.spent_pusd + sum(one.spent_pusd for one in merged),
            reserved_pusd=session.reserved_pusd + sum(one.reserved_pusd for one in merged),
            lost_pusd=session.lost_pusd + sum(one.lost_pusd for one in merged),
        )

    def let_go(self, *sessions: str) -> tuple[str, ...]:
        """Those of these sessions, and of the ones that they were merged with, that memory does not hold."""
        names = dict.fromkeys(name for one in sessions for name in (one, *self.merged_with(one)))
        return tuple(name for name in names if self.sessions.get(name) is None)

    def recall(self, entries: Sequence[Entry]) -> None:
        """Take up a session again that memory had let go. What it spent counts in its days already."""
        for entry in entries:
            self.sessions.apply(entry)
            self.thoughts.apply(entry)

    def cache_rule_of(self, model: str) -> CacheRule | None:
        """How the provider of this model caches prompts; None where nobody knows."""
        provider = self.play.catalog.providers.get(model.partition("/")[0])
        return provider.cache if provider else None


_OUTPUT_TOKENS: Mapping[StepKind, int] = {kind: expected_output_tokens(kind) for kind in StepKind}


def _policy_of(settings: Checked[Settings]) -> Policy:
    said, line = settings.value, settings.lines.get("profile")
    return Policy(
        profile=said.profile,
        profile_source=f"config.toml:{line}" if line else "the default",
        profiles=said.user_profiles(),
        tiers=said.tiers.by_tier(),
        gate_enabled=said.gate.enabled,
        gate_hold_ms=said.gate.hold_ms,
    )
