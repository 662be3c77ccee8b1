"""What tool calls of every client do."""

from __future__ import annotations

import json

import pytest

from stepfare.core.request import Tool
from stepfare.core.step import Action, ActionKind
from stepfare.steps.toolmap import action_of, kind_so_far, most_demanding

PATCH = "*** Begin Patch\n*** Update File: src/a.py\n@@\n-x\n+y\n*** Add File: src/b.py\n+z\n*** End Patch"
NEW = "*** Begin Patch\n*** Add File: src/b.py\n+z\n*** End Patch"

CASES: list[tuple[str, dict[str, object], str, tuple[str, ...]]] = [
    # Cline 3
    ("read_files", {"files": [{"path": "/ws/a.py", "start_line": 1}, {"path": "b.py"}]}, "read", ("/ws/a.py", "b.py")),
    ("search_codebase", {"queries": ["x"]}, "search", ()),
    ("run_commands", {"commands": ["ls", "npm test"]}, "test", ()),
    ("run_commands", {"commands": "sed -n 1,9p a.py"}, "read", ("a.py",)),
    ("fetch_web_content", {"requests": [{"url": "https://a.b"}]}, "web", ()),
    ("editor", {"path": "a.py", "old_text": "x", "new_text": "y"}, "edit", ("a.py",)),
    ("editor", {"path": "a.py", "new_text": "y"}, "write", ("a.py",)),
    ("editor", {"path": "a.py", "new_text": "y", "insert_line": 3}, "edit", ("a.py",)),
    ("apply_patch", {"input": PATCH}, "edit", ("src/a.py", "src/b.py")),
    ("apply_patch", {"input": NEW}, "write", ("src/b.py",)),
    ("ask_question", {"question": "?"}, "ask", ()),
    ("spawn_agent", {"task": "x"}, "delegate", ()),
    ("team_task", {"action": "create"}, "delegate", ()),
    ("submit_and_exit", {"summary": "x"}, "finish", ()),
    ("switch_to_act_mode", {}, "plan", ()),
    # classic Cline
    ("list_files", {"path": "src", "recursive": "true"}, "list", ("src",)),
    ("list_code_definition_names", {"path": "src"}, "list", ("src",)),
    ("execute_command", {"command": "cat > a.py <<E\nx\nE", "requires_approval": "true"}, "write", ("a.py",)),
    ("write_to_file", {"path": "a.py", "content": "x"}, "write", ("a.py",)),
    ("replace_in_file", {"path": "a.py", "diff": "x"}, "edit", ("a.py",)),
    ("attempt_completion", {"result": "done"}, "finish", ()),
    ("plan_mode_respond", {"response": "x"}, "plan", ()),
    ("ask_followup_question", {"question": "?"}, "ask", ()),
    ("use_mcp_tool", {"server_name": "fs", "tool_name": "write_file", "arguments": '{"path": "a.py", "content": ""}'}, "write", ("a.py",)),
    # Continue
    ("Read", {"filepath": "/ws/a.py"}, "read", ("/ws/a.py",)),
    ("List", {"dirpath": "src"}, "list", ()),
    ("Bash", {"command": "go test ./..."}, "test", ()),
    ("MultiEdit", {"file_path": "a.py", "edits": []}, "edit", ("a.py",)),
    ("Checklist", {"checklist": "- [ ] x"}, "todo", ()),
    ("CheckBackgroundJob", {"jobId": "1"}, "read", ()),
    ("Skills", {"name": "x"}, "skill", ()),
    ("single_find_and_replace", {"filepath": "a.py"}, "edit", ("a.py",)),
    ("run_terminal_command", {"command": "ls"}, "list", ()),
    # Claude Code, opencode, kilo, qwen, Codex
    ("NotebookEdit", {"notebook_path": "a.ipynb"}, "edit", ("a.ipynb",)),
    ("TodoWrite", {"todos": []}, "todo", ()),
    ("Agent", {"prompt": "x"}, "delegate", ()),
    ("ExitPlanMode", {"plan": "x"}, "plan", ()),
    ("mcp__linear__get_issue", {"id": "1"}, "read", ()),
    ("mcp__linear__create_issue", {"title": "1"}, "other", ()),
    ("mcp__Claude_Browser__javascript_tool", {"code": "1"}, "web", ()),
    ("todowrite", {"todos": []}, "todo", ()),
    ("glob", {"pattern": "*.py"}, "search", ()),
    ("run_shell_command", {"command": "git diff"}, "read", ()),
    ("exec_command", {"cmd": "rg -n x src/a.py", "workdir": "/ws"}, "search", ("/ws/src/a.py",)),
    ("exec_command", {"cmd": "cat a.py /etc/b.conf", "workdir": "sub"}, "read", ("sub/a.py", "/etc/b.conf")),
    ("exec_command", {"cmd": f"apply_patch <<'EOF'\n{PATCH}\nEOF"}, "edit", ("src/a.py", "src/b.py")),
    ("shell", {"command": ["apply_patch", NEW]}, "write", ("src/b.py",)),
    ("local_shell", {"type": "exec", "command": ["bash", "-lc", "pytest -q"], "env": {}}, "test", ()),
    ("shell", {"commands": ["ls", "pytest -q"]}, "test", ()),
    ("apply_patch", {"type": "update_file", "path": "a.py", "diff": "@@\n-x\n+y"}, "edit", ("a.py",)),
    ("shell", {"command": ["bash", "-lc", "sed -i s/a/b/ a.py"]}, "edit", ("a.py",)),
    ("write_stdin", {"session_id": 1}, "run", ()),
    ("exec", {"input": 'const r = await tools.exec_command({cmd: "ls -la"}); text(r.output)'}, "list", ()),
    ("exec", {"input": 'await tools.apply_patch("*** Begin Patch\\n*** Update File: a.py\\n")'}, "edit", ("a.py",)),
    ("view_image", {"path": "/ws/a.png"}, "read", ("/ws/a.png",)),
    ("update_plan", {"plan": []}, "todo", ()),
    ("spawn_agent", {"message": "Edit a.py", "agent_type": "explorer"}, "delegate", ()),
    ("wait_agent", {"ids": []}, "delegate", ()),
    ("request_user_input", {"questions": []}, "ask", ()),
    ("Skill", {"skill": "review"}, "skill", ()),
    ("ToolSearch", {"query": "select:WebSearch"}, "search", ()),
    ("StructuredOutput", {"title": "x"}, "finish", ()),
    ("str_replace_based_edit_tool", {"command": "view", "path": "a.py"}, "read", ("a.py",)),
    ("str_replace_editor", {"command": "str_replace", "path": "a.py"}, "edit", ("a.py",)),
    # OpenHands, SWE-agent
    ("execute_bash", {"command": "cd /ws && sed -i s/a/b/ a.py"}, "edit", ("/ws/a.py",)),
    ("file_editor", {"command": "create", "path": "a.py", "file_text": "x"}, "write", ("a.py",)),
    ("str_replace_editor", {"command": "undo_edit", "path": "a.py"}, "edit", ("a.py",)),
    ("think", {"thought": "x"}, "todo", ()),
    ("task_tracker", {"command": "plan", "task_list": []}, "todo", ()),
    ("finish", {"message": "x"}, "finish", ()),
    ("goto", {"line_number": 3}, "read", ()),
    ("search_dir", {"search_term": "x"}, "search", ()),
    ("create", {"filename": "a.py"}, "write", ("a.py",)),
    ("insert", {"text": "x"}, "edit", ()),
    # Copilot, Gemini
    ("replace_string_in_file", {"filePath": "a.py", "oldString": "x", "newString": "y"}, "edit", ("a.py",)),
    ("run_in_terminal", {"command": "npm test"}, "test", ()),
    ("get_errors", {"filePaths": ["a.py"]}, "read", ("a.py",)),
    ("runTests", {"files": ["a.py"]}, "test", ("a.py",)),
    ("fetch_webpage", {"urls": ["https://a.b"]}, "web", ()),
    ("delete_file", {"path": "a.py"}, "edit", ("a.py",)),
    ("write_bash", {"sessionId": "1", "input": "y"}, "run", ()),
    ("read_bash", {"sessionId": "1"}, "read", ()),
    ("container.exec", {"cmd": ["bash", "-lc", "ls"]}, "list", ()),
    ("search_file_content", {"pattern": "x"}, "search", ()),
    ("codebase_investigator", {"objective": "x"}, "delegate", ()),
    # never seen: understood from the words of the name and the parameters
    ("fs_put", {"path": "a.py", "content": "x"}, "write", ("a.py",)),
    ("tweak", {"path": "a.py", "old_text": "x", "new_text": "y"}, "edit", ("a.py",)),
    ("sandbox", {"command": "pytest"}, "test", ()),
    ("kb", {"query": "x"}, "search", ()),
    ("grab", {"url": "https://a.b"}, "web", ()),
    ("showFileContents", {"path": "a.py"}, "read", ("a.py",)),
    ("deploy", {"target": "prod"}, "other", ()),
]  # fmt: skip


