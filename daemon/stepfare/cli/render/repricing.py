"""What another price table says of the books, as a table: what was booked, what it would have been, and what cannot be compared."""

from __future__ import annotations

from stepfare.cli.render.paint import Block, Cell, Column, Span, Table, line
from stepfare.cli.render.words import counted, money
from stepfare.control.protocol import RepricedLedger, RepricedModel


def repriced(message: RepricedLedger) -> list[Block]:
    total = message.total
    if not message.models:
        return [line("Nothing was settled in this time, so there is nothing to compare.")]
    columns = (
        Column("MODEL", shrink=True),
        Column("ATTEMPTS", right=True, spare=True),
        Column("BOOKED", right=True),
        Column("BY THIS TABLE", right=True),
        Column("DIFFERENCE", right=True),
        Column("", wrap=True),
    )
    rows = [(one.model, *_figures(one), "; ".join(_notes(one))) for one in message.models]
    rows.append(("in all", *_figures(total), ""))
    return [
        line(f"By the price table {message.catalogue}, each attempt at the price of the moment at which it was sent:"),
        line(),
        Table(columns, tuple(rows)),
        line(),
        *(line(f"Of what was booked, {words}.") for words in _beside(total)),
        line(Span("Nothing was written: what was booked stays booked.", "dim")),
    ]


def _figures(one: RepricedModel) -> tuple[Cell, ...]:
    if not one.attempts:
        return ("0", "", "", "")
    more = one.difference_pusd
    said = "none" if not more else ("+" if more > 0 else "") + money(more)
    return str(one.attempts), money(one.booked_pusd), money(one.repriced_pusd), Span(said, "warn" if more else "dim")


def _notes(one: RepricedModel) -> list[str]:
    """What of a model stands in no column."""
    notes: list[str] = []
    if one.newly_priced_attempts:
        notes.append(f"{counted(one.newly_priced_attempts, 'attempt')} booked as unpriced would have cost {money(one.newly_priced_pusd)}")
    if one.not_priced_attempts:
        notes.append(f"no price here for {counted(one.not_priced_attempts, 'attempt')}, booked {money(one.not_priced_booked_pusd)}")
    return notes


def _beside(total: RepricedModel) -> list[str]:
    said: list[str] = []
    if total.billed_pusd:
        said.append(f"{money(total.billed_pusd)} is what providers billed, so a difference there is the table's error")
    if total.estimated_pusd:
        said.append(f"{money(total.estimated_pusd)} was estimated")
    return said
