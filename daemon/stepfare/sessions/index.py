"""What is remembered of sessions so that their next request is recognised and their caches are believed in: a fold of journal entries.

Holds digests and ids, never texts. Who asks which session a request belongs to is `identify`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from stepfare.core.entry import Entry, Lost, Opened, Reserved, Settled, Voided
from stepfare.core.model import CacheRule
from stepfare.core.session import Session, Warmth
from stepfare.core.step import StepKind

SESSIONS_MAX = 2_000
MARKS_PER_SESSION_MAX = 400
"""Chains and tool-call ids remembered for one session, each; the oldest go first."""

DEFAULT_CACHE = CacheRule()
CacheRuleOf = Callable[[str], CacheRule | None]
"""The cache rule of a model's provider, or None where it is not known to cache."""


@dataclass(slots=True)
class Trail:
    """By what a session is recognised. `chains` are the digests of its requests so far, `calls` the ids of the tool calls it was given."""

    chains: OrderedDict[str, int] = field(default_factory=OrderedDict[str, int])
    """Digest of a request's turns in order -> how many turns."""
    calls: OrderedDict[str, int] = field(default_factory=OrderedDict[str, int])
    """Tool-call id -> the step whose answer held it."""
    last_chain: str = ""
    last_body: str = ""
    last_turns: int = 0
    last_reply: str = ""
    last_step: int = 0
    answered: bool = False
    """Whether the last step's answer reached its end, so that the same body again is a new question and not a retry."""


class SessionIndex:
    """Sessions of late, by id and by mark. `apply` is its only way to change; replaying a journal rebuilds it."""

    def __init__(self, cache_rule_of: CacheRuleOf = lambda _: DEFAULT_CACHE) -> None:
        self._cache_rule_of = cache_rule_of
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._trails: dict[str, Trail] = {}
        self._by_chain: dict[str, list[str]] = {}
        self._by_call: dict[str, str] = {}
        self._open: dict[str, Reserved] = {}

    def get(self, session: str) -> Session | None:
        return self._sessions.get(session)

    def trail(self, session: str) -> Trail | None:
        return self._trails.get(session)

    def with_chain(self, chain: str) -> Sequence[str]:
        """Ids of the sessions that sent a request of exactly these turns, oldest use first."""
        return self._by_chain.get(chain, ())

    def with_call(self, call_id: str) -> str | None:
        return self._by_call.get(call_id)

    def newest_first(self) -> Sequence[Session]:
        return list(reversed(self._sessions.values()))

    def in_flight(self, session: str) -> bool:
        return any(entry.session == session for entry in self._open.values())

    def apply(self, entry: Entry) -> None:
        """Fold one entry in. Entries of attempts that were never reserved here are passed over: they belong to evicted sessions."""
        match entry:
            case Opened():
                if entry.session not in self._sessions:
                    self._put(_opened(entry))
                    self._trails[entry.session] = Trail()
            case Reserved():
                self._reserve(entry)
            case Settled():
                self._settle(entry)
            case Voided():
                self._close(entry.attempt, entry.at_ms, spent=0, lost=0)
            case Lost():
                self._close(entry.attempt, entry.at_ms, spent=0, lost=entry.ceiling_pusd or 0)

    def _reserve(self, entry: Reserved) -> None:
        session, trail = self._sessions.get(entry.session), self._trails.get(entry.session)
        if session is None or trail is None or entry.attempt in self._open:
            return
        self._open[entry.attempt] = entry
        self._put(
            replace(
                session,
                last_ms=max(session.last_ms, entry.at_ms),
                steps=max(session.steps, entry.step),
                reserved_pusd=session.reserved_pusd + (entry.ceiling_pusd or 0),
                last_body_bytes=entry.body_bytes,
            )
        )
        if entry.chain and entry.chain not in trail.chains:
            self._by_chain.setdefault(entry.chain, []).append(entry.session)
            trail.chains[entry.chain] = entry.turns
            if len(trail.chains) > MARKS_PER_SESSION_MAX:
                self._forget_chain(entry.session, trail.chains.popitem(last=False)[0])
        if entry.kind != StepKind.SIDE:  # A title asked for meanwhile does not interrupt the conversation that it serves.
            trail.last_chain, trail.last_body, trail.last_turns = entry.chain, entry.body, entry.turns
            trail.last_step, trail.answered = entry.step, False

    def _settle(self, entry: Settled) -> None:
        reserved = self._open.get(entry.attempt)
        self._close(entry.attempt, entry.at_ms, spent=entry.cost_pusd or 0, lost=0)
        session, trail = self._sessions.get(entry.session), self._trails.get(entry.session)
        if session is None or trail is None or reserved is None:
            return
        for call_id in entry.call_ids:
            trail.calls[call_id] = reserved.step
            self._by_call[call_id] = entry.session
            if len(trail.calls) > MARKS_PER_SESSION_MAX:
                self._by_call.pop(trail.calls.popitem(last=False)[0], None)
        if entry.outcome == "ok" and reserved.step == trail.last_step:
            trail.answered, trail.last_reply = True, entry.reply
        if entry.committed:
            self._put(_served(session, reserved, entry, self._cache_rule_of(reserved.model)))

    def _close(self, attempt: str, at_ms: int, *, spent: int, lost: int) -> None:
        reserved = self._open.pop(attempt, None)
        session = self._sessions.get(reserved.session) if reserved else None
        if reserved is not None and session is not None:
            self._put(
                replace(
                    session,
                    last_ms=max(session.last_ms, at_ms),
                    reserved_pusd=session.reserved_pusd - (reserved.ceiling_pusd or 0),
                    spent_pusd=session.spent_pusd + spent,
                    lost_pusd=session.lost_pusd + lost,
                )
            )

    def _put(self, session: Session) -> None:
        self._sessions[session.id] = session
        self._sessions.move_to_end(session.id)
        while len(self._sessions) > SESSIONS_MAX:
            self._evict(next(iter(self._sessions)))

    def _evict(self, session: str) -> None:
        del self._sessions[session]
        trail = self._trails.pop(session, Trail())
        for chain in trail.chains:
            self._forget_chain(session, chain)
        for call_id in trail.calls:
            self._by_call.pop(call_id, None)

    def _forget_chain(self, session: str, chain: str) -> None:
        owners = self._by_chain.get(chain, [])
        if session in owners:
            owners.remove(session)
        if not owners:
            self._by_chain.pop(chain, None)


