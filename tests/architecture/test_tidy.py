"""Every source file says what it is for, the top level stays as planned, and nothing names the machine it was written on."""

from __future__ import annotations

import ast
import os
import pwd
import re
import subprocess
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("daemon", "lsp", "integrations", "tests", "scripts")
FILES = ("pyproject.toml", "README.md", "ARCHITECTURE.md", "BENCHMARKS.md", "SECURITY.md", "LICENSE", "CHANGELOG.md")
# Parts of a path that say nothing about whose machine it is.
COMMON_PLACES = {
    "/",
    "/tmp",
    "/home",
    "/Users",
    "/var",
    "/private",
    "/private/tmp",
    "/private/var",
    "/opt",
    "/usr",
    "/usr/local",
    "/mnt",
    "/builds",
}


def tracked() -> list[Path]:
    """The files that git knows here; without git, those of the planned folders."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        names = [os.fsdecode(name) for name in listed.split(b"\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = []
    files = [ROOT / name for name in names] or [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")] + [
        ROOT / name for name in FILES
    ]
    return [path for path in files if path.is_file() and not {"__pycache__", "node_modules"} & set(path.parts)]


def is_python(path: Path) -> bool:
    return path.suffix == ".py" or (path.parent == ROOT / "scripts" and path.read_bytes().startswith(b"#!/usr/bin/env python3"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


SOURCES = [path for path in tracked() if is_python(path)]
OURS = [path for path in SOURCES if path.is_relative_to(ROOT / "daemon") or path.is_relative_to(ROOT / "lsp")]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_source_file_opens_with_what_it_is_for(path: Path) -> None:
    words = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    assert len(words.split()) >= 3, f"{name(path)} opens with {words!r}"


@pytest.mark.parametrize("path", [path for path in OURS if path.name != "__init__.py"], ids=name)
def test_annotations_are_never_evaluated(path: Path) -> None:
    # So that what is written for the reader and the type checker costs nothing at start, on every Python that we serve.
    imports = [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    assert any(alias.name == "annotations" for node in imports for alias in node.names)


def test_the_top_level_is_the_planned_one() -> None:
    top = {path.relative_to(ROOT).parts[0] for path in tracked()}
    unplanned = {entry for entry in top if not entry.startswith(".")} - set(FOLDERS) - set(FILES)
    assert not unplanned


def test_no_file_names_the_machine_it_was_written_on() -> None:
    places = {str(ROOT), str(ROOT.parent), pwd.getpwuid(os.getuid()).pw_dir} - COMMON_PLACES
    machine = re.compile("|".join(rf"(?<![\w.-]){re.escape(place)}(?=/|\b)" for place in sorted(places)).encode())
    # A vocabulary holds the names of all the world's folders as tokens.
    texts = [path for path in tracked() if path.suffix != ".bin"]
    found = {name(path): match.group().decode() for path in texts if (match := machine.search(path.read_bytes()))}
    assert not found


def test_no_lock_file_says_where_its_packages_were_fetched() -> None:
    locks = [
        path for path in tracked() if path.name in ("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "uv.lock")
    ]
    assert not [name(path) for path in locks if re.search(rb'"resolved":\s*"(https?|file):', path.read_bytes())]


def comments(path: Path) -> list[str]:
    with path.open("rb") as file:
        return [token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]


@pytest.mark.parametrize("path", [path for path in SOURCES if not path.is_relative_to(ROOT / "tests")], ids=name)
def test_no_check_is_silenced_and_no_work_is_left_for_later(path: Path) -> None:
    left = re.compile(r"#\s*(type:\s*ignore|pragma\b|TODO\b|FIXME\b|XXX\b)")
    assert not [comment for comment in comments(path) if left.match(comment)]


LEAVES_OUT = ROOT / "tests/editors/conftest.py"
"""The one place where a test may be left out, with the reason in words: an editor that cannot be installed on a machine."""


@pytest.mark.parametrize("path", [path for path in SOURCES if path.is_relative_to(ROOT / "tests") and path != LEAVES_OUT], ids=name)
def test_no_test_is_skipped(path: Path) -> None:
    marks = {node.attr for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Attribute)}
    assert not marks & {"skip", "skipif", "xfail", "importorskip"}
