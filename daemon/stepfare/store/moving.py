"""Books moved from the file of one daemon to a server that many share: every row as it is, so that the hash chain goes on unbroken."""

from __future__ import annotations

import os
from dataclasses import dataclass

from stepfare.ledger.chain import Head
from stepfare.store import files, queries, rollups
from stepfare.store import postgres_schema as schema
from stepfare.store.database import Connection
from stepfare.store.errors import StoreError
from stepfare.store.postgres import Postgres, PostgresConnection
from stepfare.store.sqlite_file import SqliteFile
from stepfare.store.verify import Progress, verify_books

BATCH_ROWS = 2_000
_TABLES = {
    "journal": ("row", "session", "step", "attempt", "phase", "at_ms", "firsts", "body", "hash"),
    "decisions": ("row", "id", "session", "message"),
    "annotations": ("row", "at_ms", "body"),
}


@dataclass(frozen=True, slots=True)
class Moved:
    """How many rows of each were moved, and the head that both books now have."""

    entries: int
    decisions: int
    annotations: int
    head: Head


def move(source: SqliteFile, target: Postgres, progress: Progress | None = None) -> Moved:
    """Copies all into new books on the server, in one transaction; the file is left as it is. Both are verified: the file before, the
    server's books after. Blocks. Raises StoreError; then the server has no books, or those that it had."""
    lock = files.take_lock(source.path)
    if lock is None:
        raise StoreError(f"{source.path} is in use by a daemon: stop it first (`stepfare stop`), so that nothing is booked meanwhile.")
    try:
        before = verify_books(source, progress)
        if not before.whole:
            raise StoreError(f"{source.path} is not whole, so nothing was moved: {before.problems[0]}")
        try:
            moved = _copied(source, target, before.head)
        except (*source.errors, *target.errors) as error:
            words = target.in_words(error) if isinstance(error, target.errors) else source.in_words(error)
            raise StoreError(f"nothing was moved: {words}") from error
        files.write_head(target.beside, before.head)
        after = verify_books(target, progress)
        if not after.whole or after.head != before.head:
            raise StoreError(f"the books at {target.name} are not as those that were moved: {'; '.join(after.problems)}. Do not use them.")
        return moved
    finally:
        os.close(lock)


def _copied(source: SqliteFile, target: Postgres, head: Head) -> Moved:
    reading, writing = source.connect_to_read(), target.connect()
    try:
        schema.migrate(writing, target.name)
        writing.execute("BEGIN")
        # A million rows take longer than a daemon's entry may.
        writing.execute("SET LOCAL statement_timeout = 0")
        writing.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        there: Head = Head(*writing.execute("SELECT count, hash FROM head FOR UPDATE").fetchone())
        if there.count:
            raise StoreError(f"{target.name} has books already ({there.count:,} entries): move into an empty one, nothing was changed.")
        reading.execute("BEGIN")
        counts = {table: _copy(reading, writing, table, columns) for table, columns in _TABLES.items()}
        writing.execute("SELECT setval('decisions_row_seq', (SELECT coalesce(max(row), 0) + 1 FROM decisions), false)")
        rollups.rebuild(writing)
        found = queries.head(writing)
        if found != head:
            raise StoreError(f"{source.path} changed while it was read: nothing was moved.")
        writing.execute("UPDATE head SET count = ?, hash = ?", (head.count, head.hash))
        writing.execute("COMMIT")
        return Moved(counts["journal"], counts["decisions"], counts["annotations"], head)
    finally:
        reading.close()
        writing.close()


def _copy(reading: Connection, writing: PostgresConnection, table: str, columns: tuple[str, ...]) -> int:
    names, count, after = ", ".join(columns), 0, 0
    select = f"SELECT {names} FROM {table} WHERE row > ? ORDER BY row LIMIT ?"
    with writing.raw.cursor().copy(f"COPY {table} ({names}) FROM STDIN".encode()) as copying:
        while rows := reading.execute(select, (after, BATCH_ROWS)).fetchall():
            for row in rows:
                copying.write_row(row)
            count, after = count + len(rows), rows[-1][0]
    return count
