"""Reads and writes users' files: whole or not at all, through links, with the modes and owners that they had."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stepfare.cli.connect.json_text import Unsuitable

FILE_BYTES_MAX = 64 * 1024 * 1024
NEW_SECRET_MODE = 0o600
NEW_MODE = 0o644


@dataclass(frozen=True, slots=True)
class UserFile:
    """A file as it was read. `real` is where it lies once links are followed; `text` is None where there is none."""

    path: Path
    real: Path
    text: str | None
    mode: int | None

    @property
    def open_to_others(self) -> bool:
        return self.mode is not None and os.name != "nt" and bool(self.mode & 0o044)


def read(path: Path) -> UserFile:
    """The file, or that there is none. Raises Unsuitable where it cannot be read as text."""
    try:
        real = path.resolve()
        status = real.stat()
    except FileNotFoundError:
        return UserFile(path, path.resolve(), None, None)
    except (OSError, RuntimeError) as problem:
        raise Unsuitable(f"it cannot be reached ({problem})") from problem
    if not stat.S_ISREG(status.st_mode):
        raise Unsuitable("it is not a file")
    if status.st_size > FILE_BYTES_MAX:
        raise Unsuitable(f"it is larger than {FILE_BYTES_MAX} bytes")
    try:
        # Bytes, decoded by hand: reading as text would change line ends.
        text = real.read_bytes().decode("utf-8")
    except UnicodeDecodeError as problem:
        raise Unsuitable(f"it is not UTF-8 text (byte {problem.start})") from problem
    except OSError as problem:
        raise Unsuitable(f"it cannot be read ({problem.strerror or problem})") from problem
    return UserFile(path, real, text, stat.S_IMODE(status.st_mode))


def write(file: UserFile, text: str, *, secret: bool) -> None:
    """Put this text in the file's place in one step; its folder must exist. Raises OSError, and the old content stays."""
    mode = file.mode if file.mode is not None else NEW_SECRET_MODE if secret else NEW_MODE
    temporary = file.real.with_name(f".{file.real.name}.{secrets.token_hex(6)}.tmp")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, NEW_SECRET_MODE), "wb") as handle:
            handle.write(text.encode("utf-8"))
            handle.flush()
            os.fsync(handle.fileno())
        _take_owner(temporary, file.real)
        temporary.chmod(mode)
        os.replace(temporary, file.real)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def make_folders(folder: Path) -> list[Path]:
    """Make the folder and what is missing above it; the folders made, outermost first. Raises OSError."""
    missing: list[Path] = []
    while not folder.exists():
        missing.insert(0, folder)
        folder = folder.parent
    for each in missing:
        each.mkdir(mode=0o700)
    return missing


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove these folders as far as nothing is left in them."""
    for folder in sorted(folders, key=lambda each: len(each.parts), reverse=True):
        with suppress(OSError):
            folder.rmdir()


def _take_owner(temporary: Path, real: Path) -> None:
    # Somebody who runs this as another user must not take the file away from its owner.
    with suppress(FileNotFoundError, PermissionError, AttributeError):
        status = real.stat()
        if (status.st_uid, status.st_gid) != (os.getuid(), os.getgid()):
            os.chown(temporary, status.st_uid, status.st_gid)
