"""The file that the generator wrote, and what the generator refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import types as genai

from scripts import generate_prices as generator
from stepfare.providers.prices import BUNDLED, PriceTable

TEXT = BUNDLED.read_text(encoding="utf-8")
FILE = json.loads(TEXT)
DAY = date.fromisoformat(FILE["as_of"])
# The least of litellm's table that a model needs to be listed: how long its prompts may be is known to genai-prices already.
LITELLM = {
    "gpt-6-luna": {
        "mode": "chat",
        "max_input_tokens": 922_000,
        "max_output_tokens": 128_000,
        "input_cost_per_token": 2e-7,
        "supports_vision": True,
    },
    "dashscope/qwen-test": {
        "litellm_provider": "dashscope",
        "mode": "chat",
        "max_input_tokens": 9_000,
        "tiered_pricing": [
            {"input_cost_per_token": 1e-7, "output_cost_per_token": 4e-7, "range": [0, 4000.0]},
            {"input_cost_per_token": 2e-7, "output_cost_per_token": 8e-7, "cache_read_input_token_cost": 5e-8, "range": [4000.0, 9000.0]},
        ],
    },
}


def generated(litellm: Mapping[str, Any] = LITELLM) -> str:
    return generator.generate(DAY, json.dumps(litellm), "a table of this test")


def test_the_file_is_small_and_every_rate_a_whole_number() -> None:
    assert len(TEXT.encode()) <= generator.FILE_BYTES_MAX
    rates = [
        rate
        for models in FILE["providers"].values()
        for entry in models.values()
        for row in entry["prices"]
        for rates in (row["rates"], *(rates for _, rates in row.get("above", ())))
        for rate in rates
    ]
    assert len(rates) > 3_000
    assert all(type(rate) is int and rate >= 0 for rate in rates)


def test_the_same_sources_give_the_same_bytes() -> None:
    assert generated() == generated()


def test_the_version_names_the_day_and_the_content() -> None:
    other = {**LITELLM, "gpt-6-luna": {**LITELLM["gpt-6-luna"], "max_output_tokens": 1}}
    one, two = (PriceTable(generated(litellm)).catalogue_version for litellm in (LITELLM, other))
    assert one != two
    assert one.startswith(f"{DAY.isoformat()}.")


def test_prices_are_as_the_installed_package_has_them_now() -> None:
    """Without litellm's table fewer models are listed; those that are must have the rows of the file."""
    fresh = json.loads(generated({}))["providers"]
    compared = 0
    for provider, models in fresh.items():
        for name in models.keys() & FILE["providers"][provider].keys():
            assert models[name]["prices"] == FILE["providers"][provider][name]["prices"], (provider, name)
            compared += 1
    assert compared > 300


def test_the_makers_that_matter_are_there() -> None:
    wanted = {
        "anthropic": ["claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5", "claude-fable-5-2"],
        "openai": ["gpt-6-luna", "gpt-6.1-terra", "gpt-6.1-sol", "gpt-6-astra"],
        "google": ["gemini-3.1-flash-lite", "gemini-3.8-flash", "gemini-4-argon"],
        "deepseek": ["deepseek-flash", "deepseek-v4-pro"],
        "groq": ["openai/gpt-oss-120b", "qwen/qwen3.8-27b"],
        "zai": ["glm-5.3", "glm-5.3-flash"],
        "moonshot": ["kimi-k2.7-code", "kimi-k3.1-pro"],
        "xai": ["grok-4.3", "grok-4.7"],
        "mistral": ["mistral-small-2603", "mistral-large-4"],
        "qwen": ["qwen3.8-flash", "qwen3.8-max"],
        "cerebras": ["gpt-oss-120b"],
        "together": ["openai/gpt-oss-120b"],
        "fireworks": ["accounts/fireworks/models/kimi-k3"],
        "azure": ["gpt-6-luna", "gpt-6.1-terra", "gpt-6.1-sol"],
        "openrouter": ["anthropic/claude-sonnet-5.5", "google/gemini-3.8-flash", "qwen/qwen3.8-flash"],
    }
    table = PriceTable(TEXT)
    assert [f"{provider}/{name}" for provider, names in wanted.items() for name in names if not table.rows_for(f"{provider}/{name}")] == []


