"""What a model's tokens cost at a given moment, from our own table. How that table is made is the business of scripts/generate_prices.py;
`core.money.priced` does the multiplication.

A model that the table does not know has no rows and so no price: it is unpriced, never free.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from stepfare.core.model import Capability, PriceRow
from stepfare.core.money import LengthStep, Price, Rates
from stepfare.providers.names import dashed, identity, spellings, split

BUNDLED = Path(__file__).with_name("prices.json")
FORMAT = 1
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
DAY_MS = 86_400_000
MINUTE_MS = 60_000
DAY_MINUTES = 1440


class _Rates(TypedDict):
    rates: list[int]
    """Input, cache read, cache write, cache write for an hour, output: picodollars per token."""
    above: NotRequired[list[tuple[int, list[int]]]]


_Row = TypedDict(
    "_Row",
    {
        "rates": list[int],
        "above": NotRequired[list[tuple[int, list[int]]]],
        "audio": NotRequired[int],
        "search": NotRequired[int],
        "services": NotRequired[dict[str, _Rates]],
        "from": NotRequired[str],
        "hours": NotRequired[list[int]],
    },
)
"""`audio` and `search` as in `core.money.Rates`, above all marks the same; `services` by the name of each, as in `core.money.Price`."""


class _Entry(TypedDict):
    window: int
    output: NotRequired[int]
    can: NotRequired[list[str]]
    names: NotRequired[list[str]]
    source: NotRequired[str]
    as_of: NotRequired[str]
    """The day of these prices, where it is another than that of the table."""
    prices: list[_Row]


class _File(TypedDict):
    format: int
    version: str
    as_of: str
    sources: dict[str, str]
    unlisted: dict[str, list[str]]
    providers: dict[str, dict[str, _Entry]]


@dataclass(frozen=True, slots=True)
class Listed:
    """What the table says of one model. `max_output_tokens` is 0 and `capabilities` None where it does not say."""

    provider: str
    name: str
    window_tokens: int
    """How long a prompt may be."""
    max_output_tokens: int
    capabilities: frozenset[Capability] | None
    prices: tuple[PriceRow, ...]


class PriceTable:
    """The table, read once; a model's rows are made when they are first asked for.

    `text` is a file of scripts/generate_prices.py; raises ValueError where it is none.
    """

    def __init__(self, text: str) -> None:
        file = cast(_File, json.loads(text))
        if file.get("format") != FORMAT:
            raise ValueError(
                f"this price table has format {file.get('format')!r}, but only {FORMAT} is understood; take one made for this version"
            )
        self.catalogue_version = file["version"]
        """Names the table in entries of the ledger: its day, and a mark of its content."""
        self.as_of = file["as_of"]
        self._sources = file["sources"]
        self._providers = file["providers"]
        self._unlisted = {provider: frozenset(names) for provider, names in file["unlisted"].items()}
        self._names: dict[str, dict[str, str]] = {}
        self._listed: dict[tuple[str, str], Listed] = {}
        self._bare: dict[str, list[tuple[str, str]]] = {}

    @property
    def providers(self) -> tuple[str, ...]:
        return tuple(self._providers)

    def names(self, provider: str) -> tuple[str, ...]:
        """The models of a provider, by the names that it knows them under."""
        return tuple(self._providers.get(provider, ()))

    def called(self, bare: str) -> Sequence[tuple[str, str]]:
        """(provider, name) of every model that has this bare name, as `names.identity` gives it, whoever made it."""
        if not self._bare:
            for provider, models in self._providers.items():
                for name in models:
                    self._bare.setdefault(identity(provider, name)[1], []).append((provider, name))
        return self._bare.get(bare, ())

    def lookup(self, model_id: str) -> Listed | None:
        """The model of this id, `provider/name`, under any of the names that certainly mean it."""
        provider, asked = split(model_id)
        if provider not in self._providers:
            return None
        known = self._names.get(provider)
        if known is None:
            known = self._names[provider] = _index(self._providers[provider])
        unlisted = self._unlisted.get(provider, frozenset())
        for name in spellings(provider, asked):
            if name in unlisted:
                return None  # A model of its own that the table leaves out: without its date it would be taken for another.
            listed = known.get(name) or known.get(dashed(name))
            if listed is not None:
                return self._entry(provider, listed)
        return None

    def rows_for(self, model_id: str) -> tuple[PriceRow, ...]:
        """The prices of a model, for `price_at`; empty where nobody knows them."""
        listed = self.lookup(model_id)
        return listed.prices if listed else ()

    def _entry(self, provider: str, name: str) -> Listed:
        made = self._listed.get((provider, name))
        if made is None:
            entry = self._providers[provider][name]
            source = self._sources[entry.get("source", "genai-prices")]
            can = entry.get("can")
            made = self._listed[provider, name] = Listed(
                provider=provider,
                name=name,
                window_tokens=entry["window"],
                max_output_tokens=entry.get("output", 0),
                capabilities=None if can is None else frozenset(Capability(word) for word in can),
                prices=tuple(_price_row(row, source, entry.get("as_of", self.as_of)) for row in entry["prices"]),
            )
        return made


def bundled_prices() -> PriceTable:
    """The table that ships with this version."""
    return PriceTable(BUNDLED.read_text(encoding="utf-8"))


def price_at(rows: Sequence[PriceRow], now_ms: int) -> Price | None:
    """The price that holds at this moment: that of the last row whose date has come and whose hours it is. None where no row holds."""
    minute = now_ms // MINUTE_MS % DAY_MINUTES
    for row in reversed(rows):
        if now_ms >= row.from_ms and (row.hours is None or _within(row.hours, minute)):
            return row.price
    return None


def _within(hours: tuple[int, int], minute: int) -> bool:
    start, end = hours
    if end < start:
        return minute >= start or minute < end
    return start <= minute < end


def _index(models: dict[str, _Entry]) -> dict[str, str]:
    """Lower-case name -> the name listed. A spelling that two models share after dashing means neither."""
    known: dict[str, str] = {}
    for name, entry in models.items():
        for called in (name, *entry.get("names", ())):
            known[called.lower()] = name
    loose: dict[str, str] = {}
    for called, name in known.items():
        loose[dashed(called)] = name if loose.get(dashed(called), name) == name else ""
    return {**{called: name for called, name in loose.items() if name}, **known}


def _price_row(row: _Row, source: str, as_of: str) -> PriceRow:
    audio, search = row.get("audio"), row.get("search")

    def price(rates: _Rates | _Row) -> Price:
        base, *above = [
            Rates(*each, audio=audio, web_search=search) for each in (rates["rates"], *(each for _, each in rates.get("above", ())))
        ]
        marks = [mark for mark, _ in rates.get("above", ())]
        return Price(base, tuple(map(LengthStep, marks, above)), source, as_of)

    services = {name: price(rates) for name, rates in row.get("services", {}).items()}
    start, hours = row.get("from"), row.get("hours")
    return PriceRow(
        replace(price(row), services=services),
        from_ms=0 if start is None else (date.fromisoformat(start).toordinal() - EPOCH_ORDINAL) * DAY_MS,
        hours=None if hours is None else (hours[0], hours[1]),
    )
