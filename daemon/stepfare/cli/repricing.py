"""The prices that the books are compared with, and the comparison as a message. The arithmetic is `ledger.repricing`'s."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from stepfare.cli.asking import Trouble
from stepfare.control.protocol import RepricedLedger, RepricedModel
from stepfare.core.entry import Entry
from stepfare.ledger.repricing import PriceOf, in_all, repriced
from stepfare.paths import Paths
from stepfare.providers import catalog as catalogs
from stepfare.providers.prices import price_at
from stepfare.providers.renewal import TABLE_BYTES_MAX, checked_table
from stepfare.store.errors import StoreError

UNCALLED = "http://127.0.0.1:9/v1"
"""Where the simulator would be; nobody is called."""
OPEN_MS = 86_400_000
"""What is closed within the time in question was sent at most so long before."""


@dataclass(frozen=True, slots=True)
class Table:
    """Prices, and what they are called in the books."""

    version: str
    price_of: PriceOf


def prices_of(file: Path) -> Table:
    """The price table of a file, in the form of the daemon's own. Raises Trouble."""
    try:
        with file.open("rb") as text:
            table = checked_table(text.read(TABLE_BYTES_MAX + 1).decode())
    except (OSError, ValueError, KeyError) as problem:
        why = (problem.strerror if isinstance(problem, OSError) else str(problem)) or type(problem).__name__
        words = f"{file} is no price table ({why}). One is catalogue.json, which `stepfare prices update` keeps. Nothing was compared."
        raise Trouble("no-table", words) from None
    return Table(table.catalogue_version, lambda model, at_ms: price_at(table.rows_for(model), at_ms))


def at_hand(paths: Paths) -> Table:
    """The prices that would be booked now."""
    from stepfare.runtime.play import play_of, read_settings
    from stepfare.runtime.renewing import prices_at_hand

    table, _ = prices_at_hand(paths)
    catalog = play_of(read_settings(paths), os.environ, UNCALLED, prices=table).catalog
    return Table(table.catalogue_version, lambda model, at_ms: price_at(catalogs.prices_of(catalog, model), at_ms))


def repriced_books(entries: Callable[[int], Iterable[Entry]], table: Table, since_ms: int) -> RepricedLedger:
    """The comparison. `entries` gives those of the journal from a time on. Raises Trouble."""
    try:
        models = repriced(entries(max(0, since_ms - OPEN_MS)), table.price_of, since_ms)
    except StoreError as problem:
        raise Trouble("ledger", str(problem)) from problem
    dearest = sorted(models.items(), key=lambda row: (-abs(row[1].difference_pusd), row[0]))
    return RepricedLedger(
        catalogue=table.version,
        since_ms=since_ms,
        models=[RepricedModel(model=model, difference_pusd=one.difference_pusd, **asdict(one)) for model, one in dearest],
        total=RepricedModel(model="", difference_pusd=(total := in_all(models)).difference_pusd, **asdict(total)),
    )
