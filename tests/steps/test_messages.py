"""Steps of clients that speak Anthropic Messages: results stand in a user's turns, notes of the client between them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from stepfare.core.step import StepKind
from stepfare.dialects.anthropic_messages import read_request
from stepfare.steps.features import features_of
from tests.steps.views import AGENT_HEADERS, OPEN, settled, spoken, told

ASKED = "The test in tests/test_total.py fails. Find out why and mend shop/total.py."
CONTINUE = "The test fails; mend it."

Said = dict[str, object]


def did(call: str, name: str, **given: object) -> Said:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": call, "name": name, "input": given}]}


def bash(call: str, command: str) -> Said:
    return did(call, "Bash", command=command)


def gave(call: str, content: object, *texts: str, **more: object) -> Said:
    result: Said = {"tool_use_id": call, "type": "tool_result", "content": content, **more}
    return {"role": "user", "content": [result, *({"type": "text", "text": text} for text in texts)]}


def asked(*texts: str) -> Said:
    return {"role": "user", "content": [{"type": "text", "text": text} for text in texts]}


def noted(text: str) -> Said:
    return {"role": "system", "content": text}


LEFT = noted("<total_tokens>900000 tokens left</total_tokens>")
FAILED = "Exit code 1\nE   assert 2 == 3\nFAILED tests/test_total.py::test_total\n1 failed in 0.03s"
PLAN = "Plan mode is active. The user indicated that they do not want you to execute yet."
STOPPED = "[Request interrupted by user for tool use]"
REFUSED = (
    "The user doesn't want to proceed with this tool use. The tool use was rejected. To tell you how to proceed, the user said:\nuse b.py"
)


@pytest.mark.parametrize(
    ("base", "more", "mode", "done", "failures", "words", "kind"),
    [
        (
            "claude-code/after_editing",
            (bash("t1", "pytest -q tests/test_total.py"), gave("t1", FAILED, is_error=True), LEFT),
            "act",
            "read test! read edit test!",
            2,
            ASKED,
            StepKind.RECOVER,
        ),
        (
            "claude-code/after_editing",
            (bash("t1", "pytest -q tests/test_total.py"), gave("t1", "3 passed in 0.1s"), LEFT),
            "act",
            "read test! read edit test",
            0,
            ASKED,
            OPEN,
        ),
        (
            "claude-code/subagent",
            (
                bash("t1", "grep -rn 'def total' ."),
                gave("t1", "Exit code 1", is_error=True),
                did("t2", "Read", file_path="/home/dev/shop/a.py"),
            ),
            "act",
            "search read",
            0,
            "Find where totals are computed.",
            OPEN,
        ),
        (
            "claude-code/first",
            (did("t1", "EnterPlanMode"), gave("t1", "Entered plan mode."), noted(PLAN)),
            "plan",
            "plan",
            0,
            ASKED,
            StepKind.PLAN,
        ),
        (
            "claude-code/plan",
            (did("t1", "ExitPlanMode", plan="1. Mend it"), gave("t1", "User has approved your plan. You can now start coding.")),
            "act",
            "plan",
            0,
            ASKED,
            OPEN,
        ),
        (
            "claude-code/plan",
            (did("t1", "ExitPlanMode", plan="1. Mend it"), gave("t1", "ok"), noted("## Exited Plan Mode\n\nYou can now make edits.")),
            "act",
            "plan",
            0,
            ASKED,
            OPEN,
        ),
        (
            "claude-code/plan",
            (did("t1", "ExitPlanMode", plan="1."), gave("t1", REFUSED, is_error=True)),
            "plan",
            "",
            0,
            "use b.py",
            StepKind.PLAN,
        ),
        (
            "claude-code/after_editing",
            (bash("t1", "rm -r build"), gave("t1", "The user doesn't want to proceed", STOPPED, "leave build alone", is_error=True)),
            "act",
            "",
            0,
            "leave build alone",
            OPEN,
        ),
        (
            "claude-code/after_editing",
            (asked("Thanks. What else is in shop/tax.py?"),),
            "act",
            "",
            0,
            "Thanks. What else is in shop/tax.py?",
            OPEN,
        ),
        (
            "claude-code/first",
            (
                did("t1", "Skill", skill="tests"),
                gave("t1", "Launching skill: tests", "Base directory for this skill: /home/dev/.claude/skills/tests"),
            ),
            "act",
            "skill",
            0,
            ASKED,
            OPEN,
        ),
        (
            "claude-code/after_reading",
            (
                bash("t1", "sed -i 's/ - 1//' shop/total.py"),
                gave("t1", ""),
                LEFT,
                asked("<task-notification>\n<status>completed</status>\n</task-notification>"),
            ),
            "act",
            "read edit",
            0,
            ASKED,
            OPEN,
        ),
        (
            "claude-code/after_reading",
            (
                did("t1", "Edit", file_path="/home/dev/shop/shop/total.py"),
                gave("t1", "<tool_use_error>String to replace not found</tool_use_error>", is_error=True),
            ),
            "act",
            "read edit!",
            1,
            ASKED,
            OPEN,
        ),
        (
            "claude-code/after_reading",
            (
                bash("t1", "pytest -q"),
                gave("t1", "Command running in background with ID: b6u5. Output is being written to: /tmp/b6u5.output."),
                bash("t2", "cat setup.cfg"),
                gave("t2", "[flake8]"),
                did("t3", "TaskOutput", task_id="b6u5"),
                gave("t3", "1 failed, 3 passed"),
            ),
            "act",
            "read read test!",
            1,
            ASKED,
            OPEN,
        ),
        (
            "cline/after_reading",
            (did("t1", "editor", path="shop/total.py", old_text="- 1", new_text=""), gave("t1", '[{"query":"edit","success":true}]')),
            "act",
            "read edit",
            0,
            None,
            OPEN,
        ),
        (
            "cline-classic/after_reading",
            (
                did("t1", "execute_command", command="pytest -q"),
                gave("t1", "result missing", "[execute_command for 'pytest -q'] Result:\nCommand executed.\nOutput:\n1 failed"),
            ),
            "act",
            "read test!",
            1,
            "Mend shop/total.py",
            OPEN,
        ),
        (
            "cline-classic/after_reading",
            (
                did("t1", "attempt_completion", result="Done"),
                gave("t1", "result missing", "[attempt_completion] Result:\n<feedback>\nnot yet\n</feedback>"),
            ),
            "act",
            "",
            0,
            "not yet",
            OPEN,
        ),
        (
            "continue/after_failing",
            (
                did("t1", "Edit", file_path="/home/dev/shop/shop/total.py", old_string="x", new_string="y"),
                gave("t1", "Edited"),
                bash("t2", "pytest -q"),
                gave("t2", "1 failed"),
            ),
            "act",
            "test! edit test!",
            2,
            CONTINUE,
            StepKind.RECOVER,
        ),
    ],
)
def test_a_step_of_messages_is_told_by_what_came_before(
    base: str, more: Sequence[Said], mode: str, done: str, failures: int, words: str | None, kind: StepKind | None
) -> None:
    seen = features_of(spoken(f"anthropic/{base}", *more))
    found = (seen.mode, told(seen), seen.failures, seen.human_words, settled(seen))
    assert found == (mode, done, failures, seen.human_words if words is None else words, kind)


RULES = "# *SEARCH/REPLACE block* Rules:\n\nEvery block names its file, as in mathweb/app.py."


@pytest.mark.parametrize(
    ("system", "words", "mode", "kind"),
    [
        (f"Act as an expert software developer.\n\n{RULES}", f"Mend shop/total.py\n\n{RULES}", "", StepKind.EDIT),
        (f"Act as an expert software developer.\n\n{RULES}", "Mend shop/total.py", "", StepKind.EDIT),
        ("Act as an expert architect engineer and provide direction to your editor engineer.", "Mend shop/total.py", "plan", StepKind.PLAN),
        ("Act as an expert code analyst.", "Mend shop/total.py", "", StepKind.ANSWER),
        (
            "You are an expert software engineer that generates concise, one-line Git commit messages",
            "Mend shop/total.py",
            "",
            StepKind.SIDE,
        ),
    ],
)
def test_aider_speaks_messages_as_it_does_chat(system: str, words: str, mode: str, kind: StepKind | None) -> None:
    files = "I have *added these files to the chat* so you can go ahead and edit them.\n\nshop/other.py\n```\n```"
    body = {
        "model": "auto",
        "max_tokens": 4096,
        "temperature": 0,
        "stream": True,
        "system": [{"type": "text", "text": system}],
        "messages": [asked(files), {"role": "assistant", "content": [{"type": "text", "text": "Ok."}]}, asked(words)],
    }
    seen = features_of(read_request(json.dumps(body).encode(), AGENT_HEADERS["anthropic/aider"]))
    found = (seen.client, seen.mode, seen.human_words, seen.files, settled(seen))
    assert found == ("aider", mode, "Mend shop/total.py", ("shop/total.py",), kind)


@pytest.mark.parametrize(
    "more",
    [
        (asked("CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.\n\nSum up."), LEFT),
        (asked("<system-reminder>\nnote\n</system-reminder>", "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.\n\nSum up."),),
    ],
)
def test_a_summary_is_known_whatever_the_client_notes_beside_it(more: Sequence[Said]) -> None:
    assert features_of(spoken("anthropic/claude-code/first", *more)).side == "compaction"
    assert features_of(spoken("anthropic/claude-code/first", *more, bash("t1", "ls"), gave("t1", "shop"))).side == ""
