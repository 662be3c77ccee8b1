"""From a wish to a call of whatever tools are offered, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stepfare.simulator.hands import any_call, intent_of, ways
from stepfare.simulator.intents import (
    Finish,
    Intent,
    Look,
    Other,
    Read,
    Replace,
    Run,
    Search,
)
from stepfare.simulator.reading import ToolFunction
from stepfare.simulator.shapes import manual_tools, native_tools, shape_of
from stepfare.simulator.toolboxes import Role, role_of, toolbox
from stepfare.simulator.xmlcalls import as_text, calls_in
from tests.simulator.clients import MANUAL, Cline, Continue, OnlyBash, text, texts, tool

CWD = "/home/me/project"


def box(offered: list[dict[str, Any]], cwd: str = CWD):
    return toolbox(native_tools([ToolFunction(**item["function"]) for item in offered]), cwd, xml=False)


def first(intent: Intent, offered: list[dict[str, Any]], skip: int = 0) -> list[tuple[str, Any]]:
    ways_found = list(ways(intent, box(offered)))
    return [(call.name, json.loads(call.arguments)) for call in ways_found[skip]]


REPLACE = Replace("a.py", "old", "new", "all new\n")
QWEN = [
    tool("list_directory", ["path"], path=text("The absolute path to the directory"), ignore=texts()),
    tool("read_file", ["absolute_path"], absolute_path=text("The absolute path to the file"), offset={"type": "number"}),
    tool("run_shell_command", ["command", "is_background"], command=text(), is_background={"type": "boolean"}, description=text()),
    tool("edit", ["file_path", "old_string", "new_string"], file_path=text("absolute"), old_string=text(), new_string=text()),
]
PATCHER = [tool("apply_patch", ["input"], input=text("The patch"))]


@pytest.mark.parametrize(
    ("intent", "offered", "calls"),
    [
        (Look(), Continue.tools, [("List", {"dirpath": "."})]),
        (Look(), Cline.tools, [("run_commands", {"commands": ["ls -R"]})]),
        (Look(), QWEN, [("list_directory", {"path": CWD})]),
        (Search("def "), Cline.tools, [("search_codebase", {"queries": ["def "]})]),
        (Read(("a.py", "b.py")), Cline.tools, [("read_files", {"files": [{"path": f"{CWD}/a.py"}, {"path": f"{CWD}/b.py"}]})]),
        (Read(("a.py", "b.py")), Continue.tools, [("Read", {"filepath": "a.py"}), ("Read", {"filepath": "b.py"})]),
        (Read(("a.py",)), QWEN, [("read_file", {"absolute_path": f"{CWD}/a.py"})]),
        (Read(("a b.py",)), OnlyBash.tools, [("bash", {"command": "cat 'a b.py'"})]),
        (Run("npm test"), QWEN, [("run_shell_command", {"command": "npm test", "is_background": False, "description": "Run the tests"})]),
        (REPLACE, Cline.tools, [("editor", {"path": f"{CWD}/a.py", "old_text": "old", "new_text": "new"})]),
        (REPLACE, Continue.tools, [("Edit", {"file_path": "a.py", "old_string": "old", "new_string": "new"})]),
        (REPLACE, PATCHER, [("apply_patch", {"input": "*** Begin Patch\n*** Update File: a.py\n@@\n-old\n+new\n*** End Patch"})]),
        (REPLACE, OnlyBash.tools, [("bash", {"command": "cat > a.py <<'STEPFARE'\nall new\nSTEPFARE"})]),
    ],
)
def test_a_wish_becomes_a_call_that_fits_the_schema(intent: Intent, offered: list[dict[str, Any]], calls: list[tuple[str, Any]]) -> None:
    assert first(intent, offered) == calls


@pytest.mark.parametrize("offered", [Cline.tools, Continue.tools, QWEN, OnlyBash.tools])
@pytest.mark.parametrize("intent", [Look(), Search("def "), Read(("a.py",)), Run("npm test")])
def test_a_call_tells_what_it_was_for(intent: Intent, offered: list[dict[str, Any]]) -> None:
    ((name, arguments),) = first(intent, offered)
    got = intent_of(name, arguments, CWD)
    if isinstance(intent, Search):
        assert isinstance(got, Search)
    else:
        assert got == (Look(".") if got == Look(CWD) else intent) or got == Look(CWD)


@pytest.mark.parametrize("offered", [Cline.tools, Continue.tools, QWEN, PATCHER])
def test_an_edit_tells_what_it_replaced(offered: list[dict[str, Any]]) -> None:
    ((name, arguments),) = first(REPLACE, offered)
    assert intent_of(name, arguments, CWD) == Replace("a.py", "old", "new", "")


def test_where_editing_failed_writing_is_next_but_only_with_the_whole_file_known() -> None:
    assert first(REPLACE, Continue.tools, skip=1) == [("Write", {"filepath": "a.py", "content": "all new\n"})]
    assert [calls[0].name for calls in ways(Replace("a.py", "old", "new", ""), box(Continue.tools))] == ["Edit"]


def test_a_heredoc_is_read_back_as_a_written_file() -> None:
    ((name, arguments),) = first(REPLACE, OnlyBash.tools)
    assert intent_of(name, arguments, CWD) == Replace("a.py", "", "", "all new\n")


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Read", Role.READ),
        ("read_files", Role.READ),
        ("grep", Role.SEARCH),
        ("Glob", Role.LIST),
        ("str_replace", Role.EDIT),
        ("create_new_file", Role.WRITE),
        ("run_terminal_command", Role.RUN),
        ("submit_and_exit", Role.FINISH),
        ("web_search", None),
        ("TodoWrite", None),
        ("spawn_agent", None),
        ("NotebookEdit", None),
    ],
)
def test_roles_are_told_by_names(name: str, role: Role | None) -> None:
    assert role_of(name) is role


def test_a_tool_without_the_parameters_of_its_role_is_not_used() -> None:
    assert not box([tool("edit", ["instructions"], instructions=text())]).has(Role.EDIT)


def test_calls_of_unknown_tools_are_other() -> None:
    assert intent_of("team_status", {"path": "x"}, CWD) == Other("team_status")


def test_what_a_tool_insists_on_is_filled_harmlessly() -> None:
    odd = tool(
        "list_files",
        ["path", "depth", "deep", "kind", "tags", "more"],
        path=text(),
        depth={"type": "integer"},
        deep={"type": ["boolean", "null"]},
        kind={"enum": ["file", "all"]},
        tags=texts(),
        more={"type": "object", "properties": {"x": text(), "y": text()}, "required": ["x"]},
    )
    ((_, arguments),) = first(Look(), [odd])
    assert arguments == {"path": ".", "depth": 1, "deep": False, "kind": "file", "tags": [], "more": {"x": "[stepfare simulator]"}}


def test_where_a_call_is_insisted_on_it_only_looks() -> None:
    (call,) = any_call(box(Continue.tools), "required", "words")
    assert call.name == "List"
    (call,) = any_call(box(Continue.tools), "Exit", "words")
    assert (call.name, call.arguments) == ("Exit", "{}")
    assert any_call(box([]), "required", "words") == ()


def test_schemas_with_choices_and_nonsense_are_read_leniently() -> None:
    assert shape_of({"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "string"}}]}).kind == "array"
    assert shape_of({"properties": {"a": True, "b": 3}, "required": "a"}).kind == "object"
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"type": "object", "properties": {"x": deep}}
    assert shape_of(deep).kind == "object"
    assert shape_of(["nonsense"]).kind == "string"


def test_a_manual_in_words_is_read_like_a_schema() -> None:
    tools = manual_tools(MANUAL.format(folder=CWD))
    assert [item.name for item in tools] == [
        "execute_command", "read_file", "replace_in_file", "list_files", "attempt_completion", "plan_mode_respond",
    ]  # fmt: skip
    classic = toolbox(tools, CWD, xml=True)
    ((run,),) = ways(Run("npm test"), classic)
    assert as_text(run) == (
        "<execute_command>\n<command>npm test</command>\n<requires_approval>false</requires_approval>\n</execute_command>"
    )
    ((end,),) = ways(Finish("All\ndone"), classic)
    assert as_text(end) == "<attempt_completion>\n<result>\nAll\ndone\n</result>\n</attempt_completion>"
    assert manual_tools("## Rules\nBe kind.\n") == ()


def test_calls_in_a_text_are_found_in_order_with_their_parameters() -> None:
    said = "First\n<read_file>\n<path>a.py</path>\n</read_file>\nthen <list_files><path>.</path><recursive>true</recursive></list_files>"
    assert calls_in(said, ["list_files", "read_file"]) == [
        ("read_file", {"path": "a.py"}),
        ("list_files", {"path": ".", "recursive": "true"}),
    ]
