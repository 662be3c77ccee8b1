"""Midnight where the user is, also on days of 23 and 25 hours; and ids that are unlike each other."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from stepfare.runtime.clock import World, new_id, now_ms


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("now", "midnight"),
    [
        ("2026-07-10T12:00", "2026-07-09T22:00"),
        ("2026-07-09T22:00", "2026-07-09T22:00"),
        ("2026-07-09T21:59", "2026-07-08T22:00"),
        ("2026-01-10T12:00", "2026-01-09T23:00"),
        # The day on which clocks go forward has its midnight in winter time, the one on which they go back in summer time.
        ("2026-03-29T00:30", "2026-03-28T23:00"),
        ("2026-03-29T12:00", "2026-03-28T23:00"),
        ("2026-10-25T00:30", "2026-10-24T22:00"),
        ("2026-10-25T12:00", "2026-10-24T22:00"),
    ],
)
def test_a_day_begins_at_the_users_midnight_and_keeps_its_beginning(now: str, midnight: str) -> None:
    assert World(now_ms=lambda: ms(now)).day_start_ms() == ms(midnight)


def test_time_is_told_in_ms_since_the_epoch() -> None:
    before = time.time()
    assert before * 1000 - 1 <= now_ms() <= time.time() * 1000 + 1


def test_ids_are_unlike_each_other_and_safe_in_addresses_and_file_names() -> None:
    ids = {new_id("d") for _ in range(10_000)}
    assert len(ids) == 10_000
    assert all(re.fullmatch(r"d_[A-Za-z0-9]{12,32}", one) for one in ids)
