"""The classifier's weights and their arithmetic: two forests of boosted trees, evaluated in plain Python.

One forest says how likely an edit is, and each of its leaves what every cause on the way there contributed to that; the other one says
which of the other kinds follows where no edit does. `scripts/train_classifier.py` writes the file; what the numbers mean is the business of
`vector`, what follows from them of `classify`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from math import exp
from struct import unpack
from typing import Any, NamedTuple, TypeAlias, cast

from stepfare.core.step import StepKind
from stepfare.steps.causes import CAUSE_OF, CAUSES
from stepfare.steps.vector import FEATURE_NAMES

OTHERS = (StepKind.EXPLORE, StepKind.RUN, StepKind.SUMMARIZE, StepKind.ANSWER, StepKind.SIDE, StepKind.PLAN)
"""What may follow where no edit does, in the order of the second forest's values."""
PREDICTED = (StepKind.EDIT, *OTHERS)
"""The kinds that the weights tell apart."""

Node: TypeAlias = tuple[int, float, Any, Any]
"""A split: feature, threshold, the nodes for values up to it and above it. A leaf: -1, 0, its row of values as one number, None."""
FIELD_BYTES = 4
FIELD_BIAS = 2**18
"""Added to each value of a packed row, so that no field is ever negative; thousands of rows can be added before one runs over."""
FIELD_TREES_MAX = 2 ** (8 * FIELD_BYTES) // (2 * FIELD_BIAS)


class BadWeights(ValueError):
    """The text is not that of weights which this version can use; the message says why."""


class Correction(NamedTuple):
    """What a user's own steps teach on top of the shipped weights. For the log-odds of an edit and for each other kind's score: a scale,
    a shift, and shifts by features that are one (`layer`: the feature's place, and one value for each of `PREDICTED`)."""

    scales: tuple[float, float]
    """Of the log-odds of an edit, and of the others' scores."""
    shifts: tuple[float, ...]
    layer: tuple[tuple[int, tuple[float, ...]], ...] = ()


class Reading(NamedTuple):
    """What the weights say of a vector: the log-odds of an edit, the others' scores, and what each cause contributed to the former."""

    edit: float
    others: list[float]
    causes: list[float]


@dataclass(frozen=True, slots=True)
class Weights:
    """`edit_base` is the log-odds of an edit before any cause; values of leaves are parts of `scale`. The rows of the first forest hold
    what each of `CAUSES` contributes, those of the second one a value for each of `OTHERS`."""

    edit_base: float
    edit_trees: tuple[Node, ...]
    others_base: tuple[float, ...]
    others_trees: tuple[Node, ...]
    scale: float
    output_tokens: Mapping[StepKind, int]
    fingerprint: str = ""
    """Hex; equal for equal files. A correction is made for one file of weights and fits no other."""
    correction: Correction | None = None

    def read(self, numbers: Sequence[float]) -> Reading:
        """What these weights say of the features' numbers, corrections not heeded."""
        scale = self.scale
        causes = [total / scale for total in _sums(self.edit_trees, numbers, len(CAUSES))]
        sums = _sums(self.others_trees, numbers, len(OTHERS))
        others = [base + total / scale for base, total in zip(self.others_base, sums, strict=True)]
        return Reading(self.edit_base + sum(causes), others, causes)

    def probabilities(self, numbers: Sequence[float]) -> dict[StepKind, float]:
        """P(kind). Every kind has its place; they sum to one."""
        return chances(self.corrected(self.read(numbers), numbers))

    def corrected(self, reading: Reading, numbers: Sequence[float]) -> Reading:
        """The reading with what a user's own steps taught."""
        return reading if self.correction is None else corrected(reading, numbers, self.correction)


def corrected(reading: Reading, numbers: Sequence[float], correction: Correction) -> Reading:
    """The reading, corrected: what one kind gains for a feature is added to its log-odds or score."""
    scores = [
        correction.scales[0] * reading.edit + correction.shifts[0],
        *(correction.scales[1] * score + shift for score, shift in zip(reading.others, correction.shifts[1:], strict=True)),
    ]
    for feature, shifts in correction.layer:
        if numbers[feature] == 1.0:
            scores = [score + shift for score, shift in zip(scores, shifts, strict=True)]
    return Reading(scores[0], scores[1:], reading.causes)


