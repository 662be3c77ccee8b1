"""A streamed answer that passes from a provider to a client who speaks the same: listened to, and changed in two places at most.

What the events mean and what is changed in them is each dialect's own business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import cast

import msgspec

from stepfare.dialects import splice
from stepfare.dialects.base import BadRequest, Listener, StreamEvent, Unreadable
from stepfare.dialects.framed import FramedAnswer, Piece
from stepfare.dialects.heard import Heard
from stepfare.dialects.sse import FrameReader, data_of, name_of

_decode = msgspec.json.Decoder().decode

Patch = Callable[[bytes, dict[str, object], Heard], bytes | None]
"""An event's data as the client may see it: the same object where nothing changes, None for an event that is kept from the client.
May raise BadRequest for data too odd to be changed, which then passes as it is."""
EndMark = Callable[[str, bytes], bool]
"""Whether a frame of this name and with these data ends the stream."""


class PassingStream(FramedAnswer):
    """One streamed answer on its way through."""

    def __init__(self, listener: Listener, patch: Patch, ends: EndMark) -> None:
        super().__init__(listener, Heard())
        self._patch = patch
        self._ends = ends

    @property
    def complete(self) -> bool:
        """Whether the answer came to its own end: a stream that just stops was cut."""
        return bool(self.heard.finished or self.tail)

    def _frame(self, frame: bytes) -> Iterable[Piece]:
        data = data_of(frame)
        if data is None or not data.strip():
            return (Piece((), frame),)  # A comment, or a sign of life.
        name = name_of(frame)
        seen = frame
        events: tuple[StreamEvent, ...] = ()
        fields = fields_of(data)
        if fields is not None:
            events = tuple(self._listener.listen(name, fields))
            self.heard.hear(events)
            try:
                changed = self._patch(data, fields, self.heard)
            except BadRequest:
                changed = data
            seen = _with_data(frame, data, changed)
        if self._ends(name, data):
            self.tail = seen
            seen = b""
        elif self.tail:
            seen = b""  # Nothing stands behind the end, nor may it come to stand before it.
        return (Piece(events, seen),)


def fields_of(data: bytes) -> dict[str, object] | None:
    """The decoded data of an event; None for a mark that is no object, as chat's [DONE]. Raises Unreadable where it is no JSON."""
    if data.strip() == b"[DONE]":
        return None
    try:
        value = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = _leniently(data)
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def told_in(stream: Iterable[bytes]) -> Iterator[tuple[str, dict[str, object]]]:
    """Name and decoded data of each frame of this stream that has any. Raises Unreadable."""
    frames = FrameReader()
    for frame in (*frames.feed(b"".join(stream)), frames.end()):
        data = data_of(frame)
        fields = fields_of(data) if data is not None and data.strip() else None
        if fields is not None:
            yield name_of(frame), fields


def _with_data(frame: bytes, data: bytes, changed: bytes | None) -> bytes:
    if changed is None:
        return b""
    if changed is data:
        return frame
    if b"\n" in data:  # It came in several lines.
        head = b"event: " + name.encode() + b"\n" if (name := name_of(frame)) else b""
        return head + b"data: " + changed.replace(b"\n", b"\ndata: ") + b"\n\n"
    return frame.replace(data, changed, 1)


def _leniently(data: bytes) -> object:
    try:
        return splice.loads(data)
    except BadRequest:
        raise Unreadable("an event of the stream is not JSON") from None
