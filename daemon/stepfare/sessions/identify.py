"""Which session a request belongs to: the client's own id where it sends one, else what a conversation repeats of itself.

Pure: a request and the index in, an identity out. Minting an id for a new session is left to the runtime.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from stepfare.core.digest import reply_digest
from stepfare.core.request import RequestView, Role, Text, ToolCall, ToolResult, Turn
from stepfare.sessions.index import SessionIndex, Trail
from stepfare.sessions.named import named

TURNS_SEARCHED_MAX = 12
"""How many turns from the end are searched for tool-call ids: they stand in the last one or two, unless results follow apart."""
SPREAD = {"responses": 3}
"""Where a thought, a text and each call are turns of their own, so many times more are searched."""
SIDE_CALL_WINDOW_MS = 10 * 60_000
"""How long after a session's last step a side call without marks of its own is still held to serve it."""

TURNS_NEW_MAX = 48
"""How far back the turn is looked for up to which a conversation's chain is known."""
CHAINS_KEPT_MAX = 128

_GOES_BACK = "it goes back to an earlier point of another session"


@dataclass(frozen=True, slots=True)
class Identity:
    """`session` is empty for a session that nobody has seen yet. `step` is that of the call which this one repeats because it was
    never answered to its end, or 0."""

    session: str
    step: int
    parent: str
    chain: str
    because: str


