"""Inlay hints of a project's file: behind each path rule what was spent on its files, behind each kind of step who served it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, cast

from lsprotocol import types

from stepfare.config.globs import BadGlob, Globs, compiled
from stepfare.config.places import Place
from stepfare_lsp import present
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features import spent
from stepfare_lsp.link import Online
from stepfare_lsp.places import Page

RULES_MAX = 100
"""So many path rules of a file get a hint."""


def hints(ls: StepfareServer, page: Page, first: int, last: int) -> list[types.InlayHint]:
    """Those of the lines from `first` to `last`, counted from 0."""
    if not page.is_dotfile or not ls.options.hints or not isinstance(ls.link.state, Online):
        return []
    said = {**_of_kinds(ls, page), **dict(_of_rules(ls, page, first, last))}
    return [_hint(page, place, words) for place, words in said.items() if first <= place.line - 1 <= last]


def _of_kinds(ls: StepfareServer, page: Page) -> dict[Place, str]:
    sums = spent.by_kind(ls, os.path.dirname(page.path)) or {}
    said: dict[Place, str] = {}
    for kind, sum_ in sums.items():
        place = page.found.places.values.get(("steps", kind))
        if place is not None and sum_.models:
            dearest, *others = sum_.models
            more = f" and {len(others)} more" if others else ""
            said[place] = f"{dearest}{more}, {present.coins(sum_.spent_pusd)} in {spent.DAYS} days"
    return said


def globs_of(page: Page, index: int) -> Globs | None:
    """The globs of a path rule; None where they cannot mean anything."""
    rules = page.found.data.get("paths")
    if not isinstance(rules, list) or index >= len(cast("list[Any]", rules)):
        return None
    rule = cast("list[Any]", rules)[index]
    match = cast("dict[str, Any]", rule).get("match") if isinstance(rule, dict) else None
    try:
        return compiled([glob for glob in cast("list[Any]", match) if isinstance(glob, str)]) if isinstance(match, list) else None
    except BadGlob:
        return None


def _of_rules(ls: StepfareServer, page: Page, first: int, last: int) -> Iterable[tuple[Place, str]]:
    for index in range(RULES_MAX):
        place = page.found.places.values.get(("paths", index, "match"))
        if place is None or not first <= place.line - 1 <= last:
            continue
        globs = globs_of(page, index)
        sum_ = spent.on_globs(ls, os.path.dirname(page.path), globs) if globs else None
        if sum_ is not None:
            yield place, f"{present.coins(sum_.spent_pusd)} in {spent.DAYS} days ({present.steps(sum_.steps)})"


def _hint(page: Page, place: Place, words: str) -> types.InlayHint:
    # At the line's end: what spans lines is placed by its first one, and a comment behind a value keeps its place.
    line = place.line - 1
    return types.InlayHint(page.position(line, len(page.lines[line])), f" {words}", padding_left=True)
