"""Pinned clients from lock files, installed once into a cache outside of the repository: from npm, or from PyPI.

What comes from PyPI gets an environment of its own. A missing or old node or Python is a failure, not a reason to skip: these tests are
asked for by name.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

NODE_MAJOR_MIN = 20
INSTALL_S_MAX = 900
OUTPUT_CHARS_SHOWN = 4_000
LOCKS = Path(__file__).parent / "clients"
NPM_FILES = ("package.json", "package-lock.json", ".npmrc")
PIP_FILES = ("requirements.lock",)
PYTHONS = ("python3.11", "python3.12")
"""What aider runs on at most; tried in this order where this Python is none of them."""

# The world as it is outside of the tests: npm and pip need their caches and their settings.
OUTSIDE = dict(os.environ)


class NotReady(Exception):
    """The machine lacks what the clients need. The message says what."""


def from_npm(lock: str) -> Path:
    """The folder in which the packages of this lock are installed (in `node_modules`). Raises NotReady where they cannot be."""

    def install(folder: Path) -> None:
        # None of these packages needs its install scripts to run headless.
        _run([_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder)

    return _installed(lock, NPM_FILES, install)


def from_pypi(lock: str) -> Path:
    """The environment in which the packages of this lock are installed (`bin/python`). Raises NotReady where they cannot be."""

    def install(folder: Path) -> None:
        _run([_python(lock), "-m", "venv", "."], folder)
        # pip says of each package where it looked in vain; only what is wrong is of interest.
        _run(["bin/python", "-m", "pip", "install", "--quiet", "--require-hashes", "--no-input", "-r", "requirements.lock"], folder)

    # An environment holds its own address, so it is made where it stays.
    return _installed(lock, PIP_FILES, install, moved=False)


def _installed(lock: str, names: Sequence[str], install: Callable[[Path], None], *, moved: bool = True) -> Path:
    source = LOCKS / lock
    digest = hashlib.sha256(b"\0".join((source / name).read_bytes() for name in names)).hexdigest()[:16]
    place = _cache() / f"{lock}-{digest}"
    done = place / "installed"
    if done.is_file() or (moved and place.is_dir()):
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{lock}-", dir=place.parent)) if moved else place
    if not moved:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
    try:
        for name in names:
            shutil.copyfile(source / name, fresh / name)
        install(fresh)
        (fresh / "installed").touch()
        if moved:
            with suppress(OSError):  # another run was faster
                fresh.rename(place)
    finally:
        if moved:
            shutil.rmtree(fresh, ignore_errors=True)
    return place


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, env=OUTSIDE, capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False)
    if done.returncode != 0:
        said = f"{done.stdout[-OUTPUT_CHARS_SHOWN:]}{done.stderr[-OUTPUT_CHARS_SHOWN:]}"
        raise NotReady(f"`{' '.join(command)}` failed in {folder}:\n{said}")


def _npm() -> str:
    path = OUTSIDE.get("PATH", os.defpath)
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node is None or npm is None:
        raise NotReady(f"The end-to-end tests run real coding agents and need node >= {NODE_MAJOR_MIN} and npm; one is missing here.")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=60, check=True, env=OUTSIDE).stdout.strip()
    major = re.match(r"v(\d+)", version)
    if major is None or int(major[1]) < NODE_MAJOR_MIN:
        raise NotReady(f"The end-to-end tests need node >= {NODE_MAJOR_MIN}; here is {version} ({node}).")
    return npm


def _python(lock: str) -> str:
    if lock != "aider" or sys.version_info < (3, 13):
        return sys.executable
    found = next((path for name in PYTHONS if (path := shutil.which(name, path=OUTSIDE.get("PATH", os.defpath)))), None)
    if found is None:
        raise NotReady(f"aider needs one of {', '.join(PYTHONS)}; this is Python {sys.version.split()[0]} and none of them is here.")
    return found


def _cache() -> Path:
    if named := OUTSIDE.get("STEPFARE_E2E_CACHE"):
        return Path(named).expanduser().absolute()
    root = Path(OUTSIDE.get("XDG_CACHE_HOME") or Path(OUTSIDE.get("HOME", "~")).expanduser() / ".cache")
    return root / "stepfare-e2e"
