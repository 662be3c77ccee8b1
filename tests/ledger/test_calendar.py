"""Days and months where the user is, on the days when clocks are changed too."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfare.ledger.calendar import DAY_MS, OffsetAt, day_of, month_of, stretches, utc

HOUR_MS = 3_600_000


def zone(name: str) -> OffsetAt:
    where = ZoneInfo(name)

    def offset_at(at_ms: int) -> int:
        offset = datetime.fromtimestamp(at_ms / 1000, where).utcoffset()
        assert offset is not None
        return round(offset.total_seconds() * 1000)

    return offset_at


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_a_time_has_a_day_and_a_month() -> None:
    assert day_of(ms("2026-11-30T23:59:59")) == "2026-11-30"
    assert month_of(ms("2026-11-30T23:59:59")) == "2026-11"


@pytest.mark.parametrize(
    ("name", "since", "until", "expected"),
    [
        ("UTC", "2026-01-01", "2027-01-01", [("2026-01-01", 0)]),
        # At one o'clock of UTC, in all of Europe.
        ("Europe/Berlin", "2026-03-01", "2026-12-01", [("2026-03-01", 1), ("2026-03-29T01:00", 2), ("2026-10-25T01:00", 1)]),
        ("Asia/Kathmandu", "2026-01-01", "2026-02-01", [("2026-01-01", 5.75)]),
        ("Australia/Lord_Howe", "2026-04-01", "2026-04-06", [("2026-04-01", 11), ("2026-04-04T15:00", 10.5)]),
    ],
)
def test_time_is_cut_where_clocks_are_changed(name: str, since: str, until: str, expected: list[tuple[str, float]]) -> None:
    found = list(stretches(ms(since), ms(until), zone(name)))
    assert [(begun, offset) for begun, _, offset in found] == [(ms(at), hours * HOUR_MS) for at, hours in expected]
    assert [end for _, end, _ in found] == [*(begun for begun, _, _ in found[1:]), ms(until)]


@given(since=st.integers(0, 2**41), days=st.integers(0, 500), name=st.sampled_from(("Europe/Berlin", "America/New_York", "Asia/Tokyo")))
def test_every_moment_is_in_one_stretch_with_its_own_offset(since: int, days: int, name: str) -> None:
    until, offset_at = since + days * DAY_MS, zone(name)
    found = list(stretches(since, until, offset_at))
    assert sum(end - begun for begun, end, _ in found) == until - since
    for begun, end, offset_ms in found:
        assert {offset_at(begun), offset_at((begun + end) // 2), offset_at(end - 1)} == {offset_ms}


def test_no_time_has_no_stretch() -> None:
    assert list(stretches(5, 5, utc)) == []
