"""Which kind of turn is to come: a certain rule, or else a table learned from recorded agent sessions.

The table counts what followed after the last three kinds of action, in each situation. Rare contexts lean on shorter ones: each
count is joined by a prior of `shrink` cases that follow the shorter context, so that a handful of cases never shouts.
`scripts/train_steps.py` writes it.
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from stepfare.core.step import Step, StepFeatures, StepKind
from stepfare.steps.context import CONTEXT_LENGTH, FAILED, HUMAN, LED, OPENING, context_of, is_situation
from stepfare.steps.rules import RECOVERABLE, certain_rule
from stepfare.steps.trouble import stuck

EDIT_THRESHOLD = 0.20
"""From this chance of an edit on, the step counts as one: a missed edit costs quality, a needless balanced read costs cents."""
QUOTED_CASES_MIN = 30
"""Figures are quoted from the longest context that was seen at least so often."""
PREDICTED = (StepKind.EXPLORE, StepKind.EDIT, StepKind.RUN, StepKind.SUMMARIZE, StepKind.ANSWER, StepKind.SIDE, StepKind.PLAN)
"""The kinds that the table tells apart, in the order of its counts."""

COMPLETION_OUTPUT_TOKENS = 64
"""A few lines: inline completions are in no recorded session."""


@dataclass(frozen=True, slots=True)
class Table:
    """Counts of the kinds (in the order of `PREDICTED`) that followed after a context; the empty context holds them all."""

    counts: Mapping[tuple[str, ...], tuple[int, ...]]
    shrink: float
    output_tokens: Mapping[StepKind, int]

    def probabilities(self, context: tuple[str, ...]) -> dict[StepKind, float]:
        """P(kind) after this context. Every kind has its place; they sum to one."""
        shares = [1 / len(PREDICTED)] * len(PREDICTED)
        for length in range(len(context) + 1):
            counts = self.counts.get(context[len(context) - length :])
            if counts is None:
                break
            total = sum(counts) + self.shrink
            shares = [(count + self.shrink * share) / total for count, share in zip(counts, shares, strict=True)]
        return dict(zip(PREDICTED, shares, strict=True))

    def quoted(self, context: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """The longest end of this context with cases enough to quote, and its counts."""
        for length in range(len(context), -1, -1):
            counts = self.counts.get(context[len(context) - length :], ())
            if sum(counts) >= QUOTED_CASES_MIN or not length:
                return context[len(context) - length :], counts or (0,) * len(PREDICTED)
        raise AssertionError(context)


def read_table(text: str | bytes) -> Table:
    """The table in the words of its file."""
    raw = cast("dict[str, Any]", json.loads(text))
    assert raw["kinds"] == [kind.value for kind in PREDICTED], raw["kinds"]
    counts = {tuple(key.split()): tuple(row) for key, row in cast("dict[str, list[int]]", raw["counts"]).items()}
    assert all(len(key) <= CONTEXT_LENGTH and len(row) == len(PREDICTED) for key, row in counts.items())
    tokens = {StepKind(kind): count for kind, count in cast("dict[str, int]", raw["output_tokens"]).items()}
    return Table(counts, float(raw["shrink"]), tokens)


def _shipped() -> Table:
    data = pkgutil.get_data("stepfare.steps", "table.json")
    assert data is not None, "table.json is part of the package"
    return read_table(data)


TABLE = _shipped()


def classify(features: StepFeatures, table: Table = TABLE) -> Step:
    """What the coming turn is for, how sure that is, and the sentence that says why."""
    certain = certain_rule(features)
    if certain is not None:
        kind, because = certain
        probabilities = {kind: 1.0}
    else:
        context = context_of(features)
        probabilities = table.probabilities(context)
        kind = predicted_kind(probabilities)
        because = _because(kind, context, table)
    trouble = stuck(features) if kind in RECOVERABLE else ""
    if trouble:
        because = f"{trouble}: the coming {kind.value} has to get the session out of trouble ({because})"
        if certain is not None:
            probabilities = {StepKind.RECOVER: 1.0}
        kind = StepKind.RECOVER
    return Step(kind, probabilities, because, certain=certain is not None)


def predicted_kind(probabilities: Mapping[StepKind, float]) -> StepKind:
    """An edit from `EDIT_THRESHOLD` on, else the likeliest other kind."""
    if probabilities[StepKind.EDIT] >= EDIT_THRESHOLD:
        return StepKind.EDIT
    return max((kind for kind in PREDICTED if kind is not StepKind.EDIT), key=probabilities.__getitem__)


def expected_output_tokens(kind: StepKind, table: Table = TABLE) -> int:
    """How many tokens such a turn is expected to write, thinking included where the recorded sessions counted it."""
    if kind is StepKind.COMPLETE:
        return COMPLETION_OUTPUT_TOKENS
    return table.output_tokens[StepKind.EDIT if kind is StepKind.RECOVER else kind]


_NAMES: Mapping[StepKind, str] = {
    StepKind.EXPLORE: "more looking around",
    StepKind.EDIT: "an edit",
    StepKind.RUN: "a command or test",
    StepKind.SUMMARIZE: "the final report",
    StepKind.ANSWER: "an answer, a question or a hand-over",
    StepKind.SIDE: "a note in the todo list",
    StepKind.PLAN: "a plan",
}


_SITUATIONS = {OPENING: "at the opening of a task", LED: "in the course of a task"}


def _because(kind: StepKind, context: tuple[str, ...], table: Table) -> str:
    """A sentence with the figures of the context that can be quoted."""
    quoted, counts = table.quoted(context)
    cases = sum(counts)
    share = {name: count / cases if cases else 0.0 for name, count in zip(PREDICTED, counts, strict=True)}
    spoken = _spoken(quoted)
    where = f"after {spoken}" if spoken else _SITUATIONS.get(quoted[-1] if quoted else "", "in a step of an agent")
    said = f"{where} {_NAMES[kind]} follows in {share[kind]:.0%} of {cases:,} recorded cases"
    return said if kind is StepKind.EDIT else f"{said}, an edit in {share[StepKind.EDIT]:.0%}"


def _spoken(context: tuple[str, ...]) -> str:
    words = {HUMAN: "the human's words", f"test{FAILED}": "a failing test"}
    return ", ".join(words.get(symbol, symbol) for symbol in context if not is_situation(symbol))
