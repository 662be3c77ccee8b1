"""The files beside the database: the lock that keeps a second daemon out, and the head that lets a lost tail of the journal be told."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from stepfare.ledger.chain import Head, head_of, head_text
from stepfare.paths import PRIVATE_FILE_MODE, write_private


def head_path(database: Path) -> Path:
    return database.with_suffix(".head")


def lost_head_path(database: Path, now_ms: int) -> Path:
    """Where a head is kept that the journal did not reach any more: the evidence, until a person removes it."""
    return database.with_suffix(f".head.lost-{now_ms}")


def lost_heads(database: Path) -> list[Path]:
    return sorted(database.parent.glob(f"{database.stem}.head.lost-*"))


def lock_path(database: Path) -> Path:
    return database.with_suffix(".lock")


def write_head(database: Path, head: Head) -> None:
    """Renews the head file in one step. Raises OSError."""
    write_private(head_path(database), head_text(head).encode())


def read_head(path: Path) -> Head | None:
    """The head in this file; None where there is none, or none that can be read."""
    with suppress(OSError):
        return head_of(path.read_bytes())
    return None


def take_lock(database: Path) -> int | None:
    """The descriptor that holds the lock on these books until it is closed; None where another process holds it. Raises OSError.

    The system drops the lock with its process, however that ends.
    """
    descriptor = os.open(lock_path(database), os.O_RDWR | os.O_CREAT, PRIVATE_FILE_MODE)
    try:
        _lock(descriptor)
    except (BlockingIOError, PermissionError):
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