def identify(view: RequestView, index: SessionIndex, *, client: str, workspace: str, side: str, now_ms: int) -> Identity:
    """Find the session of a request. `client`, `workspace` and `side` are what the steps' features say of it."""
    told = named(view)
    asked = _Asked(view, index, chain_of(view.digests), client, workspace, side, now_ms, told.parent)
    if told.session:
        return asked.known(told.session, "the client says so", parent=told.parent)
    owners = _owners_of_calls(asked)
    return (
        _by_calls(asked, owners)
        or _by_chain(asked)
        or _beside(asked)
        or _by_reply(asked)
        or _forked(asked, owners)
        or _rewritten(asked)
        or asked.unknown("nothing of it was seen before")
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    view: RequestView
    index: SessionIndex
    chains: tuple[str, ...]
    client: str
    workspace: str
    side: str
    now_ms: int
    parent: str
    """Whom the client names as the parent of a session that it does not name."""

    @property
    def first_searched(self) -> int:
        return max(0, len(self.view.turns) - TURNS_SEARCHED_MAX * SPREAD.get(self.view.dialect, 1))

    @property
    def last_said(self) -> str:
        """Digest of the last text that the assistant said in this conversation."""
        for place in range(len(self.view.turns) - 1, self.first_searched - 1, -1):
            turn = self.view.turns[place]
            if turn.role is Role.ASSISTANT and any(isinstance(block, Text) and block.text.strip() for block in turn.blocks):
                while self._is_part(place - 1):
                    place -= 1
                return self.said_from(place)
        return ""

    def said_from(self, place: int) -> str:
        """Digest of the texts of the answer that begins at this turn; empty where none does, or where it says nothing."""
        turns = self.view.turns
        if place >= len(turns) or turns[place].role is not Role.ASSISTANT:
            return ""
        end = place + 1
        while end < len(turns) and self._is_part(end):
            end += 1
        return reply_digest(_text_of(turns[place:end]))

    def _is_part(self, place: int) -> bool:
        """Whether this turn may belong to the same answer as its neighbour: where one answer is several items, they stand in a row."""
        return self.view.dialect in SPREAD and place >= 0 and self.view.turns[place].role is Role.ASSISTANT

    def trail(self, session: str) -> Trail:
        return self.index.trail(session) or Trail()

    def known(self, session: str, because: str, parent: str = "") -> Identity:
        body = self.view.body_digest.hex()
        step = self.trail(session).unanswered.get(body, 0)
        if step and not self.index.in_flight(session, body):
            return Identity(session, step, parent, self.chains[-1], "it repeats a call that was not answered")
        return Identity(session, 0, parent, self.chains[-1], because)

    def unknown(self, because: str, parent: str = "") -> Identity:
        return Identity("", 0, parent or self.parent, self.chains[-1], because)


def chain_of(digests: Sequence[bytes]) -> tuple[str, ...]:
    """For each turn the digest of the conversation up to it. A step goes on from where the conversation was left."""
    turns = tuple(digests)
    known: tuple[str, ...] = ()
    for end in range(len(turns), max(0, len(turns) - TURNS_NEW_MAX), -1):
        kept = _chains.get(turns[end - 1])
        if kept is not None and kept[0] == turns[:end]:
            known = kept[1]
            break
    link = bytes.fromhex(known[-1]) if known else b""
    new: list[str] = []
    for digest in turns[len(known) :]:
        link = blake2b(link + digest, digest_size=16).digest()
        new.append(link.hex())
    chain = (*known, *new)
    if new:
        while len(_chains) >= CHAINS_KEPT_MAX:
            _chains.pop(next(iter(_chains)), None)
        _chains[turns[-1]] = (turns, chain)
    return chain


_chains: dict[bytes, tuple[tuple[bytes, ...], tuple[str, ...]]] = {}
"""Conversations of late with their chains, by the digest of their last turn; the oldest goes first."""


def _owners_of_calls(asked: _Asked) -> Sequence[tuple[str, int]]:
    """The sessions that were given the last known tool call of this conversation, each with the step in which it was."""
    turns = asked.view.turns
    for place in range(len(turns) - 1, asked.first_searched - 1, -1):
        for block in turns[place].blocks:
            call_id = block.id if isinstance(block, ToolCall | ToolResult) else ""
            owners = asked.index.with_call(call_id) if call_id else ()
            if owners:
                return [(session, asked.trail(session).calls.get(call_id, 0)) for session in owners]
    return ()


def _by_calls(asked: _Asked, owners: Sequence[tuple[str, int]]) -> Identity | None:
    """The session whose conversation this continues: it was given the call of late, or its last request is this one's beginning."""
    chains = set(asked.chains)
    exact = [session for session, _ in owners if asked.trail(session).last_chain in chains]
    recent = [session for session, step in owners if step >= asked.trail(session).last_step - 1]
    found = exact or recent
    return asked.known(found[-1], "it answers a tool call of this session") if found else None


def _by_chain(asked: _Asked) -> Identity | None:
    """The session whose last request is the longest known beginning of this one, or this very one."""
    last = len(asked.chains) - 1
    for place in range(last, -1, -1):
        owners = asked.index.with_chain(asked.chains[place])
        if owners:
            at_this_point = [session for session in owners if asked.trail(session).last_chain == asked.chains[place]]
            if place == last:
                return None if asked.side else _same_turns(asked, owners, at_this_point)
            return _continued(asked, at_this_point, place)
    return None


def _same_turns(asked: _Asked, owners: Sequence[str], at_this_point: Sequence[str]) -> Identity:
    """The very conversation was sent before: a retry where it was not answered, the same session asking anew where it had
    gone beyond its first question, and otherwise another task that begins with the same words."""
    for session in reversed(at_this_point):
        if not asked.trail(session).answered and not asked.index.in_flight(session):
            return asked.known(session, "it asks again what was not answered")
    if not any(turn.role is Role.ASSISTANT for turn in asked.view.turns):
        return asked.unknown("it begins with the same words as another session")
    if at_this_point:
        return asked.known(at_this_point[-1], "it asks the same again")
    return asked.unknown(_GOES_BACK, parent=owners[-1])


def _continued(asked: _Asked, at_this_point: Sequence[str], place: int) -> Identity | None:
    if not at_this_point:
        return None
    echoed = asked.said_from(place + 1)
    # Twins that asked the same differ by what they were answered; where even that is equal, the one that waited longest goes on.
    exact = [session for session in at_this_point if echoed and asked.trail(session).last_reply == echoed]
    return asked.known((exact or at_this_point)[0], "it continues this session's conversation")


def _beside(asked: _Asked) -> Identity | None:
    """A side call (title, summary) repeats nothing of its session: it goes with the client's latest one."""
    if not asked.side:
        return None
    session = _latest(asked, anywhere=not asked.workspace)
    return asked.known(session, f"it is a side call ({asked.side}) of the latest session of {asked.client}") if session else None


def _by_reply(asked: _Asked) -> Identity | None:
    """A conversation whose beginning the client has cut or rewritten still holds what its session was answered last."""
    said = asked.last_said
    if said:
        for session in asked.index.newest_first():
            elsewhere = asked.workspace and session.workspace and session.workspace != asked.workspace
            if session.client == asked.client and not elsewhere and asked.trail(session.id).last_reply == said:
                return asked.known(session.id, "it holds this session's last answer; its history was rewritten by the client")
    return None


def _forked(asked: _Asked, owners: Sequence[tuple[str, int]]) -> Identity | None:
    """A conversation that goes back to an earlier point of a session is a session of its own."""
    if owners:
        return asked.unknown(_GOES_BACK, parent=owners[-1][0])
    for chain in reversed(asked.chains):
        of_chain = asked.index.with_chain(chain)
        if of_chain:
            return asked.unknown(_GOES_BACK, parent=of_chain[-1])
    return None


def _rewritten(asked: _Asked) -> Identity | None:
    """A conversation that is going on, of which nothing is known: the client has put a summary in the place of its history."""
    turns = asked.view.turns
    going_on = not asked.parent and len(turns) > 2 and any(turn.role is Role.ASSISTANT for turn in (turns[1], turns[2]))
    session = _latest(asked, anywhere=False) if going_on and asked.workspace else ""
    return asked.known(session, "its history was rewritten by the client") if session else None


def _latest(asked: _Asked, *, anywhere: bool) -> str:
    """The latest session of the same client, in the same workspace unless `anywhere`, if it was heard of recently."""
    for session in asked.index.newest_first():
        if asked.now_ms - session.last_ms > SIDE_CALL_WINDOW_MS:
            return ""
        if session.client == asked.client and (anywhere or session.workspace == asked.workspace):
            return session.id
    return ""


def _text_of(turns: Iterable[Turn]) -> str:
    """The texts of an answer, as they were heard one after the other."""
    return "".join(block.text for turn in turns for block in turn.blocks if isinstance(block, Text))
