"""The one exception of the store, and SQLite's errors in words for a person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class StoreError(Exception):
    """The books could not be opened, read or written. The message says what happened, what was done, and what to do."""


def in_words(path: Path, error: BaseException) -> str:
    """What went wrong with the database at `path`, and what to do about it."""
    said = str(error)
    name = getattr(error, "sqlite_errorname", "")
    words = next(words for kinds, words in _WORDS if any(kind in name or kind in said for kind in kinds))
    return words.format(path=path, said=said)


# Matched in order, against the name of SQLite's error and the message of any.
_WORDS: Sequence[tuple[tuple[str, ...], str]] = (
    (
        ("SQLITE_NOTADB",),
        "{path} is not a database ({said}). It was left as it is; move it away to begin new books, or restore a backup.",
    ),
    (
        ("SQLITE_CORRUPT",),
        "{path} is damaged ({said}). Nothing was written; run `stepfare ledger verify`, and restore the file from a backup.",
    ),
    (
        ("SQLITE_FULL", "No space left"),
        "the disk is full: nothing was written to {path}. Free some space; nothing that was acknowledged is lost.",
    ),
    (
        ("SQLITE_READONLY", "Permission denied", "Read-only file system"),
        "{path} cannot be written ({said}). Check who owns the file and its folder, and their permissions.",
    ),
    (
        ("SQLITE_CANTOPEN",),
        "{path} cannot be opened ({said}). Check that its folder exists and that you may write there.",
    ),
    (
        ("SQLITE_BUSY",),
        "{path} is locked by another program ({said}). Close it and try again.",
    ),
    (
        ("SQLITE_IOERR",),
        "the disk failed or is full ({said}): nothing was written to {path}. Check the disk and its free space.",
    ),
    (("",), "{path}: {said}. Nothing was written."),
)
