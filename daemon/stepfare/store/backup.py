"""A copy of the books while they are in use: whole as of one moment, for their owner alone, and checked before it is called done."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from stepfare.ledger.chain import GENESIS, Head, Verdict
from stepfare.paths import PRIVATE_FILE_MODE, make_private_dir
from stepfare.store import files
from stepfare.store.errors import StoreError, in_words
from stepfare.store.sqlite_file import SqliteFile
from stepfare.store.verify import verify


def back_up(books: Path, copy: Path, progress: Callable[[int, int], None] | None = None) -> Verdict:
    """Writes the books at `books` as they are at this moment to a new file, with a head of its own beside it, and verifies both.

    A running daemon goes on writing meanwhile. Blocks. Raises StoreError; then no copy is left behind.
    """
    if copy.exists():
        raise StoreError(f"{copy} exists already. Nothing was written; name another file, or move that one away.")
    partial = copy.with_name(f".{copy.name}.{os.getpid()}.partial")
    try:
        make_private_dir(copy.parent)
        # Made empty and private first: SQLite would let the umask decide.
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE_MODE))
        head = _copied(books, partial)
        _flush(partial)
        files.write_head(copy, head)
        os.replace(partial, copy)
        _flush(copy.parent)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(_said(books, copy, error)) from error
    finally:
        with suppress(OSError):
            partial.unlink()
    return verify(copy, progress)


def _copied(books: Path, partial: Path) -> Head:
    """Copies the books and says where their journal ends in the copy."""
    source = SqliteFile(books).connect_to_read()
    try:
        source.execute("VACUUM INTO ?", (str(partial),))
    finally:
        source.close()
    copied = SqliteFile(partial).connect_to_read()
    try:
        last = copied.execute("SELECT row, hash FROM journal ORDER BY row DESC LIMIT 1").fetchone()
        return Head(*last) if last else Head(0, GENESIS)
    finally:
        copied.close()


def _flush(path: Path) -> None:
    """Has the system write to the disk what it holds of that file or folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _said(books: Path, copy: Path, error: sqlite3.Error | OSError) -> str:
    words = in_words(books, error) if isinstance(error, sqlite3.Error) else f"{copy} cannot be written ({error})."
    return f"the books were not copied: {words}"
