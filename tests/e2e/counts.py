"""What each agent itself says of its run: how many model calls it made, and its last words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast

Count = Callable[[str, Path], tuple[int, str]]
"""From the output and the home of a run to its number of calls and its last words."""


def _lines(output: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for line in output.splitlines():
        with suppress(ValueError):
            value = cast(object, json.loads(line))
            if isinstance(value, dict):
                found.append(cast("dict[str, object]", value))
    return found


def _inner(value: object, *keys: str) -> object:
    for key in keys:
        value = cast("dict[str, object]", value).get(key) if isinstance(value, dict) else None
    return value


def _newest(folder: Path, pattern: str) -> Path | None:
    return max(folder.glob(pattern), key=lambda path: path.stat().st_mtime_ns, default=None)


def _cline(output: str, home: Path) -> tuple[int, str]:
    result = next((line for line in reversed(_lines(output)) if line.get("type") == "run_result"), {})
    return int(str(result.get("iterations", 0))), str(result.get("text", ""))


def _classic(output: str, home: Path) -> tuple[int, str]:
    # A line is told anew when it changes: each request is counted by its time.
    asked = {line.get("ts") for line in _lines(output) if line.get("say") == "api_req_started"}
    final = next((line for line in reversed(_lines(output)) if line.get("say") == "completion_result"), {})
    return len(asked), str(final.get("text", ""))


def _continue(output: str, home: Path) -> tuple[int, str]:
    sessions = [path for path in (home / ".continue/sessions").glob("*.json") if path.name != "sessions.json"]
    newest = max(sessions, key=lambda path: path.stat().st_mtime_ns, default=None)
    if newest is None:
        return 0, ""
    history = cast("list[dict[str, dict[str, object]]]", json.loads(newest.read_text(encoding="utf-8"))["history"])
    said = [item["message"] for item in history if item["message"].get("role") == "assistant"]
    return len(said), str(said[-1].get("content", "")) if said else ""


def _claude_code(output: str, home: Path) -> tuple[int, str]:
    # A message with several blocks is told block by block, under one id.
    said = {_inner(line, "message", "id") for line in _lines(output) if line.get("type") == "assistant"}
    result = next((line for line in reversed(_lines(output)) if line.get("type") == "result"), {})
    return len(said), str(result.get("result", ""))


def _codex(output: str, home: Path) -> tuple[int, str]:
    record = _newest(home / ".codex/sessions", "**/rollout-*.jsonl")
    lines = _lines(record.read_text(encoding="utf-8")) if record else []
    # It notes the tokens of every answer, and once more what it knows of limits, without any.
    counted = [line for line in lines if _inner(line, "payload", "type") == "token_count" and _inner(line, "payload", "info")]
    said = [_inner(line, "item", "text") for line in _lines(output) if _inner(line, "item", "type") == "agent_message"]
    return len(counted), str(said[-1]) if said else ""


def _aider(output: str, home: Path) -> tuple[int, str]:
    answered = output.count("Tokens: ")
    # It counts no tokens for the message of a commit, which it has a model write.
    return answered + output.count("\nCommit "), output


def _opencode(output: str, home: Path) -> tuple[int, str]:
    steps = [line for line in _lines(output) if line.get("type") == "step_finish"]
    said = [_inner(line, "part", "text") for line in _lines(output) if line.get("type") == "text"]
    # The title of the session is asked for beside the steps and not told of.
    return len(steps) + 1, str(said[-1]) if said else ""


def _mini(output: str, home: Path) -> tuple[int, str]:
    record = home / ".config/mini-swe-agent/last_mini_run.traj.json"
    told = cast("dict[str, object]", json.loads(record.read_text(encoding="utf-8"))) if record.is_file() else {}
    calls = _inner(told, "info", "model_stats", "api_calls")
    return int(str(calls or 0)), str(_inner(told, "info", "submission") or output)


COUNTS: Mapping[str, Count] = {
    "cline": _cline,
    "cline-classic": _classic,
    "continue": _continue,
    "claude-code": _claude_code,
    "codex": _codex,
    "aider": _aider,
    "opencode": _opencode,
    "mini-swe-agent": _mini,
}
