"""What the user's settings make of the catalogue."""

from __future__ import annotations

from stepfare.core.model import CacheRule, Capability, Model, PriceRow, Provider
from stepfare.core.money import Price, Rates
from stepfare.core.step import Tier
from stepfare.providers.catalog import candidates, find
from stepfare.providers.changes import with_settings
from stepfare.providers.rows import bundled_catalog

CATALOG = bundled_catalog()
LAB = Provider("lab", "openai", "http://127.0.0.1:9000/v1/", key="env:LAB_KEY")
PRICE = (PriceRow(Price(Rates(1, 1, 1, 1, 2), source="config.toml:9")),)


def a_model(model_id: str, tier: Tier | None = None, **more) -> Model:
    """As the settings give it: what is not said is empty."""
    provider, _, upstream = model_id.partition("/")
    said = {
        "context_tokens": 0,
        "max_output_tokens": 0,
        "capabilities": frozenset(),
        "tier_source": "config.toml:7" if tier is not None else "",
    }
    return Model(model_id, provider, upstream, tier or Tier.FRUGAL, **{**said, **more})


def test_without_settings_nothing_changes() -> None:
    catalog, problems = with_settings(CATALOG)
    assert problems == ()
    assert (catalog.providers, catalog.models, catalog.in_play) == (CATALOG.providers, CATALOG.models, CATALOG.in_play)


def test_a_key_is_enough_for_a_provider_of_the_catalogue() -> None:
    catalog, problems = with_settings(CATALOG, [Provider("groq", "", "", key="keyring:groq")])
    assert problems == ()
    groq = catalog.providers["groq"]
    assert (groq.key, groq.base_url, groq.dialect, groq.cache) == (
        "keyring:groq",
        "https://api.groq.com/openai/v1",
        "openai",
        CacheRule(1024, 7_200_000),
    )
    assert CATALOG.providers["groq"].key == "env:GROQ_API_KEY"


def test_its_address_may_be_another() -> None:
    catalog, _ = with_settings(CATALOG, [Provider("openai", "", "http://10.0.0.1/v1/", auth="x-api-key")])
    openai = catalog.providers["openai"]
    assert (openai.base_url, openai.auth, openai.key) == ("http://10.0.0.1/v1", "x-api-key", "env:OPENAI_API_KEY")


def test_a_provider_of_ones_own_says_what_it_speaks_and_where_it_is() -> None:
    catalog, problems = with_settings(CATALOG, [Provider("lab", "openai", ""), Provider("shed", "smoke", "http://shed/v1")])
    assert {"lab", "shed"}.isdisjoint(catalog.providers)
    assert ["[providers.lab]" in problems[0].words, "lacks dialect or base_url" in problems[0].words] == [True, True]
    assert "[providers.shed] speaks smoke" in problems[1].words
    assert {problem.source for problem in problems} == {"config.toml"}


def test_a_provider_without_a_key_needs_none() -> None:
    catalog, _ = with_settings(
        CATALOG, [Provider("lab", "openai", "http://127.0.0.1:9000/v1")], [a_model("lab/small", Tier.FRUGAL, prices=PRICE)]
    )
    assert catalog.providers["lab"].auth == "none"
    assert [one.model.id for one in candidates(catalog, set(), 0)] == ["lab/small"]


def test_a_model_of_ones_own_comes_into_play_with_what_is_said_of_it() -> None:
    small = a_model(
        "lab/small",
        Tier.BALANCED,
        context_tokens=200_000,
        max_output_tokens=32_000,
        capabilities=frozenset({Capability.VISION}),
        prices=PRICE,
    )
    catalog, problems = with_settings(CATALOG, [LAB], [small])
    assert problems == ()
    assert catalog.models["lab/small"] == small
    (one,) = candidates(catalog, {"lab"}, 0)
    assert (one.provider.base_url, one.price) == ("http://127.0.0.1:9000/v1", PRICE[0].price)
    assert catalog.in_play.index("lab/small") < catalog.in_play.index("openai/gpt-6.1-sol")


def test_what_is_not_said_of_a_model_of_ones_own_is_assumed_with_care_and_told() -> None:
    catalog, problems = with_settings(CATALOG, [LAB], [a_model("lab/small", Tier.FRUGAL)])
    small = catalog.models["lab/small"]
    assert (small.context_tokens, small.max_output_tokens, small.capabilities) == (131_072, 16_384, frozenset({Capability.TOOLS}))
    assert small.prices == ()
    (told,) = problems
    assert (told.severity, told.source, told.line) == ("warning", "config.toml", 7)
    assert "set context_tokens" in told.words


def test_a_row_of_the_catalogue_is_changed_only_where_something_is_said() -> None:
    catalog, problems = with_settings(CATALOG, models=[a_model("openai/gpt-6-luna", context_tokens=64_000)])
    luna, before = catalog.models["openai/gpt-6-luna"], CATALOG.models["openai/gpt-6-luna"]
    assert problems == ()
    assert (luna.context_tokens, luna.max_output_tokens) == (64_000, 64_000)
    assert (luna.tier, luna.tier_source, luna.prices, luna.capabilities) == (Tier.FRUGAL, "catalogue", before.prices, before.capabilities)
    assert catalog.in_play == CATALOG.in_play


