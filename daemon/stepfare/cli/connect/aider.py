"""aider: its YAML settings, and what it should know of models that no table lists."""

from __future__ import annotations

from stepfare.cli.connect.edits import YAML, Back, Edit, Put, ValuesEdit
from stepfare.cli.connect.json_text import JsonObject
from stepfare.cli.connect.place import Client, Endpoint, Place, Scope, World

SETTINGS, METADATA = ".aider.conf.yml", ".aider.model.metadata.json"
# The first part names the wire format to the library below aider; the rest is sent as the model's name.
FAMILY = "openai/stepfare/"
PROFILES = ("auto", "frugal", "balanced", "careful", "premium", "ladder")
ANCHOR = ("openai-api-base",)


def _edits(world: World, place: Place, endpoint: Endpoint) -> tuple[Edit, ...]:
    folder = place.at if place.scope is Scope.PROJECT else world.home
    known: JsonObject = {
        "litellm_provider": "openai",
        "mode": "chat",
        "max_tokens": endpoint.context_tokens,
        "max_input_tokens": endpoint.context_tokens,
        # It would show a guess where only the daemon knows what was paid.
        "input_cost_per_token": 0,
        "output_cost_per_token": 0,
    }
    settings = (
        Put(ANCHOR, endpoint.base_url),
        Put(("openai-api-key",), endpoint.token, Back.EITHER),
        Put(("model",), FAMILY + endpoint.model, family=FAMILY),
        Put(("weak-model",), FAMILY + "frugal", family=FAMILY),
        # For a model that it does not know aider would have every file rewritten as a whole.
        Put(("edit-format",), "diff", Back.BOTH),
    )
    models = tuple(Put((FAMILY + name,), known, Back.WITH_ANCHOR) for name in PROFILES)
    return (
        ValuesEdit(folder / SETTINGS, settings, anchor=ANCHOR, format=YAML),
        # Nobody else has these names: they go with us, whatever was made of them.
        ValuesEdit(folder / METADATA, models, anchor=models[0].keys, secret=False),
    )


def _trace(world: World) -> str:
    return world.seen(world.home / SETTINGS, "aider")


def _hints(world: World, place: Place) -> tuple[str, ...]:
    del world
    hints = ['Run it as ever, e.g.: aider --message "explain this project"']
    if place.scope is Scope.PROJECT:
        hints.append(f"The file {SETTINGS} holds your token: keep it out of the repository, as the line .aider* in .gitignore does.")
    return tuple(hints)


CLIENT = Client("aider", "aider", ("aider",), (Scope.USER, Scope.PROJECT), _edits, _trace, _hints)
