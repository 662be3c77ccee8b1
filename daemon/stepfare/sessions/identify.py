"""Which session a request belongs to: the client's own id where it sends one, else what a conversation repeats of itself.

Pure: a request and the index in, an identity out. Minting an id for a new session is left to the runtime.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from stepfare.core.digest import reply_digest
from stepfare.core.request import RequestView, Role, ToolCall, ToolResult
from stepfare.sessions.index import SessionIndex, Trail

TURNS_SEARCHED_MAX = 12
"""How many turns from the end are searched for tool-call ids: they stand in the last one or two, unless results follow apart."""
SIDE_CALL_WINDOW_MS = 10 * 60_000
"""How long after a session's last step a side call without marks of its own is still held to serve it."""

_CLIENT_IDS = ("x-stepfare-session", "x-claude-code-session-id", "thread-id", "session-id", "x-session-id", "x-session-affinity")
_PARENT_IDS = ("x-parent-session-id", "x-codex-parent-thread-id")
_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Identity:
    """`session` is empty for a session that nobody has seen yet. A `retry` repeats a step that was never answered."""

    session: str
    retry: bool
    parent: str
    chain: str
    because: str


def identify(view: RequestView, index: SessionIndex, *, client: str, workspace: str, side: str, now_ms: int) -> Identity:
    """Find the session of a request. `client`, `workspace` and `side` are what the steps' features say of it."""
    chains = chain_of(view.digests)
    named = _named(view.headers)
    if named:
        parent = _parent(view.headers)
        return _known(view, index, named, chains[-1], "the client says so", parent=parent)
    called = _by_calls(view, index)
    if called:
        session, step = called
        trail = index.trail(session)
        if trail is None or step >= trail.last_step - 1 or trail.last_chain in chains:
            return _known(view, index, session, chains[-1], "it answers a tool call of this session")
        return Identity("", False, session, chains[-1], "it goes back to an earlier point of another session")
    return (
        _by_chain(view, index, chains)
        or _beside(view, index, client, workspace, side, chains[-1], now_ms)
        or Identity("", False, "", chains[-1], "nothing of it was seen before")
    )


def chain_of(digests: Sequence[bytes]) -> tuple[str, ...]:
    """For each turn the digest of the conversation up to it."""
    link = b""
    chain: list[str] = []
    for digest in digests:
        link = blake2b(link + digest, digest_size=16).digest()
        chain.append(link.hex())
    return tuple(chain)


def _named(headers: Mapping[str, str]) -> str:
    for name in _CLIENT_IDS:
        value = headers.get(name, "")
        if value:
            return _safe(value)
    return ""


def _parent(headers: Mapping[str, str]) -> str:
    return next((_safe(headers[name]) for name in _PARENT_IDS if headers.get(name)), "")


def _safe(value: str) -> str:
    """A client's id as it may stand in our books: as it is where it is plain, else its digest."""
    return value if _PLAIN_ID.fullmatch(value) else "x" + blake2b(value.encode(), digest_size=8).hexdigest()


def _known(view: RequestView, index: SessionIndex, session: str, chain: str, because: str, parent: str = "") -> Identity:
    trail = index.trail(session)
    retry = trail is not None and not trail.answered and trail.last_body == view.body_digest.hex() and not index.in_flight(session)
    return Identity(session, retry, parent, chain, "it repeats a call that was not answered" if retry else because)


def _by_calls(view: RequestView, index: SessionIndex) -> tuple[str, int] | None:
    """The session that was given one of the last tool calls of this conversation, and the step in which it was."""
    first = max(0, len(view.turns) - TURNS_SEARCHED_MAX)
    for place in range(len(view.turns) - 1, first - 1, -1):
        for block in view.turns[place].blocks:
            call_id = block.id if isinstance(block, ToolCall | ToolResult) else ""
            session = index.with_call(call_id) if call_id else None
            if session is not None:
                trail = index.trail(session)
                return session, trail.calls.get(call_id, 0) if trail else 0
    return None


def _by_chain(view: RequestView, index: SessionIndex, chains: Sequence[str]) -> Identity | None:
    """The session whose request is the longest beginning of this one."""
    whole = chains[-1]
    for place in range(len(chains) - 1, -1, -1):
        owners = index.with_chain(chains[place])
        if not owners:
            continue
        if place == len(chains) - 1:
            return _same_turns(view, index, owners, whole)
        return _continued(view, index, owners, place, whole)
    return None


def _same_turns(view: RequestView, index: SessionIndex, owners: Sequence[str], chain: str) -> Identity:
    """The very conversation was sent before: a retry where it was not answered, the same session asking anew where it had
    gone beyond its first question, and otherwise another task that begins with the same words."""
    for session in reversed(owners):
        trail = index.trail(session)
        if trail and trail.last_chain == chain and not trail.answered and not index.in_flight(session):
            return Identity(session, trail.last_body == view.body_digest.hex(), "", chain, "it repeats a call that was not answered")
    if any(turn.role is Role.ASSISTANT for turn in view.turns):
        return Identity(owners[-1], False, "", chain, "it asks the same again")
    return Identity("", False, "", chain, "it begins with the same words as another session, which was answered")


def _continued(view: RequestView, index: SessionIndex, owners: Sequence[str], place: int, chain: str) -> Identity:
    following = view.turns[place + 1]
    echoed = reply_digest(following.text) if following.role is Role.ASSISTANT else ""
    tails = [session for session in owners if _ends_at(index.trail(session), place + 1)]
    if not tails:
        return Identity("", False, owners[-1], chain, "it goes back to an earlier point of another session")
    # Twins that asked the same differ by what they were answered; where even that is equal, the one that waited longest goes on.
    exact = [session for session in tails if echoed and (trail := index.trail(session)) and trail.last_reply == echoed]
    return Identity((exact or tails)[0], False, "", chain, "it continues this session's conversation")


def _ends_at(trail: Trail | None, turns: int) -> bool:
    return trail is not None and trail.last_turns == turns


def _beside(view: RequestView, index: SessionIndex, client: str, workspace: str, side: str, chain: str, now_ms: int) -> Identity | None:
    """Side calls (titles, summaries) repeat nothing of their session: they go with the client's latest one. A conversation
    whose beginning was rewritten (compaction, truncation) goes with the latest one of the same client and workspace."""
    rewritten = len(view.turns) > 2 and any(turn.role is Role.ASSISTANT for turn in (view.turns[1], view.turns[2]))
    if not side and not (rewritten and workspace):
        return None
    for session in index.newest_first():
        if now_ms - session.last_ms > SIDE_CALL_WINDOW_MS:
            return None
        same_place = session.workspace == workspace or (side and not workspace)
        if session.client == client and same_place:
            why = f"it is a side call ({side}) of the latest session of {client}" if side else "its history was rewritten by the client"
            return Identity(session.id, False, "", chain, why)
    return None
