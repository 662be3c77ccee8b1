"""Cline 3: the command line and everything else on its SDK, which keep providers in one JSON file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from stepfare.cli.connect.edits import Back, Edit, Put, ValuesEdit
from stepfare.cli.connect.json_text import JsonObject
from stepfare.cli.connect.place import ANTHROPIC, OPENAI, RESPONSES, Client, Endpoint, Place, Scope, World

PROVIDERS = {OPENAI: "openai-compatible", ANTHROPIC: "anthropic", RESPONSES: "openai-native"}
"""What Cline calls the provider that speaks each wire format to an address of one's choice."""
OUTPUT_TOKENS_MAX = 32_000
EXTENSION = "saoudrizwan.claude-dev"


def data_folder(world: World) -> Path:
    """Where Cline 3 keeps its state."""
    folder = world.folder("CLINE_DIR", ".cline")
    return world.folder("CLINE_DATA_DIR") if world.environ.get("CLINE_DATA_DIR", "").strip() else folder / "data"


def _path(world: World) -> Path:
    if world.environ.get("CLINE_PROVIDER_SETTINGS_PATH", "").strip():
        return world.folder("CLINE_PROVIDER_SETTINGS_PATH")
    return data_folder(world) / "settings" / "providers.json"


def _edits(world: World, place: Place, endpoint: Endpoint) -> tuple[Edit, ...]:
    del place
    provider = PROVIDERS[endpoint.dialect]
    entry = ("providers", provider)
    settings = (*entry, "settings")
    # Of a Claude that it does not know by name Cline asks 128000 tokens, of any other name 4096: too much for many, too little for work.
    speaks_anthropic = endpoint.dialect == ANTHROPIC
    model = f"claude-stepfare-{endpoint.model}" if speaks_anthropic else endpoint.model
    limit = (Put((*settings, "maxTokens"), OUTPUT_TOKENS_MAX, Back.WITH_ANCHOR),) if speaks_anthropic else ()
    # Cline reads the file as a whole or not at all, and every entry must name its provider and the time of its last change.
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    puts = (
        Put(("lastUsedProvider",), provider, Back.BOTH),
        Put((*settings, "provider"), provider, Back.WITH_ANCHOR),
        Put((*settings, "apiKey"), endpoint.token, Back.EITHER),
        Put((*settings, "model"), model, Back.WITH_ANCHOR),
        *limit,
        Put((*settings, "contextWindow"), endpoint.context_tokens, Back.WITH_ANCHOR),
        Put((*settings, "baseUrl"), endpoint.base_url),
        # Cline writes the time anew with every run.
        Put((*entry, "updatedAt"), now, Back.WITH_ANCHOR, passing=True),
        Put((*entry, "tokenSource"), "manual", Back.WITH_ANCHOR),
    )
    fresh: JsonObject = {"version": 1, "modes": {}, "providers": {}}
    return (ValuesEdit(_path(world), puts, anchor=(*settings, "baseUrl"), unit=entry, fresh=fresh),)


def _trace(world: World) -> str:
    if (path := _path(world)).is_file():
        return f"its settings in {path}"
    program = world.program("cline")
    if program is not None and (program.major is None or program.major >= 3):
        return f"the program {program.path}" + (f", version {program.version}" if program.version else "")
    return ""


def _hints(world: World, place: Place) -> tuple[str, ...]:
    del place
    hints = ['Run Cline as ever, e.g.: cline "explain this project"']
    if (extension := world.extension(EXTENSION)) is not None:
        hints.append(
            f"The editor extension ({extension.name}) keeps its own settings: choose the provider OpenAI Compatible there, and enter "
            "the same base URL, the key that `stepfare token` prints, and the model id auto."
        )
    return tuple(hints)


CLIENT = Client("cline", "Cline 3", ("cline", "cline3"), (Scope.USER,), _edits, _trace, _hints, dialects=tuple(PROVIDERS))
