"""A conversation folded turn by turn: the figures of its history, the signs of trouble, and what a next step costs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from stepfare.core.request import RequestView, Role, Text, ToolCall, ToolResult, Turn
from stepfare.core.step import Fault, StepFeatures, Trouble
from stepfare.steps.features import features_of
from stepfare.steps.trouble import LET_DOWN_STEPS
from tests.steps.test_features import FAILING, PASSING, Watched
from tests.steps.views import a_view, called, gave, system, user


def digested(view: RequestView) -> RequestView:
    """The view with a digest for each turn, as a dialect gives them."""
    return replace(view, digests=tuple(hashlib.sha256(repr(turn).encode()).digest()[:16] for turn in view.turns))


def told(*said: Turn | tuple[str, str] | tuple[str, str, str]) -> list[Turn]:
    """A conversation: turns as they are, and for a pair of command and result a call of the shell (of three: of that tool)."""
    turns: list[Turn] = [user("mend it")]
    for place, one in enumerate(said):
        if isinstance(one, Turn):
            turns.append(one)
        elif len(one) == 2:
            turns += [called(f"c{place}", "bash", command=one[0]), gave(f"c{place}", one[1])]
        else:
            turns += [Turn(Role.ASSISTANT, (ToolCall(f"c{place}", one[0], one[1]),)), gave(f"c{place}", one[2])]
    return turns


def seen(*said: Turn | tuple[str, str] | tuple[str, str, str]) -> StepFeatures:
    return features_of(digested(a_view(*told(*said))))


def edit(path: str, old: str, new: str) -> tuple[str, str, str]:
    return ("edit", json.dumps({"file_path": path, "old_string": old, "new_string": new}), "ok")


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        ([("pytest -q", FAILING), ("pytest -q", FAILING)], Trouble(failing_verifications=2, repeats=1, steps=2)),
        ([("pytest a.py", FAILING), ("ls", "a"), ("pytest b.py", FAILING)], Trouble(failing_verifications=2, steps=3)),
        ([("pytest a.py", FAILING), ("pytest b.py", PASSING)], Trouble(steps=2)),
        ([("pytest a.py", FAILING), ("pytest b.py", FAILING), user("leave that")], Trouble()),
        ([edit("a.py", "1", "2"), edit("a.py", "2", "1")], Trouble(reverted_edits=1, steps=2)),
        ([edit("a.py", "1", "2"), edit("b.py", "2", "1")], Trouble(steps=2)),
        ([edit("src/a.py", "1", "2"), ("git checkout -- src/a.py", "")], Trouble(reverted_edits=1, steps=2)),
        ([edit("/ws/src/a.py", "1", "2"), ("cd /ws && git restore src", "")], Trouble(reverted_edits=1, steps=2)),
        ([edit("a.py", "1", "2"), ("git restore --staged a.py", "")], Trouble(steps=2)),
        ([edit("a.py", "1", "2"), ("git checkout main", "")], Trouble(steps=2)),
        ([edit("a.py", "1", "2"), edit("b.py", "1", "2"), ("git reset --hard", "")], Trouble(reverted_edits=2, steps=3)),
        ([edit("a.py", "1", "2"), ("git stash", ""), ("pytest", PASSING), ("git stash pop", "")], Trouble(steps=4)),
        ([edit("a.py", "1", "2"), ("git stash && pytest -q", FAILING)], Trouble(1, 1, steps=2)),
        ([edit("a.py", "1", "2"), user("take it back"), ("git checkout .", "")], Trouble(steps=1)),
        ([("git checkout -- a.py", "")], Trouble(steps=1)),
        (
            [("Reed", "{}", "Error: No such tool available: Reed"), ("Read", "{", "InputValidationError: x")],
            Trouble(invalid_calls=2, steps=2),
        ),
        ([("read", '{"path": "a"}', "Error: ENOENT")], Trouble(steps=1)),
        ([("cat a", "x"), ("cat b", "y"), ("cat a", "x"), ("cat b", "y")], Trouble(repeats=1, steps=4)),
        ([("cat a", "x"), ("cat a", "x"), ("cat a", "x")], Trouble(repeats=2, steps=3)),
        ([("gh pr checks", "pending 3"), ("gh pr checks", "pending 2")], Trouble(steps=2)),
        ([("cat a", "x"), user("again"), ("cat a", "x")], Trouble(steps=1)),
    ],
)  # fmt: skip
def test_trouble_is_told_from_evidence_since_the_human_spoke(said: list[Turn | tuple[str, str]], trouble: Trouble) -> None:
    assert replace(seen(*said).trouble, failed_row=0, lifted="") == trouble


@pytest.mark.parametrize(
    ("tool", "result", "fault"),
    [
        ("edit", "<tool_use_error>String to replace not found in file.</tool_use_error>", Fault.REFUSED),
        ("edit", "InputValidationError: old_string is missing", Fault.INVALID),
        ("bash", "1 failed, 2 passed", Fault.BROKEN),
        ("bash", "2 passed", Fault.NONE),
        ("nosuch", "unsupported call: nosuch", Fault.INVALID),
    ],
)
def test_a_fault_has_its_severity(tool: str, result: str, fault: Fault) -> None:
    assert seen((tool, json.dumps({"command": "pytest -q"} if tool == "bash" else {"path": "a"}), result)).recent[-1].fault is fault


def test_a_plain_failing_command_is_less_than_a_failing_test() -> None:
    assert seen(("rm nosuch", "Exit code 1\nrm: no such file")).recent[-1].fault is Fault.FAILED


def test_history_counts_what_was_done_since_what() -> None:
    todo = ("todowrite", json.dumps({"todos": [{"status": "completed"}, {"status": "pending"}, {"status": "in_progress"}]}), "ok")
    both = Turn(Role.ASSISTANT, (Text("both"), ToolCall("x", "read", '{"path": "a.py"}'), ToolCall("y", "read", '{"path": "c.py"}')))
    history = seen(
        ("cat a.py", "x"),
        edit("a.py", "1", "2"),
        ("pytest -q", FAILING),
        user("is that all?"),
        edit("a.py", "2", "3"),
        edit("test_a.py", "2", "3"),
        todo,
        both,
        gave("x", "1"),
        gave("y", "2"),
    ).history
    assert (history.steps, history.actions, history.humans) == (7, 8, 2)
    assert (history.edits, history.edits_turn, history.edits_since_test) == (3, 2, 2)
    assert (history.reads_since_edit, history.reads_since_test, history.actions_since_test) == (2, 2, 5)
    assert (history.tests_turn, history.tests_failed, history.tests_passed, history.last_test) == (0, 1, 0, "failed")
    assert (history.todo_pending, history.todo_done) == (2, 1)
    assert (history.files_edited, history.files_read, history.source_edits, history.test_edits) == (2, 2, 2, 1)
    assert (history.parallel, history.text_chars, history.human_asks) == (2, len("both"), True)


def test_a_script_that_the_agent_wrote_is_known_when_it_is_run() -> None:
    written = ("cat > repro.py <<'EOF'\nprint(1)\nEOF", "")
    history = seen(written).history
    assert (history.scratch_written, history.scratch_run, history.scratch_open) == (1, 0, True)
    history = seen(written, ("python repro.py", "1")).history
    assert (history.scratch_written, history.scratch_run, history.scratch_open) == (1, 1, False)


def test_the_last_file_is_known_to_have_been_edited() -> None:
    assert seen(edit("a.py", "1", "2"), ("cat a.py", "2")).history.last_file_edits == 1
    assert seen(edit("a.py", "1", "2"), ("cat b.py", "2")).history.last_file_edits == 0


LONG = [("cat a.py", "x"), edit("a.py", "1", "2"), ("pytest -q", FAILING), ("pytest -q", FAILING)] * 40


def test_a_step_costs_what_is_new_and_says_the_same() -> None:
    turns = told(*LONG)
    whole = features_of(digested(a_view(system("one"), *turns)))
    stepwise: StepFeatures | None = None
    for end in range(1, len(turns) + 1, 2):
        watched = Watched([system("two"), *turns[:end]])
        view = digested(a_view(*watched.turns))
        stepwise = features_of(replace(view, turns=watched))
        if end > 40:
            assert min(watched.seen) >= end - 2
    assert stepwise is not None
    # Met whole, it is folded from a bounded way back: the end is the same, the beginning estimated.
    assert stepwise.recent == whole.recent
    assert stepwise.failures == len(LONG) // 2 > whole.failures >= 2
    assert stepwise.history.steps == len(LONG) == pytest.approx(whole.history.steps, abs=2)
    assert stepwise.history.edits == len(LONG) // 4 > whole.history.edits


def test_two_conversations_that_end_alike_stay_apart() -> None:
    def ending(first: Sequence[tuple[str, str]]) -> StepFeatures:
        return features_of(digested(a_view(*told(*first, ("ls", "same")))))

    assert ending([("pytest -q", FAILING)]).trouble.failing_verifications == 1
    assert ending([("pytest -q", PASSING)]).trouble.failing_verifications == 0


def test_what_was_concluded_of_a_conversation_does_not_change_with_its_next_step() -> None:
    turns = told(edit("a.py", "1", "2"))
    before = features_of(digested(a_view(*turns)))
    features_of(digested(a_view(*turns, *told(("git checkout .", ""))[1:])))
    assert features_of(digested(a_view(*turns))) == before


def test_a_result_that_comes_later_in_parallel_finds_its_call() -> None:
    calls = Turn(Role.ASSISTANT, tuple(ToolCall(str(number), "bash", json.dumps({"command": f"pytest {number}"})) for number in range(3)))
    answers = Turn(Role.TOOL, (ToolResult("2", PASSING), ToolResult("0", FAILING), ToolResult("1", FAILING)))
    seen = features_of(digested(a_view(user("go"), calls, answers)))
    assert [action.failed for action in seen.recent] == [True, True, False]


TWICE = [("pytest a.py", FAILING), ("pytest b.py", FAILING)]
LOOKS = [(f"cat f{number}", str(number)) for number in range(LET_DOWN_STEPS)]


@pytest.mark.parametrize(
    ("said", "lifted"),
    [
        ([("pytest a.py", FAILING)], ""),
        (TWICE, "2 verifications have failed since one last passed"),
        # The row of errors is broken by a look, the failing tests are not mended by it.
        ([*TWICE, ("cat a.py", "x")], "2 verifications have failed since one last passed"),
        ([("read", "{}", "Error: no"), ("read", "{}", "Error: no"), ("cat a.py", "x")], "2 actions in a row have failed"),
        ([("read", "{}", "Error: no"), ("read", "{}", "Error: no"), *LOOKS[:-1]], "2 actions in a row have failed"),
        ([("read", "{}", "Error: no"), ("read", "{}", "Error: no"), *LOOKS], ""),
        ([("cat a", "x")] * 4, "the same has been done 3 times over with the same result"),
        ([*[("cat a", "x")] * 4, ("cat b", "y")], "the same has been done 3 times over with the same result"),
        ([*TWICE, ("pytest a.py", PASSING)], ""),
        ([*TWICE, user("leave that")], ""),
    ],
)
def test_trouble_lasts_until_a_test_passes_the_human_speaks_or_a_while_has_gone_by(said: list[Turn | tuple[str, str]], lifted: str) -> None:
    whole = told(*said)
    at_once = features_of(a_view(*whole))
    step_by_step = [features_of(digested(a_view(*whole[:end]))) for end in range(1, len(whole) + 1)]
    assert at_once.trouble.lifted == step_by_step[-1].trouble.lifted == lifted
