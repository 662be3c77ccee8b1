"""The user's own models as rows of the catalogue."""

from __future__ import annotations

from datetime import UTC, datetime

from stepfare.config.check import check_settings
from stepfare.config.rows import price_rows
from stepfare.config.schema import ModelSettings
from stepfare.core.money import LengthStep, Price, Rates

BASE = Rates(100_000, 10_000, 125_000, 200_000, 500_000)


def model(text: str) -> ModelSettings:
    checked = check_settings('[[models]]\nid = "lab/small"\n' + text, "config.toml")
    assert checked.problems == ()
    return checked.value.models[0]


def test_prices_are_exact_and_steps_ascend() -> None:
    rows = price_rows(
        model(
            "price = { input = 0.10, cache_read = 0.01, cache_write = 0.125, cache_write_1h = 0.20, output = 0.50 }\n"
            "price_steps = [{ above_tokens = 200_000, input = 3, output = 4 }, { above_tokens = 100_000, input = 1, output = 2 }]\n"
            'price_from = [{ date = 2027-01-01, input = 0.20 }, { hours = "22:30-04:00", output = 0.000001 }]\n'
        ),
        "config.toml:2",
    )
    steps = (
        LengthStep(100_000, Rates(1_000_000, 1_000_000, 1_000_000, 1_000_000, 2_000_000)),
        LengthStep(200_000, Rates(3_000_000, 3_000_000, 3_000_000, 3_000_000, 4_000_000)),
    )
    assert rows[0].price == Price(BASE, steps, "config.toml:2")
    assert rows[1].price.base == Rates(200_000, 10_000, 125_000, 200_000, 500_000)
    assert rows[1].from_ms == datetime(2027, 1, 1, tzinfo=UTC).timestamp() * 1000
    assert rows[2].price.base.output == 1
    assert rows[2].hours == (22 * 60 + 30, 4 * 60)


def test_what_a_price_does_not_name_costs_what_input_costs() -> None:
    (row,) = price_rows(model("price = { input = 1.5, output = 3 }\n"), "config.toml:2")
    assert row.price.base == Rates(1_500_000, 1_500_000, 1_500_000, 1_500_000, 3_000_000)


def test_sound_and_searches_have_prices_of_their_own_at_every_length_and_time() -> None:
    """Dollars a million tokens, and dollars a thousand searches: a cent each is ten dollars a thousand."""
    rows = price_rows(
        model(
            "price = { input = 1, output = 2, audio = 3, web_search = 10 }\n"
            "price_steps = [{ above_tokens = 1000, input = 2, output = 4, web_search = 20 }]\n"
            'price_from = [{ hours = "22:30-04:00", output = 1 }]\n'
        ),
        "config.toml:2",
    )
    assert [(rates.audio, rates.web_search) for rates in (rows[0].price.base, rows[0].price.steps[0].rates, rows[1].price.base)] == [
        (3_000_000, 10_000_000_000),
        (3_000_000, 20_000_000_000),
        (3_000_000, 10_000_000_000),
    ]


def test_a_model_without_a_price_has_no_rows() -> None:
    assert price_rows(model("tier = 'frugal'\n"), "config.toml:2") == ()
