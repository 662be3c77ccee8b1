"""The catalogue that ships, and how models are found in it by name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stepfare.core.model import Capability, Provider
from stepfare.core.step import Tier
from stepfare.dialects.rules import is_rule
from stepfare.providers.catalog import candidate, candidates, find, named, usable
from stepfare.providers.prices import price_at
from stepfare.providers.rows import BUNDLED, bundled_catalog, load_catalog

CATALOG = bundled_catalog()
NOON_MS = int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp() * 1000)


def ids(name: str) -> list[str]:
    return [model.id for model in find(CATALOG, name)]


def in_play(*keys: str) -> list[tuple[str, Tier]]:
    return [(one.model.id, one.model.tier) for one in candidates(CATALOG, set(keys), NOON_MS)]


PROVIDERS = [
    "openai",
    "anthropic",
    "google",
    "deepseek",
    "mistral",
    "xai",
    "zai",
    "moonshot",
    "qwen",
    "groq",
    "cerebras",
    "together",
    "fireworks",
    "azure",
    "openrouter",
    "komilion",
    "martian",
    "ollama",
    "lmstudio",
    "llamacpp",
    "vllm",
]
KEYED = [provider.id for provider in CATALOG.providers.values() if provider.key and provider.base_url]
WITHOUT_PREMIUM = {"deepseek", "mistral", "zai", "groq", "cerebras"}
WITHOUT_PRICES = {"komilion", "martian"}
# The dearest model below a tenth of the cheapest balanced one would be no agent's any more.
NARROW = {"google": 3, "deepseek": 4, "mistral": 4, "zai": 9, "groq": 5, "cerebras": 2, "together": 9, "fireworks": 9}


def test_what_ships_is_whole() -> None:
    catalog, problems = load_catalog(BUNDLED.read_text(encoding="utf-8"), CATALOG.prices)
    assert problems == ()
    assert sorted(catalog.providers) == sorted(PROVIDERS)
    assert catalog.catalogue_version == CATALOG.prices.catalogue_version


def test_every_quirk_is_a_rule_or_how_costs_are_booked() -> None:
    asked = {quirk for row in (*CATALOG.providers.values(), *CATALOG.models.values()) for quirk in row.quirks}
    assert {quirk for quirk in asked if not is_rule(quirk)} == {"billed-cost", "claude-cache-marks", "counts-tokens"}
    assert "billed-cost" in CATALOG.providers["openrouter"].quirks


@pytest.mark.parametrize("model", CATALOG.models.values(), ids=lambda model: model.id)
def test_a_row_agrees_with_the_price_table(model) -> None:
    assert 0 < model.max_output_tokens <= model.context_tokens
    listed = CATALOG.prices.lookup(model.id)
    if model.provider in WITHOUT_PRICES:
        assert (listed, model.prices) == (None, ())
        return
    assert listed is not None
    # OpenRouter's windows count the answer too; ours is what the maker takes as a prompt.
    assert model.context_tokens <= listed.window_tokens
    assert model.prices == listed.prices
    assert all(len(row.price.steps) <= 3 for row in model.prices)
    if listed.capabilities is not None and Capability.FILL not in model.capabilities:
        assert model.capabilities == listed.capabilities
    if model.converses:
        assert Capability.TOOLS in model.capabilities or not model.tier_source.startswith("catalogue")
        # Hosts list what their window allows where they set no limit of their own.
        assert listed.max_output_tokens == 0 or model.max_output_tokens <= listed.max_output_tokens


@pytest.mark.parametrize("provider", KEYED)
def test_one_key_is_enough_for_every_tier_that_its_provider_sells(provider: str) -> None:
    of_floor = {floor: [name for name, tier in in_play(provider) if tier >= floor and CATALOG.models[name].converses] for floor in Tier}
    assert of_floor[Tier.FRUGAL]
    assert of_floor[Tier.BALANCED]
    assert bool(of_floor[Tier.PREMIUM]) == (provider not in WITHOUT_PREMIUM)


def test_several_keys_bring_all_their_sets_together() -> None:
    together = {name for name, _ in in_play(*KEYED)}
    assert together == {name for provider in KEYED for name, _ in in_play(provider)}
    assert len(together) == len([name for name in CATALOG.in_play if not name.startswith("azure/")])


@pytest.mark.parametrize("provider", sorted(set(KEYED) - WITHOUT_PRICES))
def test_tiers_are_ten_times_apart_in_price_or_as_far_as_the_provider_has_it(provider: str) -> None:
    cheapest: dict[Tier, int] = {}
    for one in candidates(CATALOG, {provider}, NOON_MS):
        assert one.price is not None
        if one.model.converses:
            rate = one.price.base.input
            cheapest[one.model.tier] = min(rate, cheapest.get(one.model.tier, rate))
    balanced = cheapest.get(Tier.BALANCED, cheapest.get(Tier.PREMIUM, 0))
    assert balanced >= NARROW.get(provider, 10) * cheapest.get(Tier.FRUGAL, 0)
    assert cheapest.get(Tier.PREMIUM, 10**12) >= balanced


def test_models_for_vectors_are_there_by_name_only() -> None:
    vectors = [model.id for model in CATALOG.models.values() if model.capabilities == {Capability.EMBED}]
    assert {name.partition("/")[0] for name in vectors} == {"openai", "mistral", "google"}
    assert set(vectors).isdisjoint(CATALOG.in_play)
    assert [model.id for model in find(CATALOG, "text-embedding-3-small")] == ["openai/text-embedding-3-small"]
    assert [model.id for model in find(CATALOG, "mistral/codestral-embed")] == ["mistral/codestral-embed"]
    assert find(CATALOG, "mistral/codestral-embed")[0].capabilities == {Capability.EMBED}


@pytest.mark.parametrize(
    ("provider", "dialect", "spoken", "base_url"),
    [
        ("openai", "responses", "responses", "https://api.openai.com/v1"),
        ("openai", "openai", "responses", "https://api.openai.com/v1"),
        ("openai", "embeddings", "embeddings", "https://api.openai.com/v1"),
        ("openai", "anthropic", "responses", "https://api.openai.com/v1"),
        ("anthropic", "openai", "anthropic", "https://api.anthropic.com/v1"),
        ("openrouter", "anthropic", "anthropic", "https://openrouter.ai/api/v1"),
        ("openrouter", "responses", "responses", "https://openrouter.ai/api/v1"),
        ("deepseek", "anthropic", "anthropic", "https://api.deepseek.com/anthropic/v1"),
        ("deepseek", "responses", "openai", "https://api.deepseek.com/v1"),
        ("moonshot", "anthropic", "anthropic", "https://api.moonshot.ai/anthropic/v1"),
        ("zai", "anthropic", "anthropic", "https://api.z.ai/api/anthropic/v1"),
        ("google", "anthropic", "openai", "https://generativelanguage.googleapis.com/v1beta/openai"),
    ],
)
def test_a_provider_is_entered_by_the_door_that_speaks_as_the_client(provider: str, dialect: str, spoken: str, base_url: str) -> None:
    door = CATALOG.providers[provider].door(dialect)
    assert (door.dialect, door.base_url) == (spoken, base_url)


@pytest.mark.parametrize("name", ["komilion/neo-mode/frugal", "komilion/neo-mode/balanced", "komilion/neo-mode/premium"])
def test_a_router_s_own_models_are_candidates_by_name(name: str) -> None:
    (model,) = find(CATALOG, name)
    assert (model.id, model.upstream) == (name, name.partition("/")[2])
    assert model.tier.word == name.rpartition("/")[2]


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
        ("openai/gpt-6-luna", ["openai/gpt-6-luna", "openrouter/openai/gpt-6-luna", "azure/gpt-6-luna", "martian/openai/gpt-6-luna"]),
        (
            "openrouter/openai/gpt-6-luna",
            ["openrouter/openai/gpt-6-luna", "openai/gpt-6-luna", "azure/gpt-6-luna", "martian/openai/gpt-6-luna"],
        ),
        # Without a provider: all that have it, those in play first.
        ("gpt-6-luna", ["openrouter/openai/gpt-6-luna", "openai/gpt-6-luna", "azure/gpt-6-luna", "martian/openai/gpt-6-luna"]),
        (
            "gpt-oss-120b",
            ["groq/openai/gpt-oss-120b", "cerebras/gpt-oss-120b", "together/openai/gpt-oss-120b", "openrouter/openai/gpt-oss-120b"],
        ),
        ("anthropic/claude-opus-5-5", ["anthropic/claude-opus-5-5", "openrouter/anthropic/claude-opus-5.5"]),
        (
            "moonshotai/kimi-k3.1-pro",
            ["moonshot/kimi-k3.1-pro", "together/moonshotai/Kimi-K3.1-Pro", "openrouter/moonshotai/kimi-k3.1-pro"],
        ),
        # A maker that is no provider here.
        ("minimax/minimax-m3", ["fireworks/accounts/fireworks/models/minimax-m3", "openrouter/minimax/minimax-m3"]),
        # A provider here, but it is others that have the model.
        (
            "openai/gpt-oss-20b",
            ["groq/openai/gpt-oss-20b", "fireworks/accounts/fireworks/models/gpt-oss-20b", "openrouter/openai/gpt-oss-20b"],
        ),
        # Sent upstream as it was asked for, under the price of the model that it is.
        (
            "openai/gpt-6.1-terra-2026-10-26",
            ["openai/gpt-6.1-terra-2026-10-26", "openrouter/openai/gpt-6.1-terra", "azure/gpt-6.1-terra", "martian/openai/gpt-6.1-terra"],
        ),
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


def test_another_name_of_a_row_means_that_row() -> None:
    row = CATALOG.models["anthropic/claude-opus-5-5"]
    (dated, *_) = find(CATALOG, "anthropic/claude-opus-5.5-20261001")
    assert (dated.id, dated.upstream) == ("anthropic/claude-opus-5.5-20261001", "claude-opus-5.5-20261001")
    assert (dated.tier, dated.quirks, dated.prices) == (row.tier, row.quirks, row.prices)
    assert "no-forced-tool-choice" in dated.quirks


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
    assert [problem.words.partition(":")[0] for problem in problems] == ["martian/openai/gpt-6.1-sol"]
