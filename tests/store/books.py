"""Books for tests, in a file or on a server: opened in a place of the test, closed at its end."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

from stepfare.core.entry import Entry
from stepfare.ledger.chain import Verdict
from stepfare.store.postgres import Postgres
from stepfare.store.postgres_books import open_shared
from stepfare.store.sqlite_file import open_file
from stepfare.store.store import Store
from stepfare.store.verify import verify, verify_books
from tests.ledger.samples import NOW_MS

Place: TypeAlias = Path | Postgres


def open_store(place: Place) -> Store:
    return open_file(place, lambda: NOW_MS) if isinstance(place, Path) else open_shared(place, lambda: NOW_MS)


def verdict(place: Place) -> Verdict:
    return verify(place) if isinstance(place, Path) else verify_books(place)


@asynccontextmanager
async def books(place: Place, entries: Iterable[Entry] = ()) -> AsyncIterator[Store]:
    store = open_store(place)
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
