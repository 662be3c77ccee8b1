"""The doctor's findings: what one is, and how all of them are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from stepfare.cli.render.paint import Block, Cell, Column, Span, Table, line
from stepfare.cli.render.words import counted

State: TypeAlias = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `todo` says what to do about it, empty where nothing is to be done."""

    about: str
    state: State
    words: str
    todo: str = ""


def findings(found: Sequence[Check]) -> list[Block]:
    rows: list[tuple[Cell, ...]] = []
    for check in found:
        rows.append((Span(check.state, check.state), check.about, check.words))
        if check.todo:
            rows.append(("", "", Span(f"-> {check.todo}", "dim")))
    bad = sum(check.state == "bad" for check in found)
    warned = sum(check.state == "warn" for check in found)
    summary = (
        f"{counted(bad, 'thing is', 'things are') if bad else 'Nothing is'} bad; {counted(warned, 'warning') if warned else 'no warnings'}."
    )
    return [Table((Column(""), Column(""), Column("", wrap=True)), tuple(rows)), line(), line(Span(summary, "bad" if bad else "head"))]
