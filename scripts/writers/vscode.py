"""What VS Code must know beforehand of the server's commands and options, merged into the extension's package.json.

An entry of ours replaces the one with its id, keys that it does not say (an icon) stay, and all else of that file is written by hand.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from stepfare_lsp.features.table import PREFIX, ROWS
from stepfare_lsp.wire import LensOptions, Options

UI_PREFIX = "stepfare.ui."
"""The server's own ids are registered by the language client and cannot be given twice."""
CATEGORY = "stepfare"


def package_json(root: Path) -> str:
    """What integrations/vscode/package.json must hold; empty where there is no extension."""
    path = root / "integrations" / "vscode" / "package.json"
    return contributed(path.read_text(encoding="utf-8")) if path.is_file() else ""


def contributed(package: str) -> str:
    """The text of a package.json with our commands and settings in it; the very text where it has them already."""
    before = json.loads(package)
    contributes = before.get("contributes", {})
    configuration = contributes.get("configuration", {})
    commands = {one["command"]: one for one in contributes.get("commands", ())}
    after = {
        **before,
        "contributes": {
            **contributes,
            "commands": list(_merged(commands, _commands()).values()),
            "configuration": {**configuration, "properties": _merged(configuration.get("properties", {}), _settings())},
        },
    }
    return package if after == before else json.dumps(after, indent=2, ensure_ascii=False) + "\n"


def _merged(there: dict[str, Any], ours: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {**there, **{name: {**there.get(name, {}), **one} for name, one in ours.items()}}


def _commands() -> dict[str, dict[str, Any]]:
    return {UI_PREFIX + row.name: {"command": UI_PREFIX + row.name, "title": row.title, "category": CATEGORY} for row in ROWS}


def _settings() -> dict[str, dict[str, Any]]:
    """The options of the language server but trust, which is the editor's own to know."""
    own = {name: field for name, field in Options.model_fields.items() if name not in ("trusted", "lens")}
    named = {**{f"lens.{name}": field for name, field in LensOptions.model_fields.items()}, **own}
    return {
        PREFIX + _camel(name): {"type": "boolean", "default": field.default, "scope": "window", "description": field.description}
        for name, field in named.items()
    }


def _camel(name: str) -> str:
    return re.sub("_([a-z])", lambda match: match[1].upper(), name)
