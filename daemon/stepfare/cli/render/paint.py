"""Lines and tables, and how they reach the eye: with colours and fitted to its width on a terminal, plain and whole elsewhere."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import click

if TYPE_CHECKING:
    from rich.text import Text

GAP = "  "

STYLES = {
    "frugal": "green",
    "balanced": "blue",
    "premium": "magenta",
    "ok": "green",
    "warn": "yellow",
    "bad": "bold red",
    "head": "bold",
    "dim": "dim",
}
"""What a style's name means on a terminal that shows colours."""


@dataclass(frozen=True, slots=True)
class Span:
    """Some text in one of `STYLES`."""

    text: str
    style: str


Cell: TypeAlias = str | Span


@dataclass(frozen=True, slots=True)
class Line:
    """One paragraph; `indent` is in columns, and holds for its wrapped lines too."""

    cells: tuple[Cell, ...]
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """`wrap` says that on a narrow terminal this column is the one to give way, over several lines."""

    title: str
    right: bool = False
    wrap: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    indent: int = 0


Block: TypeAlias = Line | Table


def line(*cells: Cell, indent: int = 0) -> Line:
    return Line(cells, indent)


def tier(name: str | None) -> Cell:
    """A tier's name in its colour; nothing where no tier has served."""
    return Span(name, name) if name else ""


def show(blocks: Iterable[Block]) -> None:
    """Print to stdout."""
    if sys.stdout.isatty():
        _show_on_terminal(blocks)
    else:
        click.echo(plain(blocks), nl=False)


def plain(blocks: Iterable[Block]) -> str:
    """The text as a pipe gets it: no colours, no line cut or wrapped, so that `grep` and `awk` see whole rows."""
    lines: list[str] = []
    for block in blocks:
        margin = " " * block.indent
        match block:
            case Line(cells):
                lines.append(margin + "".join(_text(cell) for cell in cells))
            case Table(columns, rows):
                lines.extend(margin + row for row in _plain_rows(columns, rows))
    return "".join(f"{text.rstrip()}\n" for text in lines)


def _plain_rows(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> Iterable[str]:
    titles = [column.title for column in columns]
    texts = [titles, *([_text(cell) for cell in row] for row in rows)] if any(titles) else [[_text(cell) for cell in row] for row in rows]
    widths = [max((_width(row[at]) for row in texts), default=0) for at in range(len(columns))]
    for row in texts:
        yield GAP.join(_filled(text, width, right=column.right) for text, width, column in zip(row, widths, columns, strict=True))


def _filled(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space


def _width(text: str) -> int:
    # As a terminal counts: wide characters take two columns, combining ones none.
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell.text


def _show_on_terminal(blocks: Iterable[Block]) -> None:
    # rich knows the terminal's width and honours NO_COLOR and TERM=dumb; a pipe needs neither, nor its import.
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)
    for block in blocks:
        match block:
            case Line(cells):
                shown = Text().join([_rich(cell) for cell in cells])
                console.print(Padding(shown, (0, 0, 0, block.indent), expand=False))
            case Table(columns, rows):
                table = RichTable(box=None, pad_edge=False, padding=(0, len(GAP), 0, 0), header_style="dim", show_header=_titled(columns))
                for column in columns:
                    table.add_column(
                        column.title,
                        justify="right" if column.right else "left",
                        no_wrap=not column.wrap,
                        overflow="fold" if column.wrap else "ellipsis",
                    )
                for row in rows:
                    table.add_row(*[_rich(cell) for cell in row])
                console.print(Padding(table, (0, 0, 0, block.indent), expand=False))


def _titled(columns: Sequence[Column]) -> bool:
    return any(column.title for column in columns)


def _rich(cell: Cell) -> Text:
    from rich.text import Text

    return Text(cell) if isinstance(cell, str) else Text(cell.text, style=STYLES[cell.style])
