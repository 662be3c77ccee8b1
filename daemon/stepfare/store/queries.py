"""The SQL of the questions. Each function answers one within the transaction that it is called in; it raises its database's errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from stepfare.core.entry import Entry, Extended, Opened, Reserved
from stepfare.ledger import codec
from stepfare.ledger.chain import GENESIS, Head
from stepfare.ledger.journal import Phase
from stepfare.ledger.tally import SessionTally
from stepfare.ledger.totals import Closing, Totals
from stepfare.store import reports
from stepfare.store.database import Connection, Cursor


@dataclass(frozen=True, slots=True)
class JournalRow:
    row: int
    entry: Entry
    hash: bytes


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session's opening (with blanks, where its attempts came first), when it was last heard of, and its totals."""

    opened: Opened
    last_ms: int
    totals: Totals


@dataclass(frozen=True, slots=True)
class AttemptRow:
    reserved: Reserved
    closing: Closing | None


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of a session: its attempts in the order in which they were reserved."""

    session: str
    step: int
    attempts: tuple[AttemptRow, ...]


def open_reservations(connection: Connection) -> list[Reserved]:
    rows = connection.execute("SELECT CAST(body AS BLOB) FROM open_attempts JOIN journal USING (row) ORDER BY row")
    return [_reserved(body) for (body,) in rows]


def _count(connection: Connection) -> int:
    return connection.execute("SELECT coalesce(max(row), 0) FROM journal").fetchone()[0]


def first_row(connection: Connection, since_ms: int) -> int:
    """The first row of that time or later; one past the end where there is none."""
    if since_ms <= 0:
        return 1
    row = connection.execute("SELECT min(row) FROM journal INDEXED BY journal_by_time WHERE at_ms >= ?", (since_ms,)).fetchone()[0]
    return _count(connection) + 1 if row is None else row


def entries_after(after_row: int, since_ms: int, session: str | None, limit: int) -> Callable[[Connection], list[JournalRow]]:
    # The plus keeps SQLite from walking the whole journal for one session: few rows are sorted sooner than many are skipped.
    where = "session = ? AND +row > ? AND at_ms >= ? ORDER BY +row" if session is not None else "row > ? AND at_ms >= ? ORDER BY row"
    values = (after_row, since_ms, limit) if session is None else (session, after_row, since_ms, limit)

    def question(connection: Connection) -> list[JournalRow]:
        rows = connection.execute(f"SELECT row, CAST(body AS BLOB), hash FROM journal WHERE {where} LIMIT ?", values)
        return [JournalRow(row, codec.decode(body), link) for row, body, link in rows]

    return question


RECENT_ENTRIES_MAX = 12_000
"""So many entries, about, are read again at the start: as many as take a fraction of a second."""


def recent_entries(connection: Connection, since_ms: int, sessions_max: int) -> list[Entry]:
    """All entries of the sessions last heard of, in journal order; no further sessions once there are enough entries."""
    counted = connection.execute(
        "SELECT session, count(*) FROM journal JOIN sessions USING (session) WHERE session IN"
        " (SELECT session FROM sessions WHERE last_ms >= ? ORDER BY last_ms DESC LIMIT ?)"
        " GROUP BY session, last_ms ORDER BY last_ms DESC, session",
        (since_ms, sessions_max),
    ).fetchall()
    before = accumulate((count for _, count in counted), initial=0)
    some = [session for (session, _), entries in zip(counted, before, strict=False) if entries < RECENT_ENTRIES_MAX]
    marks = ", ".join("?" * len(some))
    rows = connection.execute(f"SELECT CAST(body AS BLOB) FROM journal WHERE session IN ({marks}) ORDER BY +row", some) if some else ()
    return [codec.decode(body) for (body,) in rows]


def entries_of(connection: Connection, session: str) -> list[Entry]:
    rows = connection.execute("SELECT CAST(body AS BLOB) FROM journal WHERE session = ? ORDER BY +row", (session,))
    return [codec.decode(body) for (body,) in rows]


def extensions(connection: Connection) -> list[Extended]:
    """All that was ever added to caps: people made them, so they are few."""
    rows = connection.execute("SELECT CAST(body AS BLOB) FROM journal WHERE session = '' AND phase = 'extended' ORDER BY row")
    return [entry for (body,) in rows if isinstance(entry := codec.decode(body), Extended)]


def decision(connection: Connection, decision: str) -> bytes | None:
    return _message(connection.execute("SELECT CAST(message AS BLOB) FROM decisions WHERE id = ?", (decision,)))


def latest_decision(connection: Connection, sessions: Sequence[str] | None = None) -> bytes | None:
    """The newest of all, or of these sessions."""
    where, values = ("", ()) if sessions is None else (f"WHERE session IN ({', '.join('?' * len(sessions))})", sessions)
    return _message(connection.execute(f"SELECT CAST(message AS BLOB) FROM decisions {where} ORDER BY row DESC LIMIT 1", values))


def decisions(connection: Connection, session: str) -> dict[str, bytes]:
    """The messages of a session's decisions by their ids, in the order in which they were made."""
    rows = connection.execute("SELECT id, CAST(message AS BLOB) FROM decisions WHERE session = ? ORDER BY row", (session,))
    return dict(rows.fetchall())


