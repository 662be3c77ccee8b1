"""Classic Cline: the 2.x command line, which keeps its settings in one JSON file and its keys in another."""

from __future__ import annotations

from pathlib import Path

from stepfare.cli.connect import json_text
from stepfare.cli.connect.edits import Back, Edit, Put, ValuesEdit
from stepfare.cli.connect.json_text import JsonObject, Unsuitable
from stepfare.cli.connect.place import ANTHROPIC, OPENAI, Client, Endpoint, Place, Scope, World

ANCHOR = "openAiBaseUrl"
ANTHROPIC_ANCHOR = "anthropicBaseUrl"
MODES = ("act", "plan")
STATE_BYTES_MAX = 64 * 1024 * 1024


def _folder(world: World) -> Path:
    return world.folder("CLINE_DIR", ".cline") / "data"


def _edits(world: World, place: Place, endpoint: Endpoint) -> tuple[Edit, ...]:
    del place
    return _anthropic_edits(world, endpoint) if endpoint.dialect == ANTHROPIC else _openai_edits(world, endpoint)


def _openai_edits(world: World, endpoint: Endpoint) -> tuple[Edit, ...]:
    # A window of its own for a model that Cline does not know, so that it cuts its history in time; and no price, since it would
    # show a guess where only the daemon knows what was paid. The other fields are what Cline itself takes for an unknown model.
    info: JsonObject = {
        "maxTokens": -1,
        "contextWindow": endpoint.context_tokens,
        "supportsImages": True,
        "supportsPromptCache": False,
        "inputPrice": 0,
        "outputPrice": 0,
        "temperature": 0,
    }
    settings = (
        *(Put((f"{mode}ModeApiProvider",), "openai", Back.BOTH) for mode in MODES),
        *(Put((f"{mode}ModeOpenAiModelId",), endpoint.model, Back.WITH_ANCHOR) for mode in MODES),
        *(Put((f"{mode}ModeOpenAiModelInfo",), info, Back.WITH_ANCHOR) for mode in MODES),
        Put((ANCHOR,), endpoint.base_url),
        # Without it the first run asks for a login.
        Put(("welcomeViewCompleted",), True, Back.BOTH),
    )
    key = Put(("openAiApiKey",), endpoint.token)
    return (
        ValuesEdit(_folder(world) / "globalState.json", settings, anchor=(ANCHOR,), secret=False),
        ValuesEdit(_folder(world) / "secrets.json", (key,), anchor=key.keys),
    )


def _anthropic_edits(world: World, endpoint: Endpoint) -> tuple[Edit, ...]:
    settings = (
        *(Put((f"{mode}ModeApiProvider",), "anthropic", Back.BOTH) for mode in MODES),
        Put((ANTHROPIC_ANCHOR,), endpoint.root_url),
        Put(("welcomeViewCompleted",), True, Back.BOTH),
    )
    key = Put(("apiKey",), endpoint.token)
    return (
        ValuesEdit(_folder(world) / "globalState.json", settings, anchor=(ANTHROPIC_ANCHOR,), secret=False, anchor_end="/v1"),
        ValuesEdit(_folder(world) / "secrets.json", (key,), anchor=key.keys),
    )


def _trace(world: World) -> str:
    path = _folder(world) / "globalState.json"
    if _in_use(path):
        return f"its settings in {path}"
    program = world.program("cline")
    return f"the program {program.path}, version {program.version}" if program is not None and program.major in (1, 2) else ""


def _in_use(path: Path) -> bool:
    """Whether a provider was ever chosen in these settings; Cline 3 may leave the file behind without one."""
    try:
        state = json_text.parse(path.read_text(encoding="utf-8")) if path.stat().st_size <= STATE_BYTES_MAX else {}
    except (OSError, UnicodeDecodeError, Unsuitable):
        return False
    return any(key.endswith("ModeApiProvider") for key in state)


def _hints(world: World, place: Place) -> tuple[str, ...]:
    del world, place
    return ('Run it as ever, e.g.: cline task "explain this project"',)


CLIENT = Client(
    "cline-classic",
    "Cline 2 (classic)",
    ("cline", "cline-classic"),
    (Scope.USER,),
    _edits,
    _trace,
    _hints,
    dialects=(OPENAI, ANTHROPIC),
)
