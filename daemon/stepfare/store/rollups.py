"""What is derived from the journal, written from a tally: added to at each commit, or made anew from the beginning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stepfare.core.entry import Entry, Extended, Opened, Reserved
from stepfare.ledger import codec
from stepfare.ledger.journal import Phase, phase_of
from stepfare.ledger.tally import Tally
from stepfare.store import statements
from stepfare.store.database import Connection

FETCH_ROWS = 1_000
_ROWS = "SELECT row, CAST(body AS BLOB) FROM journal WHERE row > ? ORDER BY row LIMIT ?"


def write_sessions(connection: Connection, tally: Tally, names: Mapping[str, int | None]) -> None:
    """Writes these sessions as the tally knows them; beside each name, the journal's row that opened it, where that is news."""
    rows: list[tuple[str, int | None, int, int, str]] = []
    for name, opened in names.items():
        session = tally.sessions[name]
        rows.append((name, opened, session.first_ms, session.last_ms, session.at_work.workspace))
    connection.executemany(statements.UPSERT_SESSION, rows)


def write_slices(connection: Connection, tally: Tally) -> None:
    """Adds the tally's sums to those on disk, and empties it of them."""
    if tally.by_session:
        connection.executemany(statements.ADD_SESSION_SLICE, [(*key, *labels, *sums) for (*key, labels), sums in tally.by_session.items()])
        connection.executemany(statements.ADD_TIME_SLICE, [(*key, *labels, *sums) for (*key, labels), sums in tally.by_time.items()])
        connection.executemany(statements.ADD_LABEL_SLICE, [(*key, *sums) for key, sums in tally.by_label().items()])
        tally.by_session.clear()
        tally.by_time.clear()
    if tally.by_file:
        connection.executemany(statements.ADD_FILE_SLICE, [(*key, *sums) for key, sums in tally.by_file.items()])
        tally.by_file.clear()


def rebuild(connection: Connection) -> None:
    """Makes all that is derived anew from the journal, within the transaction that it is called in. Raises the errors of its database,
    codec.Unreadable, AssertionError."""
    for table in statements.DERIVED:
        connection.execute(f"DELETE FROM {table}")
    tally, opened_sessions, open_rows = Tally(), dict[str, int | None](), dict[str, int]()
    closed: dict[str, Phase] = {}
    for row, entry in journal(connection):
        if isinstance(entry, Extended):
            continue
        if isinstance(entry, Opened):
            tally.post(entry, None)
            opened_sessions[entry.session] = row
            continue
        tally.post(entry, closed.get(entry.attempt))
        opened_sessions.setdefault(entry.session, None)
        if isinstance(entry, Reserved):
            open_rows[entry.attempt] = row
        else:
            closed[entry.attempt] = phase_of(entry)
    connection.executemany(statements.INSERT_OPEN, [(attempt, open_rows[attempt]) for attempt in tally.open])
    write_sessions(connection, tally, opened_sessions)
    write_slices(connection, tally)


def journal(connection: Connection) -> Iterator[tuple[int, Entry]]:
    """Every row's number and entry, in order."""
    after = 0
    while rows := connection.execute(_ROWS, (after, FETCH_ROWS)).fetchall():
        for row, body in rows:
            yield row, codec.decode(body)
        after = rows[-1][0]
