"""Commands that go on after their call has returned, and the calls that ask later what came of them.

A test that takes longer than a client waits is told in two calls or more: one starts it, the others look how far it is. They are one
action, which stands where it was looked at last.
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

from stepfare.core.request import ToolCall

HEAD_CHARS = 1_200
"""Clients say first that a command goes on."""

_GOES_ON = re.compile(
    r"(?:Process running with session ID|Script running with cell ID|Command running in background with ID:)\s+([\w-]{1,64})"
)
_ASKING = frozenset({"write_stdin", "wait", "TaskOutput", "BashOutput"})
_KEYS = ("session_id", "cell_id", "task_id", "bash_id")


def goes_on_as(result: str) -> str:
    """The name under which a command goes on whose call gave this back; empty where it has ended."""
    head = result[:HEAD_CHARS]
    found = _GOES_ON.search(head) if " running " in head else None
    return found.group(1) if found is not None else ""


def asks_about(call: ToolCall) -> str:
    """The name of the command that this call only looks at; empty for any other call, one that types something included."""
    if call.name not in _ASKING:
        return ""
    try:
        said: object = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return ""
    given = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    if given.get("chars"):
        return ""
    return next((str(value) for key in _KEYS for value in (given.get(key),) if isinstance(value, str | int)), "")
