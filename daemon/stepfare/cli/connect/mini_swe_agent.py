"""mini-swe-agent: the variables in its global file, which it reads at every start."""

from __future__ import annotations

import sys
from pathlib import Path

from stepfare.cli.connect.edits import ENV, Back, Edit, Put, ValuesEdit
from stepfare.cli.connect.place import Client, Endpoint, Place, Scope, World

FAMILY = "openai/stepfare/"
ANCHOR = ("OPENAI_API_BASE",)


def _path(world: World) -> Path:
    if world.environ.get("MSWEA_GLOBAL_CONFIG_DIR", "").strip():
        return world.folder("MSWEA_GLOBAL_CONFIG_DIR") / ".env"
    usual = world.home / "Library" / "Application Support" if sys.platform == "darwin" else world.folder("XDG_CONFIG_HOME", ".config")
    return usual / "mini-swe-agent" / ".env"


def _edits(world: World, place: Place, endpoint: Endpoint) -> tuple[Edit, ...]:
    del place
    puts = (
        Put(("MSWEA_MODEL_NAME",), FAMILY + endpoint.model, family=FAMILY),
        Put(ANCHOR, endpoint.base_url),
        Put(("OPENAI_API_KEY",), endpoint.token, Back.EITHER),
        # Without these it asks for a key at its first start, and stops where a model has no price in its table.
        Put(("MSWEA_CONFIGURED",), "true", Back.BOTH),
        Put(("MSWEA_COST_TRACKING",), "ignore_errors", Back.BOTH),
    )
    return (ValuesEdit(_path(world), puts, anchor=ANCHOR, format=ENV),)


def _trace(world: World) -> str:
    return world.seen(_path(world), "mini", "mini-swe-agent")


def _hints(world: World, place: Place) -> tuple[str, ...]:
    del place
    hints = ['Run it as ever, e.g.: mini -t "explain this project"']
    shadowing = [name for name in ("OPENAI_API_KEY", "OPENAI_API_BASE", "MSWEA_MODEL_NAME") if world.environ.get(name, "").strip()]
    if shadowing:
        hints.append(f"{', '.join(shadowing)} in your environment outweighs the file: unset it for mini, or it goes elsewhere.")
    return tuple(hints)


CLIENT = Client("mini-swe-agent", "mini-swe-agent", ("mini-swe-agent", "mini"), (Scope.USER,), _edits, _trace, _hints)
