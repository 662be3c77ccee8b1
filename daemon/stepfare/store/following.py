"""What others write into books that are shared: read as soon as it is announced, or when somebody must be sure to know all of it.

It reads through the store's readers and hands on entries in the order of the journal, and what was said of sessions; what they mean is
their receiver's business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from stepfare.core.annotation import Annotation
from stepfare.core.entry import Entry
from stepfare.ledger import codec
from stepfare.store import annotations as remarks
from stepfare.store.database import Connection
from stepfare.store.errors import StoreError
from stepfare.store.readers import Readers

ROWS_AT_ONCE = 1_000

_log = logging.getLogger(__name__)

Told = Callable[[Sequence[Entry]], None]
"""Called on the event loop with entries that others wrote."""
Remarked = Callable[[Sequence[Annotation]], None]
"""Called on the event loop with all that was said of sessions, by whomever, once there is more of it."""


class Following:
    """From a row of the journal, and a number of remarks on sessions, on. All is called on one event loop."""

    def __init__(self, readers: Readers, writer: str, after_row: int, told: Told, after_remark: int, remarked: Remarked) -> None:
        self._readers, self._writer, self._told, self._remarked = readers, writer, told, remarked
        self._row, self._remark = after_row, after_remark
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
            except Exception:  # noqa: BLE001 (whatever it is: whoever is told does not ask, so nobody else would say it)
                _log.exception("what other daemons wrote could not be taken in; it is tried again")

    async def _read(self) -> int:
        rows, said = await self._readers.ask(lambda connection: _after(connection, self._row, self._remark, self._writer))
        if said:
            self._remark = len(said)
            self._remarked(said)
        if rows:
            # Read before it is passed by: what cannot be read is still to come.
            news = [codec.decode(body) for _, body, mine in rows if not mine]
            self._row = rows[-1][0]
            if news:
                self._told(news)
        return len(rows)


_AFTER = """(SELECT row, CAST(body AS BLOB), writer = ? FROM journal WHERE row > ? ORDER BY row LIMIT ?)
    UNION ALL (SELECT -row, NULL, NULL FROM annotations WHERE row > ? LIMIT 1)"""
"""Both in one statement, since this is asked before every step; what is said of sessions is seldom new, and then read whole."""


def _after(connection: Connection, row: int, remark: int, writer: str) -> tuple[list[tuple[int, bytes, bool]], list[Annotation]]:
    found = connection.execute(_AFTER, (writer, row, ROWS_AT_ONCE, remark)).fetchall()
    rows = [one for one in found if one[0] > 0]
    return rows, remarks.all_of(connection) if len(rows) < len(found) else []
