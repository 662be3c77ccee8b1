"""The clock and the dice: the only place where time is read and ids are made."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from stepfare.ledger.calendar import OffsetAt

ID_BYTES = 8

_dice = random.Random(secrets.randbits(256))
"""Ids need to be unlike each other, not secret: three are made for every step."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def new_id(prefix: str) -> str:
    """A fresh id such as `d_1f0c...`, safe in addresses and file names."""
    return f"{prefix}_{_dice.getrandbits(8 * ID_BYTES):0{2 * ID_BYTES}x}"


def offset_at(at_ms: int) -> int:
    """How far, in ms, the clocks of this machine are before those of UTC at that time."""
    offset = datetime.fromtimestamp(at_ms / 1000).astimezone().utcoffset()
    return 0 if offset is None else offset // timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class World:
    """Time, time zone and ids as a value, so that tests can give their own."""

    now_ms: Callable[[], int] = now_ms
    new_id: Callable[[str], str] = new_id
    offset_at: OffsetAt = offset_at

    def day_start_ms(self) -> int:
        """Midnight of today where the user is."""
        # Without an offset: that of now need not be that of midnight, on the days when clocks are changed.
        midnight = datetime.fromtimestamp(self.now_ms() / 1000).replace(hour=0, minute=0, second=0, microsecond=0)  # noqa: DTZ006
        return int(midnight.timestamp() * 1000)

    def team_month_start_ms(self) -> int:
        """The beginning of this month in UTC, which is the same for a team wherever its members are."""
        first = datetime.fromtimestamp(self.now_ms() / 1000, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return int(first.timestamp() * 1000)

    def month_start_ms(self) -> int:
        """Midnight of the first of this month where the user is."""
        first = datetime.fromtimestamp(self.now_ms() / 1000).replace(day=1, hour=0, minute=0, second=0, microsecond=0)  # noqa: DTZ006
        return int(first.timestamp() * 1000)
