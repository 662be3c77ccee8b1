"""How much of its own todo list an agent has still before it, told from the calls by which it keeps that list."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple, cast

from stepfare.core.request import ToolCall

_OPEN = re.compile(r"^\s*[-*] \[ \]", re.MULTILINE)
_CHECKED = re.compile(r"^\s*[-*] \[[xX]\]", re.MULTILINE)
_LISTS = ("todos", "plan", "items", "tasks", "todoList")
_TEXTS = ("checklist", "task_progress", "todos", "plan")
_DONE = frozenset({"completed", "complete", "done", "cancelled", "canceled", "deleted"})


class Todos(NamedTuple):
    """How many items are open and how many are done, and whether one of the open ones is being worked on."""

    pending: int = 0
    done: int = 0
    active: bool = False


def todos_after(before: Todos, call: ToolCall) -> Todos:
    """The list after this call; as it was where the call says nothing of it."""
    try:
        said: object = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return before
    given = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    for key in _LISTS:
        value: object = given.get(key)
        if isinstance(value, list):
            items = [cast("dict[str, Any]", one) for one in cast("list[object]", value) if isinstance(one, dict)]
            done = sum(str(item.get("status", "")).lower() in _DONE or item.get("completed") is True for item in items)
            return Todos(len(items) - done, done, any(item.get("status") == "in_progress" for item in items)) if items else before
    for key in _TEXTS:
        value = given.get(key)
        if isinstance(value, str) and (_OPEN.search(value) or _CHECKED.search(value)):
            return Todos(len(_OPEN.findall(value)), len(_CHECKED.findall(value)))
    if call.name == "TaskCreate":
        return Todos(before.pending + 1, before.done, before.active)
    if call.name == "TaskUpdate":
        status = str(given.get("status", "")).lower()
        if status in _DONE and before.pending:
            return Todos(before.pending - 1, before.done + 1)
        return before._replace(active=before.active or status == "in_progress")
    return before
