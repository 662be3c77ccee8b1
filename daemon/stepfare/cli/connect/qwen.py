"""Qwen Code: a model in its list of providers, with a token of its own name so that no key of the user's is sent in its place."""

from __future__ import annotations

from pathlib import Path

from stepfare.cli.connect.edits import JSON_WITH_COMMENTS, Back, Edit, Put, ValuesEdit
from stepfare.cli.connect.json_text import JsonObject
from stepfare.cli.connect.place import Client, Endpoint, Place, Scope, World

FAMILY = "stepfare/"
TOKEN_NAME = "STEPFARE_TOKEN"
PROVIDERS = ("modelProviders", "openai")


def _path(world: World) -> Path:
    return world.home / ".qwen" / "settings.json"


def _edits(world: World, place: Place, endpoint: Endpoint) -> tuple[Edit, ...]:
    del place
    entry = (*PROVIDERS, f"[id={FAMILY}{endpoint.model}]")
    model: JsonObject = {
        "id": FAMILY + endpoint.model,
        "name": f"stepfare {endpoint.model}",
        "baseUrl": endpoint.base_url,
        "envKey": TOKEN_NAME,
        "generationConfig": {"contextWindowSize": endpoint.context_tokens},
    }
    puts = (
        Put(entry, model, Back.WITH_ANCHOR),
        Put(("env", TOKEN_NAME), endpoint.token),
        Put(("security", "auth", "selectedType"), "openai", Back.BOTH),
        Put(("model", "name"), FAMILY + endpoint.model, family=FAMILY),
    )
    return (ValuesEdit(_path(world), puts, anchor=(*entry, "baseUrl"), format=JSON_WITH_COMMENTS),)


def _trace(world: World) -> str:
    return world.seen(_path(world), "qwen")


def _hints(world: World, place: Place) -> tuple[str, ...]:
    del world, place
    return ('Run it as ever, e.g.: qwen -p "explain this project"',)


CLIENT = Client("qwen", "Qwen Code", ("qwen",), (Scope.USER,), _edits, _trace, _hints)
