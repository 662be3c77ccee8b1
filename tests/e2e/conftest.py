"""What the end-to-end tests share: a desk with a running daemon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.desk import Desk, desk_with_daemon


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_with_daemon(tmp_path) as desk:
        yield desk
