"""Claude Code: the environment that its settings give to every run, for the user or for one project on this machine."""

from __future__ import annotations

from pathlib import Path

from stepfare.cli.connect.edits import Back, Edit, Put, ValuesEdit
from stepfare.cli.connect.json_text import JsonObject
from stepfare.cli.connect.place import ANTHROPIC, Client, Endpoint, Place, Scope, World

# Claude Code lists only names that begin with claude.
FAMILY = "claude-stepfare-"
ENV = "env"
BASE_URL = "ANTHROPIC_BASE_URL"
MODELS = {
    "ANTHROPIC_MODEL": "auto",
    # What its own short names stand for, in `/model` and wherever an agent or a command names one.
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": "frugal",
    "ANTHROPIC_DEFAULT_SONNET_MODEL": "auto",
    "ANTHROPIC_DEFAULT_OPUS_MODEL": "premium",
    "ANTHROPIC_DEFAULT_FABLE_MODEL": "premium",
}
STATUS_LINE = "statusLine"
STATUS: JsonObject = {"type": "command", "command": "stepfare status --format statusline"}


def _path(world: World, place: Place) -> Path:
    if place.scope is Scope.PROJECT:
        return place.at / ".claude" / "settings.local.json"
    return world.folder("CLAUDE_CONFIG_DIR", ".claude") / "settings.json"


def _edits(world: World, place: Place, endpoint: Endpoint) -> tuple[Edit, ...]:
    puts = (
        Put((ENV, BASE_URL), endpoint.root_url),
        Put((ENV, "ANTHROPIC_AUTH_TOKEN"), endpoint.token, Back.EITHER),
        *(Put((ENV, name), FAMILY + alias, Back.EITHER, family=FAMILY) for name, alias in MODELS.items()),
        # It takes a name that it does not know for a model with a window of a million tokens.
        Put((ENV, "CLAUDE_CODE_MAX_CONTEXT_TOKENS"), str(endpoint.context_tokens), Back.EITHER),
        *([Put((STATUS_LINE,), STATUS)] if endpoint.statusline else []),
    )
    return (ValuesEdit(_path(world, place), puts, anchor=(ENV, BASE_URL), anchor_end="/v1"),)


def _trace(world: World) -> str:
    return world.seen(_path(world, Place(Scope.USER)), "claude")


def _hints(world: World, place: Place) -> tuple[str, ...]:
    hints = [
        "Run it as ever, e.g.: claude. A run that is open keeps its old settings.",
        "To see what a session costs while it runs, in its status line: stepfare connect claude-code --statusline",
    ]
    if place.scope is Scope.PROJECT:
        hints.append("The file holds your token: keep .claude/settings.local.json out of the repository.")
    if world.environ.get("ANTHROPIC_API_KEY", "").strip():
        hints.append("ANTHROPIC_API_KEY is set here. Claude Code sends it along; the daemon reads the token instead and forwards neither.")
    return tuple(hints)


CLIENT = Client(
    "claude-code",
    "Claude Code",
    ("claude-code", "claude"),
    (Scope.USER, Scope.PROJECT),
    _edits,
    _trace,
    _hints,
    dialects=(ANTHROPIC,),
    has_statusline=True,
)
