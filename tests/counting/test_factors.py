"""How a model's tokens compare with o200k: believed at first, then learned from what it reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfare.core.money import Usage
from stepfare.counting.factors import WEIGHT, Factors, seed
from tests.ledger import samples


@pytest.mark.parametrize(
    ("model", "factor"),
    [
        ("anthropic/claude-opus-5-5", 1.5),
        ("openrouter/anthropic/claude-sonnet-4.7", 1.5),
        ("anthropic/claude-sonnet-4-20250514", 1.18),
        ("anthropic/claude-haiku-4-5-20251001", 1.18),
        ("anthropic/claude-3-5-haiku", 1.18),
        ("openai/gpt-6-luna", 1.0),
        ("lab/small", 1.0),
    ],
)
def test_a_model_that_has_reported_nothing_counts_like_its_family(model: str, factor: float) -> None:
    assert seed(model) == factor
    assert Factors().of(model) == factor


def learned(*steps: tuple[int, int], source: str = "usage-priced") -> float:
    """The factor after steps of (tokens counted, tokens reported)."""
    factors = Factors()
    for number, (counted, reported) in enumerate(steps):
        factors.apply(replace(samples.reserved(f"a{number}"), model="lab/small", counted_tokens=counted))
        factors.apply(replace(samples.settled(f"a{number}"), usage=Usage(reported), source=source))
    return factors.of("lab/small")


def test_the_first_report_is_believed_and_later_ones_move_it_a_little() -> None:
    assert learned((10_000, 12_000)) == 1.2
    assert learned((10_000, 12_000), (10_000, 15_000)) == pytest.approx(1.2 + WEIGHT * 0.3)


def test_short_prompts_estimates_and_the_impossible_teach_nothing() -> None:
    assert learned((900, 1_200)) == 1.0
    assert learned((0, 12_000)) == 1.0
    assert learned((10_000, 12_000), source="estimated") == 1.0
    assert learned((10_000, 90_000)) == 1.0
