"""The SQL that writes. What is derived from the journal is added to, never computed anew, so that a commit costs what it adds."""

from __future__ import annotations

from collections.abc import Sequence

from stepfare.ledger.groups import Labels
from stepfare.ledger.totals import SUMS


def _adding(table: str, key: Sequence[str]) -> str:
    columns = (*key, *SUMS)
    sums = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in SUMS)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sums}"
    )


INSERT_JOURNAL = "INSERT INTO journal (row, session, step, attempt, phase, at_ms, firsts, body, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_OPEN = "INSERT INTO open_attempts (attempt, row) VALUES (?, ?)"
DELETE_OPEN = "DELETE FROM open_attempts WHERE attempt = ?"
UPSERT_SESSION = """INSERT INTO sessions (session, opened, first_ms, last_ms, workspace) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (session) DO UPDATE SET
        opened = coalesce(sessions.opened, excluded.opened), first_ms = excluded.first_ms, last_ms = excluded.last_ms,
        workspace = excluded.workspace"""
INSERT_DECISION = "INSERT INTO decisions (id, session, message) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING"
SESSION_SLICE_KEY = ("session", "start_ms", *Labels._fields)
TIME_SLICE_KEY = ("span_ms", "start_ms", *Labels._fields)
ADD_SESSION_SLICE = _adding("session_slices", SESSION_SLICE_KEY)
LABEL_SLICE_KEY = ("label", "start_ms", "name")
ADD_LABEL_SLICE = _adding("label_slices", LABEL_SLICE_KEY)
ADD_TIME_SLICE = _adding("time_slices", TIME_SLICE_KEY)
FILE_SLICE_KEY = ("project", "start_ms", "file")
ADD_FILE_SLICE = """INSERT INTO file_slices (project, start_ms, file, steps, spent_pusd) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (project, start_ms, file) DO UPDATE SET
        steps = file_slices.steps + excluded.steps, spent_pusd = file_slices.spent_pusd + excluded.spent_pusd"""
DERIVED = ("open_attempts", "sessions", "session_slices", "time_slices", "label_slices", "file_slices")
"""Tables that are folds of the journal."""
