"""What could not be written while the books could not be reached: a bounded file of this machine, written again when they can.

Each line is one append, whole or not at all. Posting twice changes nothing, so the file is emptied only after all of it is in the books.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from stepfare.core.entry import Entry, Reserved
from stepfare.ledger import codec
from stepfare.paths import PRIVATE_FILE_MODE

BYTES_MAX = 16 * 1024 * 1024
"""No reservation is taken in beyond this; what closes one that was is, up to twice as much."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """One append as it waits."""

    entries: Sequence[Entry]
    decision: tuple[str, str, bytes] | None


class _Line(msgspec.Struct):
    entries: list[str]
    decision: tuple[str, str, str] | None = None


class Spool:
    """Used by the one thread that writes. Raises OSError."""

    def __init__(self, path: Path, bytes_max: int = BYTES_MAX) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self.count = 0
        """Appends that wait."""
        self._bytes = 0
        with suppress(FileNotFoundError):
            self._bytes = path.stat().st_size
            self.count = sum(1 for _ in self.read())

    def add(self, appends: Sequence[Spooled]) -> list[bool]:
        """Which of them were taken in: those are on disk when it returns."""
        lines: list[bytes] = []
        taken: list[bool] = []
        size = self._bytes
        for one in appends:
            opens = any(isinstance(entry, Reserved) for entry in one.entries)
            taken.append(size < (self._bytes_max if opens else 2 * self._bytes_max))
            if taken[-1]:
                lines.append(_line_of(one))
                size += len(lines[-1])
        self._write(b"".join(lines))
        self._bytes = size
        self.count += len(lines)
        return taken

    def _write(self, data: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE_MODE)
        try:
            before = os.fstat(descriptor).st_size
            try:
                written = os.write(descriptor, data)
                if written < len(data):
                    raise OSError(f"only {written} of {len(data)} bytes could be written")
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, before)
                raise
        finally:
            os.close(descriptor)

    def read(self) -> Iterator[Spooled]:
        """All that waits, in its order. A last line that a power cut tore was never acknowledged, and is left out."""
        with self._path.open("rb") as file:
            for line in file:
                try:
                    found = msgspec.json.decode(line, type=_Line)
                    entries = [codec.decode(body.encode()) for body in found.entries]
                except (msgspec.DecodeError, codec.Unreadable):
                    return
                decision = None if found.decision is None else (found.decision[0], found.decision[1], found.decision[2].encode())
                yield Spooled(entries, decision)

    def clear(self) -> None:
        """All of it is in the books."""
        self._path.unlink(missing_ok=True)
        self.count = self._bytes = 0


def _line_of(one: Spooled) -> bytes:
    bodies = [codec.encode(codec.whole(entry)).decode() for entry in one.entries]
    decision = None if one.decision is None else (one.decision[0], one.decision[1], one.decision[2].decode("utf-8", "replace"))
    return msgspec.json.encode(_Line(bodies, decision)) + b"\n"
