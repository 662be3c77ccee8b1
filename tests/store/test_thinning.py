"""Old reasons go and nothing else does: no entry, no decision of a session that was heard of later, and no sum."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from stepfare.runtime import thinning as daily
from stepfare.runtime.clock import World
from stepfare.store import thinning
from stepfare.store.store import Store
from tests.ledger.samples import NOW_MS, opened, reserved, settled
from tests.store.books import Place, books, verdict

DAY_MS = 86_400_000
SESSIONS = 12
BEGUN_MS = NOW_MS - 1_000 * DAY_MS
"""Long ago by any clock: a server lets nothing go that is younger than a day by its own."""


async def decided(store: Store, number: int) -> None:
    """A session that was heard of so many days after the first."""
    session, at_ms = f"s{number}", BEGUN_MS + number * DAY_MS
    attempt = reserved(f"a{number}", session, at_ms=at_ms)
    await store.append(opened(session, at_ms), attempt, decision=(f"d{number}", session, b"{}"))
    await store.append(settled(f"a{number}", session, at_ms + 1))


async def kept(store: Store) -> list[int]:
    return [number for number in range(SESSIONS) if await store.decision(f"d{number}") is not None]


async def until_kept(store: Store, expected: list[int]) -> None:
    for _ in range(500):
        if await kept(store) == expected:
            return
        await asyncio.sleep(0.01)
    assert await kept(store) == expected


async def test_reasons_of_old_sessions_go_batch_by_batch(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinning, "SESSIONS_MAX", 3)
    monkeypatch.setattr(daily, "PAUSE_S", 0.0)
    async with books(place) as store:
        for number in range(SESSIONS):
            await decided(store, number)
        totals = await store.totals()
        assert (await store.thin(BEGUN_MS + 7 * DAY_MS)).removed == 3
        assert await kept(store) == list(range(3, SESSIONS))
        assert await daily.thin(store, BEGUN_MS + 7 * DAY_MS) == 4
        assert await daily.thin(store, BEGUN_MS + 7 * DAY_MS) == 0
        assert await daily.thin(store, BEGUN_MS) == 0
        assert await kept(store) == list(range(7, SESSIONS))
        # One that goes on is not old any more, and thinned when it is again.
        await store.append(reserved("later", "s7", 2, BEGUN_MS + 20 * DAY_MS), decision=("later", "s7", b"{}"))
        assert await daily.thin(store, BEGUN_MS + 9 * DAY_MS) == 1
        assert await kept(store) == [7, *range(9, SESSIONS)]
        assert await daily.thin(store, BEGUN_MS + 30 * DAY_MS) == 5
        assert await store.decision("later") is None
        assert (await store.totals()).spent_pusd == totals.spent_pusd
    assert verdict(place).problems == ()


async def test_many_sessions_of_one_moment_are_thinned_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinning, "SESSIONS_MAX", 2)
    monkeypatch.setattr(daily, "PAUSE_S", 0.0)
    async with books(tmp_path / "ledger.db") as store:
        for number in range(SESSIONS):
            await store.append(opened(f"s{number}"), decision=(f"d{number}", f"s{number}", b"{}"))
        assert await daily.thin(store, NOW_MS + 1) == SESSIONS


async def test_no_program_can_remove_reasons_that_are_not_old(tmp_path: Path) -> None:
    async with books(tmp_path / "ledger.db") as store:
        for number in range(SESSIONS):
            await decided(store, number)
        await daily.thin(store, BEGUN_MS + 2 * DAY_MS)
    other = sqlite3.connect(tmp_path / "ledger.db")
    with pytest.raises(sqlite3.IntegrityError, match="decisions stand"):
        other.execute("DELETE FROM decisions WHERE id = 'd5'")
    other.close()


async def test_it_is_done_once_a_day_with_the_days_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daily, "PAUSE_S", 0.0)
    monkeypatch.setattr(daily, "ROUND_S", 0.01)
    now_ms = [BEGUN_MS + 10 * DAY_MS]
    async with books(tmp_path / "ledger.db") as store:
        for number in range(SESSIONS):
            await decided(store, number)
        errand = asyncio.create_task(daily.thin_daily(store, World(now_ms=lambda: now_ms[0]), keep_days=7))
        await until_kept(store, list(range(3, SESSIONS)))
        now_ms[0] += 2 * DAY_MS
        await until_kept(store, list(range(5, SESSIONS)))
        errand.cancel()
