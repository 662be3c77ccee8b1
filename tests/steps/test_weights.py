"""The weights' arithmetic: trees walked, causes added up, and files of other weights refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfare.core.step import StepKind
from stepfare.steps.causes import CAUSE_OF, CAUSES
from stepfare.steps.classify import WEIGHTS
from stepfare.steps.vector import FEATURE_NAMES, vector_of
from stepfare.steps.weights import OTHERS, PREDICTED, BadWeights, Correction, chances, corrected, read_weights
from tests.steps.test_trail import edit, seen

FIRST, SECOND = FEATURE_NAMES.index("last1_is_read"), FEATURE_NAMES.index("edits_turn")


def a_file(**changed: Any) -> str:
    """Weights of one tree in each forest: the last action, then the edits of the turn."""
    said: dict[str, Any] = {
        "kinds": [kind.value for kind in PREDICTED],
        "features": list(FEATURE_NAMES),
        "scale": 1000,
        "output_tokens": dict.fromkeys((kind.value for kind in PREDICTED), 100),
        "edit": {"base": -1.0, "trees": [{"f": [FIRST, -1, SECOND], "t": [0.5, 0, 2], "m": [100, -400, 900, -400, 0, 500, 2000]}]},
        "others": {"base": [0.0] * 6, "trees": [{"f": [SECOND], "t": [0.5], "v": [[1000, 0, 0, 0, 0, 0], [0, 1000, 0, 0, 0, 0]]}]},
    }
    return json.dumps({**said, **changed})


def numbers(**values: float) -> list[float]:
    found = [0.0] * len(FEATURE_NAMES)
    for name, value in values.items():
        found[FEATURE_NAMES.index(name)] = value
    return found


@pytest.mark.parametrize(
    ("values", "edit_log_odds", "likeliest"),
    [
        ({}, -1.4, StepKind.EXPLORE),
        ({"edits_turn": 3}, -1.4, StepKind.RUN),
        ({"last1_is_read": 1}, -0.5, StepKind.EXPLORE),
        ({"last1_is_read": 1, "edits_turn": 2}, -0.5, StepKind.RUN),
        ({"last1_is_read": 1, "edits_turn": 3}, 1.0, StepKind.RUN),
    ],
)
def test_a_vector_comes_to_its_leaf(values: dict[str, float], edit_log_odds: float, likeliest: StepKind) -> None:
    weights = read_weights(a_file())
    reading = weights.read(numbers(**values))
    assert reading.edit == pytest.approx(edit_log_odds)
    found = weights.probabilities(numbers(**values))
    assert math.isclose(sum(found.values()), 1.0)
    assert found[StepKind.EDIT] == pytest.approx(1 / (1 + math.exp(-edit_log_odds)))
    assert max(OTHERS, key=found.__getitem__) is likeliest


def test_every_cause_is_told_what_it_added() -> None:
    causes = read_weights(a_file()).read(numbers(last1_is_read=1, edits_turn=3)).causes
    told = {CAUSES[place].name: share for place, share in enumerate(causes) if share}
    assert told == pytest.approx({CAUSES[CAUSE_OF[FIRST]].name: 0.8, CAUSES[CAUSE_OF[SECOND]].name: 1.1})


def test_a_correction_scales_and_shifts() -> None:
    reading = read_weights(a_file()).read(numbers(last1_is_read=1))
    plain = corrected(reading, numbers(last1_is_read=1), Correction((2.0, 1.0), (0.5, *[0.0] * 6)))
    assert plain.edit == pytest.approx(2 * -0.5 + 0.5)
    shifts = (1.0, 0.0, 3.0, *[0.0] * 4)
    layered = corrected(reading, numbers(last1_is_read=1), Correction((1.0, 1.0), (0.0,) * 7, ((FIRST, shifts),)))
    assert layered.edit == pytest.approx(0.5)
    assert max(OTHERS, key=chances(layered).__getitem__) is StepKind.RUN
    assert corrected(reading, numbers(), Correction((1.0, 1.0), (0.0,) * 7, ((FIRST, shifts),))) == reading


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "not a file of weights"),
        ("[]", "not a file of weights"),
        ("{}", "not a file of weights"),
        (a_file(features=["one"]), "train them anew"),
        (a_file(kinds=["edit"]), "train them anew"),
        (a_file(edit={"base": 0, "trees": [{"f": [0], "t": [0], "m": [0]}]}), "not a file of weights"),
        (a_file(scale=0), "not a file of weights"),
    ],
)
def test_other_files_are_refused_with_words(text: str, word: str) -> None:
    with pytest.raises(BadWeights, match=word):
        read_weights(text)


@given(st.lists(st.floats(-50, 50), min_size=len(FEATURE_NAMES), max_size=len(FEATURE_NAMES)))
def test_chances_are_chances_wherever_a_vector_lies(vector: list[float]) -> None:
    found = WEIGHTS.probabilities(vector)
    assert set(found) == set(PREDICTED)
    assert math.isclose(sum(found.values()), 1.0)
    assert 0 < min(found.values()) <= max(found.values()) < 1


def test_what_the_causes_add_is_the_log_odds() -> None:
    reading = WEIGHTS.read(vector_of(seen(("cat a.py", "x"), edit("a.py", "1", "2"))))
    assert reading.edit == pytest.approx(WEIGHTS.edit_base + sum(reading.causes))
