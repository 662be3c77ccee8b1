"""How lines and tables give way when the terminal is narrow."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from stepfare.cli.render import paint
from stepfare.cli.render.paint import Block, Column, Table, line

ROWS = (("1", "openrouter/vendor/long-model-name", "$0.4213", "12,000", "a reason that is rather long"), ("2", "lab/x", "$1.00", "9", ""))
STEPS = Table(
    (Column("#"), Column("MODEL", shrink=True), Column("COST", right=True), Column("IN", right=True, spare=True), Column("WHY", wrap=True)),
    ROWS,
)


def shown(block: Block, width: int) -> list[str]:
    out = io.StringIO()
    paint.show_on(Console(file=out, width=width, highlight=False, markup=False, emoji=False), [block])
    return [text.rstrip() for text in out.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (
            100,
            [
                "#  MODEL                                 COST      IN  WHY",
                "1  openrouter/vendor/long-model-name  $0.4213  12,000  a reason that is rather long",
                "2  lab/x                                $1.00       9",
            ],
        ),
        (
            80,
            [
                "#  MODEL                                 COST      IN  WHY",
                "1  openrouter/vendor/long-model-name  $0.4213  12,000  a reason that is rather",
                "                                                       long",
                "2  lab/x                                $1.00       9",
            ],
        ),
        (
            50,
            [
                "#  MODEL                              COST      IN",
                "1  …router/vendor/long-model-name  $0.4213  12,000",
                "    a reason that is rather long",
                "2  lab/x                             $1.00       9",
            ],
        ),
        (
            26,
            [
                "#  MODEL            COST",
                "1  …-model-name  $0.4213",
                "    a reason that is",
                "    rather long",
                "2  lab/x           $1.00",
            ],
        ),
    ],
)
def test_a_table_gives_way_in_order(width: int, expected: list[str]) -> None:
    assert shown(STEPS, width) == expected


def test_a_wrapped_line_hangs_under_its_label() -> None:
    assert shown(line("Spent     ", "what it would have cost otherwise", hang=10), 34) == [
        "Spent     what it would have cost",
        "          otherwise",
    ]


def test_an_empty_line_stays_a_line() -> None:
    assert shown(line(), 40) == [""]


def test_marks_of_a_markup_language_are_shown_as_they_are() -> None:
    assert shown(line("[bold]x[/bold] :smile: [/nonsense]"), 80) == ["[bold]x[/bold] :smile: [/nonsense]"]
