"""Days and months where the user is. A time zone comes in as a function, since this room knows no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TypeAlias

QUARTER_MS = 900_000
"""Every time zone in use begins its days, and changes its clocks, on a quarter of an hour."""
DAY_MS = 86_400_000

OffsetAt: TypeAlias = Callable[[int], int]
"""How far, in ms, the clocks of a time zone are before those of UTC at a time in ms."""


def utc(_at_ms: int) -> int:
    """The offset of UTC itself."""
    return 0


def day_of(local_ms: int) -> str:
    """The day, as 2026-11-21."""
    return datetime.fromtimestamp(local_ms / 1000, UTC).strftime("%Y-%m-%d")


def month_of(local_ms: int) -> str:
    """The month, as 2026-11."""
    return day_of(local_ms)[:7]


def stretches(since_ms: int, until_ms: int, offset_at: OffsetAt) -> Iterator[tuple[int, int, int]]:
    """The time from `since_ms` to before `until_ms` cut where the clocks are changed: (from, to before, offset).

    Looked at once a day: of two changes within one day, as no time zone has them, only the sum is seen.
    """
    begun_ms = since_ms
    while begun_ms < until_ms:
        offset_ms, same_ms, end_ms = offset_at(begun_ms), begun_ms, begun_ms
        while end_ms < until_ms and offset_at(end_ms) == offset_ms:
            same_ms, end_ms = end_ms, min(end_ms + DAY_MS, until_ms)
        if offset_at(end_ms) != offset_ms:
            end_ms = _changed(same_ms, end_ms, offset_ms, offset_at)
        yield begun_ms, min(end_ms, until_ms), offset_ms
        begun_ms = end_ms


def _changed(same_ms: int, other_ms: int, offset_ms: int, offset_at: OffsetAt) -> int:
    """The quarter of an hour at which the offset is another; it still is the same at `same_ms`, and no more at `other_ms`."""
    low, high = same_ms // QUARTER_MS, -(-other_ms // QUARTER_MS)
    while low + 1 < high:
        middle = (low + high) // 2
        if offset_at(middle * QUARTER_MS) == offset_ms:
            low = middle
        else:
            high = middle
    return high * QUARTER_MS
