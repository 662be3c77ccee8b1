"""The rows by which the daemon knows the simulator."""

from __future__ import annotations

from stepfare.core.model import Capability
from stepfare.core.step import Tier
from stepfare.simulator.catalogue import catalogue


def test_one_provider_serves_one_model_for_each_tier() -> None:
    (provider,), models = catalogue("http://127.0.0.1:9/v1")
    assert (provider.id, provider.dialect, provider.base_url) == ("simulator", "openai", "http://127.0.0.1:9/v1")
    assert (provider.key, provider.auth) == ("", "none")
    assert {(door.dialect, door.base_url) for door in provider.doors} == {(name, provider.base_url) for name in ("anthropic", "responses")}
    assert {model.id: model.tier for model in models} == {f"simulator/{tier.word}": tier for tier in Tier}
    assert all(model.provider == provider.id and model.id.startswith("simulator/") for model in models)
    assert all(Capability.TOOLS in model.capabilities for model in models)
    assert [model.tier for model in models if Capability.REASONING in model.capabilities] == [Tier.PREMIUM]
    assert [model.tier for model in models if {Capability.FILL, Capability.EMBED} <= model.capabilities] == [Tier.FRUGAL]


def test_play_money_is_called_so_and_frugal_is_at_least_ten_times_cheaper_than_balanced() -> None:
    _, models = catalogue()
    prices = {model.tier: model.prices[0].price for model in models}
    assert all("play money" in price.source for price in prices.values())
    frugal, balanced = prices[Tier.FRUGAL].base, prices[Tier.BALANCED].base
    assert all(getattr(balanced, name) >= 10 * getattr(frugal, name) for name in ("input", "cache_read", "cache_write", "output"))
    assert prices[Tier.BALANCED].steps, "one has a step by length, so that steps can be tried"
    assert max(prices[Tier.BALANCED].steps[0].above_tokens, 1) < next(
        model.context_tokens for model in models if model.tier is Tier.BALANCED
    )
