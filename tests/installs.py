"""Pinned programs from lock files, installed once into a cache outside of the repository: from npm, or from PyPI.

What comes from PyPI gets an environment of its own. Which programs there are, and what a test does that cannot have one, is up to the
suites: each has a shelf of its own.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

NODE_MAJOR_MIN = 20
INSTALL_S_MAX = 900
NODE_HEADERS = Path("/usr/include/node/node.h")
OUTPUT_CHARS_SHOWN = 4_000
NPM_FILES = ("package.json", "package-lock.json", ".npmrc")
PIP_FILES = ("requirements.lock",)
PYTHONS = ("python3.11", "python3.12")
"""What aider runs on at most; tried in this order where this Python is none of them."""

# The world as it is outside of the tests: npm and pip need their caches and their settings.
OUTSIDE = dict(os.environ)


class NotReady(Exception):
    """The machine lacks what a program needs. The message says what."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where a suite keeps its programs: its locks are the folders below `locks`, and its cache bears the suite's `name`."""

    name: str
    locks: Path

    @property
    def cache(self) -> Path:
        if named := OUTSIDE.get(f"STEPFARE_{self.name.upper()}_CACHE"):
            return Path(named).expanduser().absolute()
        root = Path(OUTSIDE.get("XDG_CACHE_HOME") or Path(OUTSIDE.get("HOME", "~")).expanduser() / ".cache")
        return root / f"stepfare-{self.name}"

    def from_npm(self, lock: str | Path, *, scripts: bool = False, node: Path | None = None) -> Path:
        """The folder in which the packages of this lock are installed (in `node_modules`).

        `scripts` lets packages run their install scripts, `node` is the folder of the node that they are to run with. A lock elsewhere than
        on the shelf is named by its path, and is known by its packages alone, whatever else its manifest says. Raises NotReady where the
        packages cannot be installed.
        """
        path = os.pathsep.join([*([str(node)] if node else []), OUTSIDE.get("PATH", os.defpath)])

        def install(folder: Path) -> None:
            kept = [] if scripts else ["--ignore-scripts"]
            # Where native modules are compiled, the headers that are here are taken, not fetched.
            headers = {"npm_config_nodedir": "/usr"} if NODE_HEADERS.is_file() else {}
            environment = {**headers, **OUTSIDE, "PATH": path}
            _run([_npm(path), "ci", *kept, "--no-audit", "--no-fund", "--loglevel=error"], folder, environment)

        return self.installed(lock, NPM_FILES, install, identity=NPM_FILES if isinstance(lock, str) else NPM_FILES[1:])

    def from_pypi(self, lock: str) -> Path:
        """The environment in which the packages of this lock are installed (`bin/python`). Raises NotReady where they cannot be."""

        def install(folder: Path) -> None:
            _run([_python(lock), "-m", "venv", "."], folder)
            # pip says of each package where it looked in vain; only what is wrong is of interest.
            _run(["bin/python", "-m", "pip", "install", "--quiet", "--require-hashes", "--no-input", "-r", "requirements.lock"], folder)

        # An environment holds its own address, so it is made where it stays.
        return self.installed(lock, PIP_FILES, install, moved=False)

    def installed(
        self,
        lock: str | Path,
        names: Sequence[str],
        install: Callable[[Path], None],
        *,
        identity: Sequence[str] | None = None,
        moved: bool = True,
    ) -> Path:
        source = self.locks / lock
        digest = hashlib.sha256(b"\0".join((source / name).read_bytes() for name in identity or names)).hexdigest()[:16]
        place = self.cache / f"{source.name}-{digest}"
        done = place / "installed"
        if done.is_file() or (moved and place.is_dir()):
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{source.name}-", dir=place.parent)) if moved else place
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


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str] = OUTSIDE) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False)
    if done.returncode != 0:
        said = f"{done.stdout[-OUTPUT_CHARS_SHOWN:]}{done.stderr[-OUTPUT_CHARS_SHOWN:]}"
        raise NotReady(f"`{' '.join(command)}` failed in {folder}:\n{said}")


def _npm(path: str) -> str:
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node is None or npm is None:
        raise NotReady(f"Real coding agents and editors need node >= {NODE_MAJOR_MIN} and npm; one is missing here.")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=60, check=True, env=OUTSIDE).stdout.strip()
    major = re.match(r"v(\d+)", version)
    if major is None or int(major[1]) < NODE_MAJOR_MIN:
        raise NotReady(f"Real coding agents and editors need node >= {NODE_MAJOR_MIN}; here is {version} ({node}).")
    return npm


def _python(lock: str) -> str:
    if lock != "aider" or sys.version_info < (3, 13):
        return sys.executable
    found = next((path for name in PYTHONS if (path := shutil.which(name, path=OUTSIDE.get("PATH", os.defpath)))), None)
    if found is None:
        raise NotReady(f"aider needs one of {', '.join(PYTHONS)}; this is Python {sys.version.split()[0]} and none of them is here.")
    return found
