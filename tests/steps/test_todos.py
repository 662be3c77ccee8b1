"""How an agent's own list stands, by the calls that keep it."""

from __future__ import annotations

import json

import pytest

from stepfare.core.request import ToolCall
from stepfare.steps.todos import Todos, todos_after


@pytest.mark.parametrize(
    ("tool", "arguments", "after"),
    [
        ("TodoWrite", {"todos": [{"status": "completed"}, {"status": "in_progress"}, {"status": "pending"}]}, Todos(2, 1, True)),
        ("update_plan", {"plan": [{"step": "a", "status": "pending"}]}, Todos(1, 0)),
        ("Checklist", {"checklist": "- [x] a\n- [ ] b\n- [ ] c"}, Todos(2, 1)),
        ("attempt_completion", {"task_progress": "- [X] a"}, Todos(0, 1)),
        ("TaskCreate", {"subject": "x"}, Todos(4, 5, True)),
        ("TaskUpdate", {"taskId": "1", "status": "completed"}, Todos(2, 6)),
        ("TaskUpdate", {"taskId": "1", "status": "in_progress"}, Todos(3, 5, True)),
        ("TaskUpdate", {"taskId": "1", "owner": "me"}, Todos(3, 5, True)),
        ("TodoWrite", {"todos": []}, Todos(3, 5, True)),
        ("TodoRead", {}, Todos(3, 5, True)),
    ],
)
def test_a_call_changes_the_list(tool: str, arguments: dict[str, object], after: Todos) -> None:
    assert todos_after(Todos(3, 5, True), ToolCall("1", tool, json.dumps(arguments))) == after


def test_broken_arguments_change_nothing() -> None:
    assert todos_after(Todos(1, 1), ToolCall("1", "TodoWrite", "{")) == Todos(1, 1)
