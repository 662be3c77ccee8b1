"""Commands run as a person runs them: through the real entry, with what they printed and their exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stepfare.cli.main import main
from stepfare.paths import Paths, paths_from
from tests.control.fake_daemon import FakeDaemon


@dataclass(frozen=True)
class Ran:
    """How a command ended. `out` and `err` are all that it printed."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def paths(stepfare_home: Path) -> Paths:
    return paths_from({"STEPFARE_HOME": str(stepfare_home)})


@pytest.fixture
def fake(paths: Paths) -> Iterator[FakeDaemon]:
    with FakeDaemon(paths) as daemon:
        yield daemon


@pytest.fixture
def run(stepfare_home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return ran
