"""What was measured, as rows: a figure for each of the three ways, the target, and whether it was met; as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `direct`, `bare` (the pass-through) and `ours` are in `unit`; None where there is none to give."""

    measure: str
    what: str
    unit: str
    ours: float | None = None
    bare: float | None = None
    direct: float | None = None
    target: float | None = None
    at_least: bool = False
    """Whether the target is a floor (requests a second) rather than a ceiling (milliseconds)."""
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.target is None or self.ours is None:
            return None
        return self.ours >= self.target if self.at_least else self.ours <= self.target

    @property
    def ratio(self) -> float | None:
        """Ours to the pass-through's."""
        return self.ours / self.bare if self.ours is not None and self.bare else None


HEADINGS = ("measure", "", "direct", "pass-through", "stepfare", "x pass", "target", "")


def number(value: float | None) -> str:
    if value is None:
        return "-"
    magnitude = abs(value)
    return f"{value:,.0f}" if magnitude >= 100 else f"{value:.1f}" if magnitude >= 10 else f"{value:.2f}"


def _cells(row: Row) -> tuple[str, ...]:
    target = "" if row.target is None else ("≥ " if row.at_least else "≤ ") + number(row.target)
    verdict = {None: "", True: "met", False: "MISSED"}[row.met]
    ratio = "" if row.ratio is None else number(row.ratio)
    what = f"{row.what} [{row.unit}]"
    return (
        row.measure,
        what,
        number(row.direct),
        number(row.bare),
        number(row.ours),
        ratio,
        target,
        " ".join(filter(None, (verdict, row.note))),
    )


def table(rows: Sequence[Row], machine: Mapping[str, str], problems: Sequence[str]) -> str:
    """Plain text: right-aligned figures, one line a row, then what it was measured on and what could not be."""
    cells = [HEADINGS, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    figures = range(2, 7)

    def line(parts: Sequence[str]) -> str:
        return "  ".join(
            part.rjust(width) if column in figures else part.ljust(width)
            for column, (part, width) in enumerate(zip(parts, widths, strict=True))
        ).rstrip()

    measured = [line(cells[0]), "-" * len(line(cells[0])), *map(line, cells[1:])]
    about = [f"{name}: {words}" for name, words in machine.items()]
    return "\n".join([*measured, "", *about, *(f"not measured: {words}" for words in problems)])


def as_json(rows: Sequence[Row], machine: Mapping[str, str], problems: Sequence[str]) -> str:
    listed = [{**asdict(row), "met": row.met, "ratio_to_bare": row.ratio} for row in rows]
    return json.dumps({"machine": machine, "rows": listed, "not_measured": list(problems)}, indent=2)
