"""The import contracts hold, and each of them would notice the fault that it is there for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT_IMPORTS = Path(sys.executable).parent / "lint-imports"

# Where a module is planted, what it imports, and the contract that must break because of it.
FAULTS = {
    "a floor imports the one above": ("routing", "import stepfare.runtime", "The daemon's floors"),
    "neighbours on one floor know each other": ("steps", "import stepfare.ledger", "The daemon's floors"),
    "the disk knows the network": ("store", "import stepfare.upstream", "The daemon's floors"),
    "deciding reads a clock": ("routing", "import time", "Deciding touches no world"),
    "a dialect opens a connection": ("dialects", "import aiohttp", "Deciding touches no world"),
    "the price list rolls dice": ("providers", "import random", "Deciding touches no world"),
    "the core leans on a library": ("core", "import msgspec", "The core needs the standard library only"),
    "pydantic sits in a pure room": ("sessions", "import pydantic", "Pydantic guards the doors, not the rooms"),
    "the command line speaks SQL": ("cli", "import sqlite3", "Only the store speaks SQL"),
    "the door knows what is behind it": (
        "control",
        "import stepfare.routing",
        "The door for editors imports nothing of the daemon behind it",
    ),
    "the daemon knows its editors": ("server", "import pygls", "The daemon does not know its editors"),
    "the language server decides": (
        "../../lsp/stepfare_lsp",
        "import stepfare.routing",
        "The language server sees four doors of the daemon",
    ),
    "two modules go round in a circle": ("core", "import stepfare.core.planted_too", "No circles"),
}


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run the contracts of `tree` on the packages that lie in `tree`."""
    paths = os.pathsep.join([str(tree / "daemon"), str(tree / "lsp")])
    command = [str(LINT_IMPORTS), "--config", str(tree / "pyproject.toml"), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": paths, "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages and their contracts, to plant faults in."""
    folder = tmp_path_factory.mktemp("tree")
    for package in ("daemon", "lsp"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture(scope="module")
def planted(tree: Path) -> Iterator[str]:
    """What the contracts say of a tree that holds every fault at once."""
    files: list[Path] = []
    for number, (room, line, _) in enumerate(FAULTS.values()):
        file = tree / "daemon" / "stepfare" / room / f"planted_{number}.py"
        file.write_text(f'"""A fault, planted."""\n\n{line}\n')
        files.append(file)
    circle = tree / "daemon" / "stepfare" / "core" / "planted_too.py"
    circle.write_text(f'"""The other half of the circle."""\n\nimport stepfare.core.planted_{len(FAULTS) - 1}\n')
    done = lint(tree)
    assert done.returncode != 0, done.stdout
    yield done.stdout
    for file in [*files, circle]:
        file.unlink()


def test_every_contract_holds() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault: str, planted: str) -> None:
    number = list(FAULTS).index(fault)
    _, line, contract = FAULTS[fault]
    report = planted[planted.index("Broken contracts") :]
    words = report.partition(f"\n{contract}\n---")[2]
    assert words, f"{contract!r} was kept:\n{planted}"
    # The report of a contract goes on until the title of the next, which is underlined as this one was.
    words = words.partition("\n---")[0]
    assert f"planted_{number}" in words, words
    assert line.removeprefix("import ").partition(".")[0] in words, words


def test_a_room_that_no_floor_names_is_caught(tree: Path) -> None:
    cellar = tree / "daemon" / "stepfare" / "cellar.py"
    cellar.write_text('"""A room that nobody planned."""\n')
    try:
        done = lint(tree)
    finally:
        cellar.unlink()
    assert done.returncode != 0
    assert "cellar" in done.stdout
