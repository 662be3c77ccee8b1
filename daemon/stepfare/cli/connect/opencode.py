"""opencode: a provider of its own in its JSON settings, which may hold comments. Kilo is built on it and keeps the same fields."""

from __future__ import annotations

import json
from pathlib import Path

from stepfare.cli.connect.edits import JSON_WITH_COMMENTS, Back, Edit, Put, ValuesEdit
from stepfare.cli.connect.json_text import JsonObject
from stepfare.cli.connect.place import Client, Endpoint, Place, Scope, World

PROVIDER = "stepfare"
FAMILY = f"{PROVIDER}/"
UNIT = ("provider", PROVIDER)
ANCHOR = (*UNIT, "options", "baseURL")
PROFILES = ("auto", "frugal", "balanced", "careful", "premium", "ladder")
OUTPUT_TOKENS_MAX = 32_000
"""What opencode itself asks for at most."""
SCHEMA = "https://opencode.ai/config.json"


def edits_in(path: Path, endpoint: Endpoint) -> tuple[Edit, ...]:
    """What must stand in a settings file of opencode's kind."""
    output_tokens = min(OUTPUT_TOKENS_MAX, endpoint.context_tokens // 4)
    models: JsonObject = {
        name: {"name": f"stepfare {name}", "limit": {"context": endpoint.context_tokens, "output": output_tokens}} for name in PROFILES
    }
    puts = (
        Put((*UNIT, "npm"), "@ai-sdk/openai-compatible", Back.WITH_ANCHOR),
        Put((*UNIT, "name"), "stepfare", Back.WITH_ANCHOR),
        Put(ANCHOR, endpoint.base_url),
        Put((*UNIT, "options", "apiKey"), endpoint.token, Back.EITHER),
        Put((*UNIT, "models"), models, Back.WITH_ANCHOR),
        Put(("model",), FAMILY + endpoint.model, family=FAMILY),
        # Titles and the like.
        Put(("small_model",), FAMILY + "frugal", family=FAMILY),
    )
    return (ValuesEdit(path, puts, anchor=ANCHOR, unit=UNIT, fresh={"$schema": SCHEMA}, format=JSON_WITH_COMMENTS),)


def settings_file(folder: Path, *names: str) -> Path:
    """The first of these files that is there; the last where none is."""
    return next((folder / name for name in names if (folder / name).is_file()), folder / names[-1])


def config_folder(world: World, name: str) -> Path:
    return world.folder("XDG_CONFIG_HOME", ".config") / name


def _path(world: World) -> Path:
    return settings_file(config_folder(world, "opencode"), "opencode.jsonc", "opencode.json")


def _edits(world: World, place: Place, endpoint: Endpoint) -> tuple[Edit, ...]:
    return edits_in(place.at if place.scope is Scope.FILE else _path(world), endpoint)


def _trace(world: World) -> str:
    return world.seen(_path(world), "opencode")


def _hints(world: World, place: Place) -> tuple[str, ...]:
    del world
    if place.scope is Scope.FILE:
        return (f"Run it with this file: OPENCODE_CONFIG={json.dumps(str(place.at))} opencode",)
    return ('Run it as ever, e.g.: opencode run "explain this project"',)


CLIENT = Client("opencode", "opencode", ("opencode",), (Scope.USER, Scope.FILE), _edits, _trace, _hints)
