"""Books on disk for tests: opened in a folder of the test, closed at its end."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from stepfare.core.entry import Entry
from stepfare.store.sqlite_file import open_file
from stepfare.store.store import Store
from tests.ledger.samples import NOW_MS


def open_store(path: Path) -> Store:
    return open_file(path, lambda: NOW_MS)


@asynccontextmanager
async def books(path: Path, entries: Iterable[Entry] = ()) -> AsyncIterator[Store]:
    store = open_store(path)
    try:
        await store.append(*entries)
        yield store
    finally:
        await store.close()


async def journal_of(store: Store) -> list[Entry]:
    return [row.entry async for batch in store.entries() for row in batch]


def tamper(path: Path, *statements: str) -> None:
    """What somebody with a database browser could do who knows how to drop a trigger."""
    connection = sqlite3.connect(path)
    with connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in triggers:
            connection.execute(sql)
    connection.close()
