"""Money, rates and times as people read them, and nothing of a value that is not there."""

from __future__ import annotations

import pytest

from stepfare.cli.render import words

USD = 1_000_000_000_000


@pytest.mark.parametrize(
    ("pusd", "text"),
    [
        (None, "unpriced"),
        (0, "$0.00"),
        (1, "$0.000000000001000"),
        (12_500_000, "$0.00001250"),
        (421_337_500_000, "$0.4213"),
        (421_350_000_000, "$0.4214"),
        (100_000_000_000, "$0.1000"),
        (999_949_999_999, "$0.9999"),
        (999_950_000_000, "$1.00"),
        (USD, "$1.00"),
        (12_345_000_000_000, "$12.34"),
        (1_234_567_890_000_000, "$1,234.57"),
        (-20_000_000_000, "-$0.02000"),
    ],
)
def test_money_keeps_four_digits_below_a_dollar_and_two_places_above(pusd: int | None, text: str) -> None:
    assert words.money(pusd) == text


def test_large_sums_are_exact_where_floats_are_not() -> None:
    assert words.money(9_007_199_254_740_993 * USD) == "$9,007,199,254,740,993.00"


@pytest.mark.parametrize(
    ("pusd", "text"), [(0, "$0.00"), (1, "<$0.01"), (9_999_999_999, "<$0.01"), (USD // 100, "$0.01"), (421 * USD, "$421.00")]
)
def test_bars_get_steady_coins(pusd: int, text: str) -> None:
    assert words.coins(pusd) == text


@pytest.mark.parametrize(
    ("rate", "text"), [(0, "$0.00"), (12_500, "$0.0125"), (3_000_000, "$3.00"), (75_000_000, "$75.00"), (100_000, "$0.10")]
)
def test_rates_are_dollars_per_million_tokens(rate: int, text: str) -> None:
    assert words.rate(rate) == text


@pytest.mark.parametrize(
    ("then_ms", "text"),
    [
        (0, "just now"),
        (-5, "just now"),
        (9_999, "just now"),
        (40_000, "40 s ago"),
        (3_599_999, "59 min ago"),
        (7_200_000, "2 h ago"),
        (3 * 86_400_000, "3 d ago"),
    ],
)
def test_times_are_relative(then_ms: int, text: str) -> None:
    assert words.ago(1_000_000_000_000 - then_ms, 1_000_000_000_000) == text


def test_a_title_cannot_steer_the_terminal() -> None:
    assert words.clean("a\x1b]0;owned\x07b\r\nc\u202ed\u2028e") == "a ]0;owned b c d e"


def test_an_empty_whole_has_no_share() -> None:
    assert (words.share(1, 3), words.share(0, 0)) == ("33 %", "none")


def test_home_is_written_short(home: object) -> None:
    assert words.short_path(f"{home}/shop") == "~/shop"
    assert words.short_path(f"{home}") == "~"
    assert words.short_path("/srv/shop") == "/srv/shop"
    assert words.short_path("") == ""


@pytest.mark.parametrize(
    ("pusd", "largest_pusd", "text"),
    [
        (6_900_000_000, 6_900_000_000, "$0.0069000"),
        (4_125_000, 115_000_000, "$0.00000412"),
        (1_000_000_000_000, 12_345_000_000_000, "$1.000"),
        (5, 5_000_000_000_000_000, "$0.00"),
        (0, 0, "$0.00"),
    ],
)
def test_sums_of_a_column_have_as_many_decimals_as_the_largest_needs(pusd: int, largest_pusd: int, text: str) -> None:
    assert words.money_like(pusd, largest_pusd) == text
