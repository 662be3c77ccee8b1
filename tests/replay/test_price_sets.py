"""The ladders on which replay counts: three that are sold, and those of a catalogue."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfare.core.money import Rates
from stepfare.core.step import Tier
from stepfare.replay.compare import Plan, compared
from stepfare.replay.price_sets import SETS, baselines_of, cheapest_of, rungs_of
from tests.replay.little import BALANCED, FRUGAL, PREMIUM, a_rung, a_session, an_edit

CHEAP = a_rung(Tier.BALANCED, Rates(50, 5, 60, 100, 250), name="cheap")
TINY = a_rung(Tier.FRUGAL, Rates(5, 1, 6, 10, 25), name="tiny")
ALL = (FRUGAL, TINY, BALANCED, CHEAP, PREMIUM)


@pytest.mark.parametrize(
    ("name", "tier", "prompt_tokens", "in_usd", "out_usd"),
    [
        ("A", Tier.FRUGAL, 100_000, 0.10, 0.50),
        ("A", Tier.FRUGAL, 100_001, 0.50, 2.50),
        ("A", Tier.PREMIUM, 500_000, 4.00, 20.00),
        ("C", Tier.BALANCED, 500_000, 3.00, 15.00),
        ("O", Tier.BALANCED, 272_000, 2.00, 12.00),
        ("O", Tier.BALANCED, 272_001, 4.00, 18.00),
    ],
)
def test_what_the_sets_ask_for(name: str, tier: Tier, prompt_tokens: int, in_usd: float, out_usd: float) -> None:
    rates = SETS[name][tier].price.rates_for(prompt_tokens)
    assert (rates.input / 1e6, rates.output / 1e6) == (in_usd, out_usd)


def test_savings_are_measured_on_the_dearest_and_the_optimum_stands_on_the_cheapest() -> None:
    assert list(baselines_of(ALL).values()) == [TINY, BALANCED, PREMIUM]
    assert list(cheapest_of(ALL).values()) == [TINY, CHEAP, PREMIUM]
    (outcome,) = compared([a_session(an_edit(0, 2_000))], ALL, Plan())
    assert outcome.optimum.pusd == outcome.balanced_pusd // 2


def test_unpriced_models_are_left_out() -> None:
    assert rungs_of([replace(FRUGAL.candidate, price=None), BALANCED.candidate]) == (BALANCED,)
