"""The lock files pin all that pyproject.toml asks for, vouch for each file with a hash, and name no place to fetch it from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = {"run": ROOT / "scripts" / "requirements.lock", "test": ROOT / "scripts" / "requirements-dev.lock"}
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def requirements(lock: Path) -> dict[str, Requirement]:
    """The pinned requirements by name, with markers, without hashes and comments."""
    joined = lock.read_text("utf-8").replace("\\\n", " ")
    lines = [
        re.sub(r"\s--hash=\S+", "", line).strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}


def group(name: str) -> list[str]:
    rows: list[str | dict[str, str]] = PROJECT["dependency-groups"][name]
    return [wish for row in rows for wish in ([row] if isinstance(row, str) else group(row["include-group"]))]


@pytest.mark.parametrize("level", LOCKS)
def test_a_lock_names_no_place_to_fetch_from(level: str) -> None:
    text = LOCKS[level].read_text("utf-8")
    assert not re.search(r"://|find-links|index-url|\bfile:|^\s*-[a-zA-Z-]*\s|^/|\s@\s|^\.", text, re.MULTILINE)


@pytest.mark.parametrize("level", LOCKS)
def test_every_line_is_one_version_with_hashes(level: str) -> None:
    for block in re.split(r"\n(?=[a-z0-9])", LOCKS[level].read_text("utf-8"))[1:]:
        assert re.match(r"[a-z0-9._-]+==[^\s;]+", block), block
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block


@pytest.mark.parametrize(("level", "groups"), [("run", ["build"]), ("test", ["dev"])])
def test_a_lock_pins_what_the_project_asks_for(level: str, groups: list[str]) -> None:
    pinned = requirements(LOCKS[level])
    wishes = [*PROJECT["project"]["dependencies"], *(wish for name in groups for wish in group(name))]
    for wish in map(Requirement, wishes):
        version = next(iter(pinned[canonicalize_name(wish.name)].specifier)).version
        assert wish.specifier.contains(version, prereleases=True), f"{wish} but locked {version}; run scripts/lock"


def test_the_lock_for_tests_serves_for_running_too() -> None:
    run, test = requirements(LOCKS["run"]), requirements(LOCKS["test"])
    assert {name: str(requirement.specifier) for name, requirement in run.items()} == {
        name: str(test[name].specifier) for name in run if name in test
    }


def test_building_needs_nothing_that_is_not_locked() -> None:
    # The editable install is made without build isolation: what it builds with must be in the environment already.
    assert sorted(PROJECT["build-system"]["requires"]) == sorted(group("build"))
