"""Requests for the tests of steps: captured shapes from files, and small ones from plain tuples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stepfare.core.request import RequestView, Role, Text, Tool, ToolCall, ToolResult, Turn
from stepfare.core.step import Action, ActionKind, StepFeatures, StepKind
from stepfare.dialects.openai_chat import read_request
from stepfare.dialects.table import DIALECTS
from stepfare.steps.classify import classify
from stepfare.steps.trouble import stuck

CASES = Path(__file__).resolve().parents[1] / "cases" / "requests"

# What each client says of itself in its headers.
USER_AGENTS = {
    "cline": "ai-sdk/openai-compatible/3.0.37 ai-sdk/provider-utils/5.0.30 runtime/bun/1.3.13",
    "cline-classic": "Cline/3.82.0",
    "continue": "ls/JS 5.23.2",
    "opencode": "opencode/1.18.33 ai-sdk/openai-compatible/2.0.1",
    "kilo": "Kilo-Code/7.7.7 ai-sdk/openai-compatible/2.0.1",
    "qwen": "QwenCode/0.15.10 (linux; x64)",
    "aider": "OpenAI/Python 2.20.0",
    "mini-swe-agent": "OpenAI/Python 2.20.0",
}


def captured(name: str) -> RequestView:
    """The request of that name, `cline/act_first`, as the daemon reads it."""
    return read_request((CASES / f"{name}.json").read_bytes(), {"user-agent": USER_AGENTS[name.partition("/")[0]]})


def a_view(
    *turns: Turn,
    tools: Sequence[str] = ("bash", "read", "edit"),
    headers: Mapping[str, str] | None = None,
    endpoint: str = "chat",
) -> RequestView:
    """A request of these turns."""
    return RequestView(
        dialect="openai",
        endpoint=endpoint,
        raw=b"",
        headers=headers or {},
        model="auto",
        stream=True,
        turns=turns,
        digests=(),
        tools=tuple(Tool(name) for name in tools),
        needs=frozenset(),
    )


def system(*texts: str) -> Turn:
    return Turn(Role.SYSTEM, tuple(Text(text) for text in texts))


def user(*texts: str) -> Turn:
    return Turn(Role.USER, tuple(Text(text) for text in texts))


def called(call: str, name: str, **arguments: object) -> Turn:
    return Turn(Role.ASSISTANT, (ToolCall(call, name, json.dumps(arguments)),))


def gave(call: str, text: str, *, failed: bool = False) -> Turn:
    return Turn(Role.TOOL, (ToolResult(call, text, failed),))


def acted(*kinds: str) -> tuple[Action, ...]:
    """Actions of these kinds; an exclamation mark stands for a failure."""
    return tuple(Action(ActionKind(kind.rstrip("!")), "tool", failed=kind.endswith("!")) for kind in kinds)


AT_WORK = StepFeatures(
    client="cline",
    mode="act",
    side="",
    completion=False,
    agent_loop=True,
    recent=(),
    actions_since_human=0,
    failures=0,
    files=(),
    human_words="mend it",
)


def some_features(*kinds: str, **changed: Any) -> StepFeatures:
    """Features of an agent in its loop after these actions since the human spoke."""
    return replace(replace(AT_WORK, recent=acted(*kinds), actions_since_human=len(kinds)), **changed)


FORMATS = CASES.parent
AGENT_HEADERS: Mapping[str, Mapping[str, str]] = {
    # What each client says of itself in the two other formats.
    "anthropic/claude-code": {"user-agent": "claude-cli/2.1.330 (external, sdk-cli)", "x-claude-code-session-id": "5f0c2a9e"},
    "anthropic/cline": {"user-agent": "ai-sdk/anthropic/4.0.42 ai-sdk/provider-utils/5.0.30 runtime/bun/1.3.13"},
    "anthropic/cline-classic": {"user-agent": "Cline/3.82.0"},
    "anthropic/continue": {"user-agent": "node-fetch", "anthropic-beta": "prompt-caching-2024-07-31"},
    "anthropic/aider": {"user-agent": "litellm/1.81.10"},
    "responses/codex": {"user-agent": "codex_exec/0.169.0 (Debian 12; x86_64)", "originator": "codex_exec"},
    "responses/cline": {"user-agent": "ai-sdk/openai/4.0.47 ai-sdk/provider-utils/5.0.30 runtime/bun/1.3.13"},
    "responses/continue": {"user-agent": "ls/JS 5.23.2", "x-stainless-helper-method": "stream"},
    "responses/sdk": {"user-agent": "OpenAI/Python 3.54.0"},
}


def spoken(name: str, *more: Mapping[str, object], client: str = "", **changed: object) -> RequestView:
    """The request of that name in one of the two other formats, `anthropic/claude-code/first` or `responses/codex_classic`, with what
    its client sent after that, and fields that it has otherwise."""
    dialect, _, rest = name.partition("/")
    client = client or rest.partition("/" if dialect == "anthropic" else "_")[0]
    body: dict[str, Any] = json.loads((FORMATS / f"{name}.json").read_bytes())
    key = "messages" if dialect == "anthropic" else "input"
    if more:
        body[key] = [*body[key], *more]
    body |= changed
    headers = dict(AGENT_HEADERS[f"{dialect}/{client}"])
    turn = body.get("client_metadata", {}).get("x-codex-turn-metadata")
    if turn:
        headers["x-codex-turn-metadata"] = turn
    raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return DIALECTS[dialect].read_request(raw, headers)


OPEN = None
"""The kind of a step of which no rule is certain: that is for the weights to say."""


def settled(seen: StepFeatures) -> StepKind | None:
    """What the coming turn is for, as far as rules and evidence of trouble say; `OPEN` where the weights have to."""
    step = classify(seen)
    return step.kind if step.certain else StepKind.RECOVER if stuck(seen) else OPEN


def told(seen: StepFeatures) -> str:
    """What was done since the human spoke; an exclamation mark stands for a failure."""
    done = seen.recent[len(seen.recent) - seen.actions_since_human :]
    return " ".join(action.kind.value + "!" * action.failed for action in done)