@pytest.mark.parametrize(("tool", "arguments", "kind", "paths"), CASES, ids=[f"{case[0]}-{case[2]}" for case in CASES])
def test_a_tool_call_is_understood(tool: str, arguments: dict[str, object], kind: str, paths: tuple[str, ...]) -> None:
    action = action_of(tool, json.dumps(arguments))
    assert (action.kind.value, action.tool, action.paths) == (kind, tool, paths)


@pytest.mark.parametrize(
    ("script", "kind", "paths"),
    [
        (
            'const r = await tools.exec_command({"cmd":"sed -n \'1,9p\' src/a.py","workdir":"/ws"});\ntext(r.output);',
            "read",
            ("/ws/src/a.py",),
        ),
        ("const r = await tools.exec_command({cmd: `rg -n x src`});", "search", ()),
        ('await tools.exec_command({cmd: String.raw`rg "a\\d" src/a.py`})', "search", ("src/a.py",)),
        ('const cmd = "pytest -q"; text((await tools.exec_command({cmd})).output)', "test", ()),
        ('await tools.shell_command({command: "ls -la"})', "list", ()),
        ('await Promise.all([tools.exec_command({cmd:"cat a.py"}), tools.exec_command({cmd:"rg x b.py"})])', "search", ("a.py", "b.py")),
        ("for (const one of many) await tools.exec_command({cmd: one})", "run", ()),
        ('const r = await tools.apply_patch("*** Begin Patch\\n*** Update File: src/a.py\\n@@\\n");\ntext(r);', "edit", ("src/a.py",)),
        ('await tools.apply_patch(["*** Begin Patch", "*** Add File: new.py", "+x"].join("\\n"))', "write", ("new.py",)),
        ("const p = `*** Update File: a.py\n*** Move to: b.py\n`;\nawait tools.apply_patch(p)", "edit", ("a.py", "b.py")),
        (
            'const p = `*** Update File: a.py\n`;\nawait tools.apply_patch(p); await tools.exec_command({cmd: "pytest tests/test_a.py"})',
            "edit",
            ("a.py", "tests/test_a.py"),
        ),
        ("await tools.update_plan({plan: []})", "todo", ()),
        ('await tools.view_image({path: "/ws/a.png"})', "read", ()),
        ("await tools.mcp__linear__get_issue({id: 1})", "read", ()),
        ('await tools.web_search({query: "x"})', "web", ()),
        ('text("nothing")', "run", ()),
    ],
)
def test_a_script_does_what_its_tools_do(script: str, kind: str, paths: tuple[str, ...]) -> None:
    action = action_of("exec", script)
    assert (action.kind.value, action.tool, action.paths) == (kind, "exec", paths)


