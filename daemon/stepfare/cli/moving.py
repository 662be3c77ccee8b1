"""What `stepfare ledger move` does: the books of this machine into those of a server, and how to go on from there."""

from __future__ import annotations

import os
from dataclasses import dataclass

from stepfare.cli.asking import USAGE, Trouble
from stepfare.config.check import check_settings
from stepfare.paths import Paths
from stepfare.runtime.ledger_at import server_of
from stepfare.store.errors import StoreError
from stepfare.store.sqlite_file import SqliteFile
from stepfare.store.verify import Progress


@dataclass(frozen=True, slots=True)
class MovedBooks:
    """What was done, in words and as values."""

    words: str
    told: dict[str, object]


def moved_books(paths: Paths, url: str, password: str | None, progress: Progress | None) -> MovedBooks:
    """Raises Trouble; then nothing was moved."""
    if not paths.ledger_db.is_file():
        raise Trouble("no-ledger", f"There are no books to move: {paths.ledger_db} is made when the daemon first starts.")
    lines = [f"url = {_quoted(url)}", *([f"password = {_quoted(password)}"] if password else [])]
    text = "\n".join(("[ledger]", *lines))
    settings = check_settings(text, "the command line")
    if settings.problems or url == "sqlite":
        words = settings.problems[0].words if settings.problems else "`url` must be postgresql://USER@HOST/DATABASE"
        raise Trouble("usage", f"Nothing was moved: {words}", USAGE)
    try:
        server = server_of(settings.value.ledger, paths, os.environ)
        from stepfare.store.moving import move

        moved = move(SqliteFile(paths.ledger_db), server, progress)
    except StoreError as problem:
        raise Trouble("ledger", str(problem)) from problem
    words = (
        f"Moved {moved.entries:,} entries, {moved.decisions:,} decisions and {moved.annotations:,} notes on sessions from"
        f" {paths.ledger_db} to {server.name}. Both were verified; the last hash is the same, {moved.head.hash.hex()[:16]}."
        f"\nThe file was left as it is. From now on daemons book there once {paths.config_toml} says:\n\n{text}\n"
    )
    told: dict[str, object] = {
        "from": str(paths.ledger_db),
        "to": server.name,
        "entries": moved.entries,
        "decisions": moved.decisions,
        "annotations": moved.annotations,
        "head": moved.head.hash.hex(),
    }
    return MovedBooks(words, told)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
