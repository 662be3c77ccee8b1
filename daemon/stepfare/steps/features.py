"""What is known of a step before its call: facts without verdicts, read from the end of the conversation.

Turns decode when they are first looked at and a conversation may hold a megabyte, so only a bounded tail is read, and the constant
head (system text, tools) through facts that are found once. Neither its length nor its words count for anything else.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from stepfare.core.request import RequestView, Role, Tool, ToolCall, ToolResult, Turn
from stepfare.core.step import Action, ActionKind, StepFeatures
from stepfare.steps import clients
from stepfare.steps.envelopes import WORDS_CHARS_MAX, words_of_turn
from stepfare.steps.polling import asks_about, goes_on_as
from stepfare.steps.results import LOOKING, REJECTED, failed
from stepfare.steps.rules import EMBEDDING
from stepfare.steps.side_calls import side_of
from stepfare.steps.toolmap import action_of
from stepfare.steps.xml_tools import TextResult, calls_in, results_in

TURNS_READ_MAX = 64
"""How far back the human's last words and the client's marks are looked for."""
SPREAD = {"responses": 3}
"""Where a thought, a text, a call and its result are turns of their own, a step takes so many times more of them."""
ACTIONS_READ_MAX = 16
"""How many actions are understood, with what came of them; more are only counted."""
RECENT_MAX = 8
TURNS_BEFORE_HUMAN_MAX = 8
"""How far beyond the human's words actions are still of interest: the files that they touched."""
FILES_MAX = 16
CACHED_ARGUMENT_CHARS = 2_048
CACHED_ACTIONS = 512
CACHED_WORDS = 64
SAID_KEPT_MAX = 4_096

