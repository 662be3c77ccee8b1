"""How much a model writes in a step of a kind: believed at first, then learned from what it reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfare.core.entry import Settled
from stepfare.core.money import Usage
from stepfare.core.step import StepKind
from stepfare.counting.outputs import MODELS_MAX, STEPS_BELIEVED, Outputs
from tests.ledger import samples

EXPECTED = {StepKind.EDIT: 700, StepKind.EXPLORE: 200}


def learned(outputs: Outputs, *tokens: int, model: str = "lab/small", **fields: object) -> Outputs:
    """After edits of so many tokens by this model."""
    for number, count in enumerate(tokens):
        outputs.apply(replace(samples.reserved(f"{model}{number}"), model=model))
        settled: Settled = replace(samples.settled(f"{model}{number}"), usage=Usage(5_000, output_tokens=count), **fields)  # pyright: ignore[reportArgumentType]
        outputs.apply(settled)
    return outputs


def test_a_model_that_has_answered_nothing_writes_what_any_model_does() -> None:
    assert Outputs(EXPECTED).of("lab/small") == EXPECTED


def test_its_own_answers_move_what_is_expected_of_it_and_of_nobody_else() -> None:
    outputs = learned(Outputs(EXPECTED), *[1_400] * STEPS_BELIEVED)
    assert outputs.of("lab/small") == {StepKind.EDIT: 1_050, StepKind.EXPLORE: 200}
    assert outputs.of("lab/large") == EXPECTED


@pytest.mark.parametrize("fields", [{"outcome": "cut"}, {"outcome": "escalated"}, {"source": "estimated"}, {"kind": "unheard-of"}])
def test_what_was_cut_short_or_estimated_teaches_nothing(fields: dict[str, str]) -> None:
    assert learned(Outputs(EXPECTED), 9_000, **fields).of("lab/small") == EXPECTED


def test_a_habit_follows_slowly_once_it_is_known() -> None:
    outputs = learned(Outputs(EXPECTED), *[700] * 500, 50_000)
    assert 700 < outputs.of("lab/small")[StepKind.EDIT] < 1_300


def test_only_so_many_models_are_remembered_the_latest_of_all() -> None:
    outputs = Outputs(EXPECTED)
    for number in range(MODELS_MAX + 1):
        learned(outputs, 1_400, model=f"lab/m{number}")
    assert outputs.of("lab/m0") == EXPECTED
    assert outputs.of(f"lab/m{MODELS_MAX}") != EXPECTED