def test_where_the_two_sources_disagree_the_choice_has_a_reason() -> None:
    known = {one["model"]: one for one in FILE["disagreements"]}
    assert "peak hours" in known["deepseek/deepseek-flash"]["reason"]
    assert "earlier price" in known["mistral/mistral-large-4"]["reason"]
    for one in FILE["disagreements"]:
        assert one["reason"]
        assert one["taken"] != one["litellm"]
        assert one["taken"].keys() == one["litellm"].keys()


def test_a_disagreement_is_noted_and_genai_prices_taken() -> None:
    file = json.loads(generated())
    (noted,) = [one for one in file["disagreements"] if one["model"] == "openai/gpt-6-luna"]
    assert (noted["taken"], noted["litellm"]) == ({"input": 100_000}, {"input": 200_000})
    assert file["providers"]["openai"]["gpt-6-luna"]["prices"][0]["rates"][0] == 100_000
    assert file["providers"]["openai"]["gpt-6-luna"]["can"] == ["vision"]


def test_ranges_of_the_other_source_become_steps_by_length() -> None:
    (row,) = json.loads(generated())["providers"]["qwen"]["qwen-test"]["prices"]
    assert row == {"rates": [100_000, 100_000, 100_000, 100_000, 400_000], "above": [[4000, [200_000, 50_000, 200_000, 200_000, 800_000]]]}


def test_a_fraction_of_a_picodollar_ends_the_run() -> None:
    run = generator.Run(DAY, {})
    with pytest.raises(generator.NotExact, match=r"openai/x: input is 0\.5 picodollars per token"):
        generator.exact(run, "openai/x", "input", Decimal("0.5"))
    with pytest.raises(generator.NotExact):
        generator.exact(run, "openrouter/google/x", "input", Decimal("0.5"))
    with pytest.raises(generator.NotExact):
        generated(
            {
                "dashscope/x": {
                    **LITELLM["dashscope/qwen-test"],
                    "tiered_pricing": None,
                    "input_cost_per_token": 1e-13,
                    "output_cost_per_token": 4e-7,
                }
            }
        )


def test_only_a_named_fraction_is_rounded_up_and_that_is_written_down() -> None:
    run = generator.Run(DAY, {})
    assert generator.exact(run, "openrouter/google/x", "cache_write", Decimal("83333.3")) == 83_334
    assert run.rounded == {"openrouter/google/x": f"cache_write: {generator.ROUNDED_UP['openrouter', 'google/', 'cache_write']}"}
    assert all(name.startswith("openrouter/google/") for name in FILE["rounded_up"])


def test_hours_are_kept_in_utc() -> None:
    assert generator.minute_of_day(time(1, 30)) == 90
    assert generator.minute_of_day(time(8, 0, tzinfo=timezone(timedelta(hours=8)))) == 0
    assert generator.minute_of_day(time(23, 0, tzinfo=UTC)) == 1380
    with pytest.raises(ValueError, match="whole minute"):
        generator.minute_of_day(time(1, 30, 5))


def test_rows_keep_their_order_and_marks_their_rates() -> None:
    tiered = genai.TieredPrices(base=Decimal(1), tiers=[genai.Tier(start=1000, price=Decimal(2)), genai.Tier(start=5000, price=Decimal(2))])
    row = generator.price_row(
        generator.Run(DAY, {}),
        "openai/x",
        1,
        genai.ConditionalPrice(
            constraint=genai.StartDateConstraint(start_date=date(2027, 1, 1)),
            prices=genai.ModelPrice(input_mtok=tiered, output_mtok=Decimal(3)),
        ),
        (),
    )
    # The second mark changes nothing and is not kept.
    assert row == {
        "rates": [1_000_000, 1_000_000, 1_000_000, 1_000_000, 3_000_000],
        "above": [[1000, [2_000_000, 2_000_000, 2_000_000, 2_000_000, 3_000_000]]],
        "from": "2027-01-01",
    }


