"""Opens books that daemons share: one of them as this daemon, which then hears of what the others write, and is heard of."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import psycopg

from stepfare.core.entry import Reserved
from stepfare.ledger import codec
from stepfare.paths import make_private_dir, write_private
from stepfare.store import files
from stepfare.store import postgres_schema as schema
from stepfare.store.database import Connection
from stepfare.store.errors import StoreError
from stepfare.store.heads import compare_heads
from stepfare.store.postgres import CHANNEL, Postgres, PostgresConnection, SharedGround
from stepfare.store.spool import Spool
from stepfare.store.store import Shared, Store
from stepfare.store.writer import Writer

LISTEN_S = 0.2
"""How long the listener waits for an announcement before it looks whether it is to stop."""
LOOK_EVERY_S = 5.0
RETRY_S = 1.0
HEARD_EVERY_S = 30.0
GONE_MS = 15 * 60_000
"""A daemon that was not heard of for so long is gone: what it had reserved is lost."""


def open_shared(postgres: Postgres, clock_ms: Callable[[], int]) -> Store:
    """Opens the books at that address; makes the tables where they are missing and the role may. Where their server cannot be reached,
    they are still to be met (`Store.meet`). Blocks. Raises StoreError."""
    make_private_dir(postgres.home)
    lock = files.take_lock(postgres.beside)
    if lock is None:
        raise StoreError(
            f"{postgres.home} is in use by another stepfare daemon. Stop that one first, or set STEPFARE_HOME to another folder."
        )
    try:
        postgres = replace(postgres, writer=_writer_of(postgres))
        ground = SharedGround(postgres)
        listener = Listener(postgres)
        writer = Writer(postgres, ground, Spool(postgres.beside.with_suffix(".spool")), lambda: listener.daemons)
        problems: list[str] = []

        def meet() -> None:
            ground.take(_met(postgres))
            try:
                problems.extend(compare_heads(postgres.beside, ground.connection, clock_ms))
                writer.start()
            except BaseException:
                ground.close()
                raise
            listener.start()

        unmet = ""
        try:
            meet()
        except postgres.errors as error:
            if not postgres.is_away(error):
                raise
            unmet = postgres.in_words(error)
    except BaseException as error:
        os.close(lock)
        if isinstance(error, postgres.errors):
            raise StoreError(postgres.in_words(error)) from error
        raise

    def let_go() -> None:
        listener.stop()
        os.close(lock)

    shared = Shared(postgres.writer, listener.call, lambda c, now_ms: left_open(c, postgres.writer, now_ms), meet)
    return Store(postgres, writer, problems, let_go, shared, unmet)


def _met(postgres: Postgres) -> PostgresConnection:
    """A connection to tables that are up to date. Raises psycopg.Error and StoreError."""
    connection = postgres.connect()
    try:
        if connection.execute("SHOW server_encoding").fetchone()[0] != "UTF8":
            raise StoreError(
                f"the database {postgres.name} is not in UTF-8: make one that is (createdb --encoding=UTF8 --template=template0)."
            )
        schema.migrate(connection, postgres.name)
    except BaseException:
        connection.close()
        raise
    return connection


def _writer_of(postgres: Postgres) -> str:
    """The name of this daemon, made at its first start. Raises OSError."""
    path = postgres.beside.with_suffix(".writer")
    with contextlib.suppress(FileNotFoundError):
        known = path.read_text("ascii").strip()
        if known:
            return known
    name = secrets.token_hex(8)
    write_private(path, f"{name}\n".encode())
    return name


def left_open(connection: Connection, writer: str, now_ms: int) -> list[Reserved]:
    """Reservations that nobody will close any more: those of this daemon's earlier life, and of daemons that are gone."""
    rows = connection.execute(
        "SELECT CAST(body AS BLOB) FROM open_attempts JOIN journal USING (row) LEFT JOIN daemons ON daemons.id = writer"
        " WHERE writer = ? OR coalesce(heard_ms, 0) < ? ORDER BY row",
        (writer, now_ms - GONE_MS),
    )
    found = [codec.decode(body) for (body,) in rows]
    return [entry for entry in found if isinstance(entry, Reserved)]


class Listener:
    """The thread that hears when others have written, and that keeps saying that this daemon is at work."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._called: Callable[[], None] = lambda: None
        self.daemons = 0
        """How many were at work on these books when they were last heard of; 0: that was never."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="stepfare-ledger-listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def call(self, called: Callable[[], None]) -> None:
        """From now on `called` is called, in the thread, whenever the journal has grown, and now and then without."""
        self._called = called

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.ident is not None:  # Else the books were never met.
            self._thread.join()

    def _work(self) -> None:
        while not self._stopped.is_set():
            try:
                connection = self._postgres.connect()
                try:
                    self._listen(connection)
                finally:
                    connection.close()
            except (psycopg.Error, OSError, StoreError):
                self._stopped.wait(RETRY_S)

    def _listen(self, connection: PostgresConnection) -> None:
        connection.raw.execute(f"LISTEN {CHANNEL}".encode())
        looked_s = heard_s = -HEARD_EVERY_S
        while not self._stopped.is_set():
            now_s = time.monotonic()
            if now_s - heard_s >= HEARD_EVERY_S:
                heard_s = now_s
                connection.execute(
                    "INSERT INTO daemons (id, heard_ms) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET heard_ms = excluded.heard_ms",
                    (self._postgres.writer, time.time_ns() // 1_000_000),
                )
            # An announcement may be lost with a connection, so there is a look without one now and then.
            if now_s - looked_s >= LOOK_EVERY_S:
                looked_s = now_s
                self._count(connection)
                self._called()
            for announced in connection.raw.notifies(timeout=LISTEN_S, stop_after=1):
                if not announced.payload.endswith(self._postgres.writer):
                    self._called()

    def _count(self, connection: PostgresConnection) -> None:
        gone_ms = time.time_ns() // 1_000_000 - GONE_MS
        self.daemons = connection.execute("SELECT count(*) FROM daemons WHERE heard_ms >= ?", (gone_ms,)).fetchone()[0]