_MISSING = "result missing"
"""What classic Cline sends as a tool's result when the truth stands in the user's text that follows."""
_NAMED_FILE = re.compile(r"(?<![\w/\\.~:-])(?:/|\./|[A-Za-z]:[/\\])?(?:[\w.~-]+[/\\])*[\w~-][\w.~-]*\.[A-Za-z][A-Za-z0-9]{0,7}(?![\w/\\])")
"""A word with an extension, with folders or without. Words that lack a space after a full stop look so too; no glob matches them."""
_LOOKS_LIKE_FILE = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,7}$")
TOUCHING = frozenset({ActionKind.READ, ActionKind.EDIT, ActionKind.WRITE})
_BLOCK_COMMAND = re.compile(r"```(?:bash|sh|mswea_bash_command)\s*\n(.*?)(?:\n```|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Tail:
    """The end of a conversation as it was read: actions newest first."""

    actions: tuple[Action, ...]
    since_human: int
    human_words: str
    mode: str
    workspace: str


def features_of(view: RequestView) -> StepFeatures:
    """The features of the step that this request asks for."""
    client = clients.client_of(view.headers, view)
    protocol = "" if view.tools else clients.protocol_of(view)
    tail = _tail(view, protocol or ("xml" if client == "cline-classic" else ""))
    human = tail.human_words
    since = tail.since_human
    workspace = tail.workspace or clients.workspace_of_head(view)
    return StepFeatures(
        client=client,
        mode=tail.mode or clients.mode_of_head(view, client),
        side=EMBEDDING if view.endpoint == "embedding" else "" if view.endpoint == "completion" else side_of(view),
        completion=view.endpoint == "completion",
        agent_loop=bool(view.tools) or bool(protocol),
        recent=tuple(reversed(tail.actions[:RECENT_MAX])),
        actions_since_human=since,
        failures=_failures(tail.actions[:since]),
        files=_files(tail.actions[:RECENT_MAX], human, workspace),
        human_words=human,
        workspace=workspace,
    )


def text_calls(text: str, protocol: str) -> tuple[ToolCall, ...]:
    """The calls that an assistant's text makes under such a protocol."""
    if protocol == "xml":
        return calls_in(text)
    if protocol == "bash":
        found = _BLOCK_COMMAND.search(text)
        return (ToolCall("", "bash", json.dumps({"command": found.group(1)})),) if found is not None else ()
    return ()


def _tail(view: RequestView, protocol: str) -> _Tail:
    turns = view.turns
    offered = {tool.name: tool for tool in view.tools}
    results: dict[str, ToolResult] = {}
    written: list[TextResult] = []
    plain = ""
    actions: list[Action | None] = []
    looks: dict[str, list[_Look]] = {}
    since = 0
    words = ""
    mode = workspace = ""
    human_at = -1
    spread = SPREAD.get(view.dialect, 1)
    bottom = max(0, len(turns) - TURNS_READ_MAX * spread)
    for index in range(len(turns) - 1, bottom - 1, -1):
        turn = turns[index]
        if human_at >= 0 and (len(actions) >= RECENT_MAX or human_at - index > TURNS_BEFORE_HUMAN_MAX * spread):
            break
        if turn.role is Role.ASSISTANT:
            calls = [block for block in turn.blocks if isinstance(block, ToolCall)] or list(
                text_calls(turn.text, protocol) if protocol else ()
            )
            for call in reversed(calls):
                if human_at < 0:
                    since += 1
                if len(actions) < ACTIONS_READ_MAX:
                    action = _understood(call, offered.get(call.name))
                    result = _result_of(call, results, written, plain)
                    actions.append(_at_last(action, call, result, actions, looks))
            written, plain = [], ""
            continue
        for block in turn.blocks:
            if isinstance(block, ToolResult):
                results.setdefault(block.id, block)
        if turn.role is Role.USER and protocol:
            plain = turn.text
            written += results_in(plain)
        said = _said_at(view, index)
        mode, workspace = mode or said.mode, workspace or said.workspace
        if human_at < 0:
            words = said.words
            if words and not (protocol == "bash" and _is_observation(turn)):
                human_at = index
            else:
                words = ""
    if human_at < 0:
        words = clients.first_words(view, bottom)
    since -= sum(action is None for action in actions[:since])
    return _Tail(tuple(action for action in actions if action is not None), since, words[:WORDS_CHARS_MAX], mode, workspace)


@dataclass(frozen=True, slots=True)
class _Said:
    """What a turn that is not the model's says: its marks of mode and workspace, and a human's words."""

    mode: str
    workspace: str
    words: str


# The turns of a conversation come again with every step. Keyed by digest, oldest forgotten first.
_said: dict[bytes, _Said] = {}


def _said_at(view: RequestView, index: int) -> _Said:
    digest = view.digests[index] if index < len(view.digests) else b""
    found = _said.get(digest) if digest else None
    if found is None:
        turn = view.turns[index]
        found = _Said(*clients.marks_in(turn), words_of_turn(turn))
        if digest:
            while len(_said) >= SAID_KEPT_MAX:
                del _said[next(iter(_said))]
            _said[digest] = found
    return found


def _is_observation(turn: Turn) -> bool:
    """What the shell said, in the loop of an agent that has no tools."""
    return turn.text.lstrip().startswith(("<returncode>", "<output>", "Observation:", "<warning>", "<exception>"))


def _understood(call: ToolCall, offered: Tool | None) -> Action:
    if len(call.arguments) <= CACHED_ARGUMENT_CHARS:
        return _cached_action(call.name, call.arguments, offered)
    return action_of(call.name, call.arguments, offered)


@lru_cache(maxsize=CACHED_ACTIONS)
def _cached_action(name: str, arguments: str, offered: Tool | None) -> Action:
    """A conversation shows the same calls step after step."""
    return action_of(name, arguments, offered)


@dataclass(frozen=True, slots=True)
class _Result:
    text: str
    flagged: bool
    """Whether the wire format itself says that the call failed."""


@dataclass(frozen=True, slots=True)
class _Look:
    """A call that looks how far a command is, by its place among the actions."""

    place: int
    result: _Result


def _result_of(call: ToolCall, results: dict[str, ToolResult], written: list[TextResult], plain: str) -> _Result:
    """What the call gave back. Calls are met last first, so the last fitting text result is theirs."""
    result = results.get(call.id) if call.id else None
    text = result.text if result is not None else ""
    if result is None or text.strip() == _MISSING:
        place = next((place for place in range(len(written) - 1, -1, -1) if written[place].tool == call.name), -1)
        text = written.pop(place).text if place >= 0 else plain if result is None else ""
    return _Result(text, result is not None and result.failed and not REJECTED.match(text))


def _at_last(action: Action, call: ToolCall, result: _Result, later: list[Action | None], looks: dict[str, list[_Look]]) -> Action | None:
    """The action with what came of it. One that was looked at later stands there, once, and is None here."""
    asked = asks_about(call)
    if asked:
        looks.setdefault(asked, []).append(_Look(len(later), result))
        return _judged(action, result)
    found = looks.pop(goes_on_as(result.text), [])
    for look in found:
        later[look.place] = None
    if found:
        later[found[0].place] = _judged(action, found[0].result)
        return None
    return _judged(action, result)


def _judged(action: Action, result: _Result) -> Action:
    flagged = result.flagged
    if flagged and action.kind in LOOKING and result.text.startswith("Exit code 1"):
        flagged = False  # grep says so when it finds nothing.
    return replace(action, failed=True) if flagged or failed(action.kind, result.text) else action


def _failures(actions: Sequence[Action]) -> int:
    """Trouble since the human spoke, newest action first: errors in a row, or failing tests since one last passed, whichever is more."""
    row = next((count for count, action in enumerate(actions) if not action.failed), len(actions))
    tests = [action.failed for action in actions if action.kind is ActionKind.TEST]
    return max(row, next((count for count, broken in enumerate(tests) if not broken), len(tests)))


def _files(actions: Sequence[Action], words: str, workspace: str) -> tuple[str, ...]:
    """Files in play: those that the latest actions touched, the latest first, then those that the human names."""
    found: dict[str, None] = {}
    for action in actions:
        if action.kind is ActionKind.LIST:
            continue
        for path in action.paths:
            if action.kind in TOUCHING or _LOOKS_LIKE_FILE.search(path):
                found[_relative(path, workspace)] = None
    for path in _named(words):
        found[_relative(path, workspace)] = None
    found.pop("", None)
    return tuple(found)[:FILES_MAX]


@lru_cache(maxsize=CACHED_WORDS)
def _named(words: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(match.group() for match in _NAMED_FILE.finditer(words)))[:FILES_MAX] if "." in words else ()


def _relative(path: str, workspace: str) -> str:
    """A path in one form: forward slashes, relative to the workspace where it lies inside it."""
    path = path.strip("@").replace("\\", "/")
    workspace = workspace.replace("\\", "/")
    if workspace and path.lower().startswith(workspace.lower() + "/") and (path.startswith(workspace) or workspace[1:2] == ":"):
        path = path[len(workspace) + 1 :]
    elif path == workspace:
        return ""
    if path.startswith(".") or "/." in path or "//" in path or path.endswith("/"):
        path = posixpath.normpath(path)
    return "" if path == "." else path