def decisions_after(after_row: int, limit: int) -> Callable[[Connection], list[tuple[int, bytes]]]:
    """The messages of decisions in the order in which they were made, each with its row; some may have been thinned out."""

    def question(connection: Connection) -> list[tuple[int, bytes]]:
        found = connection.execute(
            "SELECT row, CAST(message AS BLOB) FROM decisions WHERE row > ? ORDER BY row LIMIT ?", (after_row, limit)
        )
        return found.fetchall()

    return question


def session_ids(connection: Connection) -> list[str]:
    """Every session that was ever heard of, the oldest first."""
    return [name for (name,) in connection.execute("SELECT session FROM sessions ORDER BY first_ms, session")]


def sessions(connection: Connection, limit: int, since_ms: int, workspace: str | None) -> list[SessionRow]:
    where, values = ("last_ms >= ?", [since_ms]) if workspace is None else ("workspace = ? AND last_ms >= ?", [workspace, since_ms])
    return _session_rows(connection, f"WHERE {where} ORDER BY last_ms DESC, id LIMIT ?", [*values, limit])


def session(connection: Connection, session: str) -> SessionRow | None:
    return next(iter(_session_rows(connection, "WHERE id = ?", [session])), None)


def last_reserved(connection: Connection, session: str) -> Reserved | None:
    """The last attempt of the session's last step."""
    found = connection.execute(
        "SELECT CAST(body AS BLOB) FROM journal WHERE session = ? AND phase = 'reserved' ORDER BY step DESC, row DESC LIMIT 1", (session,)
    ).fetchone()
    return None if found is None else _reserved(found[0])


def steps(connection: Connection, session: str, latest: int | None = None) -> list[StepRow]:
    """All of its steps, or those with the `latest` highest numbers."""
    attempts: dict[int, dict[str, AttemptRow]] = {}
    after_step = -1
    if latest is not None:
        (last,) = connection.execute("SELECT max(step) FROM journal WHERE session = ?", (session,)).fetchone()
        after_step = (last or 0) - latest
    rows = connection.execute(
        "SELECT step, attempt, CAST(body AS BLOB) FROM journal WHERE session = ? AND phase <> 'opened' AND step > ? ORDER BY +row",
        (session, after_step),
    )
    for step, attempt, body in rows:
        entry = codec.decode(body)
        of_step = attempts.setdefault(step, {})
        if isinstance(entry, Reserved):
            of_step[attempt] = AttemptRow(entry, None)
        elif not isinstance(entry, Opened | Extended):
            of_step[attempt] = AttemptRow(of_step[attempt].reserved, entry)
    return [StepRow(session, step, tuple(of_step.values())) for step, of_step in attempts.items()]


# What follows serves the writer and the checks.


def session_tally(connection: Connection, session: str) -> SessionTally | None:
    """What a tally must know of the session to go on with it; None where it was never heard of."""
    found = connection.execute(
        "SELECT CAST(body AS BLOB), first_ms, last_ms FROM sessions LEFT JOIN journal ON row = opened WHERE sessions.session = ?",
        (session,),
    ).fetchone()
    if found is None:
        return None
    body, first_ms, last_ms = found
    tally = SessionTally(None if body is None else _opened(body), first_ms, last_ms)
    for step, firsts in connection.execute("SELECT step, firsts FROM journal WHERE session = ? AND firsts <> 0", (session,)):
        tally.seen[step] = tally.seen.get(step, 0) | firsts
    return tally


def closed_phase(connection: Connection, session: str, attempt: str) -> Phase | None:
    """How this attempt ended; None where it did not. Of an extension: that it was made."""
    found = connection.execute(
        "SELECT phase FROM journal WHERE session = ? AND attempt = ? AND phase <> 'reserved' LIMIT 1", (session, attempt)
    ).fetchone()
    return None if found is None else Phase(found[0])


def head(connection: Connection) -> Head:
    """Where the journal ends."""
    last = connection.execute("SELECT row, hash FROM journal ORDER BY row DESC LIMIT 1").fetchone()
    return Head(*last) if last else Head(0, GENESIS)


def head_flaw(connection: Connection, head: Head) -> str:
    """In words, how the journal falls short of a head that was written beside it; empty where it does not."""
    count = _count(connection)
    if count < head.count:
        return f"the end of the journal is missing: it has {count} rows, but row {head.count} was written"
    found = connection.execute("SELECT hash FROM journal WHERE row = ?", (head.count,)).fetchone()
    if head.count and (found is None or found[0] != head.hash):
        return f"row {head.count} of the journal is not the one that was written: the end was cut off and written anew, or changed"
    return ""


def _session_rows(connection: Connection, where: str, values: Sequence[str | int]) -> list[SessionRow]:
    rows = connection.execute(
        "SELECT id, CAST(body AS BLOB), first_ms, last_ms"
        f" FROM (SELECT session AS id, * FROM sessions) AS known LEFT JOIN journal ON row = opened {where}",
        values,
    ).fetchall()
    totals = reports.session_totals(connection, [row[0] for row in rows])
    return [
        SessionRow(Opened(name, first_ms, "", "", "", "", "") if body is None else _opened(body), last_ms, totals[name])
        for name, body, first_ms, last_ms in rows
    ]


def _message(rows: Cursor) -> bytes | None:
    found = rows.fetchone()
    return None if found is None else found[0]


def _opened(body: bytes) -> Opened:
    entry = codec.decode(body)
    assert isinstance(entry, Opened), entry
    return entry


def _reserved(body: bytes) -> Reserved:
    entry = codec.decode(body)
    assert isinstance(entry, Reserved), entry
    return entry
