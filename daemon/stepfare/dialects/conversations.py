"""The messages of a request as bytes of their own, with their digests; what a conversation's last request held is not read again.

It compares bytes only, so it changes no answer: a list that begins with a list seen before has the same messages there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from stepfare.dialects import splice
from stepfare.dialects.anchors import anchor_of
from stepfare.dialects.turns import digest, has_parts

LISTS_MAX = 64
BYTES_MAX = 16 * 1024 * 1024
"""Of lists that are remembered: a few long sessions, or dozens of usual ones."""

MARKED_MAX = 8
"""Messages from the end among which clients move their cache marks."""

_MARK = b'"cache_control"'
_COMMA, _CLOSE = ord(","), ord("]")


@dataclass(frozen=True, slots=True)
class Messages:
    """The messages in order; `parts` says of each whether its content is a list of parts, `anchors` by what it holds its place."""

    raws: tuple[bytes, ...] = ()
    digests: tuple[bytes, ...] = ()
    parts: tuple[bool, ...] = ()
    anchors: tuple[bytes, ...] = ()


class _List(NamedTuple):
    """A list of messages, without its closing bracket."""

    body: bytes
    messages: Messages


class Conversations:
    """Lists of messages of late. The one that is longest unused goes first.

    `parts_of` says whether a message's content is a list of parts, `digest_of` what it is recognised by; by default as chat's are.
    """

    def __init__(
        self,
        parts_of: Callable[[bytes], bool] = has_parts,
        digest_of: Callable[[bytes, bool], bytes] = lambda raw, parts: digest(raw, parts=parts),
    ) -> None:
        self._parts_of, self._digest_of = parts_of, digest_of
        self._lists: list[_List] = []
        self._bytes = 0

    def read(self, body: bytes, start: int, end: int) -> Messages:
        """The messages of the JSON list that stands there. Raises BadRequest where it is no list."""
        known = self._begun(body, start)
        if known is None:
            seen, at = Messages(), start + 1
            messages = self._read(body, start, end)
        else:
            self._forget(known)
            seen, at = known.messages, start + len(known.body)
            messages = seen if body[at] == _CLOSE else _joined(seen, self._read(b"[" + body[at + 1 : end], 0, end - at))
        lasting = _without_marks(messages)
        if lasting is messages:
            self._remember(body[start : end - 1].rstrip(b" \t\r\n"), messages)
        elif len(lasting.raws) >= len(seen.raws):
            self._remember(body[start : _end_of(lasting.raws[len(seen.raws) :], body, at)], lasting)
        return messages

    def _read(self, body: bytes, start: int, end: int) -> Messages:
        raws = tuple(splice.items(memoryview(body)[start:end]))
        parts = tuple(self._parts_of(raw) for raw in raws)
        digests = tuple(self._digest_of(raw, one) for raw, one in zip(raws, parts, strict=True))
        return Messages(raws, digests, parts, tuple(map(anchor_of, raws, digests)))

    def _begun(self, body: bytes, start: int) -> _List | None:
        """The list that this one begins with. Whatever follows it must be a comma or the end: then it ended with a message."""
        for known in reversed(self._lists):
            at = start + len(known.body)
            if at < len(body) and body[at] in (_COMMA, _CLOSE) and body.startswith(known.body, start):
                return known
        return None

    def _forget(self, known: _List) -> None:
        # By identity: to compare or to hash long bodies costs more than all else that is done with them.
        self._lists = [one for one in self._lists if one is not known]
        self._bytes -= len(known.body)

    def _remember(self, body: bytes, messages: Messages) -> None:
        for same in [one for one in self._lists if one.body == body]:
            self._forget(same)
        self._lists.append(_List(body, messages))
        self._bytes += len(body)
        while self._bytes > BYTES_MAX or len(self._lists) > LISTS_MAX:
            self._forget(self._lists[0])


def _without_marks(messages: Messages) -> Messages:
    """The messages that the next request will begin with: a cache mark near the end moves on with each step."""
    last = len(messages.raws)
    marked = [place for place in range(max(0, last - MARKED_MAX), last) if _MARK in messages.raws[place]]
    if not marked:
        return messages
    first = marked[0]
    return Messages(messages.raws[:first], messages.digests[:first], messages.parts[:first], messages.anchors[:first])


def _end_of(raws: Sequence[bytes], body: bytes, at: int) -> int:
    """Where the last of these messages ends, which stand there one after the other."""
    for raw in raws:
        at = body.index(raw, at) + len(raw)
    return at


def _joined(seen: Messages, new: Messages) -> Messages:
    return Messages(seen.raws + new.raws, seen.digests + new.digests, seen.parts + new.parts, seen.anchors + new.anchors)
