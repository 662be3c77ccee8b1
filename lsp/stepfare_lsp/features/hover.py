"""What a key means and what a value comes to: tiers of a profile, prices of the models that a tier or a glob takes in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from lsprotocol import types

from stepfare.config.dotfile import ModelGlob
from stepfare.config.keys import Key, Shape, key_at
from stepfare.config.places import KeyPath, Place
from stepfare.config.profiles import profile_named
from stepfare.control.protocol import ModelInfo
from stepfare.core.step import Tier
from stepfare_lsp import present
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features import hints, spent
from stepfare_lsp.link import Online
from stepfare_lsp.places import Page, Spot
from stepfare_lsp.present import model_line

MODELS_SHOWN_MAX = 12
TIER_WORDS = {
    "frugal": "The cheapest that can: any model may serve.",
    "balanced": "No model below balanced may serve.",
    "premium": "Only premium models may serve.",
}


async def hover(ls: StepfareServer, uri: str, position: types.Position) -> types.Hover | None:
    """The words for the key or the value at a position; nothing where the text is no TOML at the moment."""
    page = await ls.page_read(uri)
    if page is None or not 0 <= position.line < len(page.lines):
        return None
    column = page.column(position.line, position.character) + 1
    spot = _at(page, position.line + 1, column)
    key = key_at(page.table, spot.path) if spot else None
    if spot is None or key is None:
        return None
    place = spot.place
    words = await _value_words(ls, page, spot.path, place) if spot.is_value else []
    lately = _lately(ls, page, spot.path)
    shown = "\n\n".join([*(words or _key_words(key)), *lately])
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, shown), page.range_of_problem(place.line, place.column, place.length))


def _at(page: Page, line: int, column: int) -> Spot | None:
    """The innermost key or value that covers a place."""
    covering = [one for one in page.spots.get(line, ()) if one.place.column <= column <= one.place.column + one.place.length]
    return min(covering, key=lambda one: (one.place.length, -len(one.path)), default=None)


def _lately(ls: StepfareServer, page: Page, path: KeyPath) -> list[str]:
    """What this floor came to here in the last days, as far as that is known."""
    if not page.is_dotfile or not isinstance(ls.link.state, Online):
        return []
    folder = os.path.dirname(page.path)
    match path:
        case ("profile",) | ("steps",):
            sum_, what = spent.whole(ls, folder), "this project"
        case ("steps", str(kind)):
            sum_, what = (spent.by_kind(ls, folder) or {}).get(kind), f"{kind} steps here"
        case ("paths", int(index), *_):
            sum_, what = _on_rule(ls, page, folder, index), "steps that touched these files"
        case _:
            return []
    return [] if sum_ is None else [_cost(what, sum_)]


def _on_rule(ls: StepfareServer, page: Page, folder: str, index: int) -> spent.Sum | None:
    globs = hints.globs_of(page, index)
    return None if globs is None else spent.on_globs(ls, folder, globs)


def _cost(what: str, sum_: spent.Sum) -> str:
    """Said as plainly where it cost more than always balanced as where it saved."""
    if not sum_.steps:
        return f"In the last {spent.DAYS} days: no {what.removesuffix(' here')}." if "steps" in what else f"Nothing in {spent.DAYS} days."
    against = f", {present.money(abs(sum_.saved_pusd))} {'less' if sum_.saved_pusd > 0 else 'more'} than always balanced"
    by = f", most of it by {sum_.models[0]}" if sum_.models else ""
    cost = f"{present.money(sum_.spent_pusd)} in {present.steps(sum_.steps)}"
    return f"In the last {spent.DAYS} days {what} cost {cost}{against if sum_.saved_pusd else ''}{by}."


def _key_words(key: Key) -> list[str]:
    written = {Shape.TABLE: f"[{key.name}]", Shape.TABLES: f"[[{key.name}]]", Shape.NAMED_TABLES: f"[{key.name}.NAME]"}
    allowed = [f"Allowed: {', '.join(key.values)}."] if key.values else []
    default = [f"Default: {key.example}."] if key.example else []
    return [f"**`{written.get(key.shape, key.name)}`**{' (required)' if key.required else ''}", key.description, *allowed, *default]


async def _value_words(ls: StepfareServer, page: Page, path: KeyPath, place: Place) -> list[str]:
    text = page.lines[place.line - 1][place.column - 1 : place.column - 1 + place.length].strip("\"'")
    names = tuple(part for part in path if isinstance(part, str))
    if names == ("profile",):
        return _profile_words(ls, text)
    if text in TIER_WORDS:
        models = [model for model in await ls.models() if model.tier == text and model.state == "in-play"]
        return [
            f"**{text}**: {TIER_WORDS[text]}",
            *_models(models, f"Models of this tier in play ({len(models)}):"),
            *_of_tier(ls, page, text),
        ]
    if names[-2:] in (("models", "deny"), ("models", "allow")):
        models = [model for model in await ls.models() if ModelGlob(text, 0).takes_in(model.id)]
        return [f"**`{text}`**", *(_models(models, f"Takes in {len(models)} models:") or ["Takes in no model that the daemon knows now."])]
    if names[0] in ("tiers", "baseline"):
        return _models([model for model in await ls.models() if model.id == text], "In the catalogue:")
    return []


def _of_tier(ls: StepfareServer, page: Page, tier: str) -> list[str]:
    sums = spent.by_tier(ls, os.path.dirname(page.path)) if page.is_dotfile and isinstance(ls.link.state, Online) else None
    return [_cost(f"{tier} models here", sums[tier])] if sums and tier in sums else []


def _profile_words(ls: StepfareServer, name: str) -> list[str]:
    profile = profile_named(name, ls.settings().value.user_profiles())
    if profile is None:
        return []
    by_tier = {tier: [kind.value for kind in profile if profile[kind] is tier] for tier in Tier}
    rows = [f"- {tier.word}: {', '.join(kinds)}" for tier, kinds in by_tier.items() if kinds]
    return [f"**{name}**: the tier that each kind of step gets at least", "\n".join(rows)]


def _models(models: Sequence[ModelInfo], head: str) -> list[str]:
    def lines() -> Iterable[str]:
        for model in models[:MODELS_SHOWN_MAX]:
            yield f"- {model_line(model)}"
        if len(models) > MODELS_SHOWN_MAX:
            yield f"- and {len(models) - MODELS_SHOWN_MAX} more"

    return [head, "\n".join(lines())] if models else []
