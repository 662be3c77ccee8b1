"""Learns from a user's own steps a small correction on top of the shipped weights, and keeps it only if it beats them.

What is learned: how far the shipped scores are to be trusted (scales), how often each kind comes in this user's work (shifts), and how
that depends on the last two actions (a layer over features that are zero or one). The latest sessions are held back: on them both are
judged. Reading the ledger and writing the file is left to the command that calls this.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import exp, log, sqrt
from typing import Any, cast

from stepfare.core.step import ActionKind, StepKind
from stepfare.steps.vector import FEATURE_NAMES
from stepfare.steps.weights import OTHERS, PREDICTED, BadWeights, Correction, Reading, Weights, chances, corrected

ROWS_MIN = 200
"""Fewer steps teach nothing that could be told from chance."""
HELD_BACK = 0.3
"""The share of the sessions, the latest ones, on which what was learned is judged."""
SESSIONS_MIN = 4
GAIN_MIN = 0.005
"""By so much the log-loss on held-back steps has to fall, in nats a step, before a correction is kept."""
EPOCHS = 12
RATE = 0.05
RIDGE = 2.0
"""How strongly a correction is pulled to none, in steps."""
ROWS_MAX = 20_000
"""Of more steps the latest are taken: learning is to be done in seconds."""

_LAYER = tuple(
    place for place, name in enumerate(FEATURE_NAMES) if name in {f"last{back}_is_{kind.value}" for back in (1, 2) for kind in ActionKind}
)


@dataclass(frozen=True, slots=True)
class Row:
    """One step of the user's: its vector (`vector.vector_of`), what it turned out to be, and the session that it belongs to."""

    numbers: tuple[float, ...]
    kind: StepKind
    session: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """How well the steps held back are foretold. `log_loss` is in nats a step; `auc_edit` is None where all or none of them are edits."""

    steps: int
    log_loss: float
    auc_edit: float | None


@dataclass(frozen=True, slots=True)
class Learned:
    """`weights` are what is to be used from now on: the shipped ones, with a correction where `kept`. `words` say which and why."""

    weights: Weights
    kept: bool
    words: str
    shipped: Judgement | None = None
    taught: Judgement | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """A row as far as learning looks at it: what the shipped weights say, the layer's features that are one, and the kind's place."""

    reading: Reading
    ones: tuple[int, ...]
    kind: int
    numbers: tuple[float, ...]


def learn(rows: Sequence[Row], weights: Weights) -> Learned:
    """What these steps, oldest first, teach on top of these weights. Steps of kinds that only rules tell are passed over; one that was a
    recovery counts as the edit that it nearly always is."""
    shipped = replace(weights, correction=None)
    usable = [replace(row, kind=StepKind.EDIT) if row.kind is StepKind.RECOVER else row for row in rows]
    usable = [row for row in usable if row.kind in PREDICTED and len(row.numbers) == len(FEATURE_NAMES)][-ROWS_MAX:]
    sessions = list(dict.fromkeys(row.session for row in usable))
    if len(usable) < ROWS_MIN or len(sessions) < SESSIONS_MIN:
        needed = f"{ROWS_MIN} steps of {SESSIONS_MIN} sessions are needed to learn from"
        return Learned(shipped, False, f"the shipped weights stay: {needed}, {len(usable):,} of {len(sessions)} are too few")
    back = set(sessions[-max(2, round(len(sessions) * HELD_BACK)) :])
    cases = [(row.session in back, _case(row, shipped)) for row in usable]
    seen, held = [case for late, case in cases if not late], [case for late, case in cases if late]
    correction = _fitted(seen)
    before, after = _judged(held, None), _judged(held, correction)
    gain = before.log_loss - after.log_loss
    told = f"on {len(held):,} steps of {len(back)} sessions held back its log-loss is {after.log_loss:.3f} instead of {before.log_loss:.3f}"
    if gain < GAIN_MIN:
        return Learned(shipped, False, f"the shipped weights stay: the correction is no better, {told}", before, after)
    return Learned(replace(shipped, correction=correction), True, f"the correction is kept: {told}", before, after)


def correction_text(learned: Weights) -> str:
    """The correction of these weights in the words of its file; `read_correction` reads it."""
    assert learned.correction is not None
    scales, shifts, layer = learned.correction
    said = {
        "weights": learned.fingerprint,
        "kinds": [kind.value for kind in PREDICTED],
        "scales": scales,
        "shifts": shifts,
        "layer": {FEATURE_NAMES[place]: values for place, values in layer},
    }
    return json.dumps(said, indent=1) + "\n"


