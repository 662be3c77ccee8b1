"""Books that many daemons share, in PostgreSQL: the same tables and questions as in the SQLite file, and writers that take turns.

One chain, many writers. The journal has one head, a row that every writer locks at the beginning of its transaction. So the rows of all
daemons stand in one order and in one hash chain, `verify` and exports are the same as for a file, and whatever is looked at between lock
and commit (whether an attempt was closed already, how much of a budget is left) is true at the commit. A chain for each daemon would need
no lock, but then no cap could be held without one, and nobody could say in which order things were written. A commit carries all appends
that waited, as in the file, so the lock limits commits a second and not entries; it is held for one round trip to read, one to write.
A daemon that stalls within it is cut off by the server (`TIMES`), and its entries are posted anew: posting twice changes nothing.

The rest of the daemon does not know where its books lie. Needs the extra `postgres`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from stepfare.ledger.chain import Head
from stepfare.store import postgres_schema as schema
from stepfare.store.database import Connection, Cursor
from stepfare.store.errors import StoreError

TIMES = "SET statement_timeout = '15s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '10s'"
"""How long the server bears a statement, waits for a turn, and lets a silent writer keep it."""
CONNECT: dict[str, str | int] = {
    "application_name": "stepfare",
    "connect_timeout": 3,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 5_000,
}
"""What the address does not say."""
CHANNEL = "stepfare_journal"
"""Tells those who listen that the journal has grown; the payload is its number of rows and who wrote the last."""

_SAID_OTHERWISE: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile("%"), "%%"),
    (re.compile(r"\?"), "%s"),
    (re.compile(r"CAST\(([\w.]+) AS BLOB\)"), r"convert_to(\1, 'UTF8')"),
    (re.compile(r" INDEXED BY \w+"), ""),
    (re.compile("CROSS JOIN"), "JOIN"),
)


@lru_cache(maxsize=1_000)
def said(sql: str) -> bytes:
    """The statement in the terms of PostgreSQL."""
    for pattern, words in _SAID_OTHERWISE:
        sql = pattern.sub(words, sql)
    return sql.encode()


_FOR_ALL: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r"(INSERT INTO \w+ \([^)]*\)) VALUES \([?, ]+\)"), r"\1 SELECT * FROM unnest({columns})"),
    (re.compile(r"(DELETE FROM \w+ WHERE \w+) = \?"), r"\1 = ANY({columns})"),
)
_TYPES: Mapping[type, str] = {int: "BIGINT", str: "TEXT", bytes: "BYTEA"}


@lru_cache(maxsize=1_000)
def _for_all(sql: str, types: tuple[str, ...]) -> bytes:
    """The statement for one row as one for many, whose values are columns of these types."""
    for pattern, words in _FOR_ALL:
        made, found = pattern.subn(words, sql)
        if found:
            return made.format(columns=", ".join(f"%b::{one}[]" for one in types)).encode()
    raise AssertionError(f"nobody said how this is said for many rows: {sql}")


def _type_of(column: Sequence[object]) -> str:
    value = next((value for value in column if value is not None), 0)
    return next(name for kind, name in _TYPES.items() if isinstance(value, kind))  # A kind of step is a text too.


class _WholeNumber(Loader):
    """Sums of integers are integers of any size; there are no fractions in the books."""

    def load(self, data: bytes | bytearray | memoryview) -> int:
        return int(bytes(data))


class PostgresConnection:
    """Asked in the terms of SQLite. Each statement is a transaction of its own unless it stands between BEGIN and COMMIT."""

    def __init__(self, raw: psycopg.Connection[tuple[Any, ...]]) -> None:
        self.raw = raw

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Cursor:
        return self.raw.execute(said(sql), values)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object:
        columns = [list(column) for column in zip(*rows, strict=True)]
        # All rows in one statement, column by column: half the work of one statement for each.
        return self.raw.execute(_for_all(sql, tuple(map(_type_of, columns))), columns) if columns else None

    def close(self) -> None:
        self.raw.close()


@dataclass(frozen=True, slots=True)
class Postgres:
    """The books at an address without a password; `password` looks one up when a connection is made, and is empty where none is needed.

    `home` is the folder for what this machine keeps of them.
    """

    url: str
    home: Path
    password: Callable[[], str] = str
    writer: str = ""
    """Which daemon writes: the same after a restart, another for every daemon."""

    @property
    def name(self) -> str:
        return self.url.partition("?")[0]

    @property
    def beside(self) -> Path:
        return self.home / "shared-ledger"

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        return (psycopg.Error, OSError)

    def connect(self) -> PostgresConnection:
        """A connection that may write. Raises psycopg.Error, and StoreError where no password is to be had."""
        told = conninfo_to_dict(self.url)
        secret = self.password()
        more = {name: value for name, value in CONNECT.items() if name not in told} | ({"password": secret} if secret else {})
        raw = psycopg.connect(self.url, autocommit=True, **more)  # pyright: ignore[reportArgumentType]
        raw.adapters.register_loader("numeric", _WholeNumber)
        raw.adapters.register_dumper(int, Int8BinaryDumper)
        raw.adapters.register_dumper(int, Int8Dumper)
        raw.execute(f"SELECT set_config('{schema.WRITER}', %s, false)".encode(), (self.writer,))
        raw.execute(f"{TIMES}; SET search_path = {schema.SCHEMA}; SET client_encoding = 'UTF8'".encode())
        # A server that acknowledges before it has written would forget in a power cut what was acknowledged.
        raw.execute("SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'")
        return PostgresConnection(raw)

    def connect_to_read(self) -> Connection:
        connection = self.connect()
        connection.raw.execute("SET default_transaction_read_only = on; SET default_transaction_isolation = 'repeatable read'")
        return connection

    def in_words(self, error: BaseException) -> str:
        text = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            return f"the role of {self.name} may not do this ({text}). `stepfare ledger roles` says what it needs."
        if self.is_away(error):
            return f"the ledger at {self.name} cannot be reached ({text}). Check that its server runs and that this machine may connect."
        return f"{self.name}: {text}. Nothing was written."

    def is_away(self, error: BaseException) -> bool:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | OSError)

    def refusal(self, connection: Connection) -> str:
        return schema.refusal(schema.version_of(connection), self.name)

    def flaws(self, connection: Connection) -> Iterator[str]:
        return schema.flaws(connection)


class SharedGround:
    """The server as one daemon's writer writes it, over the connection that it is given first. One that was cut is made anew at the next
    transaction."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._connection: PostgresConnection | None = None

    def take(self, connection: PostgresConnection) -> None:
        """Write over this connection from now on."""
        self._connection = connection

    @property
    def connection(self) -> PostgresConnection:
        assert self._connection is not None, "nobody may write before the books were met"
        return self._connection

    def begin(self) -> Head | None:
        if self.connection.raw.closed:
            self._connection = self._anew()
        raw = self.connection.raw
        with raw.pipeline():
            raw.execute("BEGIN")
            turn = raw.execute("SELECT count, hash FROM head FOR UPDATE")
        count, last = turn.fetchone() or (0, b"")
        return Head(count, last)

    def _anew(self) -> PostgresConnection:
        try:
            return self._postgres.connect()
        except StoreError as error:
            # Its password is not to be had at present: what waits for the server waits on.
            raise psycopg.OperationalError(str(error)) from error

    @contextlib.contextmanager
    def together(self) -> Generator[None]:
        with self.connection.raw.pipeline():
            yield

    def commit(self, head: Head, rows: int) -> None:
        self.connection.execute("UPDATE head SET count = ?, hash = ?", (head.count, head.hash))
        self.connection.execute(f"SELECT pg_notify('{CHANNEL}', ?)", (f"{head.count} {self._postgres.writer}",))
        self.connection.execute("COMMIT")

    def roll_back(self) -> None:
        with contextlib.suppress(psycopg.Error):
            self.connection.execute("ROLLBACK")

    def tend(self, *, idle: bool) -> None:
        pass

    def close(self) -> None:
        with contextlib.suppress(psycopg.Error):
            self.connection.close()