def test_a_patch_names_its_files_alone_whatever_its_lines_look_like() -> None:
    lines = "*** Begin Patch\n*** Update File: it's a.py\n@@\n--- a comment of SQL\n+++ b/counter\n*** End Patch"
    assert action_of("apply_patch", lines).paths == ("it's a.py",)
    assert action_of("patch", "--- a/src/a.py\n+++ b/src/a.py\n@@").paths == ("src/a.py",)


def test_the_offered_schema_helps_where_arguments_are_missing() -> None:
    assert action_of("tweak", "", Tool("tweak", ("path", "old_string"))).kind is ActionKind.EDIT
    assert action_of("tweak", "", Tool("tweak", ("url",))).kind is ActionKind.WEB
    assert action_of("tweak", "").kind is ActionKind.OTHER


def test_arguments_that_broke_off_still_name_the_file_and_the_command() -> None:
    assert action_of("write_to_file", '{"path": "src/a.py", "content": "import o') == Action(
        ActionKind.WRITE, "write_to_file", ("src/a.py",)
    )
    assert action_of("Bash", '{"command": "sed -i s/a/b/ src/a.py').kind is ActionKind.EDIT


@pytest.mark.parametrize(
    "arguments", ["null", "[]", "3", "{", '"x"', "[" * 100_000, '{"path": {"a": [1]}}', '{"commands": [1, null, {"command": 2}]}']
)
def test_arguments_of_any_shape_are_borne(arguments: str) -> None:
    for tool in ("read_files", "run_commands", "editor", "apply_patch", "use_mcp_tool", "exec", "unheard_of"):
        assert action_of(tool, arguments).tool == tool


def test_the_most_demanding_action_of_a_turn_is_an_edit_before_a_test_before_a_read() -> None:
    kinds = [ActionKind.TODO, ActionKind.READ, ActionKind.TEST, ActionKind.EDIT]
    actions = [Action(kind, kind.value) for kind in kinds]
    for left in range(len(kinds), 0, -1):
        chosen = most_demanding(actions[:left])
        assert chosen is not None
        assert chosen.kind is kinds[left - 1]
    assert most_demanding([]) is None


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("Edit", "", ActionKind.EDIT),
        ("write_to_file", "", ActionKind.WRITE),
        ("apply_patch", "", ActionKind.EDIT),
        ("Read", "", ActionKind.READ),
        ("Bash", '{"command": "ls > ', None),
        ("exec", "", None),
        ("use_mcp_tool", "", None),
        ("str_replace_editor", "", None),
        ("str_replace_editor", '{"command": "view"', ActionKind.READ),
        ("str_replace_editor", '{"command": "insert", "path', ActionKind.EDIT),
        ("mcp__files__write_file", "", ActionKind.WRITE),
        ("mcp__files__read_file", "", None),
        ("", "", None),
    ],
)
def test_a_call_that_has_only_begun_says_what_it_does_where_nothing_can_change_that(
    name: str, arguments: str, kind: ActionKind | None
) -> None:
    assert kind_so_far(name, arguments) is kind
