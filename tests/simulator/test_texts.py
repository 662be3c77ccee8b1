"""Commands, scripts, patches and edits as texts: written, and read back as what they were for."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.simulator import codexscript, patches, shells
from stepfare.simulator.editblocks import Form, Hunk, advised, as_text, form_of, hunks
from stepfare.simulator.hands import intent_of, intent_of_text, ways
from stepfare.simulator.intents import Look, Other, Read, Replace, Run, Search
from stepfare.simulator.results import file_text, files_shown, read_result
from stepfare.simulator.shapes import Shape, ToolSpec
from stepfare.simulator.toolboxes import Role, toolbox

CWD = "/home/me/project"
ODD = "a 'b' \"c\" $d\u2028é.py"


@pytest.mark.parametrize(
    ("command", "intent"),
    [
        (shells.listing("."), Look(".")),
        (shells.listing("a b"), Look("a b")),
        (f"ls -R {CWD}", Look(".")),
        (shells.reading((ODD,)), Read((ODD,))),
        (shells.reading(("a.py", "b c.py")), Read(("a.py", "b c.py"))),
        (shells.patching("a.py", "x\ny", "z"), Replace("a.py", "x\ny", "z", "")),
        (shells.writing("a.py", "x\n"), Replace("a.py", "", "", "x\n")),
        ("ls -Rl", Run("ls -Rl")),
        ("tail -5 a.log", Run("tail -5 a.log")),
        ("cat 'a", Read(("a",))),
    ],
)
def test_a_command_tells_what_it_was_for(command: str, intent: object) -> None:
    assert shells.intent_of(command, CWD) == intent


def test_the_workspace_itself_is_its_root() -> None:
    assert [shells.relative(path, CWD) for path in (CWD, CWD + "/", f"{CWD}/a/b.py", "/home/me/projects/x", "./a")] == [
        ".", ".", "a/b.py", "/home/me/projects/x", "a",
    ]  # fmt: skip
    assert shells.relative("/a", "") == "/a"


@pytest.mark.parametrize("text", ["npm test", "echo \"a\" 'b' \\n", "cat > x <<'E'\né\u2028\nE", ODD])
def test_a_script_holds_any_command_and_gives_it_back(text: str) -> None:
    script = codexscript.running(text)
    assert script.isascii()
    assert script.count("\n") == 1
    assert codexscript.intent_of(script, CWD) == shells.intent_of(text, CWD)


def test_a_script_that_patches_is_an_edit() -> None:
    script = codexscript.patching("a.py", 'x = "1"', "y = '2'\nz")
    assert codexscript.intent_of(script, CWD) == Replace("a.py", 'x = "1"', "y = '2'\nz", "")
    assert intent_of_text("exec", script, CWD) == codexscript.intent_of(script, CWD)


@pytest.mark.parametrize("script", ["", "text(1)", 'tools.exec_command({cmd: "a', "tools.apply_patch(wanted)"])
def test_scripts_of_other_hands_are_other(script: str) -> None:
    assert codexscript.intent_of(script, CWD) == Other("exec")


def test_an_envelope_as_free_text_is_an_edit_and_nonsense_is_not() -> None:
    assert intent_of_text("apply_patch", patches.envelope("a.py", "x", "y"), CWD) == Replace("a.py", "x", "y", "")
    assert intent_of_text("apply_patch", "nonsense", CWD) == Other("apply_patch")
    assert patches.in_search_replace("no block") is None


CODE = ToolSpec(
    "exec", Shape("object"), "functions", custom=True, words="declare const tools: { exec_command(args); apply_patch(input); };"
)
LIST = ToolSpec("list", Shape("object", properties={"path": Shape()}), "collaboration")


def test_a_tool_that_takes_code_runs_and_edits_in_its_namespace() -> None:
    box = toolbox([CODE, LIST], CWD, xml=False)
    assert set(box.by_role) == {Role.RUN, Role.EDIT}, "the tools of another namespace are not for files"
    ((call,), (written,)) = list(ways(Replace("a.py", "x", "y", "all\n"), box))
    assert (call.name, call.namespace, call.custom) == ("exec", "functions", True)
    assert call.arguments == codexscript.patching("a.py", "x", "y")
    assert written.arguments == codexscript.running(shells.writing("a.py", "all\n"))


def test_a_tool_that_takes_code_does_only_what_it_declares() -> None:
    runs = ToolSpec("exec", Shape("object"), "functions", custom=True, words="declare const tools: { exec_command(args); };")
    assert set(toolbox([runs], CWD, xml=False).by_role) == {Role.RUN}
    assert toolbox([ToolSpec("exec", Shape("object"), custom=True)], CWD, xml=False).by_role == {}


def test_a_tool_that_takes_a_patch_gets_it_bare() -> None:
    box = toolbox([ToolSpec("apply_patch", Shape("object"), custom=True)], CWD, xml=False)
    ((call,),) = list(ways(Replace("a.py", "x", "y", ""), box))
    assert call.arguments == patches.envelope("a.py", "x", "y")
    assert call.custom


def test_edits_in_rows_are_one_row() -> None:
    row = Shape(
        "object",
        properties={"old_string": Shape(), "new_string": Shape(), "replace_all": Shape("boolean")},
        required=frozenset(["old_string", "new_string"]),
    )
    takes = Shape(
        "object", properties={"file_path": Shape(), "edits": Shape("array", items=row)}, required=frozenset(["file_path", "edits"])
    )
    box = toolbox([ToolSpec("MultiEdit", takes)], CWD, xml=False)
    ((call,),) = list(ways(Replace("a.py", "x", "y", ""), box))
    assert call.arguments == '{"file_path": "a.py", "edits": [{"old_string": "x", "new_string": "y"}]}'
    arguments = {"file_path": "a.py", "edits": [{"old_string": "x", "new_string": "y"}]}
    assert intent_of("MultiEdit", arguments, CWD) == Replace("a.py", "x", "y", "")


def test_one_command_as_a_list_is_for_a_shell() -> None:
    takes = Shape("object", properties={"command": Shape("array", items=Shape())}, required=frozenset(["command"]))
    ((call,),) = list(ways(Run("npm test"), toolbox([ToolSpec("shell", takes)], CWD, xml=False)))
    assert call.arguments == '{"command": ["bash", "-lc", "npm test"]}'
    assert intent_of("shell", {"command": ["bash", "-lc", "npm test"]}, CWD) == Run("npm test")
    assert intent_of("run_commands", {"commands": ["grep a b"]}, CWD) == Search("grep a b")


LINES = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=9)


@settings(max_examples=60, deadline=None)
@given(LINES, LINES)
def test_places_applied_one_after_the_other_give_the_new_file(before: list[str], after: list[str]) -> None:
    lines = [*before, ""]
    for hunk in hunks("\n".join(lines), "\n".join([*after, ""])):
        old, new = hunk.old.split("\n"), hunk.new.split("\n")
        at = next(index for index in range(len(lines)) if lines[index : index + len(old)] == old)
        lines[at : at + len(old)] = new
    assert lines == [*after, ""]


BEFORE = "def a():\n    return 1\n\n\ndef b():\n    return 1\n"
AFTER = "def a():\n    return 2\n\n\ndef b():\n    return 3\n"


def test_places_are_told_apart_by_the_lines_above() -> None:
    assert hunks(BEFORE, AFTER) == [
        Hunk("def a():\n    return 1", "def a():\n    return 2"),
        Hunk("def b():\n    return 1", "def b():\n    return 3"),
    ]
    assert hunks("a\n", "new\na\n") == [Hunk("a", "new\na")]
    assert hunks("p\nq\nz\np\nq", "p\nq\ny\np\nr") == [Hunk("z\np\nq", "y\np\nr")]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (Form.WHOLE, "a.py\n```\nx = 2\n```"),
        (Form.BLOCKS, "a.py\n```python\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n```"),
        (Form.FENCED_BLOCKS, "```python\na.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n```"),
        (Form.DIFF, "```diff\n--- a.py\n+++ a.py\n@@ ... @@\n-x = 1\n+x = 2\n```"),
        (Form.PATCH, "*** Begin Patch\n*** Update File: a.py\n@@\n-x = 1\n+x = 2\n*** End Patch"),
        (Form.ADVICE, "In `a.py`, replace\n```\nx = 1\n```\nwith\n```\nx = 2\n```"),
    ],
)
def test_an_edit_in_each_form(form: Form, text: str) -> None:
    assert as_text(form, {"a.py": "x = 1\n", "b.py": "y\n"}, {"a.py": "x = 2\n", "b.py": "y\n"}) == text


@pytest.mark.parametrize("fence", ["```", "````", "<source>"])
def test_advice_is_understood_as_it_was_given(fence: str) -> None:
    text = as_text(Form.ADVICE, {"a.py": BEFORE}, {"a.py": AFTER}, fence)
    assert list(advised(f"Do this:\n\n{text}\n\nand no more")) == [("a.py", hunk) for hunk in hunks(BEFORE, AFTER)]


def test_prompts_of_others_ask_for_no_form() -> None:
    assert form_of("You are an agent. Use SEARCH/REPLACE blocks in the diff parameter.") is None


@pytest.mark.parametrize(
    ("told", "text", "exit_code"),
    [
        ("Chunk ID: 1\nWall time: 0.1 seconds\nProcess exited with code 2\nOriginal token count: 3\nOutput:\nOops\n", "Oops\n", 2),
        ("Script completed\nWall time 0.0 seconds\nOutput:\n\nx = 1\n", "x = 1\n", None),
        ("Exit code 1\n.F\n", "Exit code 1\n.F\n", 1),
        ('{"returncode": 1, "output": "no"}', "no", 1),
        ("plain", "plain", None),
    ],
)
def test_a_shells_report_is_no_part_of_what_it_printed(told: str, text: str, exit_code: int | None) -> None:
    result = read_result(told)
    assert (result.text, result.exit_code, result.failed) == (text, exit_code, False)


@pytest.mark.parametrize(
    "told",
    [
        "Script failed\nWall time 0.0 seconds\nOutput:\n\nScript error:\nno",
        "apply_patch verification failed: Failed to find expected lines",
        "bash: line 1: apply_patch: command not found"[14:],
        "ripgrep execution failed",
        "<tool_use_error>File has not been read yet.</tool_use_error>",
    ],
)
def test_what_could_not_be_done_is_seen(told: str) -> None:
    assert read_result(told).failed


def test_files_that_one_command_printed_are_told_apart() -> None:
    shown = "==> a.py <==\nx = 1\n\ny\n\n==> b.py <==\n\n==> c.py <==\nz\n"
    assert files_shown(shown) == {"a.py": "x = 1\n\ny\n", "b.py": "", "c.py": "z\n"}
    assert files_shown("words\n==> a <==\n") == {}


@pytest.mark.parametrize(
    "shown",
    [
        "<path>/w/a.py</path>\n<type>file</type>\n<content>\n1: x\n2: \n3: y\n\n(End of file - total 3 lines)\n</content>",
        "1\tx\n2\t\n3\ty\n4",
        "1\tx\n2\t\n3\ty\n4\t",
    ],
)
def test_a_file_is_read_from_each_wrapping(shown: str) -> None:
    assert file_text(shown) == "x\n\ny\n"


def test_an_empty_file_is_empty() -> None:
    assert file_text("") == ""
    assert re.sub(r"\s", "", file_text("\n\n")) == ""
