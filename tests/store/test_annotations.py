"""What people say of sessions: kept beside the journal, in order, for good."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from stepfare.core.annotation import Annotation, Merged, Renamed, Split
from stepfare.ledger.groups import Group
from stepfare.ledger.totals import Names
from stepfare.store.errors import StoreError
from stepfare.store.slices import Of
from stepfare.store.verify import verify
from tests.ledger.samples import NOW_MS, opened, reserved, settled
from tests.store.books import books, journal_of, tamper

SAID: list[Annotation] = [
    Renamed("s1", NOW_MS, 'The "parser" \N{BUG}'),
    Merged("s2", NOW_MS + 1, "s1"),
    Split("s1", NOW_MS + 2, "s3", (("s1", 4), ("s2", 1))),
    Merged("s2", NOW_MS + 3, ""),
]


async def test_what_was_said_outlives_the_daemon_and_leaves_the_journal_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    entries = [opened(), reserved(), settled()]
    async with books(path, entries) as store:
        for annotation in SAID:
            await store.annotate(annotation)
        assert await store.annotations() == SAID
    async with books(path) as store:
        assert await store.annotations() == SAID
        assert await journal_of(store) == entries
        await store.append(reserved("a2", step=2), settled("a2"))
    assert verify(path).whole


@pytest.mark.parametrize("statement", ["UPDATE annotations SET at_ms = 0", "DELETE FROM annotations"])
async def test_it_only_grows(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "ledger.db"
    async with books(path) as store:
        await store.annotate(SAID[0])
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="annotations stand"):
        connection.execute(statement)
    connection.close()


async def test_what_a_newer_version_said_is_not_guessed_at(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with books(path):
        pass
    tamper(path, """INSERT INTO annotations (at_ms, body) VALUES (1, '{"kind":"praised","session":"s1"}')""")
    async with books(path) as store:
        with pytest.raises(StoreError, match="a newer stepfare"):
            await store.annotations()


async def test_reports_and_reasons_are_of_sessions_as_they_are_shown(tmp_path: Path) -> None:
    async with books(tmp_path / "ledger.db", [opened(), opened("s2"), opened("s4")]) as store:
        for number, (session, step) in enumerate((("s1", 1), ("s2", 1), ("s1", 2), ("s2", 2), ("s4", 1), ("s1", 3)), 1):
            attempt = f"a{number}"
            decided = (f"d-{attempt}", session, f'{{"id":"d-{attempt}"}}'.encode())
            await store.append(reserved(attempt, session, step), decision=decided)
            await store.append(settled(attempt, session, cost_pusd=10**number))
        await store.append(reserved("a7", "s1", 4, ceiling_pusd=7))

        async def spent(*by: Group) -> dict[Names, int]:
            found = await store.report(by)
            assert found.whole.spent_pusd == sum(part.spent_pusd for part in found.parts.values()) == 1_111_110
            assert found.whole.reserved_pusd == sum(part.reserved_pusd for part in found.parts.values()) == 7
            for names, totals in found.parts.items():
                of_one = await store.report(by, of=Of(session=names[0]))
                assert (of_one.whole.spent_pusd, of_one.parts) == (totals.spent_pusd, {names: totals})
                row = await store.session(names[0])
                assert row is not None
                assert (row.totals, row.totals.spent_pusd) == (of_one.whole, totals.spent_pusd)
            return {names: part.spent_pusd for names, part in found.parts.items()}

        assert await spent("session", "tier") == {("s1", "balanced"): 1_001_010, ("s2", "balanced"): 10_100, ("s4", "balanced"): 100_000}
        assert await store.latest_decision("s2") == b'{"id":"d-a4"}'
        await store.annotate(Merged("s2", NOW_MS, "s4"))
        assert await spent("session") == {("s1",): 1_001_010, ("s4",): 110_100}
        assert await store.latest_decision("s2") == await store.latest_decision("s4") == b'{"id":"d-a5"}'
        await store.annotate(Split("s1", NOW_MS, "s3", (("s1", 2),)))
        assert await spent("session", "project") == {("s1", "shop"): 10, ("s3", "shop"): 1_001_000, ("s4", "shop"): 110_100}
        assert await store.latest_decision("s1") == b'{"id":"d-a1"}'
        await store.annotate(Merged("s3", NOW_MS, "s4"))
        assert await spent("session") == {("s1",): 10, ("s4",): 1_111_100}
        assert (await store.report(("session",), of=Of(session="s3", project="elsewhere"))).parts == {}
        await store.annotate(Merged("s3", NOW_MS, ""))
        await store.annotate(Merged("s2", NOW_MS, ""))
        assert await spent("session") == {("s1",): 10, ("s2",): 10_100, ("s3",): 1_001_000, ("s4",): 100_000}
