"""The price sets of replay: three ladders of models as they are sold, so that figures can be compared, and the user's own catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from stepfare.core.model import CacheRule, Candidate, Capability, Model, PriceRow, Provider
from stepfare.core.money import LengthStep, Price, Rates
from stepfare.core.step import Tier
from stepfare.replay.costs import Rung, rung_of

Ladder: TypeAlias = Mapping[Tier, Rung]
"""One model for each tier; a tier that nobody serves is missing."""

CATALOGUE = "catalogue"

_ANTHROPIC = Provider("anthropic", "anthropic", "https://api.anthropic.com", cache=CacheRule(marked=True, hour=True))
_OPENAI = Provider("openai", "openai", "https://api.openai.com", cache=CacheRule(hour=True))


def _rung(provider: Provider, tier: Tier, name: str, window_tokens: int, base: Rates, *steps: LengthStep) -> Rung:
    price = Price(base, steps)
    able = frozenset({Capability.TOOLS, Capability.VISION, Capability.REASONING, Capability.STRUCTURED})
    model = Model(f"{provider.id}/{name}", provider.id, name, tier, window_tokens, 128_000, able, (PriceRow(price),))
    return rung_of(Candidate(model, provider, price))


def _ladder(*rungs: Rung) -> Ladder:
    return MappingProxyType({rung.tier: rung for rung in rungs})


# Picodollars per token: input, cache read, write for five minutes, write for an hour, output.
SETS: Mapping[str, Ladder] = MappingProxyType(
    {
        "A": _ladder(
            _rung(_ANTHROPIC, Tier.PREMIUM, "claude-opus-5-5", 1_000_000, Rates(4_000_000, 200_000, 5_000_000, 8_000_000, 20_000_000)),
            _rung(_ANTHROPIC, Tier.BALANCED, "claude-sonnet-5-5", 1_000_000, Rates(2_000_000, 100_000, 2_500_000, 4_000_000, 10_000_000)),
            _rung(
                _ANTHROPIC, Tier.FRUGAL, "claude-haiku-5-5", 1_000_000, Rates(100_000, 10_000, 125_000, 200_000, 500_000),
                LengthStep(100_000, Rates(500_000, 50_000, 625_000, 1_000_000, 2_500_000)),
            ),
        ),
        "C": _ladder(
            _rung(_ANTHROPIC, Tier.PREMIUM, "claude-opus-4-8", 1_000_000, Rates(5_000_000, 500_000, 6_250_000, 10_000_000, 25_000_000)),
            _rung(_ANTHROPIC, Tier.BALANCED, "claude-sonnet-4-6", 1_000_000, Rates(3_000_000, 300_000, 3_750_000, 6_000_000, 15_000_000)),
            _rung(_ANTHROPIC, Tier.FRUGAL, "claude-haiku-4-5", 200_000, Rates(1_000_000, 100_000, 1_250_000, 2_000_000, 5_000_000)),
        ),
        "O": _ladder(
            _rung(
                _OPENAI, Tier.PREMIUM, "gpt-5.6-sol", 922_000, Rates(4_000_000, 400_000, 5_000_000, 8_000_000, 20_000_000),
                LengthStep(272_000, Rates(8_000_000, 800_000, 10_000_000, 16_000_000, 30_000_000)),
            ),
            _rung(
                _OPENAI, Tier.BALANCED, "gpt-5.6-terra", 922_000, Rates(2_000_000, 200_000, 2_500_000, 4_000_000, 12_000_000),
                LengthStep(272_000, Rates(4_000_000, 400_000, 5_000_000, 8_000_000, 18_000_000)),
            ),
            _rung(
                _OPENAI, Tier.FRUGAL, "gpt-5.6-luna", 922_000, Rates(200_000, 20_000, 250_000, 400_000, 1_200_000),
                LengthStep(272_000, Rates(400_000, 40_000, 500_000, 800_000, 1_800_000)),
            ),
        ),
    }
)  # fmt: skip
"""A: Opus, Sonnet, Haiku 5.5. C: Opus 4.8, Sonnet 4.6, Haiku 4.5. O: GPT-5.6 sol, terra, luna, whose writes for an hour are counted as
twice their input, though the provider sells none: so that lifetimes can be compared."""


def baselines_of(rungs: Iterable[Rung]) -> Ladder:
    """Of each tier the model against which savings are measured: the dearest, and among frugal ones the cheapest."""
    return _one_each(rungs, lambda rung: (rung.price.base.input if rung.tier is Tier.FRUGAL else -rung.price.base.input, rung.id))


def cheapest_of(rungs: Iterable[Rung]) -> Ladder:
    """Of each tier the cheapest model."""
    return _one_each(rungs, lambda rung: (rung.price.base.input, rung.id))


def rungs_of(candidates: Iterable[Candidate]) -> tuple[Rung, ...]:
    """Those that take part in conversations and have a price."""
    return tuple(rung_of(one) for one in candidates if one.price is not None and one.model.converses)


def _one_each(rungs: Iterable[Rung], key: Callable[[Rung], tuple[int, str]]) -> Ladder:
    found: dict[Tier, Rung] = {}
    for rung in sorted(rungs, key=key):
        found.setdefault(rung.tier, rung)
    return MappingProxyType(dict(sorted(found.items())))
