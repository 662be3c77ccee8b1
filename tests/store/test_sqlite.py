"""The store on a file: its modes and locks, what other programs may do to it, how appends share a commit."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from pathlib import Path

import pytest

from stepfare.ledger.totals import totals_of
from stepfare.store import queries
from stepfare.store.verify import verify
from tests.ledger.samples import opened, reserved, settled, voided
from tests.store.books import books, journal_of


async def test_another_program_sees_an_entry_as_soon_as_it_is_acknowledged(tmp_path: Path) -> None:
    async with books(tmp_path / "ledger.db") as store:
        await store.append(opened(), reserved())
        reader = sqlite3.connect(tmp_path / "ledger.db")
        assert reader.execute("SELECT count(*) FROM journal").fetchone() == (2,)
        reader.close()


async def test_an_entry_that_no_database_can_hold_hits_nobody_else(tmp_path: Path) -> None:
    async with books(tmp_path / "ledger.db", [opened()]) as store:
        results = await asyncio.gather(
            store.append(reserved("a1", step=2**64)), store.append(reserved("a2")), store.append(reserved("a3")), return_exceptions=True
        )
        assert [type(result) for result in results] == [OverflowError, type(None), type(None)]
        assert await journal_of(store) == [opened(), reserved("a2"), reserved("a3")]
    assert verify(tmp_path / "ledger.db").whole


async def test_appends_that_wait_together_share_one_commit(tmp_path: Path) -> None:
    async with books(tmp_path / "ledger.db", [opened()]) as store:
        before = store.commits
        # While another program holds the lock, the writer waits with what it took first, and all the others gather behind it.
        other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        together = [asyncio.create_task(store.append(reserved(f"a{number}", step=number))) for number in range(1, 65)]
        await asyncio.sleep(0)
        other.execute("ROLLBACK")
        other.close()
        await asyncio.gather(*together)
        assert store.commits - before <= 2
        before = store.commits
        await store.append(reserved("alone", step=65))
        assert store.commits == before + 1


async def test_all_sessions_and_all_decisions_of_one_are_told_in_their_order(tmp_path: Path) -> None:
    async with books(tmp_path / "ledger.db") as store:
        await store.append(reserved("a1", "s2"), decision=("d1", "s2", b"1"))
        await store.append(reserved("a2", "s1"), decision=("d9", "s1", b"2"))
        await store.append(reserved("a3", "s2", step=2), decision=("d0", "s2", b"3"))
    connection = sqlite3.connect(tmp_path / "ledger.db")
    assert sorted(queries.session_ids(connection)) == ["s1", "s2"]
    assert list(queries.decisions(connection, "s2").items()) == [("d1", b"1"), ("d0", b"3")]
    assert queries.decisions(connection, "s9") == {}
    connection.close()


async def test_files_and_folder_are_their_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    async with books(folder / "ledger.db", [opened()]):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes.keys() >= {"ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.head", "ledger.lock"}
    assert set(modes.values()) == {0o600}


async def test_the_journal_and_the_decisions_cannot_be_changed_by_any_program(tmp_path: Path) -> None:
    async with books(tmp_path / "ledger.db", [opened(), reserved()]) as store:
        await store.append(decision=("d1", "s1", b"{}"))
    other = sqlite3.connect(tmp_path / "ledger.db")
    for statement in (
        "UPDATE journal SET body = '{}'",
        "DELETE FROM journal",
        "UPDATE decisions SET message = '{}'",
        "DELETE FROM decisions",
    ):
        with pytest.raises(sqlite3.IntegrityError, match=r"the journal only grows|decisions stand"):
            other.execute(statement)
    other.close()


async def test_sums_can_be_made_anew_from_the_journal(tmp_path: Path) -> None:
    entries = [opened(), reserved(), settled(), reserved("a2", step=2), voided("a2"), reserved("a3", step=3)]
    async with books(tmp_path / "ledger.db", entries) as store:
        spoiler = sqlite3.connect(tmp_path / "ledger.db")
        spoiler.executescript(
            "DELETE FROM open_attempts; DELETE FROM sessions; UPDATE session_slices SET spent_pusd = 1; DELETE FROM time_slices"
        )
        spoiler.close()
        assert await store.totals() != totals_of(entries)
        await store.rebuild()
        assert await store.totals() == totals_of(entries)
        await store.append(settled("a3"))
        assert await store.totals() == totals_of([*entries, settled("a3")])
    assert verify(tmp_path / "ledger.db").whole