def _opened(entry: Opened) -> Session:
    return Session(
        id=entry.session,
        client=entry.client,
        workspace=entry.workspace,
        title=entry.title,
        parent=entry.parent,
        started_ms=entry.at_ms,
        last_ms=entry.at_ms,
    )


def _served(session: Session, reserved: Reserved, entry: Settled, rule: CacheRule | None) -> Session:
    """The session after a served attempt: the model that has it now, and what that model is believed to hold of its prompt."""
    usage = entry.usage
    measured = entry.source in ("usage-priced", "provider-billed", "unpriced")
    if not measured:
        return replace(session, last_model=reserved.model)
    before = session.warm.get(reserved.model)
    rule = rule or (DEFAULT_CACHE if usage.cache_read_tokens or usage.cache_write_tokens else None)
    warm = dict(session.warm)
    if rule is not None:
        held = usage.input_tokens if usage.input_tokens >= rule.min_tokens else 0
        warm[reserved.model] = Warmth(reserved.model, held, entry.at_ms + rule.lifetime_ms, _share(before, entry, rule))
    return replace(session, last_model=reserved.model, last_prompt_tokens=usage.input_tokens, warm=warm)


def _share(before: Warmth | None, entry: Settled, rule: CacheRule) -> float:
    """How much of what was expected to be read from the cache was read. What was observed last is believed."""
    if before is None or entry.at_ms >= before.until_ms:
        return 1.0 if before is None else before.share
    expected = min(before.tokens, entry.usage.input_tokens)
    if expected < rule.min_tokens:
        return before.share
    return min(1.0, entry.usage.cache_read_tokens / expected)
