"""A conversation whose turns are decoded when they are first looked at, and the digests by which it is recognised again."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import cast, overload

import msgspec

from stepfare.core.request import Turn
from stepfare.dialects import splice
from stepfare.dialects.base import BadRequest

DIGEST_BYTES = 16
"""Of a SHA-256: today's processors have it built in, and a conversation of a megabyte is digested with every step."""
SPACED_BYTES = 64
"""A client that writes spaces after its colons does so within the first bytes of a message."""
REMEMBERED_BYTES_MAX = 16 * 1024 * 1024
"""Of messages whose turns are remembered: the ends of some dozens of long sessions, of which the last turns are looked at."""
EDGE_BYTES = 256
"""Beside a text in one string, a cache mark can only stand before or after it."""

_MARK = b'"cache_control"'
_PARTS = re.compile(rb'"content"[ \t\r\n]*:[ \t\r\n]*\[')


class TurnMemory:
    """Turns by digest, so that a session's next step decodes what is new only. Equal digests mean equal turns: it changes no answer."""

    def __init__(self, bytes_max: int = REMEMBERED_BYTES_MAX) -> None:
        self._turns: dict[bytes, tuple[Turn, int]] = {}
        self._bytes_max = bytes_max
        self._bytes = 0

    def recall(self, digest: bytes) -> Turn | None:
        found = self._turns.get(digest)
        return None if found is None else found[0]

    def remember(self, digest: bytes, turn: Turn, size_bytes: int) -> None:
        """Keep the turn; the oldest go where there are more bytes than are kept."""
        self._turns[digest] = (turn, size_bytes)
        self._bytes += size_bytes
        while self._bytes > self._bytes_max:
            self._bytes -= self._turns.pop(next(iter(self._turns)))[1]


class LazyTurns(Sequence[Turn]):
    """Looks like a tuple of turns; each is decoded once, on demand, so that a long conversation costs what is looked at."""

    __slots__ = ("_digests", "_memory", "_raws", "_read", "_seen")

    def __init__(self, raws: Sequence[bytes], read: Callable[[bytes], Turn], digests: Sequence[bytes], memory: TurnMemory) -> None:
        self._raws = raws
        self._read = read
        self._digests = digests
        self._memory = memory
        self._seen: dict[int, Turn] = {}

    @property
    def raws(self) -> Sequence[bytes]:
        """The messages as they came, in order."""
        return self._raws

    def __len__(self) -> int:
        return len(self._raws)

    @overload
    def __getitem__(self, index: int) -> Turn: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Turn]: ...
    def __getitem__(self, index: int | slice) -> Turn | Sequence[Turn]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self._raws)))]
        place = range(len(self._raws))[index]
        turn = self._seen.get(place)
        if turn is None:
            turn = self._memory.recall(self._digests[place])
            if turn is None:
                turn = self._read(self._raws[place])
                self._memory.remember(self._digests[place], turn, len(self._raws[place]))
            self._seen[place] = turn
        return turn


def has_parts(raw: bytes) -> bool:
    """Whether this message's content is a list of parts; within a string the quotes of the key would be escaped."""
    return _PARTS.match(raw, raw.find(b'"content"')) is not None


def digest(raw: bytes, *, parts: bool) -> bytes:
    """16 bytes that are equal for messages that differ only in cache marks, or in a text as a string or as one part.
    `parts` is what `has_parts` says of the message."""
    marked = _MARK in raw if parts else raw.find(_MARK, 0, EDGE_BYTES) >= 0 or raw.find(_MARK, -EDGE_BYTES) >= 0
    # A compact message of a text or of several parts is written as it would be written anew: the common case is not decoded.
    if marked or b'": ' in raw[:SPACED_BYTES] or (parts and raw.count(b'"type"') < 2):
        raw = _normalised(raw, marked=marked)
    return sha256(raw).digest()[:DIGEST_BYTES]


def body_digest(before: bytes, messages: Sequence[bytes], after: bytes) -> bytes:
    """16 bytes that are equal for equal bodies: a client's retry repeats its body. `messages` are the digests of the messages,
    `before` and `after` the bytes around their list, so that a long conversation is not read twice."""
    return sha256(b"".join((before, *messages, after))).digest()[:DIGEST_BYTES]


def _normalised(raw: bytes, *, marked: bool) -> bytes:
    """The message without cache marks, its only text part as a string, compact; what cannot be read so stays as it is."""
    try:
        message = splice.loads(raw)
        plain = _without_marks(message) if marked else message
        if not isinstance(plain, dict):
            return raw
        fields = cast("dict[str, object]", plain)
        parts = fields.get("content")
        if isinstance(parts, list) and len(cast("list[object]", parts)) == 1:
            part = cast("list[object]", parts)[0]
            if isinstance(part, dict) and cast("dict[str, object]", part).get("type") == "text":
                fields["content"] = cast("dict[str, object]", part).get("text")
        return msgspec.json.encode(fields)
    except (BadRequest, RecursionError, OverflowError):
        return raw


def _without_marks(value: object) -> object:
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return {key: _without_marks(inner) for key, inner in items if key != "cache_control"}
    if isinstance(value, list):
        return [_without_marks(inner) for inner in cast("list[object]", value)]
    return value