def read_correction(text: str | bytes, weights: Weights) -> Weights:
    """The weights with the correction that this text holds. Raises BadWeights where it is none, or was learned on top of others."""
    try:
        raw = cast("dict[str, Any]", json.loads(text))
        if raw["weights"] != weights.fingerprint or raw["kinds"] != [kind.value for kind in PREDICTED]:
            raise BadWeights("this correction was learned on top of other weights: run `stepfare learn` again")
        scales, shifts = tuple(map(float, raw["scales"])), tuple(map(float, raw["shifts"]))
        layer = tuple((FEATURE_NAMES.index(name), tuple(map(float, values))) for name, values in raw["layer"].items())
    except BadWeights:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise BadWeights(f"not a correction of weights: {wrong!r}") from wrong
    if len(scales) != 2 or any(len(values) != len(PREDICTED) for values in (shifts, *(values for _, values in layer))):
        raise BadWeights("not a correction of weights: a row has not as many values as there are kinds")
    return replace(weights, correction=Correction((scales[0], scales[1]), shifts, layer))


def _case(row: Row, weights: Weights) -> _Case:
    ones = tuple(place for place in _LAYER if row.numbers[place] == 1.0)
    return _Case(weights.read(row.numbers), ones, PREDICTED.index(row.kind), row.numbers)


def _fitted(cases: Sequence[_Case]) -> Correction:
    """Scales, shifts and layer that make these cases likeliest, pulled to none: descent with a step of its own for each number."""
    width = len(PREDICTED)
    scales, shifts = [1.0, 1.0], [0.0] * width
    layer = {place: [0.0] * width for place in _LAYER}
    worn_scales, worn_shifts = [1.0, 1.0], [1.0] * width
    worn_layer = {place: [1.0] * width for place in _LAYER}
    pull = RIDGE / max(1, len(cases))
    for _ in range(EPOCHS):
        for case in cases:
            wrong = _wrong(case, scales, shifts, layer)
            up = (wrong[0] * case.reading.edit, sum(one * score for one, score in zip(wrong[1:], case.reading.others, strict=True)))
            for one in (0, 1):
                slope = up[one] - pull * (scales[one] - 1)
                worn_scales[one] += slope * slope
                scales[one] += RATE * slope / sqrt(worn_scales[one])
            for values, worn in ((shifts, worn_shifts), *((layer[place], worn_layer[place]) for place in case.ones)):
                for one in range(width):
                    slope = wrong[one] - pull * values[one]
                    worn[one] += slope * slope
                    values[one] += RATE * slope / sqrt(worn[one])
    used = tuple((place, _short(values)) for place, values in layer.items() if any(abs(value) >= 0.001 for value in values))
    return Correction((round(scales[0], 4), round(scales[1], 4)), _short(shifts), used)


def _short(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(value, 4) for value in values)


def _wrong(case: _Case, scales: Sequence[float], shifts: Sequence[float], layer: dict[int, list[float]]) -> list[float]:
    """How far each kind's chance lies below what came: of an edit against all else, of the others where no edit came."""
    scores = [scales[0] * case.reading.edit + shifts[0]]
    scores += [scales[1] * score + shift for score, shift in zip(case.reading.others, shifts[1:], strict=True)]
    for place in case.ones:
        scores = [score + shift for score, shift in zip(scores, layer[place], strict=True)]
    edit = (case.kind == 0) - 1 / (1 + exp(-max(-60.0, min(60.0, scores[0]))))
    if case.kind == 0:
        return [edit] + [0.0] * len(OTHERS)
    highest = max(scores[1:])
    raised = [exp(score - highest) for score in scores[1:]]
    total = sum(raised)
    return [edit, *((place == case.kind) - one / total for place, one in enumerate(raised, start=1))]


def _judged(cases: Sequence[_Case], correction: Correction | None) -> Judgement:
    """The figures of the shipped weights, or of them with a correction, on these cases."""
    loss = 0.0
    scores: list[tuple[float, bool]] = []
    for case in cases:
        reading = case.reading if correction is None else corrected(case.reading, case.numbers, correction)
        loss -= log(max(1e-12, chances(reading)[PREDICTED[case.kind]]))
        scores.append((reading.edit, case.kind == 0))
    return Judgement(len(cases), loss / max(1, len(cases)), _auc(scores))


def _auc(scores: list[tuple[float, bool]]) -> float | None:
    """The chance that an edit was given a higher score than another step; ties count half."""
    edits = sum(edit for _, edit in scores)
    others = len(scores) - edits
    if not edits or not others:
        return None
    ranked = sorted(scores)
    total, start = 0.0, 0
    while start < len(ranked):
        end = start
        while end < len(ranked) and ranked[end][0] == ranked[start][0]:
            end += 1
        total += sum(edit for _, edit in ranked[start:end]) * (start + 1 + end) / 2
        start = end
    return (total - edits * (edits + 1) / 2) / (edits * others)
