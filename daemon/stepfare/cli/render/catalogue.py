"""The catalogue as tables: which models are in play and why others are not, and what each costs under which conditions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from stepfare.cli.render.paint import Block, Cell, Column, Span, Table, line, tier
from stepfare.cli.render.words import clean, count, counted, rate
from stepfare.control.protocol import ModelInfo, PriceRow, Prices

STATE_STYLES = {"in-play": "ok", "no-key": "dim", "not-chosen": "dim"}
PER = "Prices in dollars per million tokens"


def models(message: Prices, *, all_models: bool) -> list[Block]:
    """Which models there are, best tier first within a provider as the daemon orders them."""
    if not message.models:
        return [line("No model is in play. Set a provider's key, for example OPENROUTER_API_KEY, and restart the daemon.")]
    columns = (
        Column("MODEL", shrink=True),
        Column("TIER"),
        Column("WINDOW", right=True),
        Column("IN", right=True),
        Column("CACHED", right=True),
        Column("OUT", right=True),
        Column("STATE"),
        Column("NOTES", wrap=True),
    )
    rows = tuple(
        (
            model.id,
            tier(model.tier),
            count(model.context_tokens),
            *_now(model.price_now),
            Span(model.state, STATE_STYLES.get(model.state, "warn")),
            clean("; ".join(part for part in (model.why, ", ".join(model.capabilities)) if part)),
        )
        for model in message.models
    )
    more = "" if all_models else " All models of the catalogue: `stepfare models --all`."
    return [Table(columns, rows), line(), line(Span(f"{counted(len(rows), 'model')}. {PER}, as of now.{more}", "dim"))]


def prices(message: Prices, now_ms: int) -> list[Block]:
    """Each price of each model that holds now or will, with the condition under which it holds, where it is from and of which day."""
    columns = (
        Column("MODEL", shrink=True),
        Column("IN", right=True),
        Column("CACHED", right=True),
        Column("WRITE", right=True),
        Column("WRITE 1H", right=True),
        Column("OUT", right=True),
        Column("WHEN, AND WHO SAYS SO", wrap=True),
    )
    rows = tuple(row for model in message.models for row in _price_rows(model, now_ms))
    if not rows:
        return [line("No model is in play, so there are no prices to show. All prices of the catalogue: `stepfare prices --all`.")]
    return [Table(columns, rows), line(), line(Span(f"{PER}. Catalogue {message.catalogue}.", "dim"))]


def _now(price: PriceRow | None) -> tuple[Cell, Cell, Cell]:
    if price is None:
        return (Span("unpriced", "warn"), "", "")
    return (rate(price.input), rate(price.cache_read), rate(price.output))


def _price_rows(model: ModelInfo, now_ms: int) -> Iterable[tuple[Cell, ...]]:
    source = clean(" of ".join(part for part in (model.price_source, model.price_as_of) if part))
    if not model.prices:
        yield (model.id, Span("unpriced", "warn"), "", "", "", "", source)
    name, said = model.id, f" ({source})" if source else ""
    for row in model.prices:
        until_ms = min((later.from_ms for later in model.prices if later.hours == row.hours and later.from_ms > row.from_ms), default=None)
        if until_ms is not None and until_ms <= now_ms:
            continue  # A price of the past: `--json` has it too.
        figures = tuple(rate(each) for each in (row.input, row.cache_read, row.cache_write, row.cache_write_1h, row.output))
        yield (name, *figures, _when(row, until_ms, now_ms) + said)
        name = said = ""


def _when(row: PriceRow, until_ms: int | None, now_ms: int) -> str:
    parts: Sequence[str] = [
        f"prompts over {count(row.above_tokens)} tokens" if row.above_tokens else "",
        f"{'since' if row.from_ms <= now_ms else 'from'} {_day(row.from_ms)}" if row.from_ms else "",
        f"until {_day(until_ms)}" if until_ms is not None else "",
        f"{row.hours} UTC" if row.hours else "",
    ]
    return ", ".join(part for part in parts if part) or "always"


def _day(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"
