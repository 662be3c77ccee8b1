"""Server-sent events: frames out of bytes that arrive in any pieces, and what a frame says."""

from __future__ import annotations

import re

from stepfare.dialects.base import Unreadable

FRAME_BYTES_MAX = 16 * 1024 * 1024

# A line end is CR LF, LF or CR; a CR at the very end may be the first half of a CR LF that is still to come.
_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n|\Z))(?:\r\n|\n|\r(?!\n|\Z))")
_LINE_END = re.compile(rb"\r\n|\n|\r")


class FrameReader:
    """Cuts a stream into frames; each frame keeps its own bytes, the blank line that ends it included."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size_bytes = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Frames that this chunk completes. Raises Unreadable for a frame beyond FRAME_BYTES_MAX."""
        if b"\n" not in chunk and b"\r" not in chunk:
            # Most of a long frame: joined once, when a line end comes.
            self._keep(chunk)
            return []
        rest = b"".join((*self._pieces, chunk)) if self._pieces else chunk
        frames: list[bytes] = []
        start = 0
        if b"\r" not in rest:
            while (end := rest.find(b"\n\n", start)) >= 0:
                frames.append(rest[start : end + 2])
                start = end + 2
        else:
            while blank := _BLANK_LINE.search(rest, start):
                frames.append(rest[start : blank.end()])
                start = blank.end()
        self._pieces, self._size_bytes = [], 0
        self._keep(rest[start:])
        return frames

    def end(self) -> bytes:
        """What is left when the stream has ended: a last frame without its blank line, or nothing."""
        rest = b"".join(self._pieces)
        self._pieces, self._size_bytes = [], 0
        return rest

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._size_bytes += len(piece)
            if self._size_bytes > FRAME_BYTES_MAX:
                raise Unreadable(f"a frame of the stream is longer than {FRAME_BYTES_MAX} bytes")


def data_of(frame: bytes) -> bytes | None:
    """The joined `data` lines of a frame; None where it has none (a comment, an empty frame)."""
    if frame.startswith(b"data: ") and frame.endswith(b"\n\n") and frame.find(b"\n") == len(frame) - 2 and b"\r" not in frame:
        return frame[6:-2]  # The one shape that nearly every provider sends.
    lines = [line[5:].removeprefix(b" ") for line in _LINE_END.split(frame) if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None


def name_of(frame: bytes) -> str:
    """The `event` line of a frame; empty where it has none."""
    if not frame.startswith(b"event:"):
        if b"event:" not in frame:
            return ""
        for line in _LINE_END.split(frame):
            if line.startswith(b"event:"):
                return line[6:].strip().decode("utf-8", "replace")
        return ""
    end = _LINE_END.search(frame)
    return frame[6 : end.start() if end else len(frame)].strip().decode("utf-8", "replace")


def comment(text: bytes) -> bytes:
    """A frame that clients ignore."""
    return b": " + text + b"\n\n"
