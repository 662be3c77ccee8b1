"""Thins what grows most and is asked for least: the reasons of decisions whose sessions ended long ago. The journal itself is never cut.

A batch is small, so that nobody's reservation waits for it; the rest follows after a pause.
"""

from __future__ import annotations

import asyncio
import logging

from stepfare.runtime.clock import World
from stepfare.store.errors import StoreError
from stepfare.store.store import Store

DAY_MS = 86_400_000
PAUSE_S = 0.2
ROUND_S = 24 * 3600.0

_log = logging.getLogger(__name__)


async def thin_daily(store: Store, world: World, keep_days: int) -> None:
    """Once a day, at first soon after the start. Ends when it is cancelled."""
    while True:
        await asyncio.sleep(PAUSE_S)
        try:
            removed = await thin(store, world.now_ms() - keep_days * DAY_MS)
        except StoreError as error:
            _log.warning("old reasons were not thinned: %s", error)
        else:
            if removed:
                _log.info("the reasons of %d decisions older than %d days were removed ([ledger] keep_days)", removed, keep_days)
        await asyncio.sleep(ROUND_S)


async def thin(store: Store, before_ms: int) -> int:
    """Removes the reasons of sessions last heard of before that time, and says of how many decisions. Raises StoreError."""
    removed = 0
    while True:
        batch = await store.thin(before_ms)
        removed += batch.removed
        if batch.done:
            return removed
        await asyncio.sleep(PAUSE_S)
