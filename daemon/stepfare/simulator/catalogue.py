"""The simulator's rows of the catalogue: one provider with three doors, three models, play-money prices. Routing treats them like any
other rows."""

from __future__ import annotations

from stepfare.core.model import CacheRule, Capability, Door, Model, PriceRow, Provider
from stepfare.core.money import LengthStep, Price, Rates
from stepfare.core.step import Tier

PROVIDER_ID = "simulator"
PRICE_SOURCE = "simulator (play money)"
PRICE_AS_OF = "2026-11-01"

CACHE = CacheRule(min_tokens=1024, lifetime_ms=300_000)

_FRUGAL = Rates(input=100_000, cache_read=10_000, cache_write=125_000, cache_write_1h=200_000, output=400_000)
_BALANCED = Rates(input=3_000_000, cache_read=300_000, cache_write=3_750_000, cache_write_1h=6_000_000, output=15_000_000)
_BALANCED_LONG = Rates(input=6_000_000, cache_read=600_000, cache_write=7_500_000, cache_write_1h=12_000_000, output=22_500_000)
_PREMIUM = Rates(input=15_000_000, cache_read=1_500_000, cache_write=18_750_000, cache_write_1h=30_000_000, output=75_000_000)

_BASIC = frozenset({Capability.TOOLS, Capability.STRUCTURED})


def _price(base: Rates, *steps: LengthStep) -> tuple[PriceRow, ...]:
    return (PriceRow(Price(base, steps, source=PRICE_SOURCE, as_of=PRICE_AS_OF)),)


def _model(tier: Tier, context_tokens: int, capabilities: frozenset[Capability], prices: tuple[PriceRow, ...]) -> Model:
    name = f"{PROVIDER_ID}/{tier.word}"
    return Model(
        id=name,
        provider=PROVIDER_ID,
        # The prefix stays in the name that goes over the wire: whoever reads a log or a bill sees what answered.
        upstream=name,
        tier=tier,
        context_tokens=context_tokens,
        max_output_tokens=32_000,
        capabilities=capabilities,
        prices=prices,
        tier_source="simulator",
    )


MODELS: tuple[Model, ...] = (
    _model(Tier.FRUGAL, 400_000, _BASIC | {Capability.FILL, Capability.EMBED}, _price(_FRUGAL)),
    _model(Tier.BALANCED, 400_000, _BASIC | {Capability.VISION}, _price(_BALANCED, LengthStep(200_000, _BALANCED_LONG))),
    _model(Tier.PREMIUM, 1_000_000, _BASIC | {Capability.VISION, Capability.REASONING}, _price(_PREMIUM)),
)

MODEL_BY_NAME: dict[str, Model] = {name: model for model in MODELS for name in (model.id, model.tier.word)}
"""By full name and by tier word alone."""


def catalogue(base_url: str = "") -> tuple[tuple[Provider, ...], tuple[Model, ...]]:
    """The provider and its three models; `base_url` is what `start` returned (it ends in /v1)."""
    doors = (Door("anthropic", base_url), Door("responses", base_url))
    provider = Provider(PROVIDER_ID, "openai", base_url, key="", auth="none", cache=CACHE, local=True, doors=doors)
    return (provider,), MODELS
