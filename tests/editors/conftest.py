"""What the tests in real editors share: a desk with a running daemon, and a plain word where an editor cannot be had here.

Cases marked `editors_extended` are run only when they are asked for; the end of the run says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from tests.e2e.desk import Desk, desk_with_daemon
from tests.editors import installs
from tests.editors.vscode.packed import Packed, packed
from tests.installs import OUTSIDE, NotReady

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


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where pictures go: into STEPFARE_PICTURES, where somebody wants to keep them."""
    folder = Path(OUTSIDE.get("STEPFARE_PICTURES") or tmp_path / "pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


NOT_ASKED_FOR = pytest.StashKey[int]()
FURTHER = "editors_extended"


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    further = [item for item in items if item.get_closest_marker(FURTHER)]
    if further:
        stash = further[0].config.stash
        stash[NOT_ASKED_FOR] = stash.get(NOT_ASKED_FOR, 0) + len(further)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Whoever runs the suite is told of the editors that it takes to only when they are asked for."""
    number = config.stash.get(NOT_ASKED_FOR, 0)
    if number and config.getoption("markexpr") == "editors":
        terminalreporter.write_line(
            f"left out: {number} cases in further editors (Helix, Kate, Neovim 0.10, Emacs 30), which run when they are asked for: "
            f"scripts/test --editors -- -m {FURTHER}"
        )
