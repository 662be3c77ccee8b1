"""Books that several daemons write: one chain, one order, nothing twice, and everybody learns what the others wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from stepfare.core.annotation import Annotation, Merged, Renamed
from stepfare.core.entry import Entry
from stepfare.ledger import codec
from stepfare.ledger.calendar import DAY_MS
from stepfare.ledger.claims import Claim, Heap, OverCap, Purse
from stepfare.sessions.shown import Refused
from stepfare.store import following, spool
from stepfare.store.errors import StoreError
from stepfare.store.postgres import Postgres
from stepfare.store.store import Store
from tests.ledger.samples import NOW_MS, lost, opened, reserved, settled
from tests.postgres import Server, serving
from tests.store.books import Place, books, journal_of, open_store, verdict

TOLD_S = 5.0
MIDNIGHT_MS = NOW_MS - NOW_MS % DAY_MS


def elsewhere(shared: Postgres, name: str) -> Postgres:
    """The same books as another daemon has them, whose home is another."""
    return replace(shared, home=shared.home / name)


async def test_daemons_that_write_at_once_make_one_whole_chain(shared: Postgres) -> None:
    async def agent(store: Store, session: str) -> None:
        await store.append(opened(session))
        for step in range(1, 6):
            await store.append(reserved(f"{session}-{step}", session, step))
            await store.append(settled(f"{session}-{step}", session))

    stores = [open_store(elsewhere(shared, name)) for name in ("a", "b", "c")]
    await asyncio.gather(*(agent(store, f"s{number}-{where}") for number in range(8) for where, store in enumerate(stores)))
    assert (await stores[0].totals()).steps == 3 * 8 * 5
    for store in stores:
        await store.close()
    found = verdict(elsewhere(shared, "b"))
    assert (found.rows, found.problems) == (3 * 8 * 11, ())


async def test_daemons_that_start_at_once_on_an_empty_database_make_one_set_of_tables(shared: Postgres) -> None:
    stores = await asyncio.gather(*(asyncio.to_thread(open_store, elsewhere(shared, str(number))) for number in range(6)))
    await asyncio.gather(*(store.append(opened(f"s{number}")) for number, store in enumerate(stores)))
    for store in stores:
        assert len(await journal_of(store)) == 6
        await store.close()


async def test_steps_of_one_session_by_turns_are_counted_once(shared: Postgres) -> None:
    async with books(elsewhere(shared, "a")) as one, books(elsewhere(shared, "b")) as other:
        await one.append(opened(), reserved("a1", step=1))
        await other.append(reserved("a2", step=1), settled("a2"))
        await one.append(settled("a1"))
        await other.append(reserved("a3", step=2))
        await one.append(settled("a3"))
        assert (await one.totals()).steps == 2
        row = await other.session("s1")
        assert row is not None
        assert row.totals.spent_pusd == 1_500
    assert verdict(elsewhere(shared, "a")).problems == ()


async def test_what_comes_again_through_another_daemon_changes_nothing(shared: Postgres) -> None:
    async with books(elsewhere(shared, "a"), [opened(), reserved()]) as one, books(elsewhere(shared, "b")) as other:
        await other.append(opened(), reserved(), settled())
        await one.append(settled(), reserved())
        with pytest.raises(AssertionError, match="already settled"):
            await one.append(lost())
        assert await journal_of(one) == [opened(), reserved(), settled()]


async def test_each_is_told_what_the_others_wrote_and_not_its_own(shared: Postgres) -> None:
    async with books(elsewhere(shared, "a"), [opened("s0")]) as one, books(elsewhere(shared, "b")) as other:
        known = await other.remembered(0)
        assert known.entries == [opened("s0")]
        told: list[Entry] = []
        heard = asyncio.Event()

        def hear(entries: object) -> None:
            told.extend(entries)  # type: ignore[call-overload]
            heard.set()

        other.follow(known.row, hear)
        await other.append(opened("s1"))
        await one.append(opened("s2"), reserved("a2", "s2"))
        # Announced, without anybody asking.
        await asyncio.wait_for(heard.wait(), TOLD_S)
        await one.append(settled("a2", "s2"))
        await other.look()
        assert told == [opened("s2"), reserved("a2", "s2"), settled("a2", "s2")]


async def test_what_could_not_be_taken_in_of_the_others_is_said_and_taken_in_later(
    shared: Postgres, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    flaws: list[Exception] = [codec.Unreadable("an entry of version 9"), ValueError("nobody foresaw this")]

    def decode(body: bytes) -> Entry:
        if flaws:
            raise flaws.pop(0)
        return codec.decode(body)

    monkeypatch.setattr(following, "codec", SimpleNamespace(decode=decode))
    async with books(elsewhere(shared, "a"), [opened("s0")]) as one, books(elsewhere(shared, "b")) as other:
        told: list[Entry] = []
        other.follow((await other.remembered(0)).row, told.extend)
        await one.append(opened("s2"), reserved("a2", "s2"))
        async with asyncio.timeout(4 * TOLD_S):
            while not told:
                await other.look()
        assert told == [opened("s2"), reserved("a2", "s2")]
    said = [record.exc_text or "" for record in caplog.records if "could not be taken in" in record.message]
    assert ["version 9" in said[0], "nobody foresaw this" in said[1]] == [True, True]


async def test_what_is_said_at_once_through_two_daemons_is_legal_in_the_order_of_the_books(shared: Postgres) -> None:
    async with books(elsewhere(shared, "a"), [opened("s1"), opened("s2")]) as one, books(elsewhere(shared, "b")) as other:
        heard: list[Sequence[Annotation]] = []
        known = await other.remembered(0)
        other.follow(known.row, lambda _: None, 0, heard.append)
        # Each makes sense alone; behind each other they would go round in a circle for good.
        crossed = (one.annotate(Merged("s1", NOW_MS, "s2")), other.annotate(Merged("s2", NOW_MS, "s1")))
        refused = [error for error in await asyncio.gather(*crossed, return_exceptions=True) if isinstance(error, BaseException)]
        assert [type(error) for error in refused] == [Refused]
        said = await one.annotations()
        assert len(said) == 1
        assert await one.annotate(Renamed("s1", NOW_MS, "The basket")) == [*said, Renamed("s1", NOW_MS, "The basket")]
        await other.look()
        assert heard[-1] == await other.annotations()
        count = len(heard)
        await other.look()
        assert len(heard) == count


async def test_only_what_this_daemon_or_one_long_gone_left_open_is_lost(shared: Postgres) -> None:
    one, other = open_store(elsewhere(shared, "a")), open_store(elsewhere(shared, "b"))
    await one.append(opened(), reserved("mine"))
    await other.append(reserved("others"))
    async with asyncio.timeout(TOLD_S):
        while await _heard_of(shared) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await one.close()
    one = open_store(elsewhere(shared, "a"))
    now_ms = NOW_MS
    assert [entry.attempt for entry in await one.left_open(now_ms)] == ["mine"]
    assert [entry.attempt for entry in await one.left_open(now_ms + 100 * 366 * 86_400_000)] == ["mine", "others"]
    await one.close()
    await other.close()


async def _heard_of(shared: Postgres) -> int:
    connection = shared.connect()
    try:
        return connection.execute("SELECT count(*) FROM daemons").fetchone()[0]
    finally:
        connection.close()


async def test_a_writer_that_is_cut_off_goes_on_and_writes_nothing_twice(shared: Postgres, postgres: Server) -> None:
    async with books(shared, [opened()]) as store:
        for number in range(1, 4):
            await store.append(reserved(f"a{number}", step=number))
            postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test_%'")
            # The same again, as somebody does who heard no answer.
            async with asyncio.timeout(TOLD_S):
                while True:
                    try:
                        await store.append(reserved(f"a{number}", step=number), settled(f"a{number}"))
                        break
                    except Exception:  # noqa: BLE001
                        await asyncio.sleep(0.05)
        assert (await store.totals()).steps == 3
    assert (verdict(shared).rows, verdict(shared).problems) == (7, ())


async def test_two_daemons_in_one_home_are_one_too_many(shared: Postgres) -> None:
    async with books(shared):
        with pytest.raises(Exception, match="in use by another stepfare daemon"):
            open_store(shared)


async def test_the_journal_cannot_be_changed_by_those_who_write_it(shared: Postgres) -> None:
    async with books(shared, [opened(), reserved()]):
        connection = shared.connect()
        for statement in ("UPDATE journal SET body = '{}'", "DELETE FROM journal", "TRUNCATE journal", "TRUNCATE decisions"):
            with pytest.raises(Exception, match="the journal only grows"):
                connection.execute(statement)
        connection.close()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE journal SET body = replace(body, '\"cost_pusd\":500', '\"cost_pusd\":400') WHERE row = 3", "row 3 does not fit its hash"),
        ("DELETE FROM journal WHERE row = 2", "row 2 is missing: after row 1 comes row 3"),
        ("UPDATE time_slices SET spent_pusd = 7", "the table time_slices says"),
        ("UPDATE head SET count = 2", "the journal ends at row 3, but its head says that row 2 was written last"),
    ],
)
async def test_tampering_on_the_server_is_found_and_named(shared: Postgres, postgres: Server, statement: str, words: str) -> None:
    async with books(shared, [opened(), reserved(), settled()]):
        pass
    postgres.execute(
        "SET search_path = stepfare",
        "ALTER TABLE journal DISABLE TRIGGER ALL",
        statement,
        "ALTER TABLE journal ENABLE TRIGGER ALL",
        url=shared.url,
    )
    assert any(words in problem for problem in verdict(shared).problems)


async def test_a_tail_that_is_cut_off_is_told_by_the_head_on_this_machine(shared: Postgres, postgres: Server, tmp_path: Path) -> None:
    async with books(shared, [opened(), reserved(), settled()]):
        pass
    postgres.execute(
        "SET search_path = stepfare",
        "ALTER TABLE journal DISABLE TRIGGER ALL",
        "DELETE FROM journal WHERE row = 3",
        "UPDATE head SET count = 2, hash = (SELECT hash FROM journal WHERE row = 2)",
        "ALTER TABLE journal ENABLE TRIGGER ALL",
        url=shared.url,
    )
    assert any("the end of the journal is missing: it has 2 rows, but row 3 was written" in words for words in verdict(shared).problems)


@pytest.mark.parametrize(
    ("purse", "used_pusd"),
    [
        (Purse(Heap.SESSION, "s1"), 1_400),
        (Purse(Heap.PROJECT, "shop", MIDNIGHT_MS), 2_300),
        (Purse(Heap.USER, "ann", MIDNIGHT_MS), 2_300),
        (Purse(Heap.USER, "ben", MIDNIGHT_MS), 0),
        (Purse(Heap.ALL, since_ms=MIDNIGHT_MS), 2_300),
        (Purse(Heap.ALL, since_ms=MIDNIGHT_MS - 40 * DAY_MS), 2_800),
        (Purse(Heap.ALL, since_ms=MIDNIGHT_MS + DAY_MS), 1_800),
    ],
)
async def test_a_claim_finds_all_that_was_spent_and_reserved(place: Place, purse: Purse, used_pusd: int) -> None:
    long_ago_ms = MIDNIGHT_MS - DAY_MS
    before = [opened("s0", long_ago_ms), reserved("a0", "s0", at_ms=long_ago_ms), settled("a0", "s0", long_ago_ms)]
    entries = [*before, opened(), reserved(), settled(), reserved("a2", step=2), opened("s2"), reserved("a3", "s2")]
    # Read from what is on disk, or kept while it is written: the same.
    async with books(place, entries) as store:
        for cut in (0, len(before), len(entries)):
            with pytest.raises(OverCap) as refused:
                await store.append(*entries[:cut], reserved(f"more{cut}"), claims=[Claim(purse, used_pusd + 899)])
            assert refused.value.used_pusd == used_pusd
        await store.append(reserved("more", "s1", step=7), claims=[Claim(purse, used_pusd + 900)])
    assert verdict(place).problems == ()


async def test_sessions_that_were_merged_have_one_purse_whoever_writes(shared: Postgres) -> None:
    """What is read of it when it is asked for and what is kept while it is written are the same."""
    claim = Claim(Purse(Heap.SESSION, "s1", merged=("s2",)), 2_000)
    entries = [opened("s1"), opened("s2"), opened("s3"), reserved("a1", "s1"), settled("a1", "s1")]
    async with books(elsewhere(shared, "a"), entries) as one, books(elsewhere(shared, "b")) as other:
        await other.append(reserved("a2", "s2"), claims=[replace(claim, purse=Purse(Heap.SESSION, "s2", merged=("s1",)))])
        await one.append(reserved("a3", "s3"), settled("a3", "s3"))
        for store in (one, other, other):
            with pytest.raises(OverCap) as refused:
                await store.append(reserved("a4", "s1", 2), claims=[claim])
            assert refused.value.used_pusd == 1_400
        await other.append(settled("a2", "s2"))
        await other.append(reserved("a4", "s1", 2), claims=[claim])
        with pytest.raises(OverCap) as refused:
            await other.append(reserved("a5", "s2", 2), claims=[claim])
        assert refused.value.used_pusd == 1_900


async def test_64_reservations_at_once_on_three_daemons_never_pass_a_cap(shared: Postgres) -> None:
    stores = [open_store(elsewhere(shared, name)) for name in ("a", "b", "c")]
    claim = Claim(Purse(Heap.ALL, since_ms=MIDNIGHT_MS), 10_000)
    over: list[OverCap] = []

    async def agent(store: Store, number: int) -> None:
        session = f"s{number}"
        await store.append(opened(session))
        for step in range(1, 5):
            try:
                await store.append(reserved(f"{session}-{step}", session, step), claims=[claim])
            except OverCap as refused:
                over.append(refused)
                continue
            used = await store.totals()
            assert used.spent_pusd + used.reserved_pusd <= 10_000
            await store.append(settled(f"{session}-{step}", session))

    await asyncio.gather(*(agent(stores[number % 3], number) for number in range(64)))
    used = await stores[0].totals()
    assert used.reserved_pusd == 0
    # As much as has room was let through: a reservation is refused only where less than its 900 is left, and each settles at 500.
    assert (10_000 - 900) * 500 // 900 < used.spent_pusd <= 10_000
    assert over
    assert all(refused.used_pusd <= 10_000 for refused in over)
    for store in stores:
        await store.close()
    assert verdict(elsewhere(shared, "a")).problems == ()


async def test_what_is_written_while_the_server_is_away_is_in_the_books_when_it_is_back(tmp_path: Path) -> None:
    with serving() as server:
        away = Postgres(server.database(), tmp_path)
        async with books(away, [opened()]) as store:
            await store.append(reserved("a1"), decision=("d1", "s1", b"{}"))
            server.stop()
            await store.append(settled("a1"), decision=("d2", "s1", b"{}"))
            await store.append(reserved("a2", step=2), settled("a2"))
            assert store.put_aside == 2
            with pytest.raises(StoreError, match="cannot be reached"):
                await store.totals()
            server.start()
            async with asyncio.timeout(2 * TOLD_S):
                while store.put_aside:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            await store.append(reserved("a3", step=3))
            assert await journal_of(store) == [
                opened(),
                reserved("a1"),
                settled("a1"),
                reserved("a2", step=2),
                settled("a2"),
                reserved("a3", step=3),
            ]
            assert await store.decision("d2") == b"{}"
        assert verdict(away).problems == ()


async def test_a_password_that_cannot_be_had_when_the_server_is_back_is_waited_for(tmp_path: Path) -> None:
    had: list[str] = [""]

    def password() -> str:
        if not had:
            raise StoreError("the password of the ledger's server is not to be had: the keyring is locked.")
        return had[0]

    with serving() as server:
        away = Postgres(server.database(), tmp_path, password)
        async with books(away, [opened(), reserved("a1")]) as store:
            had.clear()
            server.stop()
            server.start()  # The connection is cut, and the next one needs the password.
            await store.append(settled("a1"))
            await store.append(reserved("a2", step=2))
            assert store.put_aside == 2
            with pytest.raises(StoreError, match="the keyring is locked"):
                await store.totals()
            had.append("")
            async with asyncio.timeout(2 * TOLD_S):
                while store.put_aside:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert await journal_of(store) == [opened(), reserved("a1"), settled("a1"), reserved("a2", step=2)]
        assert verdict(away).problems == ()


async def test_what_waits_outlives_the_daemon_and_is_written_once(tmp_path: Path) -> None:
    with serving() as server:
        away = Postgres(server.database(), tmp_path)
        store = open_store(away)
        await store.append(opened(), reserved("a1"))
        server.stop()
        await store.append(settled("a1"), reserved("a2", step=2))
        kept = away.beside.with_suffix(".spool").read_bytes()
        await store.close()
        server.start()
        # As if the daemon had died between writing what waited and forgetting it, with half a line behind it.
        for _ in range(2):
            away.beside.with_suffix(".spool").write_bytes(kept + kept[: len(kept) // 2])
            store = open_store(away)
            assert await journal_of(store) == [opened(), reserved("a1"), settled("a1"), reserved("a2", step=2)]
            assert [entry.attempt for entry in await store.left_open(NOW_MS)] == ["a2"]
            await store.close()
        assert verdict(away).problems == ()


async def test_beyond_the_bound_no_reservation_is_let_in_but_what_closes_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool.Spool.__init__, "__defaults__", (2_000,))
    with serving() as server:
        away = Postgres(server.database(), tmp_path)
        async with books(away, [opened(), *(reserved(f"a{number}", step=number) for number in range(9))]) as store:
            server.stop()
            tried = [store.append(reserved(f"a{number}", step=number)) for number in range(9, 99)]
            refused = [error for error in await asyncio.gather(*tried, return_exceptions=True) if error is not None]
            assert 0 < len(refused) < 90
            assert "no more can be kept here" in str(refused[0])
            await store.append(settled("a1"))
            server.start()
            async with asyncio.timeout(2 * TOLD_S):
                while store.put_aside:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert (await store.totals()).spent_pusd == 500
        assert verdict(away).problems == ()
