"""The catalogue as tables: which models are in play and why others are not, and what each costs under which conditions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from stepfare.cli.render.paint import Block, Cell, Column, Span, Table, line, tier
from stepfare.cli.render.words import clean, count, counted, money, rate
from stepfare.control.protocol import ModelInfo, PriceRow, Prices

STATE_STYLES = {"in-play": "ok", "no-key": "dim", "not-chosen": "dim"}
PER = "Prices in dollars per million tokens"
SERVING_SHOWN = 4
"""Models that are named of each floor."""
CHANGES_SHOWN = 60


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
            clean("; ".join(part for part in (model.why, ", ".join(model.capabilities), *model.quirks) if part)),
        )
        for model in message.models
    )
    more = "" if all_models else " All models of the catalogue: `stepfare models --all`."
    said = line(Span(f"{counted(len(rows), 'model')}. {PER}, as of now.{more}", "dim"))
    return [Table(columns, rows), *_floors(message), *_providers(message), line(), said]


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
    day = f", prices of {message.as_of}" if message.as_of else ""
    return [Table(columns, rows), line(), line(Span(f"{PER}. Catalogue {message.catalogue}{day}.", "dim"))]


def renewed(changes: Sequence[tuple[str, bool]], left_out: Sequence[str], updated: str, *, told: bool) -> list[Block]:
    """What newer prices changed, a line each; `changes` are (words, held back)."""
    taken, held = [words for words, kept in changes if not kept], [words for words, kept in changes if kept]
    blocks: list[Block] = [line(clean(words)) for words in taken[:CHANGES_SHOWN]]
    if len(taken) > CHANGES_SHOWN:
        blocks.append(line(Span(f"and {counted(len(taken) - CHANGES_SHOWN, 'more change')}; --json tells them all", "dim")))
    blocks += [line(Span("held back: ", "warn"), clean(words)) for words in held[:CHANGES_SHOWN]]
    if held:
        blocks.append(
            line(f"{counted(len(held), 'change')} held back, since so large a change is often an error: --accept takes them too.")
        )
    if left_out:
        blocks.append(line(Span(f"{counted(len(left_out), 'model')} of the list cannot be used; --json says why.", "dim")))
    said = f"{counted(len(taken), 'change')}." if taken else "Nothing changed."
    who = " The running daemon has them." if told else " They hold from the next `stepfare serve` on."
    return [*blocks, line(f"{said} Prices are of {updated} now.{who if taken else ''}")]


def _floors(message: Prices) -> list[Block]:
    """Who serves the steps of which floor, or why nobody does."""
    if not message.tiers:
        return []
    rows: list[tuple[Cell, ...]] = []
    for one in message.tiers:
        more = len(one.models) - SERVING_SHOWN
        names = ", ".join(one.models[:SERVING_SHOWN]) + (f" and {more} more" if more > 0 else "")
        rows.append((tier(one.tier), clean(names) if names else Span("nobody", "bad"), clean(one.why)))
    return [line(), Table((Column("FLOOR"), Column("SERVED BY"), Column("", wrap=True)), tuple(rows))]


def _providers(message: Prices) -> list[Block]:
    """The providers in use with what is particular about each, then those that are not, with what each lacks."""
    if not message.providers:
        return []
    used = [one for one in message.providers if one.state in ("in-use", "found")]
    columns = (Column("PROVIDER"), Column("SPEAKS"), Column("CACHES"), Column("NOTES", wrap=True))
    rows = tuple(
        (
            one.id,
            ", ".join(one.dialects),
            one.cache or Span("not known", "dim"),
            clean("; ".join(part for part in (one.why, *one.quirks) if part)),
        )
        for one in used
    )
    blocks: list[Block] = [line(), Table(columns, rows)] if rows else []
    for state, words in (("no-key", "Without a key"), ("no-address", "Without an address"), ("not-found", "Not found on this machine")):
        lacking = [one for one in message.providers if one.state == state]
        if lacking:
            told = ", ".join(one.id if state == "not-found" else f"{one.id} ({one.why})" for one in lacking)
            blocks += [line(), line(Span(f"{words}: ", "dim"), clean(told), hang=4)]
    return blocks


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
        laters = [one.from_ms for one in model.prices if (one.hours, one.service) == (row.hours, row.service)]
        until_ms = min((later_ms for later_ms in laters if later_ms > row.from_ms), default=None)
        if until_ms is not None and until_ms <= now_ms:
            continue  # A price of the past: `--json` has it too.
        figures = tuple(rate(each) for each in (row.input, row.cache_read, row.cache_write, row.cache_write_1h, row.output))
        yield (name, *figures, _when(row, until_ms, now_ms) + said)
        name = said = ""


def _when(row: PriceRow, until_ms: int | None, now_ms: int) -> str:
    usual = not (row.above_tokens or row.service)
    parts: Sequence[str] = [
        f"served as {row.service}" if row.service else "",
        f"prompts over {count(row.above_tokens)} tokens" if row.above_tokens else "",
        f"{'since' if row.from_ms <= now_ms else 'from'} {_day(row.from_ms)}" if row.from_ms else "",
        f"until {_day(until_ms)}" if until_ms is not None else "",
        f"{row.hours} UTC" if row.hours else "",
    ]
    beside = [
        f"sound {rate(row.audio)}" if usual and row.audio is not None else "",
        f"a web search {money(row.web_search)}" if usual and row.web_search else "",
    ]
    return "; ".join([", ".join(part for part in parts if part) or "always", *(part for part in beside if part)])


def _day(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"
