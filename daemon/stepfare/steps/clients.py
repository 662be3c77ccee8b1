"""Which agent asks, in which folder it works, and whether it plans or acts: read from headers, tools and the marks in the system text.

A user's text is only trusted inside the envelopes that clients write: people talk about plan modes and folders too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from stepfare.core.request import RequestView, Role, Text, ToolResult, Turn
from stepfare.steps.envelopes import words_of_turn

HEAD_TURNS_MAX = 6
"""System texts and the scene that a client sets stand in so many first turns."""
TAIL_TURNS_MAX = 64
SYSTEM_CHARS_MAX = 131_072
OPENING_CHARS = 4_096
SCENE_CHARS_MAX = 4_096
USER_CHARS_MAX = 131_072
FACTS_KEPT_MAX = 256

CLIENTS = (
    "cline",
    "cline-classic",
    "continue",
    "claude-code",
    "codex",
    "aider",
    "opencode",
    "kilo",
    "qwen",
    "mini-swe-agent",
    "openhands",
    "unknown",
)
HAVE_MODES = frozenset({"cline", "cline-classic", "continue", "claude-code", "codex", "opencode", "kilo", "qwen"})

AGENTS: tuple[tuple[str, str], ...] = (
    # Beginnings of the user-agent header.
    ("cline/", "cline-classic"),
    ("claude-cli/", "claude-code"),
    ("codex", "codex"),
    ("opencode/", "opencode"),
    ("kilo-code/", "kilo"),
    ("qwencode/", "qwen"),
    ("continue", "continue"),
    ("openhands", "openhands"),
    ("aider", "aider"),
    ("mini-swe-agent", "mini-swe-agent"),
)
SYSTEM_MARKS: tuple[tuple[str, str], ...] = (
    ("You are Claude Code", "claude-code"),
    ("You are a Claude agent, built on Anthropic's Claude Agent SDK", "claude-code"),
    ("x-anthropic-billing-header: cc_version=", "claude-code"),
    ("You are naming a coding session", "claude-code"),
    ("agent in the Continue CLI", "continue"),
    ("<important_rules>", "continue"),
    ("You are Kilo", "kilo"),
    ("You are Qwen Code", "qwen"),
    ("summarizes internal chat history", "qwen"),
    ("managed memory extraction subagent", "qwen"),
    ("You are opencode", "opencode"),
    ("You are OpenCode", "opencode"),
    ("You are Codex", "codex"),
    ("You are OpenHands", "openhands"),
    ("*SEARCH/REPLACE block* Rules", "aider"),
    ("*SEARCH/REPLACE block*", "aider"),
    ("Act as an expert software developer", "aider"),
    ("Act as an expert code analyst", "aider"),
    ("Act as an expert architect engineer", "aider"),
    ("generates concise, one-line Git commit messages", "aider"),
    ("interact multiple times with a computer shell", "mini-swe-agent"),
    ("interact with a computer shell", "mini-swe-agent"),
    ("You are a helpful assistant that can interact with a computer.", "mini-swe-agent"),
    ("You are Cline", "cline-classic"),
)
TOOL_MARKS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"read_files", "run_commands"}), "cline"),
    (frozenset({"attempt_completion", "execute_command"}), "cline-classic"),
    (frozenset({"plan_mode_respond", "read_file"}), "cline-classic"),
    (frozenset({"Checklist", "Read"}), "continue"),
    (frozenset({"AskQuestion", "Bash", "Fetch"}), "continue"),
    (frozenset({"edit_existing_file", "create_new_file"}), "continue"),
    (frozenset({"Bash", "Edit", "ToolSearch"}), "claude-code"),
    (frozenset({"Bash", "Edit", "TodoWrite"}), "claude-code"),
    (frozenset({"exec_command", "write_stdin"}), "codex"),
    (frozenset({"exec", "wait", "spawn_agent"}), "codex"),
    (frozenset({"todowrite", "webfetch", "bash"}), "opencode"),
    (frozenset({"run_shell_command", "grep_search", "read_file"}), "qwen"),
    (frozenset({"execute_bash", "str_replace_editor"}), "openhands"),
)

_PLAN = (
    r"Plan mode is active|Plan mode ACTIVE|Native Plan Mode|# Current Mode\s*\n\s*PLAN MODE|<context name=\"planMode\">",
    r"<user_input mode=\"plan\"|You are in plan mode, in which|^# Plan Mode\s*$",
    r"You are a software architect and planning specialist|Act as an expert architect engineer",
    r"<collaboration_mode>\s*# Plan Mode\b|You are in \*\*Plan Mode\*\* until",
)
_ACT = (
    r"## Exited Plan Mode|# Current Mode\s*\n\s*ACT MODE|User has approved your plan|<user_input mode=\"(?:act|yolo)\"",
    r"operational mode has changed from plan to build|You are in agent mode|no longer in (?:plan|read-only) mode",
    r"# Collaboration [Mm]ode: (?!Plan)\w",
)
_MODE = re.compile(rf"(?P<plan>{'|'.join(_PLAN)})|(?P<act>{'|'.join(_ACT)})", re.MULTILINE)
_MODE_HINTS = (
    "lan mode",
    "lan Mode",
    "ollaboration mode",
    "ollaboration Mode",
    "PLAN MODE",
    "ACT MODE",
    "planMode",
    'mode="',
    "agent mode",
    "plan to build",
    "approved your plan",
    "planning specialist",
    "expert architect",
    "read-only mode",
)
_CONTINUE_BETA = "prompt-caching-2024-07-31"
_ABSOLUTE = r"(/[^\n'\"`)<]*|[A-Za-z]:[\\/][^\n'\"`)<]*)"
_WORKSPACE_MARKS = r"[Ww]orking [Dd]irectory(?: is now| is)?|Workspace root folder|working in the directory|# AGENTS\.md instructions for"
_WORKSPACE = re.compile(rf"(?:{_WORKSPACE_MARKS})[:\s(]*['\"`]?{_ABSOLUTE}|<cwd>\s*{_ABSOLUTE}")
_ENVELOPE = re.compile(r"<(system-reminder|environment_details|environment_context|mode_notice)\b[^>]{0,200}>(.*?)(?:</\1>|\Z)", re.DOTALL)
_USER_INPUT = re.compile(r"\A\s*<user_input mode=\"[a-z]+\"")
_SCENE = re.compile(
    r"\A\s*(?:This is (?:the )?Qwen Code|# AGENTS\.md instructions|<environment_context>|I'm currently working in the directory)"
)
_XML_PROTOCOL = re.compile(r"XML-style tags|<attempt_completion>")
_EDIT_PROTOCOL = re.compile(r"\*SEARCH/REPLACE block\*|\*file listing\*|Act as an expert software developer")
_BLOCK_PROTOCOL = re.compile(r"exactly ONE bash code block")


@dataclass(frozen=True, slots=True)
class Facts:
    """What one turn of the client's own says. `protocol` names a way of acting that needs no tools: xml, edits, bash;
    `opening` is how a system text begins, `words` are a human's where the turn is one."""

    client: str = ""
    workspace: str = ""
    mode: str = ""
    protocol: str = ""
    opening: str = ""
    words: str = ""


