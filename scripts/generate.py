"""Writes the files that are generated from the code; with --check, says which are stale instead and exits 1."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "daemon"), str(ROOT / "lsp"), str(ROOT / "scripts")]

from stepfare.config.json_schema import dotfile_schema_text, settings_schema_text  # noqa: E402
from writers import elisp, lua, typescript, vscode  # noqa: E402

GENERATED: Mapping[str, Callable[[], str]] = {
    "integrations/schemas/stepfare.schema.json": dotfile_schema_text,
    "integrations/schemas/config.schema.json": settings_schema_text,
    "integrations/vscode/src/protocol.gen.ts": typescript.protocol_text,
    "integrations/neovim/lua/stepfare/protocol.lua": lua.protocol_text,
    "integrations/emacs/stepfare-protocol.el": elisp.protocol_text,
    "integrations/vscode/package.json": lambda: vscode.package_json(ROOT),
}


def stale() -> list[str]:
    """The generated files that are missing or differ from what the code says now."""
    return [name for name, make in GENERATED.items() if (text := make()) and text != _lying(name)]


def _lying(name: str) -> str | None:
    path = ROOT / name
    return path.read_text(encoding="utf-8") if path.is_file() else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is stale")
    options = parser.parse_args()
    outdated = stale()
    for name in outdated:
        if options.check:
            print(f"{name} is stale: run scripts/generate.py")
        else:
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(GENERATED[name](), encoding="utf-8")
            print(f"wrote {name}")
    return 1 if options.check and outdated else 0


if __name__ == "__main__":
    sys.exit(main())
