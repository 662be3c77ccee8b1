"""What people added to caps, in a file of its own that only grows: it survives a restart, and shows who went beyond which cap, when.

The user's settings are never changed for it. Each line is one `core.budget.Extension` as JSON.
"""

from __future__ import annotations

import logging
import os
from errno import ENOSPC
from pathlib import Path

import msgspec

from stepfare.core.budget import Extension, Scope
from stepfare.paths import PRIVATE_FILE_MODE, make_private_dir

FILE_BYTES_MAX = 4 * 1024 * 1024
"""Some thirty thousand extensions."""

_log = logging.getLogger(__name__)
_LINE = msgspec.json.Decoder(Extension)


class Extensions:
    """`path` is None where nothing is to be kept."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._made: dict[str, Extension] = {}

    def load(self, path: Path) -> None:
        """Take up what was added before. A line that cannot be read adds nothing: a cap errs on the safe side."""
        self._path = path
        try:
            with path.open("rb") as file:
                lines = file.read(FILE_BYTES_MAX).splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            _log.warning("%s cannot be read (%s): caps hold as they are written", path, error.strerror)
            return
        for number, line in enumerate(lines, 1):
            try:
                one = _LINE.decode(line)
            except (msgspec.DecodeError, AssertionError) as error:
                _log.warning("%s:%d is no extension and adds nothing: %s", path, number, error)
                continue
            self._made[one.id] = one

    def add(self, one: Extension) -> bool:
        """Keep it on disk, then let it count; False where it was added before. Raises OSError; then nothing was added."""
        if one.id in self._made:
            return False
        if self._path is not None:
            _append(self._path, msgspec.json.encode(one) + b"\n")
        self._made[one.id] = one
        return True

    def pusd(self, scope: Scope, subject: str, since_ms: int = 0) -> int:
        """What was added to that cap since then."""
        if not self._made:
            return 0
        return sum(one.pusd for one in self._made.values() if (one.scope, one.subject) == (scope, subject) and one.at_ms >= since_ms)

    def since(self, since_ms: int) -> tuple[Extension, ...]:
        """All that were made since then, in their order."""
        return tuple(one for one in self._made.values() if one.at_ms >= since_ms)


def _append(path: Path, line: bytes) -> None:
    make_private_dir(path.parent)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, PRIVATE_FILE_MODE), "r+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        # A line that a crash cut short must not swallow this one.
        file.seek(max(0, size - 1))
        torn = file.read(1) not in (b"", b"\n")
        whole = b"\n" + line if torn else line
        if file.write(whole) != len(whole):
            raise OSError(ENOSPC, os.strerror(ENOSPC), str(path))
        os.fsync(file.fileno())
