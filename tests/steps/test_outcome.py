"""What a turn turned out to be."""

from __future__ import annotations

import json

import pytest

from stepfare.core.request import Tool, ToolCall
from stepfare.core.step import StepKind, Trouble
from stepfare.steps.outcome import kind_of_answer
from tests.steps.views import some_features


def calls(*named: str) -> list[ToolCall]:
    """Calls written `tool` or `tool: command`."""
    found: list[ToolCall] = []
    for place, one in enumerate(named):
        name, _, command = one.partition(": ")
        found.append(ToolCall(str(place), name, json.dumps({"command": command} if command else {"path": "a.py", "content": "x"})))
    return found


@pytest.mark.parametrize(
    ("named", "kind"),
    [
        (["read"], StepKind.EXPLORE),
        (["webfetch"], StepKind.EXPLORE),
        (["skill"], StepKind.EXPLORE),
        (["read", "bash: npm test"], StepKind.RUN),
        (["read", "bash: sed -i s/a/b/ a.py", "bash: npm test"], StepKind.EDIT),
        (["write"], StepKind.EDIT),
        (["todowrite"], StepKind.SIDE),
        (["todowrite", "read"], StepKind.EXPLORE),
        (["question"], StepKind.ANSWER),
        (["task"], StepKind.ANSWER),
        (["ExitPlanMode"], StepKind.PLAN),
        (["attempt_completion"], StepKind.SUMMARIZE),
        (["submit_and_exit"], StepKind.SUMMARIZE),
        (["unheard_of_tool"], StepKind.EDIT),  # path and content: it writes
    ],
)
def test_a_turn_is_what_its_most_demanding_call_does(named: list[str], kind: StepKind) -> None:
    assert kind_of_answer(some_features("read"), calls(*named), "so I do") is kind


def test_a_text_alone_reports_after_work_and_answers_before_it() -> None:
    assert kind_of_answer(some_features("edit", "test"), [], "done") is StepKind.SUMMARIZE
    assert kind_of_answer(some_features(), [], "a closure captures variables") is StepKind.ANSWER
    assert kind_of_answer(some_features(agent_loop=False), [], "yes") is StepKind.ANSWER


def test_in_plan_mode_the_text_is_the_plan_and_looking_around_stays_what_it_is() -> None:
    planning = some_features("read", mode="plan")
    assert kind_of_answer(planning, [], "first a, then b") is StepKind.PLAN
    assert kind_of_answer(planning, calls("plan_mode_respond"), "") is StepKind.PLAN
    assert kind_of_answer(planning, calls("attempt_completion"), "") is StepKind.PLAN
    assert kind_of_answer(planning, calls("read"), "") is StepKind.EXPLORE


def test_side_calls_and_completions_stay_what_they_are() -> None:
    assert kind_of_answer(some_features(side="title"), [], "Mending totals") is StepKind.SIDE
    assert (
        kind_of_answer(some_features(completion=True, agent_loop=False), [], "<read_file><path>x</path></read_file>") is StepKind.COMPLETE
    )


def test_calls_in_the_text_count_where_the_client_works_that_way() -> None:
    text = "I mend it.\n<replace_in_file>\n<path>a.py</path>\n<diff>\nx\n</diff>\n</replace_in_file>"
    assert kind_of_answer(some_features("read", client="cline-classic"), [], text) is StepKind.EDIT
    assert kind_of_answer(some_features("read", client="unknown"), [], text) is StepKind.EDIT
    assert kind_of_answer(some_features("read", client="cline"), [], text, [Tool("editor")]) is StepKind.SUMMARIZE
    assert kind_of_answer(some_features(client="mini-swe-agent"), [], "look\n\n```bash\nls\n```") is StepKind.EXPLORE
    aider = some_features(client="aider")
    assert kind_of_answer(aider, [], "a.py\n```\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n```") is StepKind.EDIT
    assert kind_of_answer(aider, [], "which file do you mean?") is StepKind.ANSWER


def test_in_trouble_an_edit_is_a_recovery_and_a_read_is_not() -> None:
    stuck = some_features("test!", "test!", trouble=Trouble(failing_verifications=2))
    assert kind_of_answer(stuck, calls("edit"), "") is StepKind.RECOVER
    assert kind_of_answer(stuck, calls("read"), "") is StepKind.EXPLORE


def test_the_schema_of_an_offered_tool_helps_to_understand_it() -> None:
    call = [ToolCall("1", "tweak", "{}")]
    assert kind_of_answer(some_features("read"), call, "", [Tool("tweak", ("path", "old_text"))]) is StepKind.EDIT
    assert kind_of_answer(some_features("read"), call, "") is StepKind.RUN
