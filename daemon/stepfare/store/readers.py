"""Questions to the database, asked on read-only connections in a few threads, so that neither the event loop nor the writer waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from stepfare.store.database import Connection, Database
from stepfare.store.errors import StoreError

READERS_MAX = 2

T = TypeVar("T")


class Readers:
    """A small pool; each thread keeps its own connection, made at its first question."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._mine = threading.local()
        self._all: list[Connection] = []
        self._pool = ThreadPoolExecutor(READERS_MAX, thread_name_prefix="stepfare-ledger-reader")

    async def ask(self, question: Callable[[Connection], T]) -> T:
        """The answer, read within one transaction. Raises StoreError."""
        try:
            answer = asyncio.get_running_loop().run_in_executor(self._pool, self._answer, question)
        except RuntimeError as error:
            raise StoreError(f"the ledger {self._database.name} is closed: the daemon is stopping.") from error
        return await answer

    def close(self) -> None:
        """Waits for the questions under way."""
        self._pool.shutdown()
        for connection in self._all:
            connection.close()

    def _answer(self, question: Callable[[Connection], T]) -> T:
        try:
            return self._asked(question)
        except self._database.errors as error:
            # Whether the connection is still good cannot be told. One that was cut while nobody asked is made anew at once.
            if not (self._drop() and self._database.is_away(error)):
                raise StoreError(self._database.in_words(error)) from error
        try:
            return self._asked(question)
        except self._database.errors as error:
            self._drop()
            raise StoreError(self._database.in_words(error)) from error

    def _asked(self, question: Callable[[Connection], T]) -> T:
        connection: Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = self._database.connect_to_read()
            self._all.append(connection)
        connection.execute("BEGIN")
        try:
            return question(connection)
        finally:
            connection.execute("COMMIT")

    def _drop(self) -> bool:
        """Let this thread's connection go; False where it has none."""
        connection: Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            return False
        self._mine.connection = None
        self._all.remove(connection)
        with suppress(*self._database.errors):
            connection.close()
        return True
