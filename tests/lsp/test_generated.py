"""The files that editors' plugins are made from: they are fresh, and what is written by hand beside them stays."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.writers import vscode
from stepfare_lsp import wire
from stepfare_lsp.features.table import ROWS

ROOT = Path(__file__).resolve().parents[2]
OWN = {
    "name": "x",
    "contributes": {
        "commands": [{"command": "stepfare.ui.own", "title": "Own"}, {"command": "stepfare.ui.status", "title": "old", "icon": "$(x)"}],
        "configuration": {"title": "t", "properties": {"stepfare.own": {"type": "string"}, "stepfare.hints": {"default": False}}},
        "menus": {"view/title": []},
    },
}


def test_ours_is_merged_into_the_extensions_own() -> None:
    text = json.dumps(OWN)
    written = json.loads(vscode.contributed(text))
    commands = {one["command"]: one for one in written["contributes"]["commands"]}
    assert set(commands) == {"stepfare.ui.own", *(f"stepfare.ui.{row.name}" for row in ROWS)}
    assert commands["stepfare.ui.status"]["icon"] == "$(x)"
    assert commands["stepfare.ui.status"]["title"] != "old"
    settings = written["contributes"]["configuration"]["properties"]
    assert set(settings) == {"stepfare.own", "stepfare.hints", "stepfare.offerToStart", "stepfare.lens.dotfile", "stepfare.lens.files"}
    assert settings["stepfare.hints"]["default"] is True
    assert written["contributes"]["menus"] == {"view/title": []}
    fresh = json.dumps(written)
    assert vscode.contributed(fresh) is fresh


def test_every_message_and_command_is_in_every_language() -> None:
    for name in ("vscode/src/protocol.gen.ts", "neovim/lua/stepfare/protocol.lua", "emacs/stepfare-protocol.el"):
        text = (ROOT / "integrations" / name).read_text(encoding="utf-8")
        missing = [method.name for method in wire.METHODS if f'"{method.name}"' not in text]
        missing += [row.id for row in ROWS if f'"{row.id}"' not in text]
        missing += [field for field in wire.Spend.model_fields if field not in text]
        assert not missing, name


def test_every_request_is_answered_by_somebody() -> None:
    from stepfare_lsp.features.answers import ANSWERS

    assert set(ANSWERS) == {method.name for method in wire.METHODS if method.to_server and method.answer}
