"""The check of the books: whatever is done to them behind the daemon's back is found, and said in words that name the place."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from stepfare.core.entry import Entry, Settled
from stepfare.ledger import codec
from stepfare.ledger.chain import link
from stepfare.store.verify import verify
from tests.ledger.samples import NOW_MS, opened, reserved, settled
from tests.store.books import books, open_store, tamper

ENTRIES: list[Entry] = [opened(), reserved(), settled(), reserved("a2", step=2), settled("a2"), reserved("a3", step=3)]


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    async with books(tmp_path / "ledger.db", ENTRIES):
        pass
    return tmp_path / "ledger.db"


def test_whole_books_are_whole_and_told_in_numbers(path: Path) -> None:
    seen: list[tuple[int, int]] = []
    verdict = verify(path, lambda done, of: seen.append((done, of)))
    assert (verdict.whole, verdict.rows, verdict.head.count) == (True, 6, 6)
    assert seen == [(6, 6)]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE journal SET body = replace(body, '\"cost_pusd\":500', '\"cost_pusd\":400') WHERE row = 3", "row 3 does not fit its hash"),
        ("DELETE FROM journal WHERE row = 4", "row 4 is missing: after row 3 comes row 5"),
        ("DELETE FROM journal WHERE row = 6", "the end of the journal is missing: it has 5 rows, but row 6 was written"),
        ("UPDATE journal SET at_ms = 5 WHERE row = 2", "row 2 is filed wrongly"),
        ("UPDATE session_slices SET spent_pusd = 7", "the table session_slices says (2, 7,"),
        ("DELETE FROM time_slices", "the table time_slices says nothing of"),
        ("DELETE FROM open_attempts", "the table open_attempts says nothing of ('a3',), where the journal says (6,)"),
        ("UPDATE sessions SET workspace = '/elsewhere'", "the table sessions says (1,"),
        ("INSERT INTO open_attempts VALUES ('a9', 9)", "the table open_attempts says (9,) of ('a9',), where the journal says nothing"),
    ],
)
def test_tampering_is_found_and_named(path: Path, statement: str, words: str) -> None:
    tamper(path, statement)
    assert words in verify(path).problems[0]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (settled("a9"), "row 7 breaks the order of the journal: attempt a9 is settled, but was never reserved"),
        (settled("a2"), "row 7 says again what was said before: a2 is settled twice"),
    ],
)
def test_a_row_that_fits_the_chain_and_not_the_order_is_found(path: Path, entry: Settled, words: str) -> None:
    data = codec.encode(entry)
    link_hex = link(verify(path).head.hash, data).hex()
    tamper(path, f"INSERT INTO journal VALUES (7, 's1', 9, '{entry.attempt}', 'settled', {NOW_MS}, 0, '{data.decode()}', X'{link_hex}')")
    assert words in verify(path).problems[0]


def test_removed_guards_are_found(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER journal_is_not_changed")
    connection.close()
    assert verify(path).problems == ("what keeps the journal from being changed was removed: journal_is_not_changed",)


def test_a_missing_head_is_said(path: Path) -> None:
    path.with_suffix(".head").unlink()
    assert "whether the end of the journal is there cannot be told" in verify(path).problems[0]


def test_no_ledger_is_said(tmp_path: Path) -> None:
    assert verify(tmp_path / "ledger.db").problems == (f"there is no ledger at {tmp_path / 'ledger.db'}",)
    assert list(tmp_path.iterdir()) == []


async def test_the_books_of_a_running_daemon_can_be_checked(tmp_path: Path) -> None:
    async with books(tmp_path / "ledger.db", ENTRIES) as store:
        assert verify(tmp_path / "ledger.db").problems == ()
        await store.append(settled("a3"))
        assert verify(tmp_path / "ledger.db").rows == 7


async def test_an_older_copy_put_back_is_told_now_and_after_the_daemon_went_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with books(path, ENTRIES[:3]):
        pass
    shutil.copy(path, tmp_path / "older.db")
    async with books(path, ENTRIES[3:]):
        pass
    (tmp_path / "older.db").replace(path)
    assert "the end of the journal is missing: it has 3 rows, but row 6 was written" in verify(path).problems[0]
    store = open_store(path)
    assert "the end of the journal is missing" in store.problems[0]
    await store.append(*[reserved(f"b{number}", step=number) for number in range(9)])
    await store.close()
    # The daemon goes on, and the evidence stays until a person removes it.
    assert "row 6 of the journal is not the one that was written" in verify(path).problems[0]
    [kept] = tmp_path.glob("*.lost-*")
    kept.unlink()
    assert verify(path).whole


async def test_the_head_follows_while_entries_are_written(tmp_path: Path) -> None:
    head = tmp_path / "ledger.head"
    async with books(tmp_path / "ledger.db") as store:
        number = 0
        while '"count":0' in head.read_text():
            number += 1
            await store.append(reserved(f"a{number}", step=number))
    assert f'"count":{number},' in head.read_text()
