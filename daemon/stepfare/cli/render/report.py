"""A report as a table: a row for each name, what it cost, what was saved, and beside it all that the sums do not say for sure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from stepfare.cli.render.paint import Block, Cell, Column, Span, Table, line, tier
from stepfare.cli.render.spend import SIMULATED, play_pusd, spent
from stepfare.cli.render.words import clean, count, counted, money, money_like, share, short_path
from stepfare.control.protocol import Grouping, Report, ReportRow, Totals

NOTHING = "Nothing was spent in that time. Another time: `stepfare report --since all`."
NAMED: Mapping[Grouping, Callable[[str], Cell]] = {"project": short_path, "tier": tier}


def table(message: Report) -> list[Block]:
    if not message.rows:
        return [line(NOTHING)]
    columns = (
        *(Column(group.upper(), shrink=group in ("model", "session")) for group in message.by),
        Column("STEPS", right=True),
        Column("SPENT", right=True),
        Column("SAVED ON PREMIUM", right=True),
        Column("ON BALANCED", right=True, spare=True),
        Column("CACHED", right=True),
        Column("PER 1M TOKENS", right=True, spare=True),
        Column("ESCALATED", right=True, spare=True),
        Column("", wrap=True),
    )
    largest_pusd = message.whole.totals.spent_pusd
    row_of = partial(_row, largest_pusd=largest_pusd)
    rows = [row_of(_names(message.by, row.names), row) for row in message.rows]
    whole: Sequence[Cell] = (Span("in all", "head"), *("" for _ in message.by[1:]))
    return [Table(columns, (*rows, row_of(whole, message.whole))), *_beside(message)]


def _row(names: Sequence[Cell], row: ReportRow, largest_pusd: int) -> tuple[Cell, ...]:
    sums = row.totals
    return (
        *names,
        count(sums.steps),
        money_like(sums.spent_pusd, largest_pusd) if sums.spent_pusd or not sums.steps else spent(sums),
        _saved(row.saved_on_premium_pusd, sums.always_premium_pusd),
        _saved(row.saved_on_balanced_pusd, sums.always_balanced_pusd),
        share(sums.cache_read_tokens, sums.input_tokens) if sums.input_tokens else "",
        money(row.pusd_per_million_tokens) if row.pusd_per_million_tokens is not None and not sums.unbilled else "",
        count(sums.escalations) if sums.escalations else "",
        "; ".join(_unsure(sums)),
    )


def _names(by: Sequence[Grouping], names: Sequence[str]) -> tuple[Cell, ...]:
    return tuple((NAMED.get(group, clean)(name) or "(none)") for group, name in zip(by, names, strict=True))


def _saved(saved_pusd: int, would_be_pusd: int) -> str:
    """`60 %`, or `+4 %` where it cost more than the baseline."""
    if not would_be_pusd:
        return ""
    return share(saved_pusd, would_be_pusd) if saved_pusd >= 0 else f"+{share(-saved_pusd, would_be_pusd)}"


def _unsure(sums: Totals) -> list[str]:
    """What is no part of the sum, or is not known for sure, in words."""
    said: list[str] = []
    if sums.estimated_pusd:
        bounds = f"{money(sums.estimated_low_pusd)} to {money(sums.estimated_high_pusd)}"
        said.append(f"{money(sums.estimated_pusd)} estimated ({bounds})")
    if sums.unpriced_steps:
        said.append(f"{counted(sums.unpriced_steps, 'step')} unpriced")
    if sums.reserved_pusd:
        said.append(f"{money(sums.reserved_pusd)} at most under way")
    if sums.lost_pusd:
        said.append(f"{money(sums.lost_pusd)} at most lost sight of")
    return said


def _beside(message: Report) -> list[Block]:
    """Sentences below the table: what switching cost, what escalating cost, play money."""
    sums = message.whole.totals
    blocks: list[Block] = []
    if sums.switch_writes_pusd:
        blocks.append(line(f"{money(sums.switch_writes_pusd)} of it rewrote caches because the model changed."))
    if sums.escalated_pusd:
        answers = counted(sums.escalations, "answer")
        blocks.append(line(f"{money(sums.escalated_pusd)} of it paid for {answers} that needed a better model and were dropped."))
    if play := play_pusd(sums):
        whose = "All of it" if play == sums.spent_pusd else f"{money(play)} of it"
        blocks.append(line(Span(f"{whose} is the simulator's play money ({SIMULATED}*).", "warn")))
    return [line(), *blocks] if blocks else []
