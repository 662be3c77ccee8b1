"""Visual Studio Code with the extension: packed, inside the extension host, and driven as a person drives it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.e2e.desk import Desk
from tests.editors.conftest import needed
from tests.editors.vscode.code_server import code_server
from tests.editors.vscode.packed import Packed, packed
from tests.editors.vscode.person import person

pytestmark = pytest.mark.editors


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    return needed(lambda: packed(tmp_path_factory.mktemp("extension")))


def test_the_package_holds_what_runs_and_nothing_else(extension: Packed) -> None:
    with zipfile.ZipFile(extension.vsix) as package:
        names = {name.removeprefix("extension/") for name in package.namelist()}
        manifest = json.loads(package.read("extension/package.json"))
        sizes = sum(one.file_size for one in package.infolist())
    assert {
        "dist/extension.js",
        "images/icon.png",
        "readme.md",
        "changelog.md",
        "LICENSE.txt",
        "syntaxes/stepfare.tmLanguage.json",
    } <= names
    assert not [name for name in names if name.startswith(("src/", "node_modules/", "test/")) or name.endswith((".ts", ".map", ".vsix"))]
    assert manifest["engines"]["vscode"] == "^1.91.0"
    assert sizes < 2_000_000


def test_inside_the_extension_host(desk: Desk, extension: Packed, tmp_path: Path) -> None:
    with code_server(desk) as code, person(tmp_path / "pictures") as someone:
        someone.runs_tests(code.address, desk.folder, extension.folder, extension.tests)
