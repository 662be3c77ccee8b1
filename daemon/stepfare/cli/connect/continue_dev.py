"""Continue: the command line `cn` and the editor extensions, which share one YAML file."""

from __future__ import annotations

from pathlib import Path

from stepfare.cli.connect.edits import Edit, EnvEdit, YamlModelEdit
from stepfare.cli.connect.place import ANTHROPIC, OPENAI, RESPONSES, Client, Endpoint, Place, Scope, World

NAME = "stepfare auto"
TOKEN_NAME = "STEPFARE_TOKEN"
EXTENSION = "continue.continue"
SPOKEN = {
    OPENAI: ("openai", ""),
    ANTHROPIC: ("anthropic", "claude-stepfare-"),
    # The command line speaks Responses to models whose names begin with gpt-5, at whatever address.
    RESPONSES: ("openai", "gpt-5-stepfare-"),
}
"""For each wire format: what Continue calls the provider, and how the model's name must begin."""
SCAFFOLD = {"name": "Local Config", "version": "1.0.0", "schema": "v1"}


def _folder(world: World) -> Path:
    return world.folder("CONTINUE_GLOBAL_DIR", ".continue")


def _edits(world: World, place: Place, endpoint: Endpoint) -> tuple[Edit, ...]:
    match place.scope:
        case Scope.USER:
            return (YamlModelEdit(_folder(world) / "config.yaml", _entry(endpoint, endpoint.token), SCAFFOLD),)
        case Scope.FILE:
            return (YamlModelEdit(place.at, _entry(endpoint, endpoint.token), SCAFFOLD),)
        case Scope.PROJECT:
            # A project's file may be shared or committed: it names the token, which lies in the user's own folder.
            model = YamlModelEdit(_project_file(place), _entry(endpoint, f"${{{{ secrets.{TOKEN_NAME} }}}}"), SCAFFOLD, secret=False)
            return (model, EnvEdit(_folder(world) / ".env", TOKEN_NAME, endpoint.token))


def _project_file(place: Place) -> Path:
    return place.at / ".continue" / "models" / "stepfare.yaml"


def _entry(endpoint: Endpoint, key: str) -> dict[str, object]:
    provider, prefix = SPOKEN[endpoint.dialect]
    return {
        "name": NAME,
        "provider": provider,
        "model": prefix + endpoint.model,
        "apiBase": endpoint.base_url,
        "apiKey": key,
        "roles": ["chat", "edit", "apply", "summarize"],
        # Continue does not know the model by name, so it has to be told that it calls tools natively.
        "capabilities": ["tool_use"],
        "defaultCompletionOptions": {"contextLength": endpoint.context_tokens},
    }


def _trace(world: World) -> str:
    if (path := _folder(world) / "config.yaml").is_file():
        return f"its settings in {path}"
    if (extension := world.extension(EXTENSION)) is not None:
        return f"the extension {extension.name}"
    program = world.program("cn")
    return f"the program {program.path}" + (f", version {program.version}" if program.version else "") if program else ""


def _hints(world: World, place: Place) -> tuple[str, ...]:
    del world
    pick = f"Where another model is chosen already, choose `{NAME}` in Continue's list of models."
    match place.scope:
        case Scope.USER:
            return ('Run it as ever, e.g.: cn -p "explain this project"', pick)
        case Scope.FILE:
            return (f'Run it with this file: cn --config {place.at} -p "explain this project"',)
        case Scope.PROJECT:
            return (f"The editor extensions read this file by themselves; for the command line: cn --config {_project_file(place)}", pick)


CLIENT = Client(
    "continue",
    "Continue",
    ("continue",),
    (Scope.USER, Scope.PROJECT, Scope.FILE),
    _edits,
    _trace,
    _hints,
    dialects=tuple(SPOKEN),
)
