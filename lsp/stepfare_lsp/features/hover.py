"""What a key means and what a value comes to: tiers of a profile, prices of the models that a tier or a glob takes in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lsprotocol import types

from stepfare.config.check import DOTFILE_BYTES_MAX, SETTINGS_BYTES_MAX
from stepfare.config.dotfile import ModelGlob
from stepfare.config.keys import Key, Shape, key_at
from stepfare.config.places import KeyPath, Place, Places
from stepfare.config.profiles import profile_named
from stepfare.config.read import read
from stepfare.control.protocol import ModelInfo
from stepfare.core.step import Tier
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.places import Page
from stepfare_lsp.present import model_line

MODELS_SHOWN_MAX = 12
TIER_WORDS = {
    "frugal": "The cheapest that can: any model may serve.",
    "balanced": "No model below balanced may serve.",
    "premium": "Only premium models may serve.",
}


async def hover(ls: StepfareServer, uri: str, position: types.Position) -> types.Hover | None:
    """The words for the key or the value at a position; nothing where the text is no TOML at the moment."""
    page = ls.page(uri)
    if page is None:
        return None
    found = read(page.text, page.path, DOTFILE_BYTES_MAX if page.is_dotfile else SETTINGS_BYTES_MAX)
    line = position.line + 1
    column = page.column(position.line, position.character) + 1 if position.line < len(page.lines) else 0
    at = _at(found.places, line, column)
    if at is None:
        return None
    path, place, is_value = at
    key = key_at(page.table, path)
    if key is None:
        return None
    words = await _value_words(ls, page, path, place) if is_value else []
    shown = "\n\n".join([*_key_words(key), *words] if not words or not is_value else words)
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, shown), page.range_of_problem(place.line, place.column, place.length))


def _at(places: Places, line: int, column: int) -> tuple[KeyPath, Place, bool] | None:
    """The innermost key or value that covers a place."""
    covering = [
        (path, place, is_value)
        for spots, is_value in ((places.keys, False), (places.values, True))
        for path, place in spots.items()
        if place.line == line and place.column <= column <= place.column + place.length
    ]
    return min(covering, key=lambda one: (one[1].length, -len(one[0])), default=None)


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
        return [f"**{text}**: {TIER_WORDS[text]}", *_models(models, f"Models of this tier in play ({len(models)}):")]
    if names[-2:] in (("models", "deny"), ("models", "allow")):
        models = [model for model in await ls.models() if ModelGlob(text, 0).takes_in(model.id)]
        return [f"**`{text}`**", *(_models(models, f"Takes in {len(models)} models:") or ["Takes in no model that the daemon knows now."])]
    if names[0] in ("tiers", "baseline"):
        return _models([model for model in await ls.models() if model.id == text], "In the catalogue:")
    return []


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
