"""The verdict on a step: certain rules, probabilities, and the sentence that says why."""

from __future__ import annotations

import json

import pytest

from stepfare.core.step import StepKind, Trouble
from stepfare.steps.classify import COMPLETION_OUTPUT_TOKENS, PREDICTED, TABLE, Table, classify, expected_output_tokens, read_table
from stepfare.steps.context import context_of
from tests.steps.views import acted, some_features

TABLE_OF_TEN = Table(
    {
        (): (500, 200, 200, 50, 20, 20, 10),
        ("~led",): (500, 200, 200, 50, 20, 20, 10),
        ("read", "~led"): (50, 40, 10, 0, 0, 0, 0),
        ("search", "read", "~led"): (0, 30, 0, 0, 0, 0, 0),
        ("read", "search", "read", "~led"): (3, 0, 0, 0, 0, 0, 0),
    },
    20.0,
    dict.fromkeys(PREDICTED, 100),
)


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
    assert (step.kind, step.certain, dict(step.probabilities)) == (kind, True, {kind: 1.0})
    assert word in step.because


@pytest.mark.parametrize(
    ("kinds", "since", "context"),
    [
        ("", 0, ("human", "~opening")),
        ("read", 1, ("human", "read", "~opening")),
        ("read", 0, ("human", "~led")),
        ("read test!", 2, ("human", "read", "test!", "~opening")),
        ("edit read", 1, ("human", "read", "~led")),
        ("list search edit! test", 4, ("search", "edit", "test", "~led")),
        ("list search", 30, ("list", "search", "~led")),
    ],
)
def test_the_context_is_the_last_three_actions_since_the_human(kinds: str, since: int, context: tuple[str, ...]) -> None:
    assert context_of(some_features(recent=acted(*kinds.split()), actions_since_human=since)) == context


@pytest.mark.parametrize(
    ("client", "situation"),
    [("cline", "~opening"), ("unknown", "~opening"), ("mini-swe-agent", "~alone"), ("openhands", "~alone")],
)
def test_an_agent_that_works_alone_has_figures_of_its_own(client: str, situation: str) -> None:
    assert context_of(some_features(client=client))[-1] == situation


def test_rare_contexts_lean_on_shorter_ones() -> None:
    after_all = TABLE_OF_TEN.probabilities(("~led",))[StepKind.EDIT]
    after_read = TABLE_OF_TEN.probabilities(("read", "~led"))[StepKind.EDIT]
    after_two = TABLE_OF_TEN.probabilities(("search", "read", "~led"))[StepKind.EDIT]
    after_three = TABLE_OF_TEN.probabilities(("read", "search", "read", "~led"))[StepKind.EDIT]
    assert after_read == pytest.approx((40 + 20 * after_all) / 120)
    assert after_two == pytest.approx((30 + 20 * after_read) / 50)
    assert after_three == pytest.approx(20 * after_two / 23)
    assert TABLE_OF_TEN.probabilities(("edit", "edit", "never", "~led")) == TABLE_OF_TEN.probabilities(("~led",))


def test_because_quotes_the_longest_context_with_cases_enough() -> None:
    step = classify(some_features("read", "search", "read", actions_since_human=9), TABLE_OF_TEN)
    assert step.kind is StepKind.EDIT
    assert step.because == "after search, read an edit follows in 100% of 30 recorded cases"
    step = classify(some_features("web", actions_since_human=9), TABLE_OF_TEN)
    assert step.because == "in the course of a task more looking around follows in 50% of 1,000 recorded cases, an edit in 20%"


def test_from_a_fifth_on_an_edit_is_expected() -> None:
    def kind_at(edits: int) -> StepKind:
        return classify(some_features("read"), Table({(): (1_000 - edits, edits, 0, 0, 0, 0, 0)}, 0.0, {})).kind

    assert kind_at(199) is StepKind.EXPLORE
    assert kind_at(200) is StepKind.EDIT


@pytest.mark.parametrize(
    ("kinds", "kind"),
    [
        ("", StepKind.EXPLORE),  # a human has spoken: first one looks around
        ("search read", StepKind.EXPLORE),
        ("edit edit", StepKind.EDIT),
        ("read edit test!", StepKind.EDIT),
        ("list list list", StepKind.EXPLORE),
        ("read edit test", StepKind.RUN),
        ("todo todo todo", StepKind.SIDE),
    ],
)
def test_the_shipped_table_knows_how_agents_work(kinds: str, kind: StepKind) -> None:
    assert classify(some_features(*kinds.split())).kind is kind


def test_two_failures_make_a_recovery_of_an_edit_but_not_of_looking_around() -> None:
    stuck = classify(some_features("test!", "edit", "test!", trouble=Trouble(failing_verifications=2)))
    assert stuck.kind is StepKind.RECOVER
    assert stuck.probabilities[StepKind.EDIT] > 0.2
    assert stuck.because.startswith("2 verifications have failed")
    assert classify(some_features("edit", "test!", trouble=Trouble(failing_verifications=1))).kind is StepKind.EDIT
    assert classify(some_features("list", "list", "list", trouble=Trouble(failed_row=2))).kind is StepKind.EXPLORE
    planning = classify(some_features(mode="plan", trouble=Trouble(failed_row=3)))
    assert (planning.kind, dict(planning.probabilities)) == (StepKind.RECOVER, {StepKind.RECOVER: 1.0})


def test_probabilities_are_probabilities_everywhere() -> None:
    for context in TABLE.counts:
        shares = TABLE.probabilities(context)
        assert sum(shares.values()) == pytest.approx(1.0)
        assert set(shares) == set(PREDICTED)
        assert min(shares.values()) > 0


def test_every_kind_has_an_expected_length() -> None:
    lengths = {kind: expected_output_tokens(kind) for kind in StepKind}
    assert min(lengths.values()) > 0
    assert lengths[StepKind.COMPLETE] == COMPLETION_OUTPUT_TOKENS
    assert lengths[StepKind.RECOVER] == lengths[StepKind.EDIT] > lengths[StepKind.EXPLORE]


def test_a_table_of_other_kinds_is_refused() -> None:
    with pytest.raises(AssertionError):
        read_table(json.dumps({"kinds": ["explore"], "shrink": 1, "counts": {}, "output_tokens": {}}))
