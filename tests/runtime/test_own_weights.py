"""The user's own correction of the weights: taken up where it is whole and for these weights, and else a problem that is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stepfare.paths import Paths, paths_from
from stepfare.runtime import own_weights
from stepfare.runtime.own_weights import weights_at_hand
from stepfare.steps.classify import WEIGHTS
from stepfare.steps.learning import correction_text
from stepfare.steps.weights import PREDICTED, Correction

CORRECTION = Correction((1.0, 1.0), (0.5, *[0.0] * (len(PREDICTED) - 1)))
TEXT = correction_text(replace(WEIGHTS, correction=CORRECTION))


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return paths_from({"STEPFARE_HOME": str(tmp_path)})


def test_without_a_file_the_shipped_weights_serve(paths: Paths) -> None:
    assert weights_at_hand(paths) == (WEIGHTS, ())


def test_a_correction_is_taken_up(paths: Paths) -> None:
    paths.weights_json.write_text(TEXT)
    weights, problems = weights_at_hand(paths)
    assert (weights.correction, problems) == (CORRECTION, ())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a correction"),
        ("[]", "not a correction"),
        ("{}", "not a correction"),
        (json.dumps(json.loads(TEXT) | {"shifts": [1]}), "not a correction"),
        (json.dumps(json.loads(TEXT) | {"weights": "00"}), "learned on top of other weights"),
        ("x" * 5_000, "not a correction"),
    ],
)
def test_one_that_cannot_be_used_is_told_and_the_shipped_weights_serve(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.setattr(own_weights, "FILE_BYTES_MAX", 4_000)
    paths.weights_json.write_text(text)
    weights, (problem,) = weights_at_hand(paths)
    assert weights is WEIGHTS
    assert (problem.source, problem.severity) == ("weights.json", "warning")
    assert words in problem.words
    assert "stepfare learn --forget" in problem.words


def test_a_file_that_cannot_be_read_is_told(paths: Paths) -> None:
    paths.weights_json.mkdir()
    weights, (problem,) = weights_at_hand(paths)
    assert weights is WEIGHTS
    assert "it cannot be read" in problem.words
