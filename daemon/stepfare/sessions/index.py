"""What is remembered of sessions so that their next request is recognised and their caches are believed in: a fold of journal entries.

Holds digests and ids, never texts. Who asks which session a request belongs to is `identify`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from stepfare.core.entry import KEPT_WARM, Entry, Extended, Lost, Opened, Reserved, Settled, Voided
from stepfare.core.model import CacheRule
from stepfare.core.session import Habits, Session
from stepfare.core.step import StepKind
from stepfare.sessions.caches import DEFAULT_CACHE, prolonged, warmed
from stepfare.sessions.habits import ProjectHabits, after_step

SESSIONS_MAX = 2_000
MARKS_PER_SESSION_MAX = 400
"""Chains and tool-call ids remembered for one session, each; the oldest go first."""
REPLIES_MAX = 32
"""Answers remembered for one session by what they said; calls beside the conversation may quote them."""
SPOKEN_MAX = 4
"""The last answers of one session's conversation, in their order."""
TASKS_MAX = 32
"""Texts remembered for one session that it handed to others."""
UNANSWERED_MAX = 16
"""Bodies without an answer that are remembered for one session: their repetition is a retry."""
COMPACTION = "compaction"
"""The side call whose answer is a summary of the conversation."""
ESCALATED = "escalated"
"""The outcome of an attempt whose action turned out to need a better model: nobody saw it, but its prompt was read."""

CacheRuleOf = Callable[[str], CacheRule | None]
"""The cache rule of a model's provider, or None where it is not known to cache."""


@dataclass(slots=True)
class Trail:
    """By what a session is recognised. `last_...` speak of its conversation; calls beside it (titles, summaries) do not change them."""

    chains: OrderedDict[str, int] = field(default_factory=OrderedDict[str, int])
    """Digest of a request's turns in order -> how many turns."""
    calls: OrderedDict[str, int] = field(default_factory=OrderedDict[str, int])
    """Tool-call id -> the last step whose answer held it."""
    replies: OrderedDict[str, int] = field(default_factory=OrderedDict[str, int])
    """Digest of an answer's text -> the last step that was answered so."""
    tasks: OrderedDict[str, int] = field(default_factory=OrderedDict[str, int])
    """Digest of a text that the session handed to another agent -> its step."""
    unanswered: OrderedDict[str, int] = field(default_factory=OrderedDict[str, int])
    """Digest of a body whose answer did not reach its end -> its step."""
    begins: str = ""
    """Digest of the first words that a human said in it."""
    last_chain: str = ""
    last_tail: str = ""
    last_reply: str = ""
    spoken: tuple[str, ...] = ()
    """Its last answers that said something, the latest last."""
    repeats: bool = False
    """Whether it had been answered that before."""
    summary: str = ""
    """Digest of the last summary of its history that it was given: the client puts it in the place of that."""
    last_step: int = 0
    prior_step: int = 0
    """The step of its conversation before that."""
    answered: bool = False
    """Whether the last step's answer reached its end."""

    @property
    def called_last(self) -> bool:
        """Whether the last step was answered with a tool call."""
        return self.last_step in self.calls.values()


