"""What people say of sessions: kept beside the journal, in order, for good."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from stepfare.core.annotation import Annotation, Merged, Renamed, Split
from stepfare.store.errors import StoreError
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
