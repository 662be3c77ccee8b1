"""The verdict on a step: certain rules, chances, what speaks for them, and the sentence that says why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfare.core.step import StepKind, Trouble
from stepfare.steps.classify import (
    COMPLETION_OUTPUT_TOKENS,
    CONTRIBUTIONS_MAX,
    EDIT_THRESHOLD,
    classify,
    expected_output_tokens,
    predicted_kind,
)
from stepfare.steps.vector import vector_of
from stepfare.steps.weights import OTHERS, PREDICTED, read_weights
from tests.steps.test_features import FAILING, PASSING
from tests.steps.test_trail import edit, seen
from tests.steps.test_weights import a_file
from tests.steps.views import some_features


@pytest.mark.parametrize(
    ("changed", "kind", "word"),
    [
        ({"completion": True, "mode": "plan"}, StepKind.COMPLETE, "inline-completion"),
        ({"side": "title", "mode": "plan"}, StepKind.SIDE, "title"),
        ({"side": "embedding", "agent_loop": False}, StepKind.SIDE, "vectors"),
        ({"mode": "plan"}, StepKind.PLAN, "plan mode"),
        ({"client": "aider", "mode": ""}, StepKind.EDIT, "aider"),
        ({"agent_loop": False}, StepKind.ANSWER, "plain question"),
        ({"agent_loop": False, "actions_since_human": 3}, StepKind.SUMMARIZE, "report"),
        ({"agent_loop": False, "client": "unknown", "side": "compaction"}, StepKind.SIDE, "the client makes"),
    ],
)
def test_a_certain_rule_comes_first(changed: dict[str, object], kind: StepKind, word: str) -> None:
    step = classify(some_features(**changed))
    assert (step.kind, step.certain, dict(step.probabilities), step.contributions) == (kind, True, {kind: 1.0}, ())
    assert word in step.because


def chances(edit: float, **others: float) -> dict[StepKind, float]:
    return {StepKind.EDIT: edit, **{kind: others.get(kind.value, 0.0) for kind in OTHERS}}


def test_from_its_threshold_on_an_edit_is_expected() -> None:
    assert predicted_kind(chances(EDIT_THRESHOLD, explore=1 - EDIT_THRESHOLD)) is StepKind.EDIT
    assert predicted_kind(chances(EDIT_THRESHOLD - 0.001, explore=0.5, run=0.2)) is StepKind.EXPLORE


READ = ("read", '{"path": "src/a.py", "offset": 10, "limit": 40}', "x = 1\n" * 40)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ([], StepKind.EXPLORE),  # a human has spoken: first one looks around
        ([("ls", "a.py\nb.py")], StepKind.EXPLORE),
        ([("ls", "a.py"), ("grep -rn x src", "src/a.py:3: x")], StepKind.EXPLORE),
        ([READ, edit("src/a.py", "1", "2"), edit("src/a.py", "3", "4")], StepKind.EDIT),
        ([READ, edit("src/a.py", "1", "2"), ("pytest -q", PASSING)], StepKind.RUN),
    ],
)
def test_the_shipped_weights_know_how_agents_work(said: list[tuple[str, str]], kind: StepKind) -> None:
    assert classify(seen(*said)).kind is kind


def test_a_read_of_the_file_at_hand_speaks_more_for_an_edit_than_a_list_does() -> None:
    read, listed = (classify(seen(("ls", "a"), one)).probabilities[StepKind.EDIT] for one in (READ, ("ls src", "a.py")))
    assert read > 2 * listed


def test_the_sentence_quotes_what_speaks_for_the_verdict() -> None:
    step = classify(seen(READ, edit("src/a.py", "1", "2"), edit("src/a.py", "3", "4")))
    assert step.because.startswith(f"an edit is to be expected ({step.probabilities[StepKind.EDIT]:.0%})")
    strongest = next(words for words, share in step.contributions if share > 0)
    assert strongest in step.because
    calm = classify(seen(("ls", "a.py")))
    assert f", an edit in {calm.probabilities[StepKind.EDIT]:.0%})" in calm.because


def test_contributions_are_few_strongest_first_and_name_what_was_done() -> None:
    contributions = classify(seen(READ, edit("src/a.py", "1", "2"), ("pytest -q", FAILING))).contributions
    sizes = [abs(share) for _, share in contributions]
    assert sizes == sorted(sizes, reverse=True)
    assert 0 < len(contributions) <= CONTRIBUTIONS_MAX
    assert len({words for words, _ in contributions}) == len(contributions)


def test_a_path_that_nobody_can_print_is_told_all_the_same() -> None:
    for words, _ in classify(seen(("read", '{"path": "src/\\ud83d\\u001b[2J.py"}', "x"))).contributions:
        assert words.isprintable()


def test_two_failures_make_a_recovery_of_an_edit_but_not_of_looking_around() -> None:
    sure, unlikely = (read_weights(a_file(edit={"base": base, "trees": []})) for base in (2.0, -2.0))
    failing = some_features("edit", "test!", failures=2, trouble=Trouble(failing_verifications=2, failed_row=2))
    stuck = classify(failing, sure)
    assert (stuck.kind, stuck.probabilities[StepKind.EDIT] > 0.8) == (StepKind.RECOVER, True)
    assert stuck.because.startswith("2 verifications have failed")
    assert classify(some_features("edit", "test!"), sure).kind is StepKind.EDIT
    assert classify(failing, unlikely).kind is StepKind.EXPLORE
    planning = classify(replace(failing, mode="plan"))
    assert (planning.kind, dict(planning.probabilities)) == (StepKind.RECOVER, {StepKind.RECOVER: 1.0})


def test_every_kind_has_an_expected_length() -> None:
    lengths = {kind: expected_output_tokens(kind) for kind in StepKind}
    assert min(lengths.values()) > 0
    assert lengths[StepKind.COMPLETE] == COMPLETION_OUTPUT_TOKENS
    assert lengths[StepKind.RECOVER] == lengths[StepKind.EDIT] > lengths[StepKind.EXPLORE]
    assert {*PREDICTED, StepKind.COMPLETE, StepKind.RECOVER} == set(StepKind)


def test_a_verdict_keeps_the_numbers_that_it_stands_on() -> None:
    features = some_features()
    assert classify(features).vector == vector_of(features)
    assert classify(replace(features, mode="plan")).vector == (), "a rule stands on none"
