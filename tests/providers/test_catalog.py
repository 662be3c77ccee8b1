"""The catalogue that ships, and how models are found in it by name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stepfare.core.model import Capability, Provider
from stepfare.core.step import Tier
from stepfare.providers.catalog import BUNDLED, bundled_catalog, candidate, candidates, find, load_catalog, named, usable
from stepfare.providers.prices import price_at

CATALOG = bundled_catalog()
NOON_MS = int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp() * 1000)


def ids(name: str) -> list[str]:
    return [model.id for model in find(CATALOG, name)]


def in_play(*keys: str) -> list[tuple[str, Tier]]:
    return [(one.model.id, one.model.tier) for one in candidates(CATALOG, set(keys), NOON_MS)]


def test_what_ships_is_whole() -> None:
    catalog, problems = load_catalog(BUNDLED.read_text(encoding="utf-8"), CATALOG.prices)
    assert problems == ()
    assert set(catalog.providers) == {"openrouter", "openai", "deepseek", "groq", "ollama"}
    assert catalog.catalogue_version == CATALOG.prices.catalogue_version


@pytest.mark.parametrize("model", CATALOG.models.values(), ids=lambda model: model.id)
def test_a_row_agrees_with_the_price_table(model) -> None:
    listed = CATALOG.prices.lookup(model.id)
    assert listed is not None
    # OpenRouter's windows count the answer too; ours is what the maker takes as a prompt.
    assert model.context_tokens <= listed.window_tokens
    assert 0 < model.max_output_tokens <= model.context_tokens
    assert listed.max_output_tokens in (0, model.max_output_tokens)
    assert model.capabilities == listed.capabilities
    assert Capability.TOOLS in model.capabilities
    assert model.prices == listed.prices


@pytest.mark.parametrize("provider", ["openrouter", "openai", "deepseek", "groq"])
def test_tiers_are_apart_in_price(provider: str) -> None:
    cheapest: dict[Tier, int] = {}
    for one in candidates(CATALOG, {provider}, NOON_MS):
        assert one.price is not None
        rate = one.price.base.input + one.price.base.output
        cheapest[one.model.tier] = min(rate, cheapest.get(one.model.tier, rate))
    assert cheapest[Tier.BALANCED] > 3 * cheapest[Tier.FRUGAL]
    assert cheapest.get(Tier.PREMIUM, 10**12) > cheapest[Tier.BALANCED]


def test_openrouter_alone_serves_every_tier_and_its_frugal_is_a_tenth_of_its_balanced() -> None:
    assert [tier for _, tier in in_play("openrouter")] == [Tier.FRUGAL] * 2 + [Tier.BALANCED] * 2 + [Tier.PREMIUM] * 2
    frugal, balanced = (
        price_at(CATALOG.models[name].prices, NOON_MS) for name in ("openrouter/openai/gpt-6-luna", "openrouter/openai/gpt-6.1-terra")
    )
    assert frugal is not None
    assert balanced is not None
    assert 10 * frugal.base.input == balanced.base.input
    assert 10 * frugal.base.output == balanced.base.output


def test_only_a_provider_with_a_key_takes_part() -> None:
    assert in_play() == []
    assert in_play("deepseek") == [("deepseek/deepseek-flash", Tier.FRUGAL), ("deepseek/deepseek-v4-pro", Tier.BALANCED)]
    assert {name.partition("/")[0] for name, _ in in_play("openai", "groq")} == {"openai", "groq"}


def test_a_provider_without_need_of_a_key_is_usable() -> None:
    assert usable(CATALOG.providers["ollama"], set())
    assert not usable(CATALOG.providers["openai"], {"groq"})
    assert usable(Provider("lab", "openai", "http://10.0.0.1/v1"), set())
    assert usable(Provider("behind-a-proxy", "openai", "http://10.0.0.1/v1", key="env:X", auth="none"), set())


def test_a_candidate_has_the_price_of_its_moment() -> None:
    model = CATALOG.models["deepseek/deepseek-flash"]
    noon, peak = candidate(CATALOG, model, NOON_MS).price, candidate(CATALOG, model, NOON_MS - 5 * 3_600_000).price
    assert noon is not None
    assert peak is not None
    assert peak.base.input == 2 * noon.base.input


@pytest.mark.parametrize(
    ("name", "found"),
    [
        # The one asked for, then the same model elsewhere.
        ("openai/gpt-6-luna", ["openai/gpt-6-luna", "openrouter/openai/gpt-6-luna"]),
        ("openrouter/openai/gpt-6-luna", ["openrouter/openai/gpt-6-luna", "openai/gpt-6-luna"]),
        # Without a provider: all that have it, those in play first.
        ("gpt-6-luna", ["openrouter/openai/gpt-6-luna", "openai/gpt-6-luna"]),
        ("gpt-oss-120b", ["groq/openai/gpt-oss-120b", "openrouter/openai/gpt-oss-120b"]),
        # A maker that is no provider here.
        ("anthropic/claude-opus-5-5", ["openrouter/anthropic/claude-opus-5.5"]),
        ("z-ai/glm-5.3", ["openrouter/z-ai/glm-5.3"]),
        # A provider here, but it is others that have the model.
        ("openai/gpt-oss-20b", ["openrouter/openai/gpt-oss-20b", "groq/openai/gpt-oss-20b"]),
        # Sent upstream as it was asked for, under the price of the model that it is.
        ("openai/gpt-6.1-terra-2026-10-26", ["openai/gpt-6.1-terra-2026-10-26", "openrouter/openai/gpt-6.1-terra"]),
        # Nobody knows these; only where a provider is named can it be asked.
        ("openai/gpt-99", ["openai/gpt-99"]),
        ("gpt-99", []),
        ("nowhere/gpt-99", []),
        ("openai/", []),
        ("", []),
        ("auto", []),
        # What is asked of this machine stays on it, and nothing else is looked for there.
        ("ollama/gpt-oss-120b", ["ollama/gpt-oss-120b"]),
    ],
)
def test_a_model_is_found_by_name(name: str, found: list[str]) -> None:
    assert ids(name) == found


def test_a_name_means_the_candidates_that_can_be_used() -> None:
    def usable_ids(*keys: str) -> list[str]:
        return [one.model.id for one in named(CATALOG, "openai/gpt-6-luna", set(keys), NOON_MS)]

    assert usable_ids("openai", "openrouter") == ["openai/gpt-6-luna", "openrouter/openai/gpt-6-luna"]
    assert usable_ids("openrouter") == ["openrouter/openai/gpt-6-luna"]
    assert usable_ids("groq") == []
    assert all(one.price is not None for one in named(CATALOG, "gpt-6-luna", {"openai"}, NOON_MS))


def test_a_model_without_a_row_is_priced_by_the_table_and_booked_as_balanced() -> None:
    model = find(CATALOG, "openrouter/anthropic/claude-haiku-5.5")[0]
    assert (model.tier, model.tier_source) == (Tier.BALANCED, "no tier is set for it; booked as balanced")
    assert (model.context_tokens, model.max_output_tokens) == (1_000_000, 128_000)
    price = candidate(CATALOG, model, NOON_MS).price
    assert price is not None
    assert price.rates_for(100_001).input == 500_000


def test_an_unknown_model_is_unpriced_and_refused_nothing_on_a_guess() -> None:
    model = find(CATALOG, "openai/gpt-99")[0]
    assert model.prices == ()
    assert candidate(CATALOG, model, NOON_MS).price is None
    assert model.capabilities == frozenset(Capability)
    assert model.upstream == "gpt-99"


def test_what_runs_here_costs_nothing_but_what_a_local_server_sends_on_is_unpriced() -> None:
    here = candidate(CATALOG, find(CATALOG, "ollama/qwen3:8b")[0], NOON_MS).price
    assert here is not None
    assert here.base.output == 0
    assert find(CATALOG, "ollama/qwen3-coder:480b-cloud")[0].prices == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[providers", "No provider is known until it is mended"),
        ("models = []", "providers: Field required"),
        ('models = []\n[providers.x]\ndialect = "smoke"\nbase_url = "https://x/v1"', "providers.x.dialect"),
        ('models = []\n[providers.x]\ndialect = "openai"\nbase_url = "x/v1/"', "providers.x.base_url"),
        ('models = []\n[providers.x]\ndialect = "openai"\nbase_url = "https://x/v1"\nkey = "sk-secret"', "providers.x.key"),
        ('models = []\n[providers.x]\ndialect = "openai"\nbase_url = "https://x/v1"\ncolour = "red"', "providers.x.colour"),
        (
            '[providers]\n[[models]]\nid = "x/y"\ntier = "frugal"\ncontext_tokens = 9\nmax_output_tokens = 9\ncapabilities = []',
            "x/y: its provider has no table here",
        ),
    ],
)
def test_a_broken_catalogue_is_named_and_gives_nothing(text: str, words: str) -> None:
    catalog, problems = load_catalog(text, CATALOG.prices)
    assert (dict(catalog.providers), dict(catalog.models), catalog.in_play) == ({}, {}, ())
    assert any(words in problem.words for problem in problems)
    assert all(problem.source == "catalog.toml" and "sk-secret" not in problem.words for problem in problems)


def test_a_model_may_have_one_row_only() -> None:
    text = BUNDLED.read_text(encoding="utf-8")
    row = text[text.rindex("[[models]]") :]
    _, problems = load_catalog(f"{text}\n{row}", CATALOG.prices)
    assert [problem.words.partition(":")[0] for problem in problems] == ["groq/qwen/qwen3.8-27b"]