class SessionIndex:
    """Sessions of late, by id and by mark. `apply` is its only way to change; replaying a journal rebuilds it."""

    def __init__(self, cache_rule_of: CacheRuleOf = lambda _: DEFAULT_CACHE) -> None:
        self._cache_rule_of = cache_rule_of
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._trails: dict[str, Trail] = {}
        self._by_chain: dict[str, list[str]] = {}
        self._by_call: dict[str, list[str]] = {}
        self._by_reply: dict[str, list[str]] = {}
        self._by_task: dict[str, list[str]] = {}
        self._by_beginning: dict[str, list[str]] = {}
        self._by_parent: dict[str, list[str]] = {}
        self._open: dict[str, Reserved] = {}
        self._projects = ProjectHabits()

    def project_habits(self, project: str) -> Habits:
        """How the sessions of that project went so far."""
        return self._projects.of(project)

    def get(self, session: str) -> Session | None:
        return self._sessions.get(session)

    def trail(self, session: str) -> Trail | None:
        return self._trails.get(session)

    def with_chain(self, chain: str) -> Sequence[str]:
        """Ids of the sessions that sent a request of exactly these turns, oldest use first."""
        return self._by_chain.get(chain, ())

    def with_call(self, call_id: str) -> Sequence[str]:
        """Ids of the sessions that were given this tool call, the first first: some models number their calls anew in each session."""
        return self._by_call.get(call_id, ())

    def with_reply(self, reply: str) -> Sequence[str]:
        """Ids of the sessions that were answered this, the first first; answers to calls beside the conversation count too."""
        return self._by_reply.get(reply, ())

    def with_task(self, task: str) -> Sequence[str]:
        """Ids of the sessions that handed this text to another agent."""
        return self._by_task.get(task, ())

    def beginning_with(self, words: str) -> Sequence[str]:
        """Ids of the sessions whose first human words these are."""
        return self._by_beginning.get(words, ())

    def children(self, session: str) -> Sequence[str]:
        """Ids of the sessions that name this one as their parent, the first first."""
        return self._by_parent.get(session, ())

    def newest_first(self) -> Sequence[Session]:
        return list(reversed(self._sessions.values()))

    def in_flight(self, session: str, body: str | None = None) -> bool:
        """Whether a call of this session, with this very body where one is given, is being answered now."""
        return any(entry.session == session and body in (None, entry.body) for entry in self._open.values())

    def apply(self, entry: Entry) -> None:
        """Fold one entry in. Closes of attempts that were never reserved here are passed over: they belong to evicted sessions."""
        match entry:
            case Opened():
                known = self._sessions.get(entry.session)
                if known is None or not known.opened:
                    self._put(_opened(entry, known))
                    if entry.parent:
                        _own(self._by_parent, entry.parent, entry.session)
                    trail = self._trails.setdefault(entry.session, Trail())
                    if entry.begins and not trail.begins:
                        trail.begins = entry.begins
                        _own(self._by_beginning, entry.begins, entry.session)
            case Reserved():
                self._reserve(entry)
            case Settled():
                self._settle(entry)
            case Voided():
                self._close(entry.attempt, entry.at_ms, spent=0, lost=0)
            case Lost():
                self._close(entry.attempt, entry.at_ms, spent=0, lost=entry.ceiling_pusd or 0)
            case Extended():
                pass

    def told(self, session: Session, chain: str, turns: int, reply: str) -> None:
        """This request was answered with words of our own (`reply` is their digest): the books know nothing of it, and what the client
        says next is recognised all the same. To ask the same again is to ask what was not answered."""
        trail = self._trails.setdefault(session.id, Trail())
        if session.id not in self._sessions:
            self._put(replace(session, opened=False))
        if chain and chain not in trail.chains:
            _own(self._by_chain, chain, session.id)
            trail.chains[chain] = turns
        trail.last_chain, trail.last_reply, trail.answered = chain, reply, False

    def _reserve(self, entry: Reserved) -> None:
        if entry.attempt in self._open:
            return
        session = self._sessions.get(entry.session) or Session(entry.session, client=entry.client, started_ms=entry.at_ms, opened=False)
        trail = self._trails.setdefault(entry.session, Trail())
        self._open[entry.attempt] = entry
        shown = session if entry.side else entry  # A call beside the conversation shows no evidence of its own.
        self._put(
            replace(
                session,
                last_ms=_heard_of(session, entry, entry.at_ms),
                steps=max(session.steps, entry.step),
                reserved_pusd=session.reserved_pusd + (entry.ceiling_pusd or 0),
                evidence=shown.evidence,
                rungs=shown.rungs,
            ),
            newest=entry.side != KEPT_WARM,
        )
        if entry.body:
            trail.unanswered[entry.body] = entry.step
            trail.unanswered.move_to_end(entry.body)
            while len(trail.unanswered) > UNANSWERED_MAX:
                trail.unanswered.popitem(last=False)
        if entry.side:  # A title asked for meanwhile does not interrupt the conversation that it serves.
            return
        if entry.chain and entry.chain not in trail.chains:
            _mark(self._by_chain, trail.chains, entry.chain, entry.turns, entry.session, MARKS_PER_SESSION_MAX)
        if entry.step != trail.last_step:
            trail.prior_step = trail.last_step
        trail.last_chain, trail.last_tail, trail.last_step, trail.answered = entry.chain, entry.tail, entry.step, False

    def _settle(self, entry: Settled) -> None:
        reserved = self._open.get(entry.attempt)
        cost = entry.cost_pusd or 0
        self._close(
            entry.attempt,
            entry.at_ms,
            spent=cost,
            lost=0,
            balanced=cost if entry.always_balanced_pusd is None else entry.always_balanced_pusd,
        )
        session, trail = self._sessions.get(entry.session), self._trails.get(entry.session)
        if session is None or trail is None or reserved is None:
            return
        if reserved.side == KEPT_WARM:
            self._put(replace(session, warm=prolonged(session, reserved, entry)), newest=False)
            return
        for call_id in entry.call_ids:
            _mark(self._by_call, trail.calls, call_id, reserved.step, entry.session, MARKS_PER_SESSION_MAX)
        for task in entry.tasks:
            _mark(self._by_task, trail.tasks, task, reserved.step, entry.session, TASKS_MAX)
        repeats = entry.reply in trail.replies
        if entry.reply:
            _mark(self._by_reply, trail.replies, entry.reply, reserved.step, entry.session, REPLIES_MAX)
            if reserved.side == COMPACTION:
                trail.summary = entry.reply
        if entry.outcome == "ok":
            trail.unanswered.pop(reserved.body, None)
            if not reserved.side and reserved.step == trail.last_step:
                trail.answered, trail.last_reply, trail.repeats = True, entry.reply, repeats
                if entry.reply:
                    trail.spoken = (*trail.spoken, entry.reply)[-SPOKEN_MAX:]
        if (entry.committed or entry.outcome == ESCALATED) and not reserved.side:
            self._put(_served(session, reserved, entry, self._cache_rule_of(reserved.model), self._learned(session, entry)))

    def _learned(self, session: Session, entry: Settled) -> Habits:
        """What the session's last step says of how it goes; its project hears the same. An attempt that was escalated away is no step
        of its own."""
        if not entry.committed or not entry.measured:
            return session.habits
        habits = after_step(session.habits, StepKind(entry.kind), entry.at_ms, entry.usage.input_tokens)
        self._projects.learn(session.project, session.habits, habits)
        return habits

    def _close(self, attempt: str, at_ms: int, *, spent: int, lost: int, balanced: int = 0) -> None:
        reserved = self._open.pop(attempt, None)
        session = self._sessions.get(reserved.session) if reserved else None
        if reserved is not None and session is not None:
            self._put(
                replace(
                    session,
                    last_ms=_heard_of(session, reserved, at_ms),
                    reserved_pusd=session.reserved_pusd - (reserved.ceiling_pusd or 0),
                    spent_pusd=session.spent_pusd + spent,
                    lost_pusd=session.lost_pusd + lost,
                    balanced_pusd=session.balanced_pusd + balanced,
                ),
                newest=reserved.side != KEPT_WARM,
            )

    def _put(self, session: Session, *, newest: bool = True) -> None:
        """`newest` says that its client was heard of now."""
        self._sessions[session.id] = session
        if newest:
            self._sessions.move_to_end(session.id)
        while len(self._sessions) > SESSIONS_MAX:
            self.forget(next(iter(self._sessions)))

    def forget(self, session: str) -> None:
        """As if this session had never been seen; one that is not known is none to forget."""
        known = self._sessions.pop(session, None)
        if known is not None:
            _disown(self._by_parent, known.parent, session)
        trail = self._trails.pop(session, Trail())
        _disown(self._by_beginning, trail.begins, session)
        for owners, marks in (
            (self._by_chain, trail.chains),
            (self._by_call, trail.calls),
            (self._by_reply, trail.replies),
            (self._by_task, trail.tasks),
        ):
            for mark in marks:
                _disown(owners, mark, session)


