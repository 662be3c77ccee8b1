"""Questions to the database, asked on read-only connections in a few threads, so that neither the event loop nor the writer waits."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from stepfare.store.errors import StoreError, in_words

READERS_MAX = 2
BUSY_TIMEOUT_MS = 5_000
"""How long a question waits while the log is being made anew."""

T = TypeVar("T")


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, usable from any one thread at a time. Raises sqlite3.Error."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    return connection


class Readers:
    """A small pool; each thread keeps its own connection, made at its first question."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mine = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._pool = ThreadPoolExecutor(READERS_MAX, thread_name_prefix="stepfare-ledger-reader")

    async def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """The answer, read within one transaction. Raises StoreError."""
        try:
            answer = asyncio.get_running_loop().run_in_executor(self._pool, self._answer, question)
        except RuntimeError as error:
            raise StoreError(f"the ledger {self._path} is closed: the daemon is stopping.") from error
        return await answer

    def close(self) -> None:
        """Waits for the questions under way."""
        self._pool.shutdown()
        for connection in self._all:
            connection.close()

    def _answer(self, question: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection: sqlite3.Connection | None = getattr(self._mine, "connection", None)
            if connection is None:
                connection = self._mine.connection = connect_to_read(self._path)
                self._all.append(connection)
            connection.execute("BEGIN")
            try:
                return question(connection)
            finally:
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(in_words(self._path, error)) from error
