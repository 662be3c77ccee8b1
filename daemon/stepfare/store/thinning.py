"""The SQL that thins decisions. A trigger lets go only those of sessions last heard of before `thinned.before_ms`. In books that are
shared the rule is the owner's (`postgres_schema`), since a daemon may remove nothing there.
"""

from __future__ import annotations

from dataclasses import dataclass

from stepfare.store.database import Connection

SESSIONS_MAX = 50
"""So many sessions are thinned in one transaction, for which appends wait."""


@dataclass(frozen=True, slots=True)
class Thinned:
    """How many decisions were removed, and whether none is left that could be."""

    removed: int
    done: bool


def thin(connection: Connection, before_ms: int) -> Thinned:
    """Removes the decisions of some sessions last heard of before that time, the oldest first.

    Where this ended is on disk, so that no session is looked at twice. One that goes on later is thinned when it is old again.
    """
    (from_ms,) = connection.execute("SELECT before_ms FROM thinned").fetchone()
    if before_ms <= from_ms:
        return Thinned(0, done=True)
    next_one = connection.execute(
        "SELECT last_ms FROM sessions WHERE last_ms >= ? AND last_ms < ? ORDER BY last_ms LIMIT 1 OFFSET ?",
        (from_ms, before_ms, SESSIONS_MAX),
    ).fetchone()
    # All of one millisecond go together, and so at least one does.
    end_ms = before_ms if next_one is None else max(next_one[0], from_ms + 1)
    connection.execute("UPDATE thinned SET before_ms = ?", (end_ms,))
    old = "session IN (SELECT session FROM sessions WHERE last_ms >= ? AND last_ms < ?)"
    (removed,) = connection.execute(f"SELECT count(*) FROM decisions WHERE {old}", (from_ms, end_ms)).fetchone()
    connection.execute(f"DELETE FROM decisions WHERE {old}", (from_ms, end_ms))
    return Thinned(removed, next_one is None)


def thin_shared(connection: Connection, before_ms: int) -> Thinned:
    """The same on a server, whatever role asks."""
    removed, done = connection.execute("SELECT removed, done FROM thin(?, ?)", (before_ms, SESSIONS_MAX)).fetchone()
    return Thinned(removed, done)