def _mark(owners: dict[str, list[str]], marks: OrderedDict[str, int], mark: str, value: int, session: str, marks_max: int) -> None:
    """One more mark of a session, or its latest use; the oldest goes where there are more than are remembered."""
    if mark not in marks:
        _own(owners, mark, session)
    marks[mark] = value
    marks.move_to_end(mark)
    if len(marks) > marks_max:
        _disown(owners, marks.popitem(last=False)[0], session)


def _own(owners: dict[str, list[str]], mark: str, session: str) -> None:
    owners.setdefault(mark, []).append(session)


def _disown(owners: dict[str, list[str]], mark: str, session: str) -> None:
    of_mark = owners.get(mark, [])
    if session in of_mark:
        of_mark.remove(session)
    if not of_mark:
        owners.pop(mark, None)


def _opened(entry: Opened, known: Session | None) -> Session:
    """The session as it is opened, with what was spent on it before that."""
    before = known or Session(entry.session, started_ms=entry.at_ms, last_ms=entry.at_ms)
    return replace(
        before, client=entry.client, workspace=entry.workspace, project=entry.project, title=entry.title, parent=entry.parent, opened=True
    )


def _heard_of(session: Session, entry: Reserved, at_ms: int) -> int:
    """When its client was last heard of: a call of our own says nothing of that."""
    return session.last_ms if entry.side == KEPT_WARM else max(session.last_ms, at_ms)


def _served(session: Session, reserved: Reserved, entry: Settled, rule: CacheRule | None, habits: Habits) -> Session:
    """The session after an attempt whose prompt a model has read: who has it now, and what models hold of its prompt."""
    if not entry.measured:
        warm = warmed(session, reserved, entry, rule) if entry.outcome == ESCALATED else session.warm
        return replace(session, last_model=reserved.model, warm=warm)
    return replace(
        session,
        last_model=reserved.model,
        warm=warmed(session, reserved, entry, rule),
        # The three go together: the next prompt is estimated from what this one had and by how many bytes it has grown since.
        last_prompt_tokens=entry.usage.input_tokens,
        last_body_bytes=reserved.body_bytes,
        last_counted_tokens=reserved.counted_tokens,
        habits=habits,
    )
