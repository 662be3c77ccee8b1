"""A newer price table: the one at hand, renewed by what others list, with every change told in one line and every odd one held back.

A table is a file of scripts/generate_prices.py; the renewed one is kept as catalogue.json. Nothing here reads or writes files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, StringConstraints, ValidationError

from stepfare.core.model import Capability
from stepfare.core.money import PUSD_PER_USD, Rates
from stepfare.providers.openrouter_list import RATE_PUSD_MAX, WINDOW_TOKENS_MAX, ListedModel
from stepfare.providers.prices import DAY_MINUTES, FORMAT, PriceTable, price_at

LIST_SOURCE = "openrouter"
JUMP_MAX = 100
"""A price that grows or falls by more than this factor is taken for an error until a person says otherwise."""
GONE_SHARE_MAX = 0.2
"""A list without more than this share of the models that are known is taken for a broken list."""
TABLE_BYTES_MAX = 8 * 1024 * 1024
ROWS_MAX = 64
SEARCH_PUSD_MAX = 10 * PUSD_PER_USD

Entry = dict[str, object]
"""A model of a table, as the file has it."""
Five = tuple[int, int, int, int, int]
"""Rates in the order of the table."""

_Name = Annotated[StrictStr, StringConstraints(min_length=1, max_length=200)]
_Rate = Annotated[StrictInt, Field(ge=0, le=RATE_PUSD_MAX)]
_Rates = Annotated[tuple[_Rate, _Rate, _Rate, _Rate, _Rate], Field(strict=False)]
_Tokens = Annotated[StrictInt, Field(gt=0, le=WINDOW_TOKENS_MAX)]
_Minute = Annotated[StrictInt, Field(ge=0, le=DAY_MINUTES)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Service(_Part):
    rates: _Rates
    above: Annotated[tuple[tuple[_Tokens, _Rates], ...], Field(max_length=ROWS_MAX)] = ()


class _Row(_Service):
    audio: _Rate | None = None
    search: Annotated[StrictInt | None, Field(ge=0, le=SEARCH_PUSD_MAX)] = None
    services: Annotated[dict[_Name, _Service], Field(max_length=ROWS_MAX)] = Field(default_factory=dict[str, _Service])
    start: Annotated[date | None, Field(alias="from")] = None
    hours: tuple[_Minute, _Minute] | None = None


class _Entry(_Part):
    window: _Tokens
    output: _Tokens | None = None
    can: tuple[Capability, ...] | None = None
    names: tuple[_Name, ...] = ()
    source: StrictStr = "genai-prices"
    as_of: date | None = None
    prices: Annotated[tuple[_Row, ...], Field(max_length=ROWS_MAX)]


class _File(_Part):
    format: StrictInt
    version: _Name
    as_of: date
    updated: date | None = None
    sources: dict[_Name, _Name]
    unlisted: dict[_Name, tuple[_Name, ...]]
    providers: dict[_Name, dict[_Name, _Entry]]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is new: `words` are a line for a person. Held ones were not taken."""

    model: str
    words: str
    held: bool = False


