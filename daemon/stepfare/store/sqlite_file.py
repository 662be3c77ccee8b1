"""Books in a SQLite file of one daemon: opened for writing by one process alone, read by any."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from stepfare.ledger.chain import Head
from stepfare.paths import PRIVATE_FILE_MODE, make_private_dir
from stepfare.store import files
from stepfare.store.database import Connection
from stepfare.store.errors import StoreError, in_words
from stepfare.store.heads import compare_heads
from stepfare.store.migrations import APPLICATION_ID, MIGRATIONS, TRIGGERS, migrate
from stepfare.store.store import Store
from stepfare.store.writer import Writer

BUSY_TIMEOUT_MS = 5_000
"""How long a commit waits for another program (a person with a database browser) to let go, and a question while the log is made anew."""
LOG_PAGES_IDLE = 1_000
LOG_PAGES_BUSY = 4_000
"""After about so many pages the log is copied into the database: at the smaller mark when nobody waits, at the larger in any case."""
PAGES_PER_COMMIT = 10
FLAWS_MAX = 5
"""Of what SQLite itself finds wrong, no more is repeated."""


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """The books at a path."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def beside(self) -> Path:
        return self.path

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        return (sqlite3.Error, OSError)

    def connect_to_read(self) -> Connection:
        connection = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        return connection

    def in_words(self, error: BaseException) -> str:
        return in_words(self.path, error)

    def is_away(self, error: BaseException) -> bool:
        return False

    def refusal(self, connection: Connection) -> str:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        owner: int = connection.execute("PRAGMA application_id").fetchone()[0]
        if owner != APPLICATION_ID:
            return f"{self.path} is not a ledger of stepfare"
        if version == len(MIGRATIONS):
            return ""
        older = (
            "an older stepfare: start the daemon once, which brings it up to date"
            if version < len(MIGRATIONS)
            else "a newer stepfare: update"
        )
        return f"{self.path} was written by {older} (version {version} of its tables, this one knows {len(MIGRATIONS)})"

    def flaws(self, connection: Connection) -> Iterator[str]:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
        missing = sorted(TRIGGERS - found)
        if missing:
            yield f"what keeps the journal from being changed was removed: {', '.join(missing)}"
        for (said,) in connection.execute(f"PRAGMA integrity_check({FLAWS_MAX})"):
            if said != "ok":
                yield f"SQLite finds the file damaged: {said}"


class FileGround:
    """The file as the writer writes it: one connection, kept until the end."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection: Connection = connection
        self._sqlite = connection
        self._log_pages = 0

    def begin(self) -> Head | None:
        self._sqlite.execute("BEGIN IMMEDIATE")
        return None

    @contextlib.contextmanager
    def together(self) -> Generator[None]:
        yield

    def commit(self, head: Head, rows: int) -> None:
        self._sqlite.execute("COMMIT")
        # Reckoned, since asking would cost more: some pages at every commit, one for a few rows.
        self._log_pages += PAGES_PER_COMMIT + rows // 4

    def roll_back(self) -> None:
        if self._sqlite.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._sqlite.execute("ROLLBACK")

    def tend(self, *, idle: bool) -> None:
        """Keeps the log short."""
        if self._log_pages >= (LOG_PAGES_IDLE if idle else LOG_PAGES_BUSY):
            # Where a reader or a full disk is in the way, the log just grows on until the next time.
            with contextlib.suppress(sqlite3.Error):
                self._sqlite.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self._log_pages = 0

    def close(self) -> None:
        self._sqlite.close()


def open_file(path: Path, clock_ms: Callable[[], int]) -> Store:
    """Opens the books at `path`; makes file and folder, for their owner alone, where they are missing. Blocks. Raises StoreError."""
    try:
        make_private_dir(path.parent)
    except OSError as error:
        raise StoreError(
            f"the ledger's folder {path.parent} cannot be made ({error}). Make it, or set STEPFARE_HOME to another."
        ) from error
    try:
        lock = files.take_lock(path)
    except OSError as error:
        raise StoreError(
            f"the ledger's folder {path.parent} cannot be written ({error})."
            " Check who owns it and its permissions, or set STEPFARE_HOME to another."
        ) from error
    if lock is None:
        raise StoreError(f"{path} is in use by another stepfare daemon. Stop that one first, or set STEPFARE_HOME to another folder.")
    try:
        connection = _connect(path)
        try:
            migrate(connection, path)
            problems = compare_heads(path, connection, clock_ms)
            writer = Writer(SqliteFile(path), FileGround(connection))
            writer.start()
        except BaseException:
            connection.close()
            raise
    except BaseException as error:
        os.close(lock)
        if isinstance(error, sqlite3.Error | OSError):
            raise StoreError(in_words(path, error)) from error
        raise
    return Store(SqliteFile(path), writer, problems, lambda: os.close(lock))


def _connect(path: Path) -> sqlite3.Connection:
    """The writing connection. Raises sqlite3.Error and OSError."""
    # Made here and private: SQLite would let the umask decide, and gives its other files the mode of this one.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE_MODE))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        mode: str = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreError(
                f"{path} is on a drive that cannot hold a ledger (a network drive?): set STEPFARE_HOME to a folder on a local one."
            )
        # With NORMAL, a power cut could take the last commits back after they were acknowledged.
        connection.execute("PRAGMA synchronous = FULL")
        # The writer copies the log back when nobody waits, rather than within somebody's commit.
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        connection.close()
        raise
    return connection