def chances(reading: Reading) -> dict[StepKind, float]:
    """P(kind), the kinds in the order of `PREDICTED`."""
    edit = 1 / (1 + exp(-reading.edit))
    highest = max(reading.others)
    raised = [exp(score - highest) for score in reading.others]
    rest = (1 - edit) / sum(raised)
    return dict(zip(PREDICTED, (edit, *(one * rest for one in raised)), strict=True))


def packed(row: Sequence[int]) -> int:
    """A row of values as one number, so that adding two rows is adding two numbers: a third of the time of adding them one by one."""
    assert all(-FIELD_BIAS < value < FIELD_BIAS for value in row), row
    return int.from_bytes(b"".join((value + FIELD_BIAS).to_bytes(FIELD_BYTES, "little") for value in row), "little")


def _sums(trees: Sequence[Node], numbers: Sequence[float], width: int) -> list[int]:
    """The rows of the leaves that these numbers come to, added up column by column."""
    total = 0
    for feature, threshold, low, high in trees:
        while feature >= 0:
            feature, threshold, low, high = low if numbers[feature] <= threshold else high
        total += low
    bias = FIELD_BIAS * len(trees)
    return [field - bias for field in unpack(f"<{width}I", total.to_bytes(FIELD_BYTES * width, "little"))]


def read_weights(text: str | bytes) -> Weights:
    """The weights in the words of their file. Raises BadWeights."""
    try:
        raw = cast("dict[str, Any]", json.loads(text))
        if raw["kinds"] != [kind.value for kind in PREDICTED] or raw["features"] != list(FEATURE_NAMES):
            raise BadWeights("these weights are for other kinds or features: train them anew")
        edit, others = cast("dict[str, Any]", raw["edit"]), cast("dict[str, Any]", raw["others"])
        if max(len(edit["trees"]), len(others["trees"])) > FIELD_TREES_MAX:
            raise BadWeights(f"more than {FIELD_TREES_MAX} trees in a forest")
        roots = sum(tree["m"][0] for tree in edit["trees"])
        return Weights(
            edit_base=float(edit["base"]) + roots / raw["scale"],
            edit_trees=tuple(_tree(tree["f"], tree["t"], _shares(tree["f"], tree["m"])) for tree in edit["trees"]),
            others_base=tuple(float(one) for one in others["base"]),
            others_trees=tuple(_tree(tree["f"], tree["t"], [tuple(row) for row in tree["v"]]) for tree in others["trees"]),
            scale=float(raw["scale"]),
            output_tokens={StepKind(kind): int(count) for kind, count in raw["output_tokens"].items()},
            fingerprint=blake2b(text if isinstance(text, bytes) else text.encode(), digest_size=8).hexdigest(),
        )
    except BadWeights:
        raise
    except (ValueError, KeyError, TypeError, IndexError, ArithmeticError, AttributeError) as wrong:
        raise BadWeights(f"not a file of weights: {wrong!r}") from wrong


def _tree(features: Sequence[int], thresholds: Sequence[float], leaves: Sequence[tuple[int, ...]], at: int = 0) -> Node:
    """A tree as nested tuples; nodes that do not split are left out."""
    while at < len(features) and features[at] < 0:
        at = 2 * at + 1
    if at >= len(features):
        return (-1, 0.0, packed(leaves[at - len(features)]), None)
    low, high = (_tree(features, thresholds, leaves, child) for child in (2 * at + 1, 2 * at + 2))
    return (features[at], _threshold(thresholds[at]), low, high)


@cache
def _threshold(value: float) -> float:
    """One object for all equal thresholds: what is walked through at every step should fit into a processor's cache."""
    return float(value)


def _shares(features: Sequence[int], means: Sequence[int]) -> list[tuple[int, ...]]:
    """For each leaf what each cause contributes: the steps of the mean value on the way to it, each a cause's whose feature was asked."""
    inner = len(features)
    rows: list[tuple[int, ...]] = []
    for leaf in range(inner, len(means)):
        row = [0] * len(CAUSES)
        at = leaf
        while at:
            parent = (at - 1) // 2
            if features[parent] >= 0:
                row[CAUSE_OF[features[parent]]] += means[at] - means[parent]
            at = parent
        rows.append(tuple(row))
    return rows
