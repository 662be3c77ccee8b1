"""Prices by the hand: every figure here was computed on paper from the makers' price lists as of 2026-11-21."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from stepfare.core.model import PriceRow
from stepfare.core.money import Price, Rates, Usage, priced
from stepfare.providers.prices import PriceTable, bundled_prices, price_at

TABLE = bundled_prices()


def ms(moment: str) -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)


def flat(rate: int) -> Price:
    return Price(Rates(rate, rate, rate, rate, rate))


@pytest.mark.parametrize(
    ("model", "moment", "usage", "pusd"),
    [
        # 10,000 fresh at $0.10 and 500 out at $0.50 a million: $0.001 + $0.00025.
        ("openai/gpt-6-luna", "2026-11-21 12:00", Usage(10_000, 0, 0, 500), 1_250_000_000),
        # 90,000 read at $0.05, 8,000 written at $1.25, 2,000 fresh at $1.00, 1,000 out at $5.00.
        ("openai/gpt-6.1-terra", "2026-11-21 12:00", Usage(100_000, 90_000, 8_000, 1_000), 21_500_000_000),
        # At the mark the base holds; one token above it the whole request is dearer.
        ("openai/gpt-6.1-sol", "2026-11-21 12:00", Usage(272_000), 544_000_000_000),
        ("openai/gpt-6.1-sol", "2026-11-21 12:00", Usage(272_001), 1_088_004_000_000),
        # 150,000 of which 140,000 are warm, above the mark of 100,000: 140,000 at $0.05, 10,000 at $0.50, 100 out at $2.50.
        ("anthropic/claude-haiku-5-5", "2026-11-21 12:00", Usage(150_000, 140_000, 0, 100), 12_250_000_000),
        # Writes that live an hour cost $8, those of five minutes $5.
        ("anthropic/claude-opus-5-5", "2026-11-21 12:00", Usage(3_000, 0, 3_000, 0, cache_write_1h_tokens=1_000), 18_000_000_000),
        # Twice the price from one to four and from six to ten in the morning (UTC).
        ("deepseek/deepseek-flash", "2026-11-21 00:59", Usage(1_000_000, 0, 0, 100_000), 210_000_000_000),
        ("deepseek/deepseek-flash", "2026-11-21 01:00", Usage(1_000_000, 0, 0, 100_000), 420_000_000_000),
        ("deepseek/deepseek-flash", "2026-11-21 03:59", Usage(1_000_000, 0, 0, 100_000), 420_000_000_000),
        ("deepseek/deepseek-flash", "2026-11-21 04:00", Usage(1_000_000, 0, 0, 100_000), 210_000_000_000),
        ("deepseek/deepseek-v4-pro", "2026-11-21 06:00", Usage(1_000_000, 1_000_000, 0, 0), 44_000_000_000),
        ("deepseek/deepseek-v4-pro", "2026-11-21 10:00", Usage(1_000_000, 1_000_000, 0, 0), 22_000_000_000),
        # Doubles on the first of December.
        ("google/gemini-4-argon", "2026-11-30 23:59", Usage(1_000, 0, 0, 1_000), 12_000_000_000),
        ("google/gemini-4-argon", "2026-12-01 00:00", Usage(1_000, 0, 0, 1_000), 24_000_000_000),
        # No price for cache reads: what input costs.
        ("groq/qwen/qwen3.8-27b", "2026-11-21 12:00", Usage(1_000, 500, 0, 0), 800_000_000),
        # Sold by nobody else in the table than the maker, whose ranges start above 32,000 and 128,000 tokens.
        ("qwen/qwen3-max", "2026-11-21 12:00", Usage(32_000, 0, 0, 10), 38_460_000_000),
        ("qwen/qwen3-max", "2026-11-21 12:00", Usage(32_001, 0, 0, 10), 76_922_400_000),
    ],
)
def test_what_a_request_costs(model: str, moment: str, usage: Usage, pusd: int) -> None:
    price = price_at(TABLE.rows_for(model), ms(moment))
    assert price is not None
    assert priced(price, usage) == pusd


def test_a_price_says_where_it_is_from() -> None:
    price = price_at(TABLE.rows_for("openai/gpt-6-luna"), ms("2026-11-21 12:00"))
    other = price_at(TABLE.rows_for("qwen/qwen3.8-max"), ms("2026-11-21 12:00"))
    assert price is not None
    assert other is not None
    assert price.source.startswith("genai-prices ")
    assert other.source.startswith("litellm ")
    assert price.as_of == TABLE.as_of
    assert TABLE.catalogue_version.startswith(TABLE.as_of)


@pytest.mark.parametrize(
    ("moment", "rate"),
    [("2026-11-21 21:59", 1), ("2026-11-21 22:00", 2), ("2026-11-22 00:00", 2), ("2026-11-22 01:59", 2), ("2026-11-22 02:00", 1)],
)
def test_hours_may_pass_midnight(moment: str, rate: int) -> None:
    rows = (PriceRow(flat(1)), PriceRow(flat(2), hours=(22 * 60, 2 * 60)))
    assert price_at(rows, ms(moment)) == flat(rate)


def test_hours_that_end_where_they_start_are_empty() -> None:
    rows = (PriceRow(flat(1)), PriceRow(flat(2), hours=(60, 60)))
    assert price_at(rows, ms("2026-11-21 01:00")) == flat(1)


def test_a_row_may_have_both_a_date_and_hours() -> None:
    rows = (PriceRow(flat(1)), PriceRow(flat(2), from_ms=ms("2027-01-01 00:00"), hours=(0, 60)))
    assert price_at(rows, ms("2026-12-31 00:30")) == flat(1)
    assert price_at(rows, ms("2027-01-01 00:30")) == flat(2)
    assert price_at(rows, ms("2027-01-01 01:00")) == flat(1)


def test_before_its_first_date_a_model_is_unpriced() -> None:
    assert price_at((PriceRow(flat(1), from_ms=1_000),), 999) is None
    assert price_at((), 0) is None


@pytest.mark.parametrize(
    "names",
    [
        ("anthropic/claude-opus-5-5", "anthropic/claude-opus-5.5", "anthropic/claude-opus-5-5-20260921", "anthropic/Claude-Opus-5-5"),
        ("openrouter/anthropic/claude-opus-5.5", "openrouter/anthropic/claude-opus-5-5", "openrouter/anthropic/claude-opus-5.5-20260921"),
        ("openai/gpt-6.1-terra", "openai/gpt-6.1-terra-2026-10-26", "openai/openai/gpt-6.1-terra"),
        ("zai/GLM-5.3", "z-ai/glm-5.3", "zai-org/glm-5-3"),
        ("xai/grok-4.7", "x-ai/grok-4.7-latest"),
        ("fireworks/accounts/fireworks/models/kimi-k3", "fireworks_ai/accounts/fireworks/models/kimi-k3"),
    ],
)
def test_one_model_has_many_names(names: tuple[str, ...]) -> None:
    rows = {TABLE.rows_for(name) for name in names}
    assert len(rows) == 1
    assert rows != {()}


@pytest.mark.parametrize(
    "name",
    [
        "",
        "openai",
        "openai/",
        "openai/gpt-6-luna-turbo",
        "openai/gpt-6",
        "nowhere/gpt-6-luna",
        "openrouter/gpt-6-luna",
        "openrouter/openai/gpt-6-luna:nitro",
        # Dearer than the model that it is called after, and no longer sold.
        "openai/gpt-4o-2024-05-13",
        "openai/gpt-4o-20240513",
    ],
)
def test_what_is_not_known_is_unpriced(name: str) -> None:
    assert TABLE.lookup(name) is None
    assert TABLE.rows_for(name) == ()


def test_a_free_variant_costs_nothing_and_says_so() -> None:
    price = price_at(TABLE.rows_for("openrouter/openai/gpt-oss-20b:free"), ms("2026-11-21 12:00"))
    assert price is not None
    assert price.base == Rates(0, 0, 0, 0, 0)
    paid = price_at(TABLE.rows_for("openrouter/openai/gpt-oss-20b"), ms("2026-11-21 12:00"))
    assert paid is not None
    assert paid.base.input > 0


def test_a_table_of_another_format_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="format 2, but only 1"):
        PriceTable(json.dumps({"format": 2, "version": "x"}))
