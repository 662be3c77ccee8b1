"""Codex: a provider of its own in the one TOML file of its home."""

from __future__ import annotations

from pathlib import Path

from stepfare.cli.connect.edits import TOML, Back, Edit, Put, ValuesEdit
from stepfare.cli.connect.place import RESPONSES, Client, Endpoint, Place, Scope, World

PROVIDER = "stepfare"
# A name that Codex does not know makes it offer its tools in the plain shape, which every provider can be told.
FAMILY = "stepfare/"
BLOCK = ("model_providers", PROVIDER)


def _path(world: World) -> Path:
    return world.folder("CODEX_HOME", ".codex") / "config.toml"


def _edits(world: World, place: Place, endpoint: Endpoint) -> tuple[Edit, ...]:
    del place
    puts = (
        Put(("model",), FAMILY + endpoint.model, family=FAMILY),
        Put(("model_provider",), PROVIDER),
        Put(("model_context_window",), endpoint.context_tokens),
        Put((*BLOCK, "name"), PROVIDER, Back.WITH_ANCHOR),
        Put((*BLOCK, "base_url"), endpoint.base_url),
        Put((*BLOCK, "wire_api"), "responses", Back.WITH_ANCHOR),
        Put((*BLOCK, "experimental_bearer_token"), endpoint.token, Back.EITHER),
    )
    return (ValuesEdit(_path(world), puts, anchor=(*BLOCK, "base_url"), unit=BLOCK, format=TOML),)


def _trace(world: World) -> str:
    return world.seen(_path(world), "codex")


def _hints(world: World, place: Place) -> tuple[str, ...]:
    del world, place
    return (
        'Run it as ever, e.g.: codex exec "explain this project"',
        "Codex says that it has no metadata for the model: that is so, and does no harm.",
    )


CLIENT = Client("codex", "Codex", ("codex",), (Scope.USER,), _edits, _trace, _hints, dialects=(RESPONSES,))