def test_a_tier_brings_a_model_of_the_price_table_into_play() -> None:
    catalog, problems = with_settings(CATALOG, models=[a_model("openai/gpt-6-astra", Tier.PREMIUM)])
    assert problems == ()
    astra = catalog.models["openai/gpt-6-astra"]
    assert (astra.tier, astra.tier_source, astra.context_tokens) == (Tier.PREMIUM, "config.toml:7", 922_000)
    assert astra.prices
    assert catalog.in_play[-1] == "openai/gpt-6-astra"


def test_a_model_with_no_tier_anywhere_stays_out_of_play() -> None:
    catalog, _ = with_settings(CATALOG, models=[a_model("openai/gpt-6-astra", prices=PRICE)])
    assert catalog.in_play == CATALOG.in_play
    assert find(catalog, "openai/gpt-6-astra")[0].prices == PRICE


def test_a_model_of_no_known_provider_is_left_out_with_a_word() -> None:
    catalog, (told,) = with_settings(CATALOG, models=[a_model("lab/small", Tier.FRUGAL)])
    assert "lab/small" not in catalog.models
    assert (told.severity, told.line) == ("error", 7)
    assert "add [providers.lab]" in told.words


def test_a_tier_that_is_listed_is_served_by_its_list_only_and_in_its_order() -> None:
    tiers = {Tier.FRUGAL: ("groq/openai/gpt-oss-120b", "openai/gpt-5-nano")}
    catalog, problems = with_settings(CATALOG, tiers=tiers)
    assert problems == ()
    by_tier = {tier: [name for name in catalog.in_play if catalog.models[name].tier is tier] for tier in Tier}
    assert by_tier[Tier.FRUGAL] == list(tiers[Tier.FRUGAL])
    assert by_tier[Tier.PREMIUM] == [name for name in CATALOG.in_play if CATALOG.models[name].tier is Tier.PREMIUM]
    assert catalog.models["openai/gpt-5-nano"].tier_source == "config.toml [tiers]"


def test_a_model_of_two_lists_counts_as_of_the_higher_tier() -> None:
    catalog, _ = with_settings(CATALOG, tiers={Tier.BALANCED: ["openai/gpt-6.1-sol"], Tier.PREMIUM: ["openai/gpt-6.1-sol"]})
    assert catalog.models["openai/gpt-6.1-sol"].tier is Tier.PREMIUM
    assert [name for name in catalog.in_play if catalog.models[name].tier > Tier.FRUGAL] == ["openai/gpt-6.1-sol"]


def test_a_list_moves_a_model_to_its_tier() -> None:
    catalog, _ = with_settings(CATALOG, tiers={Tier.PREMIUM: ["openai/gpt-6.1-terra"]})
    assert catalog.models["openai/gpt-6.1-terra"].tier is Tier.PREMIUM
    assert catalog.in_play[-1] == "openai/gpt-6.1-terra"
    assert catalog.in_play.count("openai/gpt-6.1-terra") == 1


def test_an_empty_list_leaves_its_tier_empty() -> None:
    catalog, _ = with_settings(CATALOG, tiers={Tier.PREMIUM: ()})
    assert all(catalog.models[name].tier < Tier.PREMIUM for name in catalog.in_play)


def test_a_listed_model_of_no_known_provider_is_told() -> None:
    catalog, (told,) = with_settings(CATALOG, tiers={Tier.FRUGAL: ["lab/small", "groq/openai/gpt-oss-120b"]})
    assert [name for name in catalog.in_play if catalog.models[name].tier is Tier.FRUGAL] == ["groq/openai/gpt-oss-120b"]
    assert "[tiers] frugal: no provider of lab/small is known" in told.words


def test_what_is_asked_of_ones_own_provider_is_sought_nowhere_else() -> None:
    catalog, _ = with_settings(CATALOG, [LAB], [a_model("lab/gpt-oss-120b", Tier.FRUGAL, context_tokens=9_000)])
    assert [model.id for model in find(catalog, "lab/gpt-oss-120b")] == ["lab/gpt-oss-120b"]
    # The other way about it is one more that has the model.
    assert "lab/gpt-oss-120b" in [model.id for model in find(catalog, "groq/openai/gpt-oss-120b")]


def test_a_model_of_this_machine_is_no_stand_in_for_one_elsewhere() -> None:
    catalog, _ = with_settings(CATALOG, models=[a_model("ollama/gpt-oss-120b", Tier.FRUGAL, context_tokens=9_000)])
    assert "ollama/gpt-oss-120b" in catalog.in_play
    assert "ollama/gpt-oss-120b" not in [model.id for model in find(catalog, "groq/openai/gpt-oss-120b")]
    assert [model.id for model in find(catalog, "ollama/gpt-oss-120b")] == ["ollama/gpt-oss-120b"]


def test_a_provider_of_ones_own_may_have_the_name_of_a_maker() -> None:
    catalog, _ = with_settings(CATALOG, [Provider("gemini", "openai", "https://gemini.example/v1", key="env:G")])
    assert [model.id for model in find(catalog, "gemini/gemini-4-argon")] == ["gemini/gemini-4-argon"]
