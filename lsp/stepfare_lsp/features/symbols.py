"""The outline of our files: tables with their keys."""

from __future__ import annotations

from typing import cast

from lsprotocol import types

from stepfare.config.places import KeyPath, Place
from stepfare_lsp.places import Page

SYMBOLS_MAX = 400
"""An outline that is longer outlines nothing; a real file has a tenth of that."""


def symbols(page: Page) -> list[types.DocumentSymbol]:
    """The keys in the order of the text, each table with its own below it."""
    root: list[types.DocumentSymbol] = []
    by_path: dict[KeyPath, types.DocumentSymbol] = {}
    places = page.found.places
    in_order = sorted(places.keys.items(), key=lambda item: (item[1].line, item[1].column, len(item[0])))
    for path, place in in_order[:SYMBOLS_MAX]:
        if (*path, 0) in places.keys:
            continue  # The name of an array of tables: its first row stands at the same place.
        value = places.values.get(path)
        name, kind = (
            (f"{path[-2]} {path[-1] + 1}", types.SymbolKind.Array)
            if isinstance(path[-1], int)
            else (path[-1], types.SymbolKind.Property if value else types.SymbolKind.Namespace)
        )
        symbol = by_path[path] = _symbol(page, name, kind, place, value or place)
        above = next((by_path[path[:end]] for end in range(len(path) - 1, 0, -1) if path[:end] in by_path), None)
        (root if above is None else cast("list[types.DocumentSymbol]", above.children)).append(symbol)
    for symbol in root:
        _widen(symbol)
    return root


def _symbol(page: Page, name: str, kind: types.SymbolKind, place: Place, until: Place) -> types.DocumentSymbol:
    selection = page.range_of_problem(place.line, place.column, place.length)
    end = page.range_of_problem(until.line, until.column, until.length).end
    whole = types.Range(selection.start, max(selection.end, end))
    return types.DocumentSymbol(name or '""', kind, whole, selection, children=[])


def _widen(symbol: types.DocumentSymbol) -> None:
    """A table reaches as far as its last key; an editor refuses an outline in which an inner stretch leaves the outer one."""
    for child in symbol.children or ():
        _widen(child)
        start, end = min(symbol.range.start, child.range.start), max(symbol.range.end, child.range.end)
        symbol.range = types.Range(start, end)
