"""Moving books from a file to a server, and the roles that a server's books need: row for row, hash for hash, right for right."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from stepfare.cli.front import front
from stepfare.core.annotation import Renamed
from stepfare.core.entry import Entry
from stepfare.ledger.totals import totals_of
from stepfare.store.postgres import Postgres
from stepfare.store.postgres_roles import DAEMON, OWNER, READER, script
from stepfare.store.verify import verify, verify_books
from tests.ledger.samples import NOW_MS, opened, reserved, settled
from tests.postgres import Server
from tests.store.books import books, journal_of, open_store, tamper, verdict

ENTRIES: list[Entry] = [opened(), reserved(), settled(), opened("s2", title="ä \\ \t \" '"), reserved("a2", "s2"), reserved("a3", step=2)]


@pytest.fixture
async def file(stepfare_home: Path) -> Path:
    path = stepfare_home / "ledger.db"
    async with books(path, ENTRIES) as store:
        await store.append(decision=("d1", "s1", b'{"because":["a\\nb"]}'))
        await store.annotate(Renamed("s1", NOW_MS, "The basket"))
    return path


def moved(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(front, ["ledger", "move", *arguments])
    return result.exit_code, result.output


async def test_moved_books_are_the_same_books(file: Path, postgres: Server) -> None:
    url = postgres.database()
    code, said = moved(url, "--json")
    assert code == 0, said
    told = json.loads(said)
    assert (told["entries"], told["decisions"], told["annotations"], told["head"]) == (6, 1, 1, verify(file).head.hash.hex())
    there = Postgres(url, file.parent)
    assert verify_books(there).problems == ()
    async with books(there) as store:
        assert await journal_of(store) == ENTRIES
        assert await store.totals() == totals_of(ENTRIES)
        assert await store.decision("d1") == b'{"because":["a\\nb"]}'
        assert await store.annotations() == [Renamed("s1", NOW_MS, "The basket")]
        await store.append(settled("a2", "s2"), decision=("d2", "s2", b"{}"))
        assert await store.latest_decision() == b"{}"
    assert verdict(there).problems == ()
    assert verify(file).rows == 6


async def test_books_are_moved_into_an_empty_database_only(file: Path, postgres: Server) -> None:
    url = postgres.database()
    async with books(Postgres(url, file.parent / "elsewhere"), [opened("other")]):
        pass
    code, said = moved(url)
    assert (code, "has books already (1 entries)" in said) == (1, True), said


async def test_books_in_use_or_not_whole_are_not_moved(file: Path, postgres: Server) -> None:
    url = postgres.database()
    store = open_store(file)
    code, said = moved(url)
    assert (code, "is in use by a daemon" in said) == (1, True), said
    await store.close()
    tamper(file, "DELETE FROM journal WHERE row = 2")
    code, said = moved(url)
    assert (code, "is not whole, so nothing was moved" in said) == (1, True), said


@pytest.mark.parametrize("url", ["sqlite", "mysql://x/y", "postgresql://ann:secret@host/books"])
def test_an_address_that_is_none_is_refused_and_never_repeated(file: Path, url: str) -> None:
    code, said = moved(url)
    assert (code, "secret" in said) == (2, False), said


async def test_a_server_that_is_not_there_is_said(file: Path) -> None:
    code, said = moved("postgresql://ann@127.0.0.1:1/books")
    assert (code, "nothing was moved: the ledger at postgresql://ann@127.0.0.1:1/books cannot be reached" in said) == (1, True), said


async def test_the_books_are_read_and_proved_by_the_command_line(stepfare_home: Path, postgres: Server) -> None:
    url = postgres.database()
    (stepfare_home / "config.toml").write_text(f'[ledger]\nurl = "{url}"\n')
    async with books(Postgres(url, stepfare_home), ENTRIES):
        pass

    async def run(*arguments: str) -> str:
        # In a thread of its own, since a command has an event loop of its own.
        return (await asyncio.to_thread(CliRunner().invoke, front, arguments)).stdout

    assert "The books are whole: 6 entries" in await run("ledger", "verify")
    assert len((await run("ledger", "export", "--format", "jsonl")).splitlines()) == 6
    sessions = json.loads(await run("sessions", "--since", "all", "--json"))
    assert {one["id"] for one in sessions["sessions"]} == {"s1", "s2"}


AWAY = 'url = "postgresql://ann@127.0.0.1:1/books"\n'


@pytest.mark.parametrize(
    ("ledger", "words"),
    [
        (AWAY, "the ledger at postgresql://ann@127.0.0.1:1/books cannot be reached"),
        (
            f'{AWAY}password = "env:NOT_SET"\n',
            "password of the ledger's server is not to be had: the environment variable NOT_SET is not set",
        ),
        ("url = 5\n", "config.toml:2: [ledger] is wrong, so no books were opened"),
    ],
)
@pytest.mark.parametrize("command", ["ledger verify", "ledger export", "ledger reprice", "sessions", "session last", "report", "explain"])
def test_books_that_cannot_be_reached_are_neither_broken_nor_looked_for_elsewhere(
    file: Path, stepfare_home: Path, ledger: str, words: str, command: str
) -> None:
    """Not even in the file of this machine, which is there."""
    (stepfare_home / "config.toml").write_text(f"[ledger]\n{ledger}")
    ran = CliRunner().invoke(front, command.split())
    assert (ran.exit_code, words in ran.stderr) == (1, True), ran.output
    assert "NOT whole" not in ran.stderr
    assert "s1" not in ran.stdout


def test_a_copy_of_books_on_a_server_is_made_there(stepfare_home: Path) -> None:
    (stepfare_home / "config.toml").write_text(f"[ledger]\n{AWAY}")
    ran = CliRunner().invoke(front, ["ledger", "backup", str(stepfare_home / "copy.db")])
    assert (ran.exit_code, "back them up there, with pg_dump" in ran.stderr) == (1, True), ran.output
    assert not (stepfare_home / "copy.db").exists()


async def test_books_of_an_older_stepfare_are_not_half_read(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 6")
    ran = await asyncio.to_thread(CliRunner().invoke, front, ["sessions"])
    assert (ran.exit_code, "an older stepfare: start the daemon once, which brings it up to date" in ran.stderr) == (1, True), ran.output


async def test_the_roles_of_the_script_are_enough_and_no_more(tmp_path: Path, postgres: Server) -> None:
    url = postgres.database()
    postgres.execute(script(), url=url)
    owned = url.replace("//owner@", f"//{OWNER}@")
    async with books(Postgres(owned, tmp_path / "owner")):
        pass
    postgres.execute(script(), url=url)
    async with books(Postgres(url.replace("//owner@", f"//{DAEMON}@"), tmp_path / "daemon"), ENTRIES) as store:
        await store.append(settled("a2", "s2"), decision=("d1", "s2", b"{}"))
        await store.rebuild()
        assert (await store.totals()).steps == 2
    for role, statement in (
        (DAEMON, "UPDATE stepfare.journal SET body = '{}'"),
        (DAEMON, "DELETE FROM stepfare.journal"),
        (DAEMON, "TRUNCATE stepfare.journal"),
        (DAEMON, "ALTER TABLE stepfare.journal DISABLE TRIGGER ALL"),
        (DAEMON, "UPDATE stepfare.thinned SET before_ms = 9"),
        (DAEMON, "CREATE TABLE stepfare.more (x int)"),
        (READER, "INSERT INTO stepfare.annotations VALUES (9, 9, '')"),
        (READER, "UPDATE stepfare.head SET count = 0"),
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            postgres.execute(statement, url=url.replace("//owner@", f"//{role}@"))
    postgres.execute("SELECT * FROM stepfare.journal", url=url.replace("//owner@", f"//{READER}@"))
    assert verdict(Postgres(owned, tmp_path / "owner")).problems == ()