@dataclass(frozen=True, slots=True)
class Renewed:
    """The table with what was taken, and all that changed. `text` is that of the old table where nothing was taken."""

    text: str
    changes: tuple[Change, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def taken(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if not change.held)

    @property
    def held(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.held)


def checked_table(text: str) -> PriceTable:
    """The table of a file that others may have written. Raises ValueError, in words."""
    if len(text) > TABLE_BYTES_MAX:
        raise ValueError(f"it is longer than {TABLE_BYTES_MAX // 1024 // 1024} MiB")
    try:
        value: object = json.loads(text)
        if isinstance(value, dict) and cast("dict[str, object]", value).get("format") not in (None, FORMAT):
            return PriceTable(text)  # Which says what is wrong with the format.
        file = _File.model_validate(value)
    except ValidationError as trouble:
        first = trouble.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except RecursionError:
        raise ValueError("it is not a price table") from None
    for provider, models in file.providers.items():
        for name, entry in models.items():
            lists = [one.above for row in entry.prices for one in (row, *row.services.values())]
            if entry.source not in file.sources or any(
                [mark for mark, _ in above] != sorted({mark for mark, _ in above}) for above in lists
            ):
                raise ValueError(f"{provider}/{name}: its prices cannot be read")
    return PriceTable(text)


def renewed_by_list(present: str, listed: Iterable[ListedModel], now_ms: int, *, accept: bool) -> Renewed:
    """The table with OpenRouter's models as its list has them. `accept` takes odd changes too.

    Where a price is what it was, the row stays with its dates, hours and steps by length, which the list does not have. Where it changed,
    rates that the list does not name change by the factor of their neighbours, rounded up: what was billed comes with each answer, this
    is the estimate. Raises ValueError where the list lacks too many models that are known.
    """
    known = _providers(present).get(LIST_SOURCE, {})
    by_name = {model.name: model for model in listed}
    gone = sorted(name for name in known if name not in by_name)
    if not accept and known and len(gone) > GONE_SHARE_MAX * len(known):
        words = f"{len(gone)} of {len(known)} models that are known are not in the list"
        raise ValueError(f"{words}, so it is taken for a broken one; run with --accept to take it all the same")
    table, today = PriceTable(present), _day(now_ms)
    models: dict[str, Entry] = {}
    changes: list[Change] = []
    for name, model in sorted(by_name.items()):
        before, model_id = known.get(name), f"{LIST_SOURCE}/{name}"
        old = _five(table, model_id, now_ms) if before is not None else None
        rates = _filled(model.rates, old)
        if before is None:
            models[name] = _new_entry(model, rates, today)
            changes.append(Change(model_id, f"{model_id} is new: {_prices(rates)}"))
            continue
        at_other_times = {_rates_of(row.price.base) for row in table.rows_for(model_id)}
        change = None if old is None or rates in at_other_times else _change(model_id, old, rates)
        models[name] = before
        if change is not None and old is not None:
            held = change.held and not accept
            changes.append(Change(model_id, change.words, held))
            models[name] = before if held else _moved_entry(before, old, rates, today)
    changes += [Change(f"{LIST_SOURCE}/{name}", f"{LIST_SOURCE}/{name} is not listed any more") for name in gone]
    return _renewed(present, {}, {LIST_SOURCE: models}, changes, {LIST_SOURCE: f"OpenRouter's list of {today}"}, today)


def renewed_by_table(present: str, newer: str, now_ms: int, *, accept: bool) -> Renewed:
    """The table with the providers of another one in the place of its own; odd changes are held back unless `accept`.

    Raises ValueError where that one is no table, or older than the one at hand.
    """
    theirs, ours = checked_table(newer), PriceTable(present)
    if theirs.as_of < ours.as_of:
        raise ValueError(f"it is of {theirs.as_of}, older than the one at hand of {ours.as_of}")
    providers: dict[str, dict[str, Entry]] = {}
    changes: list[Change] = []
    for provider, models in _providers(newer).items():
        known = _providers(present).get(provider, {})
        kept: dict[str, Entry] = {}
        for name, entry in models.items():
            model_id = f"{provider}/{name}"
            kept[name] = {**entry, "as_of": entry.get("as_of", theirs.as_of)}
            if name not in known:
                changes.append(Change(model_id, f"{model_id} is new"))
                continue
            old, new = _five(ours, model_id, now_ms), _five(theirs, model_id, now_ms)
            change = _change(model_id, old, new) if old and new else None
            if change is None:
                kept[name] = known[name] if entry.get("prices") == known[name].get("prices") else kept[name]
                continue
            held = change.held and not accept
            changes.append(Change(model_id, change.words, held))
            kept[name] = known[name] if held else kept[name]
        changes += [Change(f"{provider}/{name}", f"{provider}/{name} is not listed any more") for name in sorted(set(known) - set(models))]
        providers[provider] = kept
    sources = cast("dict[str, str]", _decoded(newer)["sources"])
    return _renewed(present, {"as_of": theirs.as_of}, providers, changes, sources, _day(now_ms))


def updated_on(table: str) -> str:
    """The day on which a table was last renewed, else the day of its prices."""
    file = _decoded(table)
    return str(file.get("updated") or file["as_of"])


def _renewed(
    present: str,
    head: Mapping[str, object],
    providers: Mapping[str, Mapping[str, Entry]],
    changes: Sequence[Change],
    sources: Mapping[str, str],
    today: str,
) -> Renewed:
    if all(change.held for change in changes):
        return Renewed(present, tuple(changes))
    file = {**_decoded(present), **head}
    everyone = {**_providers(present), **{name: dict(sorted(models.items())) for name, models in providers.items()}}
    body = {**file, "updated": today, "sources": {**cast("dict[str, str]", file["sources"]), **sources}, "providers": everyone}
    digest = hashlib.sha256(json.dumps(everyone, sort_keys=True).encode()).hexdigest()[:8]
    text = json.dumps({**body, "version": f"{today}.{digest}"}, separators=(",", ":"))
    checked_table(text)
    return Renewed(text, tuple(changes))


def _new_entry(model: ListedModel, rates: Five, today: str) -> Entry:
    return {
        "window": model.window_tokens,
        **({"output": model.max_output_tokens} if model.max_output_tokens else {}),
        "can": sorted(model.capabilities),
        "source": LIST_SOURCE,
        "as_of": today,
        "prices": [{"rates": list(rates)}],
    }


def _moved_entry(before: Entry, old: Five, new: Five, today: str) -> Entry:
    row = cast("dict[str, object]", cast("list[object]", before["prices"])[-1])
    above = [
        [mark, [_moved(rate, then, now) for rate, then, now in zip(rates, old, new, strict=True)]]
        for mark, rates in cast("list[tuple[int, list[int]]]", row.get("above", ()))
    ]
    kept = {"search": row["search"]} if "search" in row else {}
    price: Entry = {"rates": list(new), **({"above": above} if above else {}), **kept}
    return {**before, "source": LIST_SOURCE, "as_of": today, "prices": [price]}


def _filled(rates: tuple[int, int | None, int | None, int | None, int], old: Five | None) -> Five:
    """What the list does not name follows its neighbour; without one it costs what input costs, as in every table."""
    given, read, write, hour, answer = rates
    if read is None:
        read = _moved(old[1], old[0], given) if old else given
    if write is None:
        write = _moved(old[2], old[0], given) if old else given
    if hour is None:
        hour = _moved(old[3], old[2], write) if old else write
    return given, read, write, hour, answer


def _moved(rate: int, then: int, now: int) -> int:
    """A rate, changed by the factor from then to now, rounded up."""
    return -(-rate * now // then) if then else max(rate, now)


_RATE_NAMES = ("input", "cache read", "cache write", "", "output")
"""By place; writes for an hour go with the other writes."""


def _change(model_id: str, old: Five, new: Five) -> Change | None:
    """What changed about a price, in one line; held where it is odd."""
    moved = [(name, then, now) for name, then, now in zip(_RATE_NAMES, old, new, strict=True) if name and then != now]
    if not moved:
        return None
    up, down = any(now > then for _, then, now in moved), any(now < then for _, then, now in moved)
    verdict = "changed its price" if up and down else "got dearer" if up else "got cheaper"
    told = ", ".join(f"{name} {_usd(then)} -> {_usd(now)}" for name, then, now in moved)
    odd = any((not now and then) or (then and now and max(then, now) > JUMP_MAX * min(then, now)) for _, then, now in moved)
    return Change(model_id, f"{model_id} {verdict}: {told} per M", held=bool(odd))


def _prices(rates: Five) -> str:
    return f"input {_usd(rates[0])}, cache read {_usd(rates[1])}, output {_usd(rates[4])} per M"


def _usd(rate: int) -> str:
    """Picodollars per token as dollars per million tokens."""
    whole, rest = divmod(rate, 1_000_000)
    digits = f"{rest:06d}".rstrip("0")
    return f"${whole}.{digits.ljust(2, '0')}"


def _five(table: PriceTable, model_id: str, now_ms: int) -> Five | None:
    price = price_at(table.rows_for(model_id), now_ms)
    return None if price is None else _rates_of(price.base)


def _rates_of(rates: Rates) -> Five:
    return rates.input, rates.cache_read, rates.cache_write, rates.cache_write_1h, rates.output


def _day(now_ms: int) -> str:
    return datetime.fromtimestamp(now_ms / 1000, UTC).date().isoformat()


def _providers(text: str) -> dict[str, dict[str, Entry]]:
    return cast("dict[str, dict[str, Entry]]", _decoded(text)["providers"])


def _decoded(text: str) -> Entry:
    return cast("Entry", json.loads(text))
