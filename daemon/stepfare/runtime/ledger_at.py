"""Where the books are, as the settings say: the file of this machine, or a server that a team shares. What they hold is the store's."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from stepfare.config.check import Checked
from stepfare.config.schema import Ledger, Settings
from stepfare.paths import Paths
from stepfare.store.database import Database
from stepfare.store.errors import StoreError
from stepfare.store.sqlite_file import SqliteFile, open_file
from stepfare.store.store import Store
from stepfare.upstream import keys

if TYPE_CHECKING:
    from stepfare.store.postgres import Postgres

SQLITE = "sqlite"


def is_shared(ledger: Ledger) -> bool:
    return ledger.url != SQLITE


def ledger_of(settings: Checked[Settings]) -> Ledger:
    """What the settings say of the books. Raises StoreError where they do not say clearly where those are: what a team spends must not be
    booked, uncounted, in a file of this machine, nor be looked for there."""
    lines = {line for key, line in settings.lines.items() if key.partition(".")[0] == "ledger"}
    for problem in settings.problems:
        if problem.line in lines:
            raise StoreError(f"{problem.source}:{problem.line}: [ledger] is wrong, so no books were opened: {problem.words}")
    return settings.value.ledger


def database_of(ledger: Ledger, paths: Paths, environ: Mapping[str, str]) -> Database:
    """The books to read. Raises StoreError where what they need is not installed."""
    return server_of(ledger, paths, environ) if is_shared(ledger) else SqliteFile(paths.ledger_db)


def open_books(settings: Checked[Settings], paths: Paths, environ: Mapping[str, str], clock_ms: Callable[[], int]) -> Store:
    """The books, opened to be written. Blocks. Raises StoreError."""
    ledger = ledger_of(settings)
    if not is_shared(ledger):
        return open_file(paths.ledger_db, clock_ms)
    server = server_of(ledger, paths, environ)
    from stepfare.store.postgres_books import open_shared

    return open_shared(server, clock_ms)


def user_of(ledger: Ledger) -> str:
    """In whose name this daemon spends."""
    if ledger.user:
        return ledger.user
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # An account without a name, as containers have it.
        return ""


def server_of(ledger: Ledger, paths: Paths, environ: Mapping[str, str]) -> Postgres:
    """The server that the address names. Raises StoreError where what speaks to one is not installed."""
    try:
        from stepfare.store.postgres import Postgres
    except ImportError as error:
        raise StoreError(
            f"ledger.url names a PostgreSQL server, and what speaks to one is not installed here ({error}):"
            " install stepfare with its extra, `uv tool install 'stepfare[postgres]'`."
        ) from error

    def password() -> str:
        try:
            return keys.look_up(ledger.password or "", environ)
        except keys.NoKey as error:
            raise StoreError(f"the password of the ledger's server is not to be had: {error}. Mend [ledger] in config.toml.") from None

    return Postgres(ledger.url, paths.home, password)
