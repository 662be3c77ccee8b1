"""The proof that the books are whole: chain, legal order, head, what is derived from the journal, and the
database's own check of itself.

Works on the books of a running daemon as on those of a stopped one, reads only, and says in words what is wrong and where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from stepfare.core.entry import Entry, Opened, Reserved
from stepfare.ledger import codec
from stepfare.ledger.chain import GENESIS, Head, Verdict, flaw_of
from stepfare.ledger.journal import Phase, key_of, phase_of
from stepfare.ledger.tally import Tally
from stepfare.store import files, queries, statements
from stepfare.store.database import Connection, Database
from stepfare.store.errors import StoreError
from stepfare.store.sqlite_file import SqliteFile

NOTHING_YET = Head(0, GENESIS)
FETCH_ROWS = 2_000
_NOTHING = Verdict(0, NOTHING_YET)

Progress = Callable[[int, int], None]
"""Called now and then with the rows checked so far and the rows in all."""
_ROWS = """SELECT row, CAST(body AS BLOB), hash, session, step, attempt, phase, at_ms, firsts
    FROM journal WHERE row > ? ORDER BY row LIMIT ?"""
_Key: TypeAlias = tuple[str | int, ...]
_Table: TypeAlias = dict[_Key, tuple[object, ...]]
"""A derived table by its key."""


@dataclass(slots=True)
class _Fold:
    """The journal, checked and folded up to its first bad row."""

    head: Head = NOTHING_YET
    flaw: str = ""
    tally: Tally = field(default_factory=Tally)
    closed: dict[str, Phase] = field(default_factory=dict[str, Phase])
    rows: dict[str, int] = field(default_factory=dict[str, int])
    """The row that opened each session, and the row that reserved each open attempt."""


def verify(path: Path, progress: Progress | None = None) -> Verdict:
    """Checks the books at `path`. Blocks, for some seconds where there are a million rows. Never raises for what it finds."""
    if not path.is_file():
        return replace(_NOTHING, problems=(f"there is no ledger at {path}",))
    return verify_books(SqliteFile(path), progress)


def verify_books(database: Database, progress: Progress | None = None) -> Verdict:
    """The same for books wherever they lie. Raises StoreError where they cannot be reached: that says nothing of whether they are whole."""
    beside = database.beside
    # Read before the journal: a running daemon goes on writing, and the journal must reach what was said before.
    head = files.read_head(files.head_path(beside))
    lost = [(kept, files.read_head(kept)) for kept in files.lost_heads(beside)]
    try:
        connection = database.connect_to_read()
    except database.errors as error:
        return _unreadable(database, error)
    try:
        connection.execute("BEGIN")
        refusal = database.refusal(connection)
        if refusal:
            return replace(_NOTHING, problems=(refusal,))
        fold = _fold(connection, progress)
        problems = [fold.flaw] if fold.flaw else []
        if head is None:
            problems.append(
                f"{files.head_path(beside).name} is missing or unreadable: whether the end of the journal is there cannot be told"
            )
        else:
            problems += _head_flaws(connection, files.head_path(beside), head)
        for kept, lost_head in lost:
            problems += _head_flaws(connection, kept, lost_head) if lost_head else []
        if not fold.flaw:
            problems += _derived_flaws(connection, fold)
        problems += database.flaws(connection)
        return Verdict(fold.head.count, fold.head, tuple(problems))
    except database.errors as error:
        return _unreadable(database, error)
    finally:
        connection.close()


def _unreadable(database: Database, error: Exception) -> Verdict:
    words = database.in_words(error)
    if database.is_away(error):
        raise StoreError(words) from error
    return replace(_NOTHING, problems=(words,))


def _fold(connection: Connection, progress: Progress | None) -> _Fold:
    fold = _Fold()
    of: int = connection.execute("SELECT count(*) FROM journal").fetchone()[0]
    count, last = 0, GENESIS
    while rows := connection.execute(_ROWS, (count, FETCH_ROWS)).fetchall():
        for number, body, link, *columns in rows:
            fold.flaw = flaw_of(count, last, number, body, link) or _entry_flaw(fold, number, body, columns)
            if fold.flaw:
                return fold
            count, last = number, link
            fold.head = Head(count, last)
        if progress:
            progress(count, of)
    return fold


def _entry_flaw(fold: _Fold, number: int, body: bytes, columns: list[object]) -> str:
    """What is wrong with a row that fits the chain, posted to the fold if nothing is."""
    try:
        entry = codec.decode(body)
    except codec.Unreadable as error:
        return f"row {number} cannot be read: {error}"
    key = key_of(entry)
    try:
        place = fold.tally.post(entry, fold.closed.get(key))
    except AssertionError as error:
        return f"row {number} breaks the order of the journal: {error}"
    if place is None:
        return f"row {number} says again what was said before: {key or entry.session} is {phase_of(entry)} twice"
    expected = [entry.session, place.step, key, phase_of(entry).value, entry.at_ms, place.firsts]
    if columns != expected:
        return f"row {number} is filed wrongly: its columns say {columns}, its entry {expected}"
    _note(fold, number, entry)
    return ""


def _note(fold: _Fold, number: int, entry: Entry) -> None:
    if isinstance(entry, Opened):
        fold.rows[entry.session] = number
    elif isinstance(entry, Reserved):
        fold.rows[entry.attempt] = number
    else:
        fold.closed[key_of(entry)] = phase_of(entry)
        fold.rows.pop(key_of(entry), None)


def _head_flaws(connection: Connection, path: Path, head: Head) -> list[str]:
    flaw = queries.head_flaw(connection, head)
    return [f"{flaw} ({path.name})"] if flaw else []


def _derived_flaws(connection: Connection, fold: _Fold) -> Iterator[str]:
    """Where the derived tables differ from the fold of the journal; the first difference of each."""
    tally = fold.tally
    sessions: _Table = {
        (name,): (fold.rows.get(name), session.first_ms, session.last_ms, session.at_work.workspace)
        for name, session in tally.sessions.items()
    }
    open_attempts: _Table = {(attempt,): (fold.rows[attempt],) for attempt in tally.open}
    session_slices: _Table = {(*key, *labels): sums for (*key, labels), sums in tally.by_session.items()}
    time_slices: _Table = {(*key, *labels): sums for (*key, labels), sums in tally.by_time.items()}
    label_slices: _Table = dict[_Key, tuple[object, ...]](tally.by_label().items())
    file_slices: _Table = dict[_Key, tuple[object, ...]](tally.by_file.items())
    expected = (
        ("open_attempts", 1, open_attempts),
        ("sessions", 1, sessions),
        ("session_slices", len(statements.SESSION_SLICE_KEY), session_slices),
        ("time_slices", len(statements.TIME_SLICE_KEY), time_slices),
        ("label_slices", len(statements.LABEL_SLICE_KEY), label_slices),
        ("file_slices", len(statements.FILE_SLICE_KEY), file_slices),
    )
    for table, keys, should in expected:
        stands: _Table = {tuple(row[:keys]): tuple(row[keys:]) for row in connection.execute(f"SELECT * FROM {table}")}
        wrong = next((key for key in {**should, **stands} if should.get(key) != stands.get(key)), None)
        if wrong is not None:
            yield f"the table {table} says {_said(stands, wrong)} of {wrong}, where the journal says {_said(should, wrong)}"


def _said(table: _Table, key: _Key) -> str:
    return str(table[key]) if key in table else "nothing"
