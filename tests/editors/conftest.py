"""What the tests in real editors share: a desk with a running daemon, and a plain word where an editor cannot be had here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.e2e.desk import Desk, desk_with_daemon
from tests.installs import NotReady

T = TypeVar("T")


def needed(make: Callable[[], T]) -> T:
    """What the machine gives, or a skip that says in words what it lacks."""
    try:
        return make()
    except NotReady as lack:
        pytest.skip(str(lack))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_with_daemon(tmp_path) as desk:
        yield desk
