"""Tool calls and results that stand in plain text."""

from __future__ import annotations

import json

from stepfare.steps.xml_tools import calls_in, is_result, results_in


def read(text: str) -> list[tuple[str, dict[str, str]]]:
    return [(call.name, json.loads(call.arguments)) for call in calls_in(text)]


def test_a_call_is_found_behind_prose() -> None:
    text = "I use `<read_file>` for that.\n\n<read_file>\n<path>src/a.py</path>\n</read_file>"
    assert read(text) == [("read_file", {"path": "src/a.py"})]


def test_prose_about_tags_is_no_call() -> None:
    assert read("The tag <read_file> takes a <path>x</path>.") == []
    assert read("<thinking>maybe <b>x</b></thinking>") == []


def test_content_may_show_the_closing_tags_of_its_own_call() -> None:
    text = "<write_to_file>\n<path>a.md</path>\n<content>\nuse </content> and </write_to_file> here\n</content>\n</write_to_file>"
    assert read(text) == [("write_to_file", {"path": "a.md", "content": "use </content> and </write_to_file> here"})]


def test_two_calls_are_two() -> None:
    text = "<read_file>\n<path>a</path>\n</read_file>\n<execute_command>\n<command>ls</command>\n</execute_command>"
    assert [name for name, _ in read(text)] == ["read_file", "execute_command"]


def test_a_call_that_broke_off_keeps_what_was_said() -> None:
    assert read("<write_to_file>\n<path>src/a.py</path>\n<content>\nimport o") == [
        ("write_to_file", {"path": "src/a.py", "content": "import o"})
    ]
    assert read("So:\n<execute_command>") == [("execute_command", {})]


def test_results_are_told_by_their_headings() -> None:
    text = (
        "[read_file for 'a.py'] Result:\nx = 1\n"
        "[execute_command for 'echo 'it''] Result:\nCommand executed.\n<environment_details>\nerror\n"
    )
    assert [(one.tool, one.subject, one.text) for one in results_in(text)] == [
        ("read_file", "a.py", "x = 1"),
        ("execute_command", "echo 'it'", "Command executed."),
    ]
    assert is_result("[attempt_completion] Result:\n<feedback>no</feedback>")
    assert not is_result("[read_file] gave no Result: why?")
