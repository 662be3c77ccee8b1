"""Prices at hand: those that ship, or newer ones that were fetched; and how newer ones are fetched, told and kept.

Only where the user asked for it (the command, or [prices] update) is anything fetched.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from stepfare.config.schema import Settings
from stepfare.core.problem import Problem
from stepfare.paths import Paths, write_private
from stepfare.providers.openrouter_list import pages
from stepfare.providers.prices import BUNDLED, PriceTable, bundled_prices
from stepfare.providers.renewal import (
    LIST_SOURCE,
    TABLE_BYTES_MAX,
    Change,
    checked_table,
    renewed_by_list,
    renewed_by_table,
    updated_on,
)
from stepfare.providers.rows import bundled_catalog
from stepfare.upstream.listing import NoList, openrouter_models, price_table

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of asking: every change, and what of the lists could not be used, by name."""

    changes: tuple[Change, ...]
    left_out: tuple[str, ...]
    updated: str
    """The day of the prices that are at hand now."""


def prices_at_hand(paths: Paths) -> tuple[PriceTable, tuple[Problem, ...]]:
    """The table in force: what was fetched, unless what ships is newer or it cannot be read, which is told."""
    bundled = bundled_prices()
    try:
        text = _kept(paths.catalogue_json)
        if not text or updated_on(text) < bundled.as_of:
            return bundled, ()
        return checked_table(text), ()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as trouble:
        why = (trouble.strerror if isinstance(trouble, OSError) else str(trouble)) or type(trouble).__name__
        words = f"{paths.catalogue_json} cannot be used ({why}), so the prices that ship hold; `stepfare prices update` writes it anew."
        return bundled, (Problem(paths.catalogue_json.name, "unreadable", words, "warning"),)


def renewed_today(paths: Paths, now_ms: int) -> bool:
    """Whether newer prices were fetched within a day."""
    try:
        return now_ms - paths.catalogue_json.stat().st_mtime_ns // 1_000_000 < DAY_MS
    except OSError:
        return False


def places_asked(settings: Settings) -> tuple[str, ...]:
    """The addresses that are asked for newer prices, in their order."""
    own = settings.providers.get(LIST_SOURCE)
    base_url = (own.base_url if own else None) or bundled_catalog().providers[LIST_SOURCE].base_url
    return (*([settings.prices.url] if settings.prices.url else []), base_url)


async def renew(paths: Paths, settings: Settings, now_ms: int, *, accept: bool) -> Fetched:
    """Ask for newer prices and keep what was taken. Raises NoList where nothing could be had, and OSError where it cannot be kept."""
    table, _ = prices_at_hand(paths)
    present = (
        BUNDLED.read_text(encoding="utf-8")
        if table.catalogue_version == bundled_prices().catalogue_version
        else _kept(paths.catalogue_json)
    )
    text = present
    changes: list[Change] = []
    left_out: list[str] = []
    if settings.prices.url:
        newer = await price_table(settings.prices.url)
        try:
            renewed = renewed_by_table(text, newer, now_ms, accept=accept)
        except ValueError as trouble:
            raise NoList(f"The table at {settings.prices.url} cannot be used: {trouble}. Prices stay as they are.") from None
        text = renewed.text
        changes += renewed.changes
    listed = await openrouter_models(places_asked(settings)[-1])
    try:
        renewed = renewed_by_list(text, pages(listed), now_ms, accept=accept)
    except ValueError as trouble:
        raise NoList(f"OpenRouter's list cannot be used: {trouble}. Prices stay as they are.") from None
    text = renewed.text
    changes += renewed.changes
    left_out += [f"{LIST_SOURCE}/{name}: {why}" for page in listed for name, why in page.left_out.items()]
    if text != present:
        write_private(paths.catalogue_json, text.encode())
    elif paths.catalogue_json.exists():
        os.utime(paths.catalogue_json)  # Asked today, and nothing was new.
    else:
        write_private(paths.catalogue_json, text.encode())
    return Fetched(tuple(changes), tuple(left_out), updated_on(text))


def _kept(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(TABLE_BYTES_MAX + 1).decode()
    except FileNotFoundError:
        return ""
