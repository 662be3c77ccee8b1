"""The shape of the database, as steps from each version to the next. A step once released is never changed; a new one is added."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TypeAlias

from stepfare.store import rollups
from stepfare.store.errors import StoreError

APPLICATION_ID = 0x57E9FA4E
"""In the file's header, so that another program's database is not taken for ours."""

TRIGGERS = frozenset(
    {
        "journal_is_not_changed",
        "journal_is_not_shortened",
        "decisions_are_not_changed",
        "decisions_are_not_removed_early",
        "annotations_are_not_changed",
        "annotations_are_not_removed",
    }
)
"""What keeps the journal and what stands beside it from being changed, by us as by others."""

SAY_EVERY_S = 5.0
"""How often it is said that the books are still being brought up to date."""
INSTRUCTIONS_PER_LOOK = 100_000
"""SQLite's: some milliseconds."""

_log = logging.getLogger(__name__)

Migration: TypeAlias = Callable[[sqlite3.Connection], None]


def m001_the_journal_and_what_is_derived_from_it(connection: sqlite3.Connection) -> None:
    """The journal is the truth and only grows. `sessions`, `open_attempts` and the slices are folds of it, kept so that a report
    need not read a million rows; `decisions` are the reasons, which no sum depends on."""
    sums = ", ".join(f"{name} INTEGER NOT NULL" for name in _SUMS_OF_M001)
    for statement in (
        # `step` and `firsts` place the entry among those of its session (see ledger.tally); `body` is what `hash` covers.
        """CREATE TABLE journal (
            row INTEGER PRIMARY KEY,
            session TEXT NOT NULL,
            step INTEGER NOT NULL,
            attempt TEXT NOT NULL,
            phase TEXT NOT NULL,
            at_ms INTEGER NOT NULL,
            firsts INTEGER NOT NULL,
            body TEXT NOT NULL,
            hash BLOB NOT NULL
        ) STRICT""",
        # Led by the session, not by the attempt: attempts are random, and each would dirty a page of its own at every commit.
        "CREATE UNIQUE INDEX journal_by_session ON journal (session, step, attempt, phase)",
        "CREATE INDEX journal_by_time ON journal (at_ms)",
        "CREATE TRIGGER journal_is_not_changed BEFORE UPDATE ON journal BEGIN SELECT raise(ABORT, 'the journal only grows'); END",
        "CREATE TRIGGER journal_is_not_shortened BEFORE DELETE ON journal BEGIN SELECT raise(ABORT, 'the journal only grows'); END",
        "CREATE TABLE decisions (row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, session TEXT NOT NULL, message TEXT NOT NULL) STRICT",
        "CREATE INDEX decisions_by_session ON decisions (session)",
        "CREATE TRIGGER decisions_are_not_changed BEFORE UPDATE ON decisions BEGIN SELECT raise(ABORT, 'decisions stand'); END",
        "CREATE TRIGGER decisions_are_not_removed BEFORE DELETE ON decisions BEGIN SELECT raise(ABORT, 'decisions stand'); END",
        # `opened` is the journal's row that opened the session; null where its attempts came first.
        """CREATE TABLE sessions (
            session TEXT PRIMARY KEY,
            opened INTEGER,
            first_ms INTEGER NOT NULL,
            last_ms INTEGER NOT NULL,
            workspace TEXT NOT NULL
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX sessions_by_time ON sessions (last_ms)",
        "CREATE INDEX sessions_by_workspace ON sessions (workspace, last_ms)",
        "CREATE TABLE open_attempts (attempt TEXT PRIMARY KEY, row INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        f"""CREATE TABLE session_slices (
            session TEXT NOT NULL, model TEXT NOT NULL, tier TEXT NOT NULL, kind TEXT NOT NULL, {sums},
            PRIMARY KEY (session, model, tier, kind)
        ) STRICT, WITHOUT ROWID""",
        f"""CREATE TABLE time_slices (
            span_ms INTEGER NOT NULL, start_ms INTEGER NOT NULL,
            workspace TEXT NOT NULL, model TEXT NOT NULL, tier TEXT NOT NULL, kind TEXT NOT NULL, {sums},
            PRIMARY KEY (span_ms, start_ms, workspace, model, tier, kind)
        ) STRICT, WITHOUT ROWID""",
    ):
        connection.execute(statement)


def m002_what_people_say_of_sessions(connection: sqlite3.Connection) -> None:
    """Names, merges and splits. They stand beside the journal, which knows nothing of them, and only grow."""
    for statement in (
        "CREATE TABLE annotations (row INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, body TEXT NOT NULL) STRICT",
        "CREATE TRIGGER annotations_are_not_changed BEFORE UPDATE ON annotations BEGIN SELECT raise(ABORT, 'annotations stand'); END",
        "CREATE TRIGGER annotations_are_not_removed BEFORE DELETE ON annotations BEGIN SELECT raise(ABORT, 'annotations stand'); END",
    ):
        connection.execute(statement)


_SUMS_OF_M001 = (
    *("steps", "spent_pusd", "lost_pusd", "unpriced_steps", "always_premium_pusd", "always_balanced_pusd", "switch_writes_pusd"),
    *("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"),
)


_LABELS_OF_M003 = ("workspace", "project", "branch", "client", "model", "tier", "kind")
_SUMS_OF_M003 = (
    *_SUMS_OF_M001,
    *("unpriced_tokens", "estimated_pusd", "estimated_low_pusd", "estimated_high_pusd", "escalations", "escalated_pusd"),
)


def _slices_anew(names: Sequence[str]) -> tuple[str, ...]:
    """The statements that give the slices of sessions and of time these labels, with the sums of the third version."""
    sums = ", ".join(f"{name} INTEGER NOT NULL" for name in _SUMS_OF_M003)
    labels = ", ".join(names)
    columns = ", ".join(f"{name} TEXT NOT NULL" for name in names)
    return (
        "DROP TABLE session_slices",
        "DROP TABLE time_slices",
        f"""CREATE TABLE session_slices (
            session TEXT NOT NULL, start_ms INTEGER NOT NULL, {columns}, {sums},
            PRIMARY KEY (session, start_ms, {labels})
        ) STRICT, WITHOUT ROWID""",
        f"""CREATE TABLE time_slices (
            span_ms INTEGER NOT NULL, start_ms INTEGER NOT NULL, {columns}, {sums},
            PRIMARY KEY (span_ms, start_ms, {labels})
        ) STRICT, WITHOUT ROWID""",
    )


def m003_sums_for_every_report(connection: sqlite3.Connection) -> None:
    """The slices get the labels that reports are grouped by, those of a session a time; and decisions may be thinned once they are old.

    `thinned` has one row: decisions of sessions last heard of before that time may be removed, and no others.
    """
    for statement in (
        *_slices_anew(_LABELS_OF_M003),
        "CREATE TABLE thinned (before_ms INTEGER NOT NULL) STRICT",
        "INSERT INTO thinned VALUES (0)",
        "DROP TRIGGER decisions_are_not_removed",
        """CREATE TRIGGER decisions_are_not_removed_early BEFORE DELETE ON decisions
            WHEN coalesce((SELECT last_ms FROM sessions WHERE session = old.session), 0) >= (SELECT before_ms FROM thinned)
            BEGIN SELECT raise(ABORT, 'decisions stand'); END""",
    ):
        connection.execute(statement)


_LABELS_OF_M004 = ("workspace", "project", "branch", "who", "client", "model", "tier", "kind")


def m004_who_spends(connection: sqlite3.Connection) -> None:
    """The slices tell one user from another."""
    for statement in _slices_anew(_LABELS_OF_M004):
        connection.execute(statement)


def m005_sums_of_one_label_and_slices_by_project(connection: sqlite3.Connection) -> None:
    """What is asked most, sums by one thing, gets sums of its own; and what one project did stands together."""
    sums = ", ".join(f"{name} INTEGER NOT NULL" for name in _SUMS_OF_M003)
    columns = ", ".join(f"{name} TEXT NOT NULL" for name in _LABELS_OF_M004)
    for statement in (
        "DROP TABLE time_slices",
        f"""CREATE TABLE time_slices (
            span_ms INTEGER NOT NULL, start_ms INTEGER NOT NULL, {columns}, {sums},
            PRIMARY KEY (span_ms, project, start_ms, workspace, branch, who, client, model, tier, kind)
        ) STRICT, WITHOUT ROWID""",
        f"""CREATE TABLE label_slices (
            label TEXT NOT NULL, start_ms INTEGER NOT NULL, name TEXT NOT NULL, {sums},
            PRIMARY KEY (label, start_ms, name)
        ) STRICT, WITHOUT ROWID""",
    ):
        connection.execute(statement)


def m006_what_was_spent_on_files(connection: sqlite3.Connection) -> None:
    """The files of a project get sums of their own, by the day."""
    connection.execute(
        """CREATE TABLE file_slices (
            project TEXT NOT NULL, start_ms INTEGER NOT NULL, file TEXT NOT NULL, steps INTEGER NOT NULL, spent_pusd INTEGER NOT NULL,
            PRIMARY KEY (project, start_ms, file)
        ) STRICT, WITHOUT ROWID"""
    )


def m007_steps_on_a_subscription(connection: sqlite3.Connection) -> None:
    """Steps that are paid for by the month are counted apart: there were none before."""
    for table in ("session_slices", "time_slices", "label_slices"):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN subscription_steps INTEGER NOT NULL DEFAULT 0")


MIGRATIONS: Sequence[Migration] = (
    m001_the_journal_and_what_is_derived_from_it,
    m002_what_people_say_of_sessions,
    m003_sums_for_every_report,
    m004_who_spends,
    m005_sums_of_one_label_and_slices_by_project,
    m006_what_was_spent_on_files,
    m007_steps_on_a_subscription,
)


def migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Brings the database to the newest version, each step in a transaction of its own; an existing one is copied beside itself first,
    and all that is derived is made anew from its journal.

    Raises StoreError for a database of a newer stepfare or of another program, sqlite3.Error for all else.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    owner: int = connection.execute("PRAGMA application_id").fetchone()[0]
    tables: int = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and owner != APPLICATION_ID:
        raise StoreError(
            f"{path} is a database of another program. It was left as it is; name another file for the ledger, or move it away."
        )
    if version > len(migrations):
        raise StoreError(
            f"{path} was written by a newer stepfare (version {version} of its tables; this one knows {len(migrations)})."
            " It was left as it is; update stepfare to open it."
        )
    if version in (0, len(migrations)):
        _take(connection, version, migrations)
        return
    copy = backup_path(path, version)
    _log.info(
        "%s was written by an older stepfare: it is copied to %s, then its sums are made anew. With many entries that takes a while",
        path,
        copy,
    )
    with _saying(connection, "the copy is being written"):
        _back_up(connection, copy)
    with _saying(connection, "the sums are being made anew"):
        _take(connection, version, migrations)
    _log.info("%s is up to date", path)


@contextlib.contextmanager
def _saying(connection: sqlite3.Connection, what: str) -> Generator[None]:
    """Say now and then that it is still at it. Said by SQLite as it works, not by a clock: what hangs falls silent."""
    began_s = said_s = time.monotonic()

    def look() -> int:
        nonlocal said_s
        now_s = time.monotonic()
        if now_s - said_s >= SAY_EVERY_S:
            said_s = now_s
            _log.info("%s: %d s by now", what, now_s - began_s)
        return 0  # Anything else would stop it.

    connection.set_progress_handler(look, INSTRUCTIONS_PER_LOOK)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


def _take(connection: sqlite3.Connection, version: int, migrations: Sequence[Migration]) -> None:
    """The steps from this version on."""
    for number, migration in enumerate(migrations[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            migration(connection)
            if version and number == len(migrations):
                # With the last step, so that no moment shows new tables without their sums.
                rollups.rebuild(connection)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def backup_path(path: Path, version: int) -> Path:
    return path.with_name(f"{path.stem}.before-version-{version + 1}{path.suffix}")


def _back_up(connection: sqlite3.Connection, copy: Path) -> None:
    partial = copy.with_name(copy.name + ".partial")
    partial.unlink(missing_ok=True)
    # Made empty and private first: SQLite would let the umask decide.
    partial.touch(mode=0o600)
    connection.execute("VACUUM INTO ?", (str(partial),))
    partial.replace(copy)
