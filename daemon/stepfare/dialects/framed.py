"""A streamed answer taken apart into frames; what becomes of a frame is for those who inherit: it passes, or is told otherwise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from stepfare.dialects.base import Listener, StreamEvent
from stepfare.dialects.heard import Heard
from stepfare.dialects.sse import FrameReader


class Piece(NamedTuple):
    """A part of an answer that is heard and not said yet: what it says, and the bytes of it where they are known already."""

    events: tuple[StreamEvent, ...] = ()
    seen: bytes = b""


class FramedAnswer(ABC):
    """`heard` tells what was said so far; `tail` keeps the end mark back for the caller's last word.

    Who wants to hear an answer before it is said takes `pieces` and says them one by one, in order, or not at all."""

    def __init__(self, listener: Listener, heard: Heard) -> None:
        self.heard = heard
        self.tail = b""
        self._frames = FrameReader()
        self._listener = listener

    def feed(self, chunk: bytes) -> bytes:
        """What of this chunk the client may see. Raises Unreadable."""
        return b"".join([self.say(piece) for piece in self.pieces(chunk)])

    def finish(self) -> bytes:
        """What the stream left unfinished; providers may end without a last blank line."""
        return b"".join(self.say(piece) for piece in self.rest())

    def pieces(self, chunk: bytes) -> Iterator[Piece]:
        """The same as `feed`, piece by piece: each is heard when it is taken. Raises Unreadable."""
        return self._until_fault(self._frames.feed(chunk))

    def rest(self) -> Iterator[Piece]:
        """The same as `finish`, piece by piece."""
        rest = self._frames.end().rstrip(b"\r\n")
        # A frame without its blank line would be merged with what we say after it.
        yield from self._until_fault([rest + b"\n\n"] if rest else [])

    def say(self, piece: Piece) -> bytes:
        """What the client sees of this piece."""
        return piece.seen

    def _until_fault(self, frames: Iterable[bytes]) -> Iterator[Piece]:
        """After an error nothing is believed any more, least of all an end."""
        for frame in frames:
            if self.heard.fault is not None:
                return
            yield from self._frame(frame)

    @abstractmethod
    def _frame(self, frame: bytes) -> Iterable[Piece]:
        """What a frame says."""
