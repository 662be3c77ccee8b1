"""What people added to caps: entries of the books, once each, in a file as on a server, and known to a daemon from its start."""

from __future__ import annotations

from pathlib import Path

from stepfare.core.budget import Scope
from stepfare.ledger.export import export
from stepfare.store.moving import move
from stepfare.store.postgres import Postgres
from stepfare.store.sqlite_file import SqliteFile
from tests.ledger.samples import NOW_MS, extended, opened, reserved, settled
from tests.store.books import Place, books, journal_of, verdict

LONG_AGO = NOW_MS - 90 * 86_400_000
OF_SESSION = extended("e2", NOW_MS, Scope.SESSION, "s1")


async def test_an_extension_stands_in_the_journal_once_and_spends_nothing(place: Place) -> None:
    entries = [extended(at_ms=LONG_AGO), opened(), reserved(), OF_SESSION, settled()]
    async with books(place, entries) as store:
        await store.append(extended(at_ms=LONG_AGO), OF_SESSION)
        assert await journal_of(store) == entries
        assert (await store.totals()).spent_pusd == 500
        assert [row.opened.session for row in await store.sessions()] == ["s1"]
        assert len(await store.steps("s1")) == 1
    async with books(place) as store:
        known = await store.remembered(NOW_MS)
        assert known.extensions == [extended(at_ms=LONG_AGO), OF_SESSION]
        await store.rebuild()
        assert (await store.totals()).spent_pusd == 500
    assert verdict(place).problems == ()


async def test_books_that_move_take_what_was_added_along(tmp_path: Path, shared: Postgres) -> None:
    async with books(tmp_path / "ledger.db", [OF_SESSION, opened()]):
        pass
    move(SqliteFile(tmp_path / "ledger.db"), shared)
    async with books(shared) as store:
        assert (await store.remembered(NOW_MS)).extensions == [OF_SESSION]


def test_an_export_tells_who_went_beyond_which_cap() -> None:
    fields = '"at_ms":1795000000000,"by":"cli","extension":"e2","pusd":700,"scope":"session","subject":"s1","user":"ann"'
    assert "".join(export([OF_SESSION], "jsonl")) == f'{{"v":1,"phase":"extended",{fields}}}\n'
    head, row = "".join(export([OF_SESSION], "csv")).splitlines()
    told = dict(zip(head.split(","), row.split(","), strict=True))
    assert {name: value for name, value in told.items() if value} == {
        "phase": "extended",
        "at_ms": "1795000000000",
        "extension": "e2",
        "scope": "session",
        "subject": "s1",
        "pusd": "700",
        "by": "cli",
        "user": "ann",
    }
