"""What the tests in real editors share, and a plain word where an editor cannot be had here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from tests.editors.vscode.packed import Packed, packed
from tests.installs import NotReady

T = TypeVar("T")


def needed(make: Callable[[], T]) -> T:
    """What the machine gives, or a skip that says in words what it lacks."""
    try:
        return make()
    except NotReady as lack:
        pytest.skip(str(lack))


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """The extension of Visual Studio Code, built and packed once."""
    return needed(lambda: packed(tmp_path_factory.mktemp("extension")))
