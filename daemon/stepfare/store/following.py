"""What others write into books that are shared: read as soon as it is announced, or when somebody must be sure to know all of it.

It reads through the store's readers and hands on entries in the order of the journal; what they mean is their receiver's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from stepfare.core.entry import Entry
from stepfare.ledger import codec
from stepfare.store.database import Connection
from stepfare.store.errors import StoreError
from stepfare.store.readers import Readers

ROWS_AT_ONCE = 1_000

Told = Callable[[Sequence[Entry]], None]
"""Called on the event loop with entries that others wrote."""


class Following:
    """From a row of the journal on. All is called on one event loop."""

    def __init__(self, readers: Readers, writer: str, after_row: int, told: Told) -> None:
        self._readers, self._writer, self._told = readers, writer, told
        self._row = after_row
        self._reading = asyncio.Lock()
        self._next: asyncio.Future[None] | None = None

    async def look(self) -> None:
        """Returns when all is told that was in the journal at this call; calls that wait share one look. Where the database cannot be
        reached, nothing is told: it is said elsewhere."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._look())
        # Who goes away must not take the look of the others along.
        await asyncio.shield(self._next)

    async def _look(self) -> None:
        async with self._reading:
            self._next = None  # What is written from now on may come too late for this look.
            try:
                while await self._read() == ROWS_AT_ONCE:
                    pass
            except StoreError:
                return

    async def _read(self) -> int:
        rows = await self._readers.ask(lambda connection: _after(connection, self._row, self._writer))
        if rows:
            self._row = rows[-1][0]
            news = [codec.decode(body) for _, body, mine in rows if not mine]
            if news:
                self._told(news)
        return len(rows)


def _after(connection: Connection, row: int, writer: str) -> list[tuple[int, bytes, bool]]:
    return connection.execute(
        "SELECT row, CAST(body AS BLOB), writer = ? FROM journal WHERE row > ? ORDER BY row LIMIT ?", (writer, row, ROWS_AT_ONCE)
    ).fetchall()
