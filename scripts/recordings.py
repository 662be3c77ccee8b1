"""Recorded agent sessions as the requests that the daemon would have seen, step by step, with what each turn turned out to be."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepfare.core.request import RequestView, Role, Text, Tool, ToolCall, ToolResult, Turn
from stepfare.core.step import ActionKind, StepFeatures, StepKind
from stepfare.steps.features import features_of

FLAT_VIEW = "steps.jsonl.gz"
CHARS_PER_TOKEN = 3.6
CUT_CHARS_MAX = 200_000

# The recordings do not hold the tools that were offered; that there were some is what counts.
OFFERED = (Tool("Bash", ("command",)),)
AGENTS = {"claude-code": "claude-cli/", "codex-cli": "codex_exec/", "mini-swe-agent": "mini-swe-agent/", "openhands": "openhands/"}
"""How each agent calls itself in its requests."""

# How the recordings name what a call did, in our words.
ACTION_OF_LABEL = {
    "list": ActionKind.LIST,
    "read": ActionKind.READ,
    "search": ActionKind.SEARCH,
    "web": ActionKind.WEB,
    "edit": ActionKind.EDIT,
    "write": ActionKind.WRITE,
    "exec_test": ActionKind.TEST,
    "exec_other": ActionKind.RUN,
    "ask_user": ActionKind.ASK,
    "final_answer": ActionKind.FINISH,
    ("plan", "todo"): ActionKind.TODO,
    ("plan", "skill"): ActionKind.SKILL,
    ("plan", "delegate"): ActionKind.DELEGATE,
    ("plan", "exit_plan"): ActionKind.PLAN,
}
KIND_OF_LABEL = {
    "list": StepKind.EXPLORE,
    "read": StepKind.EXPLORE,
    "search": StepKind.EXPLORE,
    "web": StepKind.EXPLORE,
    "edit": StepKind.EDIT,
    "write": StepKind.EDIT,
    "exec_test": StepKind.RUN,
    "exec_other": StepKind.RUN,
    "ask_user": StepKind.ANSWER,
    ("plan", "todo"): StepKind.SIDE,
    ("plan", "skill"): StepKind.EXPLORE,
    ("plan", "delegate"): StepKind.ANSWER,
    ("plan", "exit_plan"): StepKind.PLAN,
}
_CUT = re.compile(r"\n?…\[(\d+) chars cut\]…\n?")


@dataclass(frozen=True)
class Example:
    """One recorded step: what was known before it, and what it was."""

    session: str
    project: str
    agent: str
    features: StepFeatures
    kind: StepKind
    label: str
    tier: str
    output_tokens: float
    calls: tuple[ToolCall, ...]
    text: str


def sessions(folder: Path) -> Iterator[dict[str, Any]]:
    """The recorded sessions, file by file in the order of their names."""
    files = [path for path in sorted(folder.glob("*.jsonl.gz")) if path.name != FLAT_VIEW]
    if not files:
        sys.exit(f"{folder}: no *.jsonl.gz with recorded sessions in it")
    for path in files:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


def action_of_label(kind: str, sub: str | None) -> ActionKind:
    """What the recording says that a call did."""
    return ACTION_OF_LABEL[(kind, sub or "") if kind == "plan" else kind]


def turns_of(session: dict[str, Any]) -> list[Turn]:
    """The session's messages as the daemon would see them."""
    return [_turn(message) for message in session["messages"]]


def digests_of(session: dict[str, Any]) -> tuple[bytes, ...]:
    """16 bytes for each turn, as the daemon's reader of requests gives them."""
    return tuple(
        hashlib.blake2b(f"{session['session_id']} {place}".encode(), digest_size=16).digest() for place in range(len(session["messages"]))
    )


def argument_text(given: Any) -> str:
    # The recordings blank out addresses in a form that a shell would take for redirections.
    return json.dumps(_whole_again(given)).replace("<email>", "user@host").replace("<redacted>", "redacted")


def _whole_again(given: Any) -> Any:
    """Arguments as long as they were: what the recordings cut out is filled in with nothing that means anything."""
    if isinstance(given, str):
        return _filled(given)
    if isinstance(given, list):
        return [_whole_again(one) for one in given]
    return {key: _whole_again(one) for key, one in given.items()} if isinstance(given, dict) else given


def _filled(text: str) -> str:
    return _CUT.sub(lambda cut: "\n" + "." * min(int(cut.group(1)), CUT_CHARS_MAX) + "\n", text) if "chars cut]" in text else text


def _turn(message: dict[str, Any]) -> Turn:
    text = _filled(message.get("t") or "")
    match message["r"]:
        case "assistant":
            calls = tuple(ToolCall(str(call["id"]), call["tool"], argument_text(call["a"])) for call in message.get("calls", ()))
            return Turn(Role.ASSISTANT, ((Text(text),) if text else ()) + calls)
        case "tool":
            return Turn(Role.TOOL, (ToolResult(str(message["id"]), text, bool(message.get("err"))),))
        case "system":
            return Turn(Role.SYSTEM, (Text(text),))
        case _:
            if message.get("meta") or message.get("compact"):
                text = f"<system-reminder>{text}</system-reminder>"
            return Turn(Role.USER, (Text(text),))


def view_of(session: dict[str, Any], turns: list[Turn], digests: tuple[bytes, ...], until: int) -> RequestView:
    """The request that the recorded step answered."""
    return RequestView(
        dialect="openai", endpoint="chat", raw=b"", headers={"user-agent": AGENTS.get(session["agent"], "")}, model="auto", stream=True,
        turns=turns[:until], digests=digests[:until], tools=OFFERED, needs=frozenset(),
    )  # fmt: skip


def examples(folder: Path) -> Iterator[Example]:
    """Every recorded step with its features."""
    for session in sessions(folder):
        turns = turns_of(session)
        digests = digests_of(session)
        for step in session["steps"]:
            features = features_of(view_of(session, turns, digests, step["i"]))
            label, sub = step["kind"], step.get("sub") or ""
            if label == "final_answer":
                kind = StepKind.SUMMARIZE if sub == "submit" or features.actions_since_human else StepKind.ANSWER
            else:
                kind = KIND_OF_LABEL[(label, sub) if label == "plan" else label]
            answer = turns[step["i"]]
            usage = step.get("u") or {}
            yield Example(
                session=session["session_id"],
                project=session["project"],
                agent=session["agent"],
                features=features,
                kind=kind,
                label=label,
                tier=step["tier"],
                output_tokens=max(float(usage.get("out") or 0), step["out_chars"] / CHARS_PER_TOKEN),
                calls=tuple(block for block in answer.blocks if isinstance(block, ToolCall)),
                text=answer.text,
            )
