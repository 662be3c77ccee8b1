"""Which kind of turn is to come: a certain rule, or else weights learned from recorded agent sessions, with what spoke for an edit."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence

from stepfare.core.step import Step, StepFeatures, StepKind
from stepfare.steps.causes import CAUSES
from stepfare.steps.rules import RECOVERABLE, certain_rule
from stepfare.steps.trouble import stuck
from stepfare.steps.vector import vector_of
from stepfare.steps.weights import OTHERS, Weights, chances, read_weights

EDIT_THRESHOLD = 0.28
"""From this chance of an edit on, a step that no gate watches counts as one. An edit missed costs quality, an edit expected in vain the
difference of two prices; at this chance both errors weigh the same where a missed edit is taken for two and a half times as bad, and on
repositories not trained on the tiers are told apart best."""
CONTRIBUTIONS_MAX = 6
QUOTED_MAX = 2
QUOTED_FROM = 0.1
"""Causes that contribute less in log-odds are not worth a reader's time."""

COMPLETION_OUTPUT_TOKENS = 64
"""A few lines: inline completions are in no recorded session."""


def _shipped() -> Weights:
    data = pkgutil.get_data("stepfare.steps", "weights.json")
    assert data is not None, "weights.json is part of the package"
    return read_weights(data)


WEIGHTS = _shipped()


def classify(features: StepFeatures, weights: Weights = WEIGHTS) -> Step:
    """What the coming turn is for, how sure that is, and the sentence that says why."""
    certain = certain_rule(features)
    contributions: tuple[tuple[str, float], ...] = ()
    numbers: tuple[float, ...] = ()
    if certain is not None:
        kind, because = certain
        probabilities = {kind: 1.0}
    else:
        numbers = vector_of(features)
        reading = weights.read(numbers)
        probabilities = chances(weights.corrected(reading, numbers))
        kind = predicted_kind(probabilities)
        contributions = _contributions(features, reading.causes)
        because = _because(kind, probabilities, contributions)
    trouble = stuck(features) if kind in RECOVERABLE else ""
    if trouble:
        because = f"{trouble}: the coming {kind.value} has to get the session out of trouble ({because})"
        if certain is not None:
            probabilities = {StepKind.RECOVER: 1.0}
        kind = StepKind.RECOVER
    return Step(kind, probabilities, because, certain is not None, contributions, numbers)


def predicted_kind(probabilities: Mapping[StepKind, float]) -> StepKind:
    """An edit from `EDIT_THRESHOLD` on, else the likeliest other kind."""
    if probabilities[StepKind.EDIT] >= EDIT_THRESHOLD:
        return StepKind.EDIT
    return max(OTHERS, key=probabilities.__getitem__)


def expected_output_tokens(kind: StepKind, weights: Weights = WEIGHTS) -> int:
    """How many tokens such a turn is expected to write, thinking included where the recorded sessions counted it."""
    if kind is StepKind.COMPLETE:
        return COMPLETION_OUTPUT_TOKENS
    return weights.output_tokens[StepKind.EDIT if kind is StepKind.RECOVER else kind]


_NAMES: Mapping[StepKind, str] = {
    StepKind.EXPLORE: "more looking around",
    StepKind.EDIT: "an edit",
    StepKind.RUN: "a command or test",
    StepKind.SUMMARIZE: "the final report",
    StepKind.ANSWER: "an answer, a question or a hand-over",
    StepKind.SIDE: "a note in the todo list",
    StepKind.PLAN: "a plan",
}


def _contributions(features: StepFeatures, shares: Sequence[float]) -> tuple[tuple[str, float], ...]:
    """The strongest causes in words, with what they add to the log-odds of an edit."""
    ranked = sorted(range(len(shares)), key=lambda place: -abs(shares[place]))[:CONTRIBUTIONS_MAX]
    return tuple((_tellable(CAUSES[place].say(features)), round(shares[place], 3)) for place in ranked)


def _tellable(words: str) -> str:
    """Paths come as models wrote them: half a character, or one that moves a terminal's cursor, is no word for a reader."""
    return words if words.isprintable() else "".join(one if one.isprintable() else "?" for one in words)


def _because(kind: StepKind, probabilities: Mapping[StepKind, float], contributions: Sequence[tuple[str, float]]) -> str:
    """A sentence with the chances and the causes that carry them."""
    sign = 1 if kind is StepKind.EDIT else -1
    quoted = [words for words, share in contributions if sign * share >= QUOTED_FROM][:QUOTED_MAX]
    said = f"{_NAMES[kind]} is to be expected ({probabilities[kind]:.0%}"
    said += ")" if kind is StepKind.EDIT else f", an edit in {probabilities[StepKind.EDIT]:.0%})"
    return f"{said}: {'; '.join(quoted)}" if quoted else said
