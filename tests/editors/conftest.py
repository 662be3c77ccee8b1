"""What the tests in real editors share: a desk with a running daemon, and a plain word where an editor cannot be had here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.e2e.desk import Desk, desk_with_daemon
from tests.editors import installs
from tests.editors.vscode.packed import Packed, packed
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


@pytest.fixture(scope="session")
def visual_studio_code() -> None:
    """A real one can be served here, and there is a browser to look at it."""
    for make in (installs.chromium, installs.playwright, installs.code_server):
        needed(make)


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """The extension of Visual Studio Code, built and packed once."""
    return needed(lambda: packed(tmp_path_factory.mktemp("extension")))
