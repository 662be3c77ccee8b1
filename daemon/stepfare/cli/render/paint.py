"""Lines and tables, and how they reach the eye: with colours and fitted to its width on a terminal, plain and whole elsewhere."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

GAP = "  "
WRAP_WIDTH_MIN = 24
"""A wrapped column narrower than this is a column of syllables: its text then goes below the row."""
NOTE_INDENT = 4
SHRINK_WIDTH_MIN = 12

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
    """One paragraph; `indent` is in columns, and `hang` that of its further lines where it is wrapped."""

    cells: tuple[Cell, ...]
    indent: int = 0
    hang: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """What a column does on a narrow terminal: `wrap`, the last one, goes over several lines, or below its row where there is no room
    beside it; `shrink` loses the beginning of its texts; `spare` is left out."""

    title: str
    right: bool = False
    wrap: bool = False
    shrink: bool = False
    spare: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    indent: int = 0


Block: TypeAlias = Line | Table


def line(*cells: Cell, indent: int = 0, hang: int = 0) -> Line:
    return Line(cells, indent, max(indent, hang))


def tier(name: str | None) -> Cell:
    """A tier's name in its colour; nothing where no tier has served."""
    return Span(name, name) if name else ""


def show(blocks: Iterable[Block]) -> None:
    """Print to stdout."""
    if sys.stdout.isatty():
        # rich knows the terminal's width and honours NO_COLOR and TERM=dumb; a pipe needs neither, nor its import.
        from rich.console import Console

        show_on(Console(highlight=False, markup=False, emoji=False), blocks)
    else:
        click.echo(plain(blocks), nl=False)


def show_on(console: Console, blocks: Iterable[Block]) -> None:
    """Print on a terminal, fitted to its width."""
    for block in blocks:
        for text in _wrapped(block, console) if isinstance(block, Line) else _fitted(block, console):
            console.print(text, no_wrap=True, overflow="ellipsis", crop=True)


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
    widths = _widths(columns, rows)
    for row in _with_titles(columns, rows):
        yield GAP.join(_filled(_text(cell), width, right=column.right) for cell, width, column in zip(row, widths, columns, strict=True))


def _with_titles(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> list[Sequence[Cell]]:
    titles = [Span(column.title, "dim") for column in columns]
    return [titles, *rows] if any(column.title for column in columns) else [*rows]


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> list[int]:
    """How wide each column is where there is room for all."""
    return [max((_width(_text(row[at])) for row in _with_titles(columns, rows)), default=0) for at in range(len(columns))]


def _filled(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space


def _width(text: str) -> int:
    # As a terminal counts: wide characters take two columns, combining ones none.
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell.text


def _wrapped(paragraph: Line, console: Console) -> Iterable[Text]:
    from rich.text import Text

    text = Text(" " * paragraph.indent) + Text().join([_rich(cell) for cell in paragraph.cells])
    first, *more = text.wrap(console, console.width) or [text]
    if not more:
        return [text]
    # What was broken off is joined again and broken anew, now within the narrower room behind the hanging indent.
    rest = Text(" ").join(more).wrap(console, max(WRAP_WIDTH_MIN, console.width - paragraph.hang))
    return [first, *(Text(" " * paragraph.hang) + part for part in rest)]


def _fitted(table: Table, console: Console) -> Iterable[Text]:
    """The table's lines for this terminal."""
    columns, rows, widths = table.columns, _with_titles(table.columns, table.rows), _widths(table.columns, table.rows)
    room = console.width - table.indent

    def upright(without: int = 0) -> list[int]:
        """Columns that stand, less so many of the spare ones, the last ones first."""
        gone = [at for at, column in enumerate(columns) if column.spare][::-1][:without]
        return [at for at, column in enumerate(columns) if not column.wrap and at not in gone]

    def taken(standing: Sequence[int]) -> int:
        return sum(widths[at] for at in standing) + len(GAP) * max(0, len(standing) - 1)

    standing, note_width = upright(), 0
    if columns[-1].wrap:
        left = room - taken(standing) - len(GAP)
        note_width = left if left >= min(WRAP_WIDTH_MIN, widths[-1]) else 0
    for at, column in enumerate(columns):
        if column.shrink and (over := taken(standing) - room) > 0:
            widths[at] = max(min(widths[at], SHRINK_WIDTH_MIN), widths[at] - over)
    for without in range(1 + sum(column.spare for column in columns)):
        standing = upright(without)
        if taken(standing) <= room:
            break
    for row in rows:
        yield from _fitted_row(table, row, standing, widths, console, note_width)


def _fitted_row(
    table: Table, row: Sequence[Cell], standing: Sequence[int], widths: Sequence[int], console: Console, note_width: int
) -> Iterable[Text]:
    """One row; its last cell beside it where `note_width` says that there is room, else below it."""
    from rich.text import Text

    margin = Text(" " * table.indent)
    head = margin + Text(GAP).join([_rich(_padded(row[at], widths[at], table.columns[at])) for at in standing])
    if not table.columns[-1].wrap:
        yield head
        return
    below = margin + Text(" " * NOTE_INDENT)
    notes = list(_rich(row[-1]).wrap(console, note_width or console.width - below.cell_len)) if _text(row[-1]) else []
    if note_width:
        yield head + Text(GAP) + notes[0] if notes else head
        yield from (Text(" " * (head.cell_len + len(GAP))) + note for note in notes[1:])
        return
    yield head
    if [_text(cell) for cell in row] != [column.title for column in table.columns]:  # a title stands over columns only
        yield from (below + note for note in notes)


def _padded(cell: Cell, width: int, column: Column) -> Cell:
    text = _text(cell)
    if _width(text) > width:
        text = "…" + text[len(text) - width + 1 :]
    filled = _filled(text, width, right=column.right)
    return filled if isinstance(cell, str) else Span(filled, cell.style)


def _rich(cell: Cell) -> Text:
    from rich.text import Text

    return Text(cell) if isinstance(cell, str) else Text(cell.text, style=STYLES[cell.style])
