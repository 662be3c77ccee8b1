"""The store: what is appended is there, once, in order, and answers to questions agree with the journal."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.entry import Entry, Opened
from stepfare.ledger.calendar import QUARTER_MS, OffsetAt, utc
from stepfare.ledger.groups import Group
from stepfare.ledger.totals import Totals, report, totals_of
from stepfare.store import queries
from stepfare.store import store as stores
from stepfare.store.errors import StoreError
from stepfare.store.postgres import Postgres
from stepfare.store.queries import AttemptRow, SessionRow, StepRow
from stepfare.store.reports import Report
from stepfare.store.slices import FileSum, Of
from tests.ledger.samples import NOW_MS, journals, lost, opened, reserved, settled, voided
from tests.postgres import Server
from tests.store.books import Place, books, journal_of, open_store, verdict


async def test_what_was_appended_is_there_after_reopening(place: Place) -> None:
    entries = [opened(), reserved(), settled(), reserved("a2", step=2)]
    async with books(place, entries) as store:
        assert await journal_of(store) == entries
    async with books(place) as store:
        assert await journal_of(store) == entries
        assert await store.open_reservations() == [entries[-1]]
        await store.append(settled("a2"))
        assert await store.open_reservations() == []
    assert verdict(place).whole


async def test_entries_that_come_again_change_nothing(place: Place) -> None:
    entries = [opened(), reserved(), settled(), reserved("a2", step=2), voided("a2")]
    async with books(place, entries) as store:
        await store.append(*entries)
        await asyncio.gather(*(store.append(entry) for entry in entries))
        assert await journal_of(store) == entries
    # Nothing of them is in memory any more.
    async with books(place) as store:
        await asyncio.gather(*(store.append(entry) for entry in entries), store.append(reserved("a3", step=3)))
        assert await journal_of(store) == [*entries, reserved("a3", step=3)]
        assert (await store.totals()).steps == 1
    assert verdict(place).whole


async def test_an_append_that_breaks_the_order_is_refused_whole_and_hits_nobody_else(place: Place) -> None:
    async with books(place, [opened()]) as store:
        results = await asyncio.gather(
            store.append(reserved()),
            store.append(reserved("a2"), settled("never heard of")),
            store.append(reserved("a3")),
            store.append(settled("nor of this")),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [type(None), AssertionError, type(None), AssertionError]
        assert "never reserved" in str(results[1])
        assert await store.open_reservations() == [reserved(), reserved("a3")]
        await store.append(settled())
        with pytest.raises(AssertionError, match="already settled"):
            await store.append(lost())
        with pytest.raises(AssertionError, match="a3 of s1 is settled by s2"):
            await store.append(settled("a3", "s2"))
    assert verdict(place).whole


async def test_a_caller_that_goes_away_does_not_take_its_entry_with_it(place: Place) -> None:
    async with books(place, [opened()]) as store:
        going = asyncio.create_task(store.append(reserved()))
        await asyncio.sleep(0)
        going.cancel()
        await store.append(reserved("a2"))
        assert going.cancelled()
        assert await store.open_reservations() == [reserved(), reserved("a2")]


async def test_64_agents_at_once_find_all_their_entries_in_the_books(place: Place) -> None:
    async def agent(store: stores.Store, session: str) -> None:
        await store.append(opened(session))
        for step in range(1, 11):
            attempt = f"{session}-{step}"
            await store.append(reserved(attempt, session, step))
            await store.append(settled(attempt, session))

    async with books(place) as store:
        await asyncio.gather(*(agent(store, f"s{number}") for number in range(64)))
        assert (await store.totals()).steps == 640
    found = verdict(place)
    assert (found.rows, found.problems) == (64 * 21, ())


async def test_appends_beyond_the_bound_wait_for_room(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "WAITING_APPENDS_MAX", 2)
    async with books(place, [opened()]) as store:
        await asyncio.gather(*(store.append(reserved(f"a{number}", step=number)) for number in range(1, 21)))
        assert len(await store.open_reservations()) == 20


async def test_a_decision_is_kept_as_it_was_first_told(place: Place) -> None:
    async with books(place, [opened(), opened("s2")]) as store:
        await store.append(reserved(), decision=("d1", "s1", b'{"because":["it is \xc3\xa4 read"]}'))
        await store.append(decision=("d2", "s1", b"{}"))
        await store.append(reserved("a3", "s2"), decision=("d3", "s2", b'{"id":"d3"}'))
        await store.append(reserved("a4"), decision=("d1", "s1", b'{"because":["something else"]}'))
        assert await store.decision("d1") == b'{"because":["it is \xc3\xa4 read"]}'
        assert await store.decision("d9") is None
        assert await store.latest_decision() == b'{"id":"d3"}'
        assert await store.latest_decision("s1") == b"{}"
        assert await store.latest_decision("s9") is None


async def test_a_decision_comes_with_its_entries_or_not_at_all(place: Place) -> None:
    async with books(place, [opened()]) as store:
        with pytest.raises(AssertionError):
            await store.append(settled("never heard of"), decision=("d1", "s1", b"{}"))
        assert await store.decision("d1") is None


async def test_sessions_are_listed_with_their_totals_the_last_heard_of_first(place: Place) -> None:
    entries = [
        opened("old", NOW_MS, "/a"),
        opened("new", NOW_MS + 1, "/b"),
        reserved("a1", "new", at_ms=NOW_MS + 5),
        settled("a1", "new", at_ms=NOW_MS + 50),
        reserved("a2", "new", step=2, at_ms=NOW_MS + 60),
        reserved("a3", "unopened", at_ms=NOW_MS + 70),
    ]
    async with books(place, entries) as store:
        new = SessionRow(opened("new", NOW_MS + 1, "/b"), NOW_MS + 60, totals_of(entries[1:5]))
        old = SessionRow(opened("old", NOW_MS, "/a"), NOW_MS, Totals())
        unopened = SessionRow(Opened("unopened", NOW_MS + 70, "", "", "", "", ""), NOW_MS + 70, Totals(reserved_pusd=900))
        assert await store.sessions() == [unopened, new, old]
        assert await store.sessions(limit=1) == [unopened]
        assert await store.sessions(since_ms=NOW_MS + 1) == [unopened, new]
        assert await store.sessions(workspace="/b") == [new]
        assert await store.session("old") == old
        assert await store.session("unknown") is None


async def test_steps_are_told_with_all_their_attempts(place: Place) -> None:
    first, failed, again, waiting = reserved("a1"), reserved("b", step=2), reserved("a", step=2), reserved("a3", step=3)
    async with books(place, [opened(), first, failed, settled("a1"), voided("b"), again, waiting, settled("a")]) as store:
        assert await store.steps("s1") == [
            StepRow("s1", 1, (AttemptRow(first, settled("a1")),)),
            StepRow("s1", 2, (AttemptRow(failed, voided("b")), AttemptRow(again, settled("a")))),
            StepRow("s1", 3, (AttemptRow(waiting, None),)),
        ]
        assert await store.steps("unknown") == []
        for latest in (1, 2, 9):
            found = await store.latest_steps(["s1", "unknown"], latest)
            assert found == {"s1": (await store.steps("s1"))[-latest:], "unknown": []}


async def test_the_journal_is_read_in_batches_from_any_row_and_time_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "ENTRIES_BATCH_ROWS", 3)
    entries: list[Entry] = [reserved(f"a{number}", "s1" if number % 2 else "s2", number, NOW_MS + number) for number in range(10)]

    async def rows(
        *, since_ms: int = 0, session: str | None = None, after_row: int = 0, limit: int | None = None
    ) -> tuple[list[int], list[int]]:
        batches = [batch async for batch in store.entries(since_ms=since_ms, session=session, after_row=after_row, limit=limit)]
        return [row.row for batch in batches for row in batch], [len(batch) for batch in batches]

    async with books(place, entries) as store:
        assert await rows() == (list(range(1, 11)), [3, 3, 3, 1])
        assert await rows(limit=4) == ([1, 2, 3, 4], [3, 1])
        assert await rows(after_row=8) == ([9, 10], [2])
        assert await rows(since_ms=NOW_MS + 7) == ([8, 9, 10], [3])
        assert await rows(since_ms=NOW_MS + 99) == ([], [])
        assert await rows(session="s2", since_ms=NOW_MS + 3) == ([5, 7, 9], [3])


async def test_recent_entries_hold_whole_sessions(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [opened("s1"), opened("s2"), reserved("a1", "s1"), reserved("a2", "s2"), settled("a1", "s1", NOW_MS + 99), opened("s3")]
    async with books(place, entries) as store:
        assert await store.recent_entries(NOW_MS + 99) == [entry for entry in entries if entry.session == "s1"]
        assert await store.recent_entries(NOW_MS) == entries
        assert {entry.session for entry in await store.recent_entries(NOW_MS, sessions_max=1)} == {"s1"}
        monkeypatch.setattr(queries, "RECENT_ENTRIES_MAX", 4)
        assert {entry.session for entry in await store.recent_entries(NOW_MS)} == {"s1", "s2"}


async def test_half_a_character_of_a_cut_title_does_not_stop_the_books(place: Place) -> None:
    async with books(place, [opened(title="Fix the \ud83d"), reserved()]) as store:
        session = await store.session("s1")
        assert session is not None
        assert session.opened.title == "Fix the \ufffd"
    assert verdict(place).whole


async def test_a_closed_store_says_so(place: Place) -> None:
    store = open_store(place)
    await store.append(opened())
    await store.close()
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.append(reserved())
    with pytest.raises(StoreError, match="closed"):
        await store.open_reservations()


async def test_appends_under_way_are_written_before_closing(place: Place) -> None:
    store = open_store(place)
    under_way = [asyncio.create_task(store.append(opened(f"s{number}"))) for number in range(50)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*under_way)
    assert verdict(place).rows == 50


async def test_a_report_of_a_workspace_holds_its_sessions_only(place: Place) -> None:
    entries = [
        opened("s1", workspace="/a"),
        opened("s2", workspace="/b"),
        reserved("a1", "s1"),
        settled("a1", "s1", NOW_MS + 7),
        reserved("a2", "s2"),
        settled("a2", "s2", NOW_MS + 7, cost_pusd=3),
        reserved("a3", "s2", step=2),
    ]
    there = [entry for entry in entries if entry.session == "s2"]
    async with books(place, entries) as store:
        for since_ms in (0, NOW_MS):
            assert await store.totals(since_ms, workspace="/b") == totals_of(there)
            found = await store.report(("session",), since_ms, of=Of(workspace="/b"))
            assert found == Report(totals_of(there), report(there, ("session",)))
            assert (await store.report(("tier",), since_ms, of=Of(project="shop"))).whole == totals_of(entries)
            assert (await store.report(("tier",), since_ms, of=Of(project="/b"))).parts == {}
        assert await store.totals(workspace="/c") == Totals()


async def test_a_steps_cost_is_parted_among_the_files_that_it_touches(place: Place) -> None:
    day_ms = NOW_MS - NOW_MS % 86_400_000
    entries: list[Entry] = [opened("s1"), replace(opened("s2"), project="/other")]
    for number, (session, at_ms, cost, files, committed) in enumerate(
        (
            ("s1", day_ms, 500, ("a.py", "src/b.py", "c.md"), True),
            ("s1", day_ms + 1, 100, ("a.py",), True),
            ("s1", day_ms + 2, 9, ("a.py",), False),  # escalated: paid, and no step of its own
            ("s1", day_ms + 3, None, ("c.md",), True),
            ("s1", day_ms + 4, 77, (), True),
            ("s1", day_ms - 1, 40, ("old.py",), True),
            ("s2", day_ms, 70, ("a.py",), True),
        )
    ):
        attempt = f"a{number}"
        entries += [
            reserved(attempt, session, number + 1, at_ms),
            replace(settled(attempt, session, at_ms, cost), files=files, committed=committed),
        ]
    async with books(place, entries) as store:
        found = await store.files("shop", day_ms + 5_000, 10)
        assert found == [FileSum("a.py", 2, 168 + 100 + 9), FileSum("c.md", 2, 166), FileSum("src/b.py", 1, 166)]
        assert sum(one.spent_pusd for one in found) == 500 + 100 + 9
        assert await store.files("shop", day_ms - 1, 1) == found[:1]
        assert [one.file for one in await store.files("shop", day_ms - 1, 10)] == ["a.py", "c.md", "src/b.py", "old.py"]
        assert await store.files("/other", 0, 10) == [FileSum("a.py", 1, 70)]
    assert verdict(place).whole


async def test_days_begin_where_the_time_zone_says(place: Place) -> None:
    midnight_ms = NOW_MS - NOW_MS % 86_400_000
    entries = [opened(), reserved(), settled(at_ms=midnight_ms - KATHMANDU_MS - 1), reserved("a2", step=2)]
    entries += [replace(settled("a2"), at_ms=midnight_ms - KATHMANDU_MS)]
    async with books(place, entries) as store:
        days = await store.report(("day",), offset_at=lambda _: KATHMANDU_MS)
        assert {day: totals.steps for (day,), totals in days.parts.items()} == {"2026-11-17": 1, "2026-11-18": 1}
        assert list((await store.report(("day",))).parts) == [("2026-11-17",)]


SPANS = st.tuples(
    st.just(0) | st.integers(NOW_MS, NOW_MS + 4 * 3_600_000), st.none() | st.integers(NOW_MS, NOW_MS + 4 * 3_600_000)
) | st.integers(0, 3).map(lambda quarters: (NOW_MS - NOW_MS % QUARTER_MS, NOW_MS - NOW_MS % QUARTER_MS + quarters * QUARTER_MS))


KATHMANDU_MS = 5 * 3_600_000 + 45 * 60_000
CHANGED_MS = NOW_MS - NOW_MS % QUARTER_MS + 4 * QUARTER_MS


def changed_clocks(at_ms: int) -> int:
    """Clocks that are set forward by an hour in the middle of things."""
    return KATHMANDU_MS + (3_600_000 if at_ms >= CHANGED_MS else 0)


BY = st.lists(st.sampled_from(get_args(Group)), max_size=2, unique=True)


async def agree(
    place: Place, entries: list[Entry], spans: list[tuple[int, int | None]], by: list[Group], offset_at: OffsetAt, cuts: int
) -> None:
    async with books(place) as store:
        for start in range(0, len(entries), cuts):
            await store.append(*entries[start : start + cuts])
        assert await store.totals() == totals_of(entries)
        for since_ms, until_ms in spans:
            assert await store.totals(since_ms, until_ms) == totals_of(entries, since_ms, until_ms)
            found = await store.report(by, since_ms, until_ms, offset_at=offset_at)
            assert found == Report(totals_of(entries, since_ms, until_ms), report(entries, by, since_ms, until_ms, offset_at))
            of_session = [entry for entry in entries if entry.session == "s1"]
            found = await store.report(by, since_ms, until_ms, Of(session="s1"), offset_at)
            assert found.parts == report(of_session, by, since_ms, until_ms, offset_at)
        for row in await store.sessions():
            assert row.totals == totals_of(entry for entry in entries if entry.session == row.opened.session)
            assert row.last_ms == max(entry.at_ms for entry in entries if entry.session == row.opened.session)
    assert verdict(place).problems == ()


@settings(max_examples=60, deadline=None)
@given(
    entries=journals(),
    spans=st.lists(SPANS, min_size=2, max_size=2),
    by=BY,
    offset_at=st.sampled_from((utc, changed_clocks)),
    cuts=st.integers(1, 4),
)
def test_sums_in_a_file_are_the_fold_of_the_journal(
    entries: list[Entry], spans: list[tuple[int, int | None]], by: list[Group], offset_at: OffsetAt, cuts: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(agree(Path(folder) / "ledger.db", entries, spans, by, offset_at, cuts))


@settings(max_examples=15, deadline=None)
@given(
    entries=journals(),
    spans=st.lists(SPANS, min_size=2, max_size=2),
    by=BY,
    offset_at=st.sampled_from((utc, changed_clocks)),
    cuts=st.integers(1, 4),
)
def test_sums_on_a_server_are_the_fold_of_the_journal(
    postgres: Server, entries: list[Entry], spans: list[tuple[int, int | None]], by: list[Group], offset_at: OffsetAt, cuts: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(agree(Postgres(postgres.database(), Path(folder)), entries, spans, by, offset_at, cuts))
