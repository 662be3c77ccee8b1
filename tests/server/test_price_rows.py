"""A price as it is told: its usual rows, those of long prompts, and those of other services, each with what is counted otherwise."""

from __future__ import annotations

from stepfare.cli.render.catalogue import prices
from stepfare.cli.render.paint import plain
from stepfare.control.protocol import ModelInfo, Prices
from stepfare.core.model import PriceRow
from stepfare.core.money import LengthStep, Price, Rates
from stepfare.server.present import price_row, price_rows

USUAL = Rates(4_000_000, 200_000, 5_000_000, 8_000_000, 20_000_000, 6_000_000, 10_000_000_000)
LONG = Rates(8_000_000, 400_000, 10_000_000, 16_000_000, 40_000_000, 6_000_000, 10_000_000_000)
FLEX = Rates(2_000_000, 100_000, 2_500_000, 4_000_000, 10_000_000)
ROWS = price_rows(PriceRow(Price(USUAL, (LengthStep(272_000, LONG),), services={"flex": Price(FLEX)})))


def test_other_services_have_rows_of_their_own() -> None:
    assert [(row.service, row.above_tokens, row.input, row.web_search, row.audio) for row in ROWS] == [
        ("", 0, 4_000_000, 10_000_000_000, 6_000_000),
        ("", 272_000, 8_000_000, 10_000_000_000, 6_000_000),
        ("flex", 0, 2_000_000, None, None),
    ]


def test_they_are_told_in_words() -> None:
    model = ModelInfo(
        id="openai/x",
        provider="openai",
        tier="premium",
        context_tokens=1,
        max_output_tokens=1,
        capabilities=[],
        prices=ROWS,
        price_now=price_row(USUAL),
        state="in-play",
        why="",
    )
    said = plain(prices(Prices(catalogue="v", models=[model]), 0))
    usual, long, flex = [text for text in said.splitlines() if "$" in text][:3]
    assert usual.endswith("always; sound $6.00; a web search $0.01000")
    assert long.endswith("prompts over 272,000 tokens")
    assert flex.endswith("served as flex")
