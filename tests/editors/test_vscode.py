"""Visual Studio Code with the extension: packed, inside the extension host, and driven as a person drives it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.agents import CLINE
from tests.e2e.desk import Desk, desk_with_providers
from tests.e2e.provider import simulator
from tests.e2e.tasks import BROKEN, EXPLAIN_TASK
from tests.editors.vscode.code_server import code_server
from tests.editors.vscode.packed import Packed
from tests.editors.vscode.person import person

pytestmark = pytest.mark.editors

DOTFILE = """profil = "balanced"

[steps]
edit = "premium"

[[paths]]
match = ["shop/**"]
floor = "premium"
"""
"""With one mistake."""


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


def test_what_names_a_program_or_sends_anything_is_the_users_alone(extension: Packed) -> None:
    manifest = json.loads((extension.folder / "package.json").read_text())
    settings = manifest["contributes"]["configuration"]["properties"]
    own = {name for name, setting in settings.items() if setting["scope"] == "machine"}
    trust = manifest["capabilities"]["untrustedWorkspaces"]
    assert own == set(trust["restrictedConfigurations"]) == {"stepfare.server.path", "stepfare.sendContext", "stepfare.chatModels"}
    assert trust["supported"] == "limited"
    # What is left to projects switches on and off what is shown.
    assert all(setting["type"] == "boolean" or "enum" in setting for name, setting in settings.items() if name not in own)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A project in which Cline has explained a function, on a model of a provider that the simulator plays."""
    with simulator() as provider, desk_with_providers(tmp_path, provider, ["openai"]) as desk:
        desk.project({**BROKEN, ".stepfare.toml": DOTFILE})
        desk.stepfare("connect", "cline3")
        told = desk.do(CLINE, EXPLAIN_TASK)
        assert told.code == 0, told
        yield desk


@pytest.mark.usefixtures("visual_studio_code")
def test_inside_the_extension_host(desk: Desk, extension: Packed, tmp_path: Path) -> None:
    with code_server(desk, settings={"chat.disableAIFeatures": False}) as code, person(tmp_path / "pictures") as someone:
        someone.runs_tests(code.address, desk.folder, extension.folder, extension.tests)
    told = json.loads((extension.tests.parent / "told.json").read_text())
    wrong = {name: words for name, words in told.items() if words != "ok"}
    assert not wrong, "\n\n".join(f"{name}: {words}" for name, words in wrong.items())
    assert len(told) > 10