_NO_FACTS = Facts()
# A system text of 50 KB is the same in every step: what it says is found once. Keyed by the turn's digest, oldest forgotten first.
_kept: dict[bytes, Facts] = {}


def client_of(headers: Mapping[str, str], view: RequestView) -> str:
    """The agent that asks, one of `CLIENTS`."""
    agent = headers.get("user-agent", "").lower()
    for beginning, client in AGENTS:
        if agent.startswith(beginning):
            return client
    names = {tool.name for tool in view.tools}
    if TOOL_MARKS[0][0] <= names:  # Cline 3 hides behind its SDK's user-agent, and its system text may quote anything.
        return TOOL_MARKS[0][1]
    for facts in _head(view):
        if facts.client:
            return facts.client
    for marks, client in TOOL_MARKS:
        if marks <= names:
            return client
    if "x-claude-code-session-id" in headers:
        return "claude-code"
    if "x-codex-turn-metadata" in headers or headers.get("originator", "").startswith("codex"):
        return "codex"
    # Continue's own build of the OpenAI library calls itself so; to Anthropic it speaks without a library, and asks for a beta of old.
    plain = agent.startswith("node-fetch") and _CONTINUE_BETA in headers.get("anthropic-beta", "")
    return "continue" if plain or agent.startswith("ls/js") else "unknown"


def workspace_of(view: RequestView) -> str:
    """The folder that the agent works in, as an absolute path without a final slash; empty where no mark names one."""
    found = next((workspace for _, workspace in _tail_marks(view) if workspace), "")
    return found or workspace_of_head(view)


def mode_of(view: RequestView) -> str:
    """plan, act, or empty for a client that has no modes. The last mark wins."""
    found = next((mode for mode, _ in _tail_marks(view) if mode), "")
    return found or mode_of_head(view, client_of(view.headers, view))


def workspace_of_head(view: RequestView) -> str:
    """The workspace where no turn of the tail names one."""
    found = next((facts.workspace for facts in reversed(_head(view)) if facts.workspace), "")
    return found or codex_workspace(view.headers)


def mode_of_head(view: RequestView, client: str) -> str:
    """The mode where no turn of the tail says one."""
    for facts in reversed(_head(view)):
        if facts.mode:
            return facts.mode
    return "act" if client in HAVE_MODES else ""


