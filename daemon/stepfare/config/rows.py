"""The user's own models as rows that the catalogue understands: rates and prices with the time in which each holds."""

from __future__ import annotations

from stepfare.config.schema import DatedPrice, ModelSettings, PriceTable
from stepfare.core.model import PriceRow
from stepfare.core.money import LengthStep, Price, Rates


def price_rows(model: ModelSettings, source: str) -> tuple[PriceRow, ...]:
    """The prices of a model of `config.toml`, the plain one first; none where it names no price. `source` says where they are written."""
    if model.price is None:
        return ()
    base = _rates(model.price)
    lengths = {step.above_tokens: LengthStep(step.above_tokens, _rates(step, base)) for step in model.price_steps}
    steps = tuple(lengths[mark] for mark in sorted(lengths))
    dated = tuple(
        PriceRow(Price(_changed(base, change), steps, source), from_ms=change.date or 0, hours=change.hours) for change in model.price_from
    )
    return (PriceRow(Price(base, steps, source)), *dated)


SEARCHES_PRICED = 1_000
"""Searches are priced by the thousand, where tokens are priced by the million."""


def _rates(price: PriceTable, base: Rates | None = None) -> Rates:
    """The rates of a table. Sound and searches that it does not name cost what they cost in `base`."""

    def or_input(rate: int | None) -> int:
        return price.input if rate is None else rate

    audio = price.audio if price.audio is not None or base is None else base.audio
    search = None if price.web_search is None else price.web_search * SEARCHES_PRICED
    search = search if search is not None or base is None else base.web_search
    written, written_1h = or_input(price.cache_write), or_input(price.cache_write_1h)
    return Rates(price.input, or_input(price.cache_read), written, written_1h, price.output, audio, search)


def _changed(base: Rates, change: DatedPrice) -> Rates:
    def or_as_before(rate: int | None, before: int) -> int:
        return before if rate is None else rate

    return Rates(
        or_as_before(change.input, base.input),
        or_as_before(change.cache_read, base.cache_read),
        or_as_before(change.cache_write, base.cache_write),
        or_as_before(change.cache_write_1h, base.cache_write_1h),
        or_as_before(change.output, base.output),
        base.audio,
        base.web_search,
    )
