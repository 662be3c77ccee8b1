"""A streamed answer taken apart into frames; what becomes of a frame is for those who inherit: it passes, or is told otherwise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

from stepfare.dialects.base import Listener
from stepfare.dialects.heard import Heard
from stepfare.dialects.sse import FrameReader


class FramedAnswer(ABC):
    """`heard` tells what was said so far; `tail` keeps the end mark back for the caller's last word."""

    def __init__(self, listener: Listener, heard: Heard) -> None:
        self.heard = heard
        self.tail = b""
        self._frames = FrameReader()
        self._listener = listener

    def feed(self, chunk: bytes) -> bytes:
        """What of this chunk the client may see. Raises Unreadable."""
        return b"".join(self._until_fault(self._frames.feed(chunk)))

    def finish(self) -> bytes:
        """What the stream left unfinished; providers may end without a last blank line."""
        rest = self._frames.end().rstrip(b"\r\n")
        # A frame without its blank line would be merged with what we say after it.
        return b"".join(self._until_fault([rest + b"\n\n"])) if rest else b""

    def _until_fault(self, frames: Iterable[bytes]) -> Iterator[bytes]:
        """After an error nothing is believed any more, least of all an end."""
        for frame in frames:
            if self.heard.fault is not None:
                return
            yield self._frame(frame)

    @abstractmethod
    def _frame(self, frame: bytes) -> bytes:
        """What the client sees of a frame."""
