"""The last requests of each session as footprints, so that a change by the client is seen with the next one. In memory only, and
bounded: what is forgotten is a drift that is not told.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import cast

import msgspec

from stepfare.core.request import RequestView, Role
from stepfare.sessions.drift import ANEW, TURN_BYTES, Drift, Footprint, drift_of
from stepfare.sessions.lines import packed

SESSIONS_MAX = 500
CONVERSATIONS_MAX = 6
"""Of one session: the main one and those of its subagents, which may share its id."""
BYTES_MAX = 8 * 1024 * 1024
"""Of all footprints together: dozens of bytes a turn, a few thousand for tools and instructions."""
FOOTPRINT_BYTES = 512
TOOL_BYTES = 128

_TOOL_DIGEST_BYTES = 8
_decode_tools = msgspec.json.Decoder(list[dict[str, object]]).decode


@dataclass(slots=True)
class _Session:
    conversations: list[Footprint] = field(default_factory=list[Footprint])
    """The latest last."""
    summed_up: bool = False


class Footprints:
    """Sessions of late by what their last requests looked like; the one that is longest unused goes first."""

    def __init__(self, sessions_max: int = SESSIONS_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._sessions_max = sessions_max
        self._bytes_max = bytes_max
        self._bytes = 0

    def follow(self, session: str, view: RequestView, *, side: str = "", last_tokens: int = 0) -> Drift | None:
        """What the client changed since the last request of this conversation, None where nothing; and remember this one in its place.
        `side` as in the features of a step: calls beside the conversation are not followed, a compaction is expected to change it.
        `last_tokens` is what the prompt of the session's last step counted, 0 where nobody knows."""
        if view.endpoint != "chat":
            return None
        known = self._sessions.setdefault(session, _Session())
        self._sessions.move_to_end(session)
        if side:
            known.summed_up = known.summed_up or side == "compaction"
            return None
        digests = b"".join(view.digests)
        last = _last_of(known.conversations, digests)
        new = footprint_of(view, digests, last or (known.conversations[-1] if known.conversations else None))
        drift = drift_of(last, new, view, last_tokens, summed_up=known.summed_up) if last is not None else None
        # A conversation that only shares its instructions with another stands beside it: a subagent's does not end the main one.
        if last is not None and (drift is None or drift.place != ANEW):
            self._drop(known, last)
        known.conversations.append(new)
        known.summed_up = False
        self._bytes += _size(new)
        self._bound(known)
        return drift

    def _bound(self, known: _Session) -> None:
        if len(known.conversations) > CONVERSATIONS_MAX:
            self._drop(known, known.conversations[0])
        while len(self._sessions) > 1 and (len(self._sessions) > self._sessions_max or self._bytes > self._bytes_max):
            _, oldest = self._sessions.popitem(last=False)
            self._bytes -= sum(_size(footprint) for footprint in oldest.conversations)

    def _drop(self, known: _Session, footprint: Footprint) -> None:
        # By identity: two subagents may have sent the same.
        known.conversations = [one for one in known.conversations if one is not footprint]
        self._bytes -= _size(footprint)


def footprint_of(view: RequestView, digests: bytes, like: Footprint | None = None) -> Footprint:
    """What this request looks like. What it shares with one that is known already is not read again."""
    like = like or Footprint()
    tools = next((view.raw[span.start : span.end] for span in view.spans if span.key == "tools"), b"")
    digest = sha256(tools).digest()[:TURN_BYTES] if tools else b""
    offered = like.tool_digests if digest == like.tools else _tool_digests(tools)
    # One turn more than the instructions, for another text of theirs may have joined them.
    same = (like.heads + 1) * TURN_BYTES
    if like.heads and digests[:same] == like.digests[:same]:
        return Footprint(digests, digest, offered, like.heads, like.lines, len(view.raw))
    heads = 0
    while heads < len(view.turns) and view.turns[heads].role is Role.SYSTEM:
        heads += 1
    lines = packed(view.turns[at].text for at in range(heads)) if heads else b""
    return Footprint(digests, digest, offered, heads, lines, len(view.raw))


def _last_of(conversations: list[Footprint], digests: bytes) -> Footprint | None:
    """The last request of the conversation that this one belongs to: which it goes on from, or else shares most with."""
    for footprint in reversed(conversations):
        if digests.startswith(footprint.digests):
            return footprint
    mine = set(Footprint(digests).turns)
    shared = [(len(mine.intersection(footprint.turns)), at) for at, footprint in enumerate(conversations)]
    most, at = max(shared, default=(0, 0))
    return conversations[at] if most else None


def _tool_digests(raw: bytes) -> tuple[tuple[str, bytes], ...]:
    try:
        tools = _decode_tools(raw) if raw else []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    found: list[tuple[str, bytes]] = []
    for tool in tools:
        if tool.get("defer_loading") is True:
            continue
        function = tool.get("function")
        name = tool.get("name") or (cast("dict[str, object]", function).get("name") if isinstance(function, dict) else None)
        plain = {key: value for key, value in tool.items() if key != "cache_control"}
        try:
            said = msgspec.json.encode(plain)
        except (OverflowError, UnicodeEncodeError):
            said = repr(plain).encode("utf-8", "replace")
        found.append((str(name or tool.get("type") or "?"), sha256(said).digest()[:_TOOL_DIGEST_BYTES]))
    return tuple(found)


def _size(footprint: Footprint) -> int:
    return FOOTPRINT_BYTES + len(footprint.digests) + len(footprint.lines) + TOOL_BYTES * len(footprint.tool_digests)
