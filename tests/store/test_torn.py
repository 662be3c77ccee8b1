"""A power cut, as a file system leaves it: the end of the log is missing, half written or garbage, or the file itself is cut off."""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from stepfare.core.entry import Entry
from stepfare.store.errors import StoreError
from stepfare.store.verify import verify
from tests.ledger.samples import opened, reserved, settled
from tests.store.books import books, journal_of, open_store

STEPS = 30
STEP: list[list[Entry]] = [[reserved(f"a{number}", step=number), settled(f"a{number}")] for number in range(1, STEPS + 1)]


async def cut_off(tmp_path: Path) -> tuple[Path, list[Entry]]:
    """Books as they lie on disk while a daemon writes: nothing of the last steps is in the database yet, all of it is in the log."""
    alive, left = tmp_path / "alive", tmp_path / "left"
    async with books(alive / "ledger.db", [opened()]) as store:
        left.mkdir()
        for step in STEP:
            await store.append(*step)
        for name in ("ledger.db", "ledger.db-wal"):
            shutil.copy(alive / name, left / name)
    return left / "ledger.db", [opened(), *(entry for step in STEP for entry in step)]


def copied(path: Path, folder: Path) -> Path:
    shutil.copytree(path.parent, folder)
    return folder / path.name


async def whole_steps(path: Path, entries: list[Entry]) -> int:
    """Opens the books, goes on in them, and says how many steps they have: each is there with all its entries, none out of its turn."""
    async with books(path) as store:
        found = await journal_of(store)
        assert found == entries[: len(found)]
        assert len(found) in (0, *range(1, 2 * STEPS + 2, 2)), "half of an append is there"
        await store.append(opened("next"), reserved("new", "next"), settled("new", "next"))
    assert verify(path).problems == ()
    return len(found) // 2


async def test_a_log_that_was_cut_anywhere_ends_with_the_last_whole_append(tmp_path: Path) -> None:
    path, entries = await cut_off(tmp_path)
    log_bytes = path.with_name("ledger.db-wal").stat().st_size
    dice = random.Random(20261128)
    cuts = [0, 31, 32, 33, log_bytes - 1, log_bytes, *(dice.randrange(log_bytes) for _ in range(25))]
    steps: dict[int, int] = {}
    for number, cut in enumerate(cuts):
        torn = copied(path, tmp_path / f"torn{number}")
        with torn.with_name("ledger.db-wal").open("r+b") as log:
            log.truncate(cut)
        steps[cut] = await whole_steps(torn, entries)
    assert steps[log_bytes] == STEPS
    assert [count for _, count in sorted(steps.items())] == sorted(steps.values()), "a longer log holds less"
    assert 0 < steps[log_bytes - 1] < STEPS


async def test_a_log_whose_end_is_garbage_ends_before_it(tmp_path: Path) -> None:
    path, entries = await cut_off(tmp_path)
    log_bytes = path.with_name("ledger.db-wal").stat().st_size
    dice = random.Random(20261129)
    for number in range(12):
        torn = copied(path, tmp_path / f"torn{number}")
        start = dice.randrange(32, log_bytes)
        with torn.with_name("ledger.db-wal").open("r+b") as log:
            log.seek(start)
            log.write(dice.randbytes(log_bytes - start))
        assert await whole_steps(torn, entries) < STEPS


async def test_a_tail_that_was_acknowledged_and_is_gone_is_told(tmp_path: Path) -> None:
    path, entries = await cut_off(tmp_path)
    # The head was renewed after the last step, as it is once a second: a disk that lied about what it had written.
    shutil.copy(tmp_path / "alive" / "ledger.head", path.with_suffix(".head"))
    with path.with_name("ledger.db-wal").open("r+b") as log:
        log.truncate(log.seek(0, 2) // 2)
    assert "the end of the journal is missing" in verify(path).problems[0]
    store = open_store(path)
    assert "the end of the journal is missing" in store.problems[0]
    assert entries[: len(await journal_of(store))] == await journal_of(store)
    await store.close()
    assert "the end of the journal is missing" in verify(path).problems[0]


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
async def test_a_database_that_was_cut_off_is_refused_or_found_and_never_taken_for_whole(tmp_path: Path, part: float) -> None:
    path = tmp_path / "ledger.db"
    async with books(path, [opened(), *(entry for step in STEP for entry in step)]):
        pass
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    assert not verify(path).whole
    # SQLite itself refuses some; of the others the end is missed, or what they say of themselves.
    with suppress(StoreError):
        await open_store(path).close()
    assert not verify(path).whole
