"""A power cut, as a file system leaves it: the end of the log is missing, half written or garbage, or the file itself is cut off."""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from stepfare.core.entry import Entry
from stepfare.store import files
from stepfare.store.errors import StoreError
from stepfare.store.verify import verify
from tests.ledger.samples import opened, reserved, settled
from tests.store.books import books, journal_of, open_store

STEPS = 30
PAGE_BYTES = 4096
STEP: list[list[Entry]] = [[reserved(f"a{number}", step=number), settled(f"a{number}")] for number in range(1, STEPS + 1)]


async def cut_off(tmp_path: Path, before: int = 0) -> tuple[Path, list[Entry]]:
    """Books as they lie on disk while a daemon writes: nothing of the last steps is in the database yet, all of it is in the log. So many
    steps were written `before` by a daemon that ended."""
    alive, left = tmp_path / "alive", tmp_path / "left"
    if before:
        async with books(alive / "ledger.db", [opened(), *(entry for step in STEP[:before] for entry in step)]):
            pass
    async with books(alive / "ledger.db", [] if before else [opened()]) as store:
        left.mkdir()
        for step in STEP[before:]:
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


@pytest.mark.parametrize("before", [0, 10])
async def test_a_log_that_was_deleted_ends_with_the_last_checkpoint_and_is_told(tmp_path: Path, before: int) -> None:
    path, entries = await cut_off(tmp_path, before)
    shutil.copy(tmp_path / "alive" / "ledger.head", path.with_suffix(".head"))
    path.with_name("ledger.db-wal").unlink()
    assert not verify(path).whole
    store = open_store(path)
    assert "the end of the journal is missing" in store.problems[0]
    assert await journal_of(store) == entries[: 1 + 2 * before if before else 0]
    await store.append(opened("next"), reserved("new", "next"), settled("new", "next"))
    await store.close()
    # What is missing stays said until somebody has seen to it; what came since is whole.
    assert "the end of the journal is missing" in verify(path).problems[0]
    (kept,) = files.lost_heads(path)
    kept.unlink()
    assert verify(path).problems == ()


async def test_a_head_that_lags_is_no_loss_and_is_brought_up_to_date(tmp_path: Path) -> None:
    """The head is renewed after what it tells of: after a cut it may be older than the journal, by any number of rows."""
    path = tmp_path / "ledger.db"
    async with books(path, [opened(), *STEP[0]]):
        pass
    old = path.with_suffix(".head").read_bytes()
    async with books(path, [entry for step in STEP[1:] for entry in step]):
        pass
    new = path.with_suffix(".head").read_bytes()
    assert new != old
    path.with_suffix(".head").write_bytes(old)
    assert verify(path).problems == ()
    async with books(path) as store:
        assert store.problems == ()
        assert len(await journal_of(store)) == 1 + 2 * STEPS
    assert path.with_suffix(".head").read_bytes() == new


@pytest.mark.parametrize("garbage", [b"", b"{", b'{"count":3}', b'{"count":"many","hash":"zz"}', b"\0" * 64])
async def test_a_head_that_is_garbage_is_said_and_written_anew(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "ledger.db"
    async with books(path, [opened(), *STEP[0]]):
        pass
    path.with_suffix(".head").write_bytes(garbage)
    assert not verify(path).whole
    async with books(path, STEP[1]):
        pass
    assert verify(path).problems == ()


@pytest.mark.parametrize("how", ["zeros", "noise", "cut"])
async def test_a_page_that_was_torn_is_found_wherever_it_lies(tmp_path: Path, how: str) -> None:
    """Half a page of the database itself, which no log mends."""
    path, found, entries = tmp_path / "ledger.db", 0, [opened(), *(entry for step in STEP for entry in step)]
    async with books(path, entries):
        pass
    whole, dice = path.read_bytes(), random.Random(20261130)
    used = [number for number in range(1, len(whole) // PAGE_BYTES) if any(whole[number * PAGE_BYTES : (number + 1) * PAGE_BYTES])]
    for number in dice.sample(used, 12):
        half = number * PAGE_BYTES + PAGE_BYTES // 2
        tail = {"zeros": bytes(PAGE_BYTES // 2), "noise": dice.randbytes(PAGE_BYTES // 2), "cut": b""}[how]
        torn = whole[:half] + tail + (b"" if how == "cut" else whole[half + PAGE_BYTES // 2 :])
        if torn == whole:
            continue
        path.write_bytes(torn)
        if not verify(path).whole:
            found += 1
            continue
        # What lay there belonged to nothing.
        async with books(path) as store:
            assert await journal_of(store) == entries, f"page {number}"
    assert found > 0
