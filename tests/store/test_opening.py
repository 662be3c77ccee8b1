"""Books that cannot be opened: each reason in words, nothing harmed, nothing left locked."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from stepfare.store import migrations
from stepfare.store.errors import StoreError
from stepfare.store.migrations import MIGRATIONS, backup_path, migrate
from stepfare.store.verify import verify
from tests.ledger.samples import opened, reserved, settled
from tests.store.books import books, journal_of, open_store


def refused(path: Path, words: str) -> None:
    with pytest.raises(StoreError, match=words):
        open_store(path)


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"these are not the books you are looking for\n" * 100)
    refused(path, "is not a database")
    assert path.read_bytes().startswith(b"these are not")
    assert "is not a database" in verify(path).problems[0]
    path.unlink()
    # The lock was given back with the refusal.
    sqlite3.connect(path).close()


async def test_a_damaged_file_is_refused_or_found_by_the_check(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with books(path, [opened(), *(reserved(f"a{number}", step=number) for number in range(1, 200))]):
        pass
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert not verify(path).whole
    path.write_bytes(whole[:4096] + bytes(4096) * 3 + whole[4096 * 4 :])
    verdict = verify(path)
    assert "damaged" in verdict.problems[0]
    refused(path, "damaged .*Nothing was written.*ledger verify")


def test_another_programs_database_is_not_taken_for_ours(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE recipes (soup TEXT)")
    other.close()
    refused(path, "a database of another program")
    assert "is not a ledger" in verify(path).problems[0]


async def test_books_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with books(path, [opened()]):
        pass
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    refused(path, rf"a newer stepfare \(version 99 of its tables; this one knows {len(MIGRATIONS)}\).*update")
    assert "a newer stepfare" in verify(path).problems[0]


async def test_a_second_daemon_is_refused_until_the_first_has_gone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with books(path, [opened()]):
        refused(path, "in use by another stepfare daemon")
    async with books(path) as store:
        assert await journal_of(store) == [opened()]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    refused(tmp_path / "file" / "ledger.db", "folder .*file of the ledger cannot be made|folder .*file cannot be made")


OPEN_AS_A_STRANGER = """
import os, sys
from pathlib import Path
from stepfare.store.errors import StoreError
from stepfare.store.sqlite_file import open_file
if os.getuid() == 0:
    os.setuid(65534)  # Root may write anywhere.
try:
    open_file(Path(sys.argv[1]), lambda: 0)
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_or_file_that_cannot_be_written_is_named(exists: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "ledger.db"
        if exists:
            path.touch(mode=0o444)
            path.with_suffix(".lock").touch(mode=0o666)
            path.with_suffix(".lock").chmod(0o666)
        os.chmod(name, 0o555)
        said = subprocess.run([sys.executable, "-c", OPEN_AS_A_STRANGER, str(path)], capture_output=True, text=True, check=True).stdout
        os.chmod(name, 0o700)
    assert str(path) in said or f"folder {path.parent} cannot be written" in said
    assert "ermission" in said


def count_the_rows(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE counted AS SELECT count(*) AS rows FROM journal")


def stumble(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE half_done (x)")
    connection.execute("SELECT no_such_column FROM journal")


async def old_books(path: Path) -> sqlite3.Connection:
    async with books(path, [opened(), reserved(), settled()]):
        pass
    return sqlite3.connect(path, isolation_level=None)


async def test_a_migration_runs_once_and_leaves_a_private_copy_of_what_was(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    connection = await old_books(path)
    migrate(connection, path, [*MIGRATIONS, count_the_rows])
    migrate(connection, path, [*MIGRATIONS, count_the_rows])
    assert connection.execute("SELECT rows FROM counted").fetchall() == [(3,)]
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
    connection.close()
    copy = backup_path(path, len(MIGRATIONS))
    assert copy.stat().st_mode & 0o077 == 0
    async with books(copy) as store:
        assert await journal_of(store) == [opened(), reserved(), settled()]


async def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    connection = await old_books(path)
    with pytest.raises(sqlite3.OperationalError, match="no_such_column"):
        migrate(connection, path, [*MIGRATIONS, stumble])
    connection.close()
    async with books(path) as store:
        assert await journal_of(store) == [opened(), reserved(), settled()]
    assert verify(path).whole


async def test_books_of_the_first_version_come_forward_with_all_their_sums(tmp_path: Path) -> None:
    new, path = tmp_path / "new" / "ledger.db", tmp_path / "ledger.db"
    async with books(new, [opened(), reserved(), settled(), reserved("a2", step=2)]) as store:
        await store.append(decision=("d1", "s1", b"{}"))
        whole = await store.totals()
    old = sqlite3.connect(path, isolation_level=None)
    migrate(old, path, MIGRATIONS[:1])
    old.execute("ATTACH ? AS new", (str(new),))
    for table in ("journal", "decisions", "sessions", "open_attempts"):
        old.execute(f"INSERT INTO main.{table} SELECT * FROM new.{table}")
    old.close()
    shutil.copy(new.with_suffix(".head"), path.with_suffix(".head"))
    async with books(path) as store:
        assert await store.totals() == whole
        assert await store.decision("d1") == b"{}"
    assert verify(path).problems == ()
    assert backup_path(path, 1).is_file()


async def test_books_that_are_brought_up_to_date_say_so_as_long_as_it_takes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for the daemon sees that it works; a start with nothing to do has nothing to say."""
    monkeypatch.setattr(migrations, "SAY_EVERY_S", 0.0)
    monkeypatch.setattr(migrations, "INSTRUCTIONS_PER_LOOK", 100)
    path = tmp_path / "ledger.db"
    connection = await old_books(path)
    with caplog.at_level("INFO"):
        migrate(connection, path)
        assert caplog.messages == []
        migrate(connection, path, [*MIGRATIONS, count_the_rows])
    connection.close()
    told = list(dict.fromkeys(message.partition(":")[0] for message in caplog.messages))
    assert [words.removeprefix(f"{path} ") for words in told] == [
        "was written by an older stepfare",
        "the copy is being written",
        "the sums are being made anew",
        "is up to date",
    ]


async def test_new_books_need_no_copy(tmp_path: Path) -> None:
    async with books(tmp_path / "ledger.db", [opened()]):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ledger.db", "ledger.head", "ledger.lock"]
    assert all(migration.__doc__ for migration in migrations.MIGRATIONS)
