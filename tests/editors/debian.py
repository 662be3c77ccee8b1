"""Editors of a newer Debian than the machine's: fetched by apt, unpacked into the cache, and run with their /usr laid over its own.

Nothing is installed and no rights are needed. Where the packages are to be had is what the machine's own settings of apt say.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.editors.installs import SHELF
from tests.installs import INSTALL_S_MAX, OUTPUT_CHARS_SHOWN, OUTSIDE, NotReady

SUITE = "trixie"
LOCK = "debian"
FILES = ("packages", "run")
TOOLS = ("apt-get", "dpkg-deb", "unshare")
TRY_S_MAX = 60
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def newer(program: str) -> Path:
    """A script that runs the program with all that it is given. Raises NotReady."""
    # What lies there is known by its own place only, so it can be moved.
    path = SHELF.installed(LOCK, FILES, _fetch) / "bin" / program
    _run([path, "--version"], f"{program} of Debian {SUITE} does not run here; a layer over /usr is needed, which some containers forbid")
    return path


def _fetch(folder: Path) -> None:
    if missing := [tool for tool in TOOLS if shutil.which(tool, path=OUTSIDE.get("PATH")) is None]:
        raise NotReady(f"Editors of Debian {SUITE} need {', '.join(missing)}, which this machine has not.")
    apt = ["apt-get", "--quiet", *_settings(folder)]
    why = f"The packages of Debian {SUITE} cannot be fetched"
    _run([*apt, "update"], why)
    packages = (folder / "packages").read_text().split()
    _run([*apt, "install", "--yes", "--no-install-recommends", "--download-only", *packages], why)
    for package in sorted((folder / "cache/archives").glob("*.deb")):
        _run(["dpkg-deb", "--extract", package, folder / "system"], f"{package.name} cannot be unpacked")
    shutil.rmtree(folder / "cache")
    shutil.rmtree(folder / "lists")
    (folder / "run").chmod(0o755)
    (folder / "bin").mkdir()
    for program in (folder / "system/usr/bin").iterdir():
        (folder / "bin" / program.name).symlink_to("../run")


def _settings(folder: Path) -> Sequence[str]:
    """What makes apt keep all that it knows in this folder, and take every package that is needed as not yet there."""
    for name in ("lists/partial", "cache/archives/partial", "system"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    signed = f"Signed-By: {KEYS}\n" if KEYS.is_file() else ""
    (folder / "apt.sources").write_text(f"Types: deb\nURIs: {_archive()}\nSuites: {SUITE}\nComponents: main\n{signed}")
    settings = {
        "Dir::Etc::SourceList": folder / "apt.sources",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Debug::NoLocking": 1,
    }
    return [f"--option={name}={value}" for name, value in settings.items()]


def _archive() -> str:
    """Where this machine has its own Debian from. Raises NotReady where it is none."""
    own = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(), re.MULTILINE)
    form = "--format=$(REPO_URI) $(RELEASE) $(COMPONENT)"
    for target in _run(
        ["apt-get", "indextargets", form, "Created-By: Packages"], "apt does not say where it has its packages from"
    ).splitlines():
        address, suite, component = target.split()
        if own and (suite, component) == (own[1], "main") and "ID=debian\n" in Path("/etc/os-release").read_text():
            return address
    raise NotReady(f"This machine is no Debian, so apt does not know where Debian {SUITE} is.")


def _run(command: Sequence[str | Path], why: str) -> str:
    limit_s = INSTALL_S_MAX if command[0] in TOOLS else TRY_S_MAX
    done = subprocess.run(command, env=OUTSIDE, capture_output=True, text=True, timeout=limit_s, check=False)
    if done.returncode != 0:
        raise NotReady(f"{why}:\n{done.stdout[-OUTPUT_CHARS_SHOWN:]}{done.stderr[-OUTPUT_CHARS_SHOWN:]}")
    return done.stdout