def test_what_is_counted_otherwise_and_other_services_have_rates_of_their_own() -> None:
    def variant(when: dict[str, str], start: date | None, **rates: Decimal) -> genai.PriceVariant:
        return genai.PriceVariant(when, genai.ModelPrice(**rates), genai.StartDateConstraint(start_date=start) if start else None)

    row = generator.price_row(
        generator.Run(DAY, {}),
        "openai/x",
        0,
        genai.ConditionalPrice(
            prices=genai.ModelPrice(
                input_mtok=Decimal(2), output_mtok=Decimal(8), input_audio_mtok=Decimal(6), web_searches_kcount=Decimal("2.5")
            )
        ),
        [
            variant({"service_tier": "default"}, None),
            variant({"service_tier": "flex"}, DAY, input_mtok=Decimal(1), output_mtok=Decimal(4)),
            variant({"service_tier": "later"}, date(2030, 1, 1), input_mtok=Decimal(1)),
            variant({"processing": "batch"}, None, input_mtok=Decimal(1)),
            variant({"speed": "fast"}, None, input_mtok=Decimal(4)),
        ],
    )
    assert row == {
        "rates": [2_000_000, 2_000_000, 2_000_000, 2_000_000, 8_000_000],
        "audio": 6_000_000,
        "search": 2_500_000_000,  # $2.50 a thousand: a quarter of a cent each.
        "services": {
            "flex": {"rates": [1_000_000, 1_000_000, 1_000_000, 1_000_000, 4_000_000]},
            "fast": {"rates": [4_000_000, 4_000_000, 4_000_000, 4_000_000, 8_000_000]},
        },
    }


def test_the_command_checks_and_says_what_it_found(tmp_path, monkeypatch, capsys) -> None:
    litellm, target = tmp_path / "table.json", tmp_path / "prices.json"
    litellm.write_text(json.dumps(LITELLM), encoding="utf-8")
    monkeypatch.setattr(generator, "PRICES_FILE", target)

    def run(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["generate_prices.py", "--litellm", str(litellm), *arguments])
        return generator.main()

    with pytest.raises(SystemExit):
        run("--check")
    assert "give --as-of" in capsys.readouterr().err
    assert run("--as-of", "2026-11-21") == 0
    assert run("--check") == 0
    target.write_text(target.read_text(encoding="utf-8").replace("gpt-6-luna", "gpt-6-lunar"), encoding="utf-8")
    before = target.read_text(encoding="utf-8")
    assert run("--check") == 1
    assert target.read_text(encoding="utf-8") == before
    litellm.write_text("{", encoding="utf-8")
    assert run() == 2
    assert "Nothing was written" in capsys.readouterr().err


def test_marks_of_the_other_source_become_steps_by_length_and_what_a_mark_leaves_out_stays() -> None:
    azure = {
        "litellm_provider": "azure",
        "mode": "chat",
        "max_input_tokens": 9_000,
        "input_cost_per_token": 1e-7,
        "cache_read_input_token_cost": 1e-8,
        "output_cost_per_token": 5e-7,
        "input_cost_per_token_above_4k_tokens": 2e-7,
        "output_cost_per_token_above_4k_tokens": 7e-7,
    }
    dearer = {**azure, "output_cost_per_token": 9e-7}
    named = {"azure/x": azure, "azure/x-2026-09-22": azure, "azure/x-2026-10-22": dearer, "azure/eu/x": azure, "azure/x-audio": azure}
    models = json.loads(generated(named))["providers"]["azure"]
    # A dated name that says nothing new is found without its date; a region's and another purpose's are left out.
    assert list(models) == ["x", "x-2026-10-22"]
    assert models["x"]["prices"] == [
        {"rates": [100_000, 10_000, 100_000, 100_000, 500_000], "above": [[4000, [200_000, 10_000, 200_000, 200_000, 700_000]]]}
    ]


def test_models_for_vectors_are_listed_at_their_makers_and_can_nothing_else() -> None:
    models = json.loads(generated({"text-embedding-3-small": {"mode": "embedding", "max_input_tokens": 8191}}))["providers"]["openai"]
    assert models["text-embedding-3-small"] == {
        "window": 8191,
        "can": ["embed"],
        "prices": [{"rates": [20_000, 20_000, 20_000, 20_000, 0]}],
    }
    assert "text-embedding-3-large" not in models


def test_the_file_has_the_whole_of_openrouter() -> None:
    assert len(FILE["providers"]["openrouter"]) > 400
