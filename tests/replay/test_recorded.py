"""Recorded sessions are read as what they are: what was sent and written, when, and what each step did."""

from __future__ import annotations

import json

import pytest

from stepfare.core.request import ToolCall, ToolResult
from stepfare.core.step import Step, StepFeatures, StepKind
from stepfare.replay.recorded import recording_of, turns_of

USAGE = {"inp": 10, "cw": 990, "cr": 9_000, "out": 50}


def a_row(kind: str = "read", sub: str | None = None, *, at: int = 1, **more: object) -> dict:
    return {"i": at, "kind": kind, "sub": sub, "ts": 1_790_000_000, "u": USAGE, "out_chars": 36, "tool": None, **more}


def a_raw(*rows: dict, calls: int = 1) -> dict:
    """A session whose human spoke once; `calls` answers with a call come before anything else."""
    messages: list[dict] = [{"r": "user", "t": "Mend the cart."}]
    for number in range(calls):
        messages += [
            {"r": "assistant", "t": "", "calls": [{"id": f"c{number}", "tool": "Read", "kind": "read", "a": {"file_path": "cart.py"}}]},
            {"r": "tool", "id": f"c{number}", "t": "..."},
        ]
    messages.append({"r": "assistant", "t": "Done."})
    return {"session_id": "s", "agent": "claude-code", "project": "p", "source": "p", "messages": messages, "steps": list(rows)}


@pytest.mark.parametrize(
    ("kind", "sub", "expected", "edits"),
    [
        ("read", None, StepKind.EXPLORE, False),
        ("web", None, StepKind.EXPLORE, False),
        ("edit", None, StepKind.EDIT, True),
        ("write", "shell", StepKind.EDIT, True),
        ("exec_test", "build", StepKind.RUN, False),
        ("plan", "todo", StepKind.SIDE, False),
        ("plan", "skill", StepKind.EXPLORE, False),
        ("plan", "delegate", StepKind.ANSWER, False),
        ("plan", "exit_plan", StepKind.PLAN, False),
        ("plan", "of_tomorrow", StepKind.SIDE, False),
        ("ask_user", None, StepKind.ANSWER, False),
        ("final_answer", "text", StepKind.SUMMARIZE, False),
        ("of_tomorrow", None, StepKind.RUN, False),
    ],
)
def test_what_a_step_did_in_our_words(kind: str, sub: str | None, expected: StepKind, edits: bool) -> None:
    step = recording_of(a_raw(a_row(kind, sub, at=3))).steps[0]
    assert (step.kind, step.edits) == (expected, edits)


def test_a_text_that_no_work_went_before_is_an_answer() -> None:
    assert recording_of(a_raw(a_row("final_answer", "text", at=1), calls=0)).steps[0].kind is StepKind.ANSWER


@pytest.mark.parametrize(("reported", "chars", "tokens"), [(50, 36, 50), (1, 360, 100), (None, 7, 2)])
def test_a_placeholder_is_not_taken_for_the_output(reported: int | None, chars: int, tokens: int) -> None:
    row = a_row(u={**USAGE, "out": reported}, out_chars=chars)
    assert recording_of(a_raw(row)).steps[0].output_tokens == tokens


@pytest.mark.parametrize(
    ("stamp", "at_ms"),
    [("2026-09-21T00:00:00.500Z", 1_789_948_800_500), (1_789_948_800, 1_789_948_800_000), (1_789_948_800_000, 1_789_948_800_000)],
)
def test_times_are_read_in_any_form(stamp: object, at_ms: int) -> None:
    assert recording_of(a_raw(a_row(ts=stamp))).steps[0].at_ms == at_ms


def test_where_no_time_was_logged_the_usual_gap_is_taken() -> None:
    steps = recording_of(a_raw(a_row(ts=100), a_row(ts=None), a_row(ts=None))).steps
    assert [step.at_ms for step in steps] == [100_000, 107_000, 114_000]


def test_steps_without_usage_are_not_known() -> None:
    recording = recording_of(a_raw(a_row(), a_row(u=None), a_row(u={"inp": 0, "cw": 0, "cr": 0, "out": 5})))
    assert (len(recording.steps), recording.unknown_steps) == (1, 2)


def test_rows_of_one_call_are_joined_with_what_they_wrote_and_the_most_demanding_of_what_they_did() -> None:
    rows = (a_row("read"), a_row("edit", at=3, out_chars=3_600), a_row("exec_test", at=3, u={**USAGE, "cr": 10_000}))
    apart, joined = (recording_of(a_raw(*rows), merge=merge).steps for merge in (False, True))
    assert [(step.kind, step.edits, step.output_tokens) for step in apart] == [
        (StepKind.EXPLORE, False, 50), (StepKind.EDIT, True, 1_000), (StepKind.RUN, False, 50),
    ]  # fmt: skip
    assert [(step.kind, step.edits, step.output_tokens) for step in joined] == [(StepKind.EDIT, True, 1_010), (StepKind.RUN, False, 50)]


def test_what_is_foreseen_is_said_by_the_classifier_that_is_given() -> None:
    seen: list[StepFeatures] = []

    def classifier(features: StepFeatures) -> Step:
        seen.append(features)
        return Step(StepKind.EDIT, {StepKind.EDIT: 0.7, StepKind.RUN: 0.3}, "")

    step = recording_of(a_raw(a_row(at=3)), classifier).steps[0]
    assert (dict(step.probabilities), step.certain) == ({StepKind.EDIT: 0.7, StepKind.RUN: 0.3}, False)
    assert [(one.client, one.actions_since_human) for one in seen] == [("claude-code", 1)]
    assert not recording_of(a_raw(a_row(at=3)), None).steps[0].probabilities


def test_what_was_cut_out_of_a_recording_is_as_long_again() -> None:
    raw = a_raw(a_row(at=3))
    raw["messages"][1]["calls"][0]["a"] = {"todos": [{"content": "a…[40 chars cut]…b"}], "limit": 5}
    raw["messages"][2]["t"] = "head\n…[5000 chars cut]…\ntail"
    turns = turns_of(raw)
    (call,), (result,) = turns[1].blocks, turns[2].blocks
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert json.loads(call.arguments) == {"todos": [{"content": "a\n" + "." * 40 + "\nb"}], "limit": 5}
    assert result.text == "head\n" + "." * 5_000 + "\ntail"
