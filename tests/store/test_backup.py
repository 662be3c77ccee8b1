"""Copies of the books: whole, private, made while the daemon writes, and never half a file."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest

from stepfare.store.backup import back_up
from stepfare.store.errors import StoreError
from stepfare.store.verify import verify
from tests.ledger.samples import opened, reserved, settled
from tests.store.books import books, journal_of


async def test_a_copy_is_made_and_is_whole_while_entries_are_written(tmp_path: Path) -> None:
    copy = tmp_path / "kept" / "copy.db"
    async with books(tmp_path / "ledger.db", [opened()]) as store:

        async def write(done: asyncio.Event) -> int:
            number = 0
            while not done.is_set():
                number += 1
                await store.append(reserved(f"a{number}", step=number), settled(f"a{number}"))
            return number

        done = asyncio.Event()
        writing = asyncio.create_task(write(done))
        await asyncio.sleep(0.05)
        verdict = await asyncio.to_thread(back_up, tmp_path / "ledger.db", copy)
        done.set()
        written = await writing
        whole = await journal_of(store)
    assert verdict.problems == ()
    assert 3 <= verdict.rows <= 1 + 2 * written
    assert {stat.S_IMODE(path.stat().st_mode) for path in copy.parent.iterdir()} == {0o600}
    assert sorted(path.name for path in copy.parent.iterdir()) == ["copy.db", "copy.head"]
    async with books(copy) as again:
        assert await journal_of(again) == whole[: verdict.rows]
        await again.append(reserved("later", step=10**6))
    assert verify(copy).whole


async def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    async with books(tmp_path / "ledger.db", [opened()]):
        pass
    copy = tmp_path / "copy.db"
    copy.write_text("mine")
    with pytest.raises(StoreError, match="exists already"):
        back_up(tmp_path / "ledger.db", copy)
    assert copy.read_text() == "mine"


async def test_a_copy_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    async with books(tmp_path / "ledger.db", [opened()]):
        pass
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="not copied"):
        back_up(tmp_path / "ledger.db", tmp_path / "file" / "copy.db")
    (tmp_path / "ledger.db").write_bytes(b"no books at all\n" * 1000)
    with pytest.raises(StoreError, match="not a database"):
        back_up(tmp_path / "ledger.db", tmp_path / "copy.db")
    assert sorted(os.listdir(tmp_path)) == ["file", "ledger.db", "ledger.head", "ledger.lock"]


async def test_a_copy_of_damaged_books_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with books(path, [opened(), reserved(), settled()]):
        pass
    from tests.store.books import tamper

    tamper(path, "UPDATE journal SET body = replace(body, '500', '400') WHERE row = 3")
    verdict = back_up(path, tmp_path / "copy.db")
    assert "row 3 does not fit its hash" in verdict.problems[0]
