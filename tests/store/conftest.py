"""Where the books of a test lie: what is said of a store holds for a file and for a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepfare.store.postgres import Postgres
from tests.postgres import Server
from tests.store.books import Place


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return tmp_path / "ledger.db"
    server: Server = request.getfixturevalue("postgres")
    return Postgres(server.database(), tmp_path)


@pytest.fixture
def shared(postgres: Server, tmp_path: Path) -> Postgres:
    """New books on the server."""
    return Postgres(postgres.database(), tmp_path)
