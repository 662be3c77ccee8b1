"""The books of the person who called, to be read without a daemon: in a file, or on a server that a team shares."""

from __future__ import annotations

import os

from stepfare.paths import Paths
from stepfare.runtime.ledger_at import database_of, is_shared, ledger_of
from stepfare.runtime.play import read_settings
from stepfare.store.database import Database
from stepfare.store.errors import StoreError


class NoBooks(StoreError):
    """There are none yet."""


def books_here(paths: Paths) -> Database:
    """Raises StoreError."""
    ledger = ledger_of(read_settings(paths))
    if not is_shared(ledger) and not paths.ledger_db.is_file():
        raise NoBooks(f"There are no books yet: {paths.ledger_db} is made when the daemon first starts (`stepfare serve`).")
    return database_of(ledger, paths, os.environ)
