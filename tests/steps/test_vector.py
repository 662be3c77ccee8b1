"""Features as numbers: every name has its place, and the numbers say what was done."""

from __future__ import annotations

import pytest

from stepfare.core.step import StepFeatures
from stepfare.steps.causes import CAUSE_OF, CAUSES
from stepfare.steps.vector import FEATURE_NAMES, vector_of
from tests.steps.test_features import FAILING, PASSING
from tests.steps.test_trail import edit, seen, told
from tests.steps.views import some_features, user


def numbers(features: StepFeatures) -> dict[str, float]:
    return dict(zip(FEATURE_NAMES, vector_of(features), strict=True))


def test_names_are_one_of_a_kind_and_have_a_cause_each() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES) == len(CAUSE_OF)
    assert set(CAUSE_OF) == set(range(len(CAUSES)))


def test_a_bare_step_has_numbers_too() -> None:
    found = numbers(some_features())
    assert (found["since_edit"], found["last1_fault"], found["unanswered"]) == (20.0, -1.0, 0.0)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([("cat src/a.py", "x" * 100)], {"last1_is_read": 1, "last1_shell": 1, "last1_result_chars": 6.7, "count_read": 1}),
        ([("pytest -q", FAILING)], {"last1_is_test": 1, "last1_fault": 2, "failing_verifications": 1, "last_test": -1}),
        ([("pytest -q", PASSING), edit("a.py", "1", "2")], {"edits_since_test": 1, "last_test": 1, "last2_is_test": 1, "since_test": 1}),
        ([edit("a.py", "1", "2"), ("sed -n 1,9p a.py", "x")], {"last_file_edits": 1, "last1_part": 1, "edit_same_file": 1}),
        ([edit("a.py", "1", "2"), ("git diff", "x")], {"last1_git": 1, "last1_looks_at_changes": 1, "last1_commit": 0}),
        ([("cat a", "x"), edit("a.py", "1", "2"), ("cat a", "x")], {"likewise_cases": 1, "likewise_two_cases": 0, "edit_run": 0}),
        ([edit("a.py", "1", "2"), user("now b")], {"since_human": 0, "edits": 1, "edits_turn": 0, "human_chars": 2.6, "since_edit": 20}),
    ],
)  # fmt: skip
def test_the_numbers_say_what_was_done(said: list[tuple[str, str]], expected: dict[str, float]) -> None:
    found = numbers(seen(*said))
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_a_conversation_learns_its_own_habits() -> None:
    often = [one for number in range(6) for one in (("cat a.py", "x"), edit("a.py", str(number), str(number + 1)))]
    seldom = [one for number in range(6) for one in (("cat a.py", "x"), ("ls", str(number)))]
    after_reads = [numbers(seen(*said, ("cat a.py", "x")))["likewise"] for said in (often, seldom)]
    assert after_reads[0] > 0.6 > 0.2 > after_reads[1]


def test_what_the_model_wrote_last_counts_until_it_writes_again() -> None:
    from stepfare.core.request import Role, Text, ToolCall, Turn
    from stepfare.steps.features import features_of
    from tests.steps.test_trail import digested
    from tests.steps.views import a_view, gave

    said = Turn(Role.ASSISTANT, (Text("Now let me fix the tests."), ToolCall("t", "bash", '{"command": "ls"}')))
    turns = [*told(said, gave("t", "x"), ("ls src", "y"))]
    found = numbers(features_of(digested(a_view(*turns))))
    assert (found["says_fix"], found["says_test"], found["says_changing"], found["text_age"], found["text_chars"]) == (1, 1, 1, 1, 0)
