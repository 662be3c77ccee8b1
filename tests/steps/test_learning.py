"""What a user's own steps teach: kept where it beats the shipped weights on sessions held back, and never else."""

from __future__ import annotations

import json
import random
from functools import cache

import pytest

from stepfare.core.step import StepKind
from stepfare.steps.classify import WEIGHTS
from stepfare.steps.learning import ROWS_MIN, Learned, Row, correction_text, learn, read_correction
from stepfare.steps.vector import FEATURE_NAMES
from stepfare.steps.weights import PREDICTED, BadWeights, chances, read_weights
from tests.steps.test_weights import a_file, numbers

WEIGHTS_OF_ONE = read_weights(a_file())


def steps(count: int, edits_after_reads: float, *, sessions: int = 10, seed: int = 1) -> list[Row]:
    """Steps after reads and after lists, of which so many of the former are edits; the latter never are."""
    generator = random.Random(seed)
    rows: list[Row] = []
    for place in range(count):
        read = generator.random() < 0.5
        edit = read and generator.random() < edits_after_reads
        kind = StepKind.EDIT if edit else generator.choice((StepKind.EXPLORE, StepKind.EXPLORE, StepKind.RUN))
        found = tuple(numbers(**({"last1_is_read": 1.0} if read else {"last1_is_list": 1.0})))
        rows.append(Row(found, kind, f"s{place * sessions // count}"))
    return rows


def test_a_habit_that_the_shipped_weights_do_not_know_is_learned() -> None:
    learned = kept()
    assert learned.kept, learned.words
    assert learned.shipped is not None
    assert learned.taught is not None
    assert learned.taught.log_loss < learned.shipped.log_loss - 0.1
    assert learned.taught.auc_edit is not None
    assert learned.taught.auc_edit > 0.9
    after_read, after_list = (
        learned.weights.probabilities(numbers(**{name: 1.0}))[StepKind.EDIT] for name in ("last1_is_read", "last1_is_list")
    )
    assert after_read == pytest.approx(0.9, abs=0.06)
    assert after_list < 0.1
    assert "kept" in learned.words


def as_foretold(count: int) -> list[Row]:
    """Steps that come just as the shipped weights say."""
    generator = random.Random(7)
    rows: list[Row] = []
    for place in range(count):
        found = tuple(numbers(last1_is_read=float(generator.random() < 0.5), edits_turn=float(generator.randrange(4))))
        chance = chances(WEIGHTS_OF_ONE.read(found))
        rows.append(Row(found, generator.choices(PREDICTED, [chance[kind] for kind in PREDICTED])[0], f"s{place // 100}"))
    return rows


def test_the_shipped_weights_stay_where_they_cannot_be_beaten() -> None:
    learned = learn(as_foretold(1_000), WEIGHTS_OF_ONE)
    assert not learned.kept
    assert learned.weights == WEIGHTS_OF_ONE
    assert learned.shipped is not None
    assert "the shipped weights stay" in learned.words


def test_what_changes_from_session_to_session_is_no_habit() -> None:
    rows = [*steps(700, 0.95, sessions=7), *(Row(row.numbers, row.kind, "t" + row.session) for row in steps(300, 0.0, sessions=3, seed=2))]
    assert not learn(rows, WEIGHTS_OF_ONE).kept


@pytest.mark.parametrize(("count", "sessions"), [(0, 1), (ROWS_MIN - 1, 10), (1_000, 3)])
def test_too_few_steps_teach_nothing(count: int, sessions: int) -> None:
    learned = learn(steps(count, 0.9, sessions=sessions), WEIGHTS_OF_ONE)
    assert (learned.kept, learned.shipped, "too few" in learned.words) == (False, None, True)


def test_kinds_that_only_rules_tell_are_passed_over() -> None:
    rows = [Row(row.numbers, StepKind.COMPLETE, row.session) for row in steps(1_000, 0.9)]
    assert "0 steps" in learn(rows, WEIGHTS_OF_ONE).words


def test_the_same_steps_teach_the_same() -> None:
    first, second = (learn(steps(300, 0.9), WEIGHTS_OF_ONE) for _ in range(2))
    assert first == second


@cache
def kept() -> Learned:
    return learn(steps(800, 0.9), WEIGHTS_OF_ONE)


def test_a_correction_survives_its_file() -> None:
    learned = kept()
    assert read_correction(correction_text(learned.weights), WEIGHTS_OF_ONE) == learned.weights


def test_a_correction_fits_no_other_weights_and_no_other_text() -> None:
    text = correction_text(kept().weights)
    with pytest.raises(BadWeights, match="learn` again"):
        read_correction(text, WEIGHTS)
    for changed in (
        "",
        "[]",
        "{}",
        json.dumps({**json.loads(text), "shifts": [0.0]}),
        json.dumps({**json.loads(text), "layer": {"x": []}}),
    ):
        with pytest.raises(BadWeights):
            read_correction(changed, WEIGHTS_OF_ONE)


def test_the_layer_stands_on_features_that_exist() -> None:
    correction = kept().weights.correction
    assert correction is not None
    assert {FEATURE_NAMES[place] for place, _ in correction.layer} == {"last1_is_read", "last1_is_list"}
