"""Figures of a forecast: what was foretold of each step, against what the step turned out to be."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import log
from typing import Any, TypeAlias

from recordings import Example
from stepfare.core.step import StepFeatures, StepKind
from stepfare.steps.classify import EDIT_THRESHOLD, predicted_kind
from stepfare.steps.weights import PREDICTED

Foretold: TypeAlias = Mapping[StepKind, float]

TIERS = ("frugal", "balanced", "premium")
FAILS_FOR_PREMIUM = 2
"""The recordings call an edit premium where so many verifications have failed since one last passed."""
BINS = 10
SHRINK = 20.0
CASES_MIN = 5


class Markov:
    """What followed after the last three actions since the human spoke; rare endings lean on shorter ones."""

    def __init__(self, seen: Sequence[Example]) -> None:
        self._counts: defaultdict[tuple[str, ...], Counter[StepKind]] = defaultdict(Counter)
        for example in seen:
            context = self._context(example.features)
            for start in range(len(context) + 1):
                self._counts[context[start:]][example.kind] += 1

    def of(self, features: StepFeatures) -> Foretold:
        return self.shares(self._context(features))

    def shares(self, context: tuple[str, ...]) -> Foretold:
        """P(kind) after this context; the empty one is the share in all."""
        shares: dict[StepKind, float] = dict.fromkeys(PREDICTED, 1 / len(PREDICTED))
        for length in range(len(context) + 1):
            counts = self._counts.get(context[len(context) - length :])
            if counts is None or counts.total() < CASES_MIN:
                break
            total = counts.total() + SHRINK
            shares = {kind: (counts[kind] + SHRINK * share) / total for kind, share in shares.items()}
        return shares

    @staticmethod
    def _context(features: StepFeatures) -> tuple[str, ...]:
        seen = features.recent[max(0, len(features.recent) - features.actions_since_human) :][-3:]
        symbols = [action.kind.value + "!" * action.failed for action in seen]
        return tuple(symbols if len(symbols) == 3 else ["human", *symbols])


def group_names(example: Example) -> tuple[str, str]:
    """The repository and the client family that a step is counted with."""
    return f"{example.project} ({example.agent})", f"all of {example.agent}"


def auc(scores: Sequence[float], truths: Sequence[bool]) -> float:
    """The chance that a hit was given a higher score than another step; ties count half."""
    ranked = sorted(zip(scores, truths, strict=True), key=lambda pair: pair[0])
    positives = sum(truths)
    negatives = len(truths) - positives
    if not positives or not negatives:
        return float("nan")
    total, index = 0.0, 0
    while index < len(ranked):
        end = index
        while end < len(ranked) and ranked[end][0] == ranked[index][0]:
            end += 1
        total += sum(truth for _, truth in ranked[index:end]) * (index + 1 + end) / 2
        index = end
    return (total - positives * (positives + 1) / 2) / (positives * negatives)


def f1_by_class(predicted: Sequence[Any], truths: Sequence[Any], classes: Sequence[Any]) -> dict[Any, dict[str, float]]:
    """Precision, recall and F1 of each class."""
    hits = Counter(one for one, truth in zip(predicted, truths, strict=True) if one == truth)
    said, true = Counter(predicted), Counter(truths)
    scores: dict[Any, dict[str, float]] = {}
    for name in classes:
        precision = hits[name] / said[name] if said[name] else 0.0
        recall = hits[name] / true[name] if true[name] else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        scores[name] = {"precision": precision, "recall": recall, "f1": f1, "cases": true[name], "said": said[name]}
    return scores


def tier_of(foretold: Foretold, features: StepFeatures) -> str:
    """The tier that the recordings' own rules would give to what is foretold: an edit is balanced, or premium where verifications keep
    failing; a plan is premium; all else is frugal."""
    kind = predicted_kind(foretold)
    if kind is StepKind.EDIT:
        return "premium" if features.trouble.failing_verifications >= FAILS_FOR_PREMIUM else "balanced"
    return "premium" if kind is StepKind.PLAN else "frugal"


def judged(seen: Sequence[Example], foretold: Sequence[Foretold]) -> dict[str, Any]:
    """The figures of one way of foretelling."""
    truths = [example.kind for example in seen]
    kinds = [max(PREDICTED, key=one.__getitem__) for one in foretold]
    up = [one[StepKind.EDIT] >= EDIT_THRESHOLD for one in foretold]
    edits = [truth is StepKind.EDIT for truth in truths]
    tiers = [tier_of(one, example.features) for one, example in zip(foretold, seen, strict=True)]
    by_tier = f1_by_class(tiers, [example.tier for example in seen], TIERS)
    by_kind = f1_by_class(kinds, truths, PREDICTED)
    for kind in PREDICTED:
        by_kind[kind]["auc"] = auc([one[kind] for one in foretold], [truth is kind for truth in truths])
    return {
        "steps": len(seen),
        "auc_edit": by_kind[StepKind.EDIT]["auc"],
        "edits_foreseen": sum(said and true for said, true in zip(up, edits, strict=True)) / max(1, sum(edits)),
        "steps_sent_up": sum(up) / len(seen),
        "kind_accuracy": sum(kind is truth for kind, truth in zip(kinds, truths, strict=True)) / len(seen),
        "log_loss": -sum(log(max(one[truth], 1e-9)) for one, truth in zip(foretold, truths, strict=True)) / len(seen),
        "tier_accuracy": sum(one == example.tier for one, example in zip(tiers, seen, strict=True)) / len(seen),
        "tier_macro_f1": sum(score["f1"] for score in by_tier.values()) / len(TIERS),
        "by_tier": by_tier,
        "by_kind": {kind.value: score for kind, score in by_kind.items()},
    }


def calibration(seen: Sequence[Example], foretold: Sequence[Foretold]) -> list[dict[str, float]]:
    """The chance of an edit, foretold and seen, in tenths."""
    rows: list[dict[str, float]] = []
    for place, (said, true) in enumerate(_bins(seen, foretold)):
        if said:
            means = {"foretold": sum(said) / len(said), "seen": sum(true) / len(true)}
            rows.append({"from": place / BINS, "to": (place + 1) / BINS, **means, "steps": len(said)})
    return rows


def calibration_error(seen: Sequence[Example], foretold: Sequence[Foretold]) -> float:
    """The mean distance between what was foretold and what was seen, weighted by steps."""
    return sum(abs(row["seen"] - row["foretold"]) * row["steps"] for row in calibration(seen, foretold)) / len(seen)


def _bins(seen: Sequence[Example], foretold: Sequence[Foretold]) -> Iterator[tuple[list[float], list[bool]]]:
    bins: list[tuple[list[float], list[bool]]] = [([], []) for _ in range(BINS)]
    for example, one in zip(seen, foretold, strict=True):
        said, true = bins[min(BINS - 1, int(one[StepKind.EDIT] * BINS))]
        said.append(one[StepKind.EDIT])
        true.append(example.kind is StepKind.EDIT)
    yield from bins
