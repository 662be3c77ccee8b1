"""Roles of shared books: who owns the tables makes them, daemons only add and let what is old go, reports only read."""

from __future__ import annotations

import time
from dataclasses import replace

import psycopg
import pytest

from stepfare.core.annotation import Renamed
from stepfare.ledger.calendar import DAY_MS
from stepfare.runtime import thinning as daily
from stepfare.store.database import Connection
from stepfare.store.errors import StoreError
from stepfare.store.postgres import Postgres
from stepfare.store.postgres_roles import DAEMON, OWNER, READER, script
from tests.ledger.samples import NOW_MS, opened, reserved, settled
from tests.postgres import SUPERUSER, Server
from tests.store.books import books, journal_of, open_store, verdict

REFUSED = (
    "UPDATE journal SET body = '{}'",
    "DELETE FROM journal",
    "TRUNCATE journal",
    "ALTER TABLE journal DISABLE TRIGGER ALL",
    "DROP TRIGGER journal_is_not_changed ON journal",
    "DELETE FROM decisions",
    "UPDATE thinned SET before_ms = 9000000000000000",
    "DELETE FROM annotations",
    "UPDATE about SET version = 0",
    "CREATE TABLE more (one INTEGER)",
)


def as_role(shared: Postgres, role: str) -> Postgres:
    return replace(shared, url=shared.url.replace(f"//{SUPERUSER}@", f"//{role}@"), home=shared.home / role)


@pytest.fixture
async def roles(shared: Postgres, postgres: Server) -> Postgres:
    """Books whose tables the owner's role made, as the script says: run before the tables are made, and again after it."""
    postgres.execute(script(), url=shared.url)
    with pytest.raises(StoreError, match="says what it needs"):
        open_store(as_role(shared, DAEMON))
    await open_store(as_role(shared, OWNER)).close()
    postgres.execute(script(), url=shared.url)
    return shared


def refused(connection: Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


async def test_a_daemon_can_add_and_neither_change_nor_remove(roles: Postgres) -> None:
    daemon = as_role(roles, DAEMON)
    async with books(daemon, [opened(), reserved(), settled()]) as store:
        await store.append(decision=("d1", "s1", b"{}"))
        await store.annotate(Renamed("s1", NOW_MS, "The basket"))
        assert (await store.totals()).spent_pusd == 500
    connection = daemon.connect()
    for statement in REFUSED:
        refused(connection, statement)
    connection.close()
    # The reader has no head of its own to compare with.
    assert [words for words in verdict(as_role(roles, READER)).problems if "shared-ledger.head is missing" not in words] == []
    assert verdict(daemon).problems == ()


async def test_a_daemon_lets_old_reasons_go_and_none_of_the_last_day(roles: Postgres) -> None:
    now_ms = time.time_ns() // 1_000_000
    async with books(as_role(roles, DAEMON)) as store:
        for name, days in (("old", 40), ("older", 50), ("new", 0)):
            at_ms = now_ms - days * DAY_MS
            await store.append(opened(name, at_ms), reserved(f"a-{name}", name, at_ms=at_ms), decision=(name, name, b"{}"))
        assert await daily.thin(store, now_ms - 30 * DAY_MS) == 2
        # Whatever time a daemon believes it to be.
        assert await daily.thin(store, now_ms + 30 * DAY_MS) == 0
        assert [await store.decision(name) for name in ("old", "older", "new")] == [None, None, b"{}"]
        assert len(await journal_of(store)) == 6


async def test_who_makes_reports_only_reads(roles: Postgres) -> None:
    async with books(as_role(roles, DAEMON), [opened(), reserved(), settled()]):
        pass
    reader = as_role(roles, READER).connect()
    assert reader.execute("SELECT count(*) FROM journal").fetchone()[0] == 3
    for statement in (*REFUSED, "INSERT INTO thinned VALUES (1)", "UPDATE head SET count = 0", "SELECT thin(0, 1)"):
        refused(reader, statement)
    reader.close()