def protocol_of(view: RequestView) -> str:
    """How the model acts without tools: xml (classic Cline), edits (aider), bash (a fenced command), or empty."""
    for facts in _head(view):
        if facts.protocol:
            return facts.protocol
    if view.turns and view.turns[-1].role is Role.SYSTEM:  # aider's rules close its prompt.
        return _facts_at(view, len(view.turns) - 1).protocol
    return ""


def marks_in(turn: Turn) -> tuple[str, str]:
    """The mode that this turn's marks say last and the workspace that they name; each may be empty."""
    if turn.role is Role.ASSISTANT:
        return "", ""
    mode = workspace = ""
    for text in reversed(_client_texts(turn)):
        mode = mode or _mode(text)
        workspace = workspace or (_workspace(text) if turn.role is not Role.TOOL else "")
    return mode, workspace


def codex_workspace(headers: Mapping[str, str]) -> str:
    """Codex names its workspaces in a header of JSON."""
    try:
        said: object = json.loads(headers.get("x-codex-turn-metadata", "") or "{}")
    except (ValueError, RecursionError):
        return ""
    spaces = cast("dict[str, Any]", said).get("workspaces") if isinstance(said, dict) else None
    return next((str(path) for path in cast("dict[str, Any]", spaces)), "") if isinstance(spaces, dict) else ""


def openings(view: RequestView) -> list[str]:
    """How the system texts among the first turns begin."""
    return [facts.opening for facts in _head(view) if facts.opening]


def first_words(view: RequestView, below: int) -> str:
    """The first human words of the conversation, where they stand before the turn `below`."""
    return next((facts.words for facts in _head(view)[:below] if facts.words), "")


def _head(view: RequestView) -> list[Facts]:
    return [_facts_at(view, index) for index in range(min(HEAD_TURNS_MAX, len(view.turns)))]


def _facts_at(view: RequestView, index: int) -> Facts:
    digest = view.digests[index] if index < len(view.digests) else b""
    facts = _kept.get(digest) if digest else None
    if facts is None:
        facts = _facts(view.turns[index])
        if digest:
            while len(_kept) >= FACTS_KEPT_MAX:
                _kept.pop(next(iter(_kept)), None)
            _kept[digest] = facts
    return facts


def _facts(turn: Turn) -> Facts:
    if turn.role in (Role.ASSISTANT, Role.TOOL):
        return _NO_FACTS
    mode, workspace = marks_in(turn)
    if turn.role is not Role.SYSTEM:
        return Facts(workspace=workspace, mode=mode, words=words_of_turn(turn))
    text = "\n".join(_client_texts(turn))
    client = next((client for mark, client in SYSTEM_MARKS if mark in text), "")
    protocol = "bash" if _BLOCK_PROTOCOL.search(text) else ""
    if client in ("", "cline-classic") and _XML_PROTOCOL.search(text):
        protocol = "xml"
    elif client == "aider" and _EDIT_PROTOCOL.search(text):
        protocol = "edits"
    return Facts(client, workspace, mode, protocol, text[:OPENING_CHARS])


def _client_texts(turn: Turn) -> Sequence[str]:
    """Those texts of a turn that the client itself wrote, as far as one can tell."""
    if turn.role is Role.SYSTEM:
        return [block.text[:SYSTEM_CHARS_MAX] for block in turn.blocks if isinstance(block, Text)]
    found: list[str] = []
    for block in turn.blocks:
        if isinstance(block, ToolResult):
            if block.text.startswith("User has approved your plan"):
                found.append(block.text[:100])
        elif isinstance(block, Text) and turn.role is Role.USER:
            if "<" in block.text:
                opening = _USER_INPUT.match(block.text)
                if opening is not None:
                    found.append(opening.group())
                # Reminders open a text or close it; what lies between in a very long one is a file.
                ends = (
                    block.text
                    if len(block.text) <= USER_CHARS_MAX
                    else block.text[: USER_CHARS_MAX // 2] + block.text[-USER_CHARS_MAX // 2 :]
                )
                found += [envelope.group(2) for envelope in _ENVELOPE.finditer(ends)]
            if _SCENE.match(block.text):
                found.append(block.text[:SCENE_CHARS_MAX])
    return found


def _tail_marks(view: RequestView) -> Iterator[tuple[str, str]]:
    for index in range(len(view.turns) - 1, max(-1, len(view.turns) - 1 - TAIL_TURNS_MAX), -1):
        yield marks_in(view.turns[index])


def _mode(text: str) -> str:
    if not any(hint in text for hint in _MODE_HINTS):
        return ""
    last = next(reversed(list(_MODE.finditer(text))), None)
    return "" if last is None else "plan" if last.group("plan") is not None else "act"


def _workspace(text: str) -> str:
    found = _WORKSPACE.search(text)
    if found is None:
        return ""
    path = (found.group(1) or found.group(2)).strip().rstrip(".,;")
    return path.rstrip("/") or path
