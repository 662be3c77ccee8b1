"""What may be written here: keys, tables and values of our files, and model names while the daemon can be asked for them."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lsprotocol import types

from stepfare.config.keys import Key, Shape, key_at, keys_of, table_at
from stepfare.config.profiles import PROFILES
from stepfare.config.schema import Table, WrittenDotfile
from stepfare.control.protocol import ModelInfo
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.context import Context, Spot, context_at
from stepfare_lsp.features.tree import files_below
from stepfare_lsp.places import Page
from stepfare_lsp.present import price_words

GLOBS_MAX, GLOB_KINDS_MAX, GLOB_DEPTH_MAX = 150, 20, 3
TRIGGERS = ('"', "=", "[", "'")
_REST = re.compile(r"[\w./*-]*[\"']")
MODEL_KEYS = {("models", "deny"), ("models", "allow"), ("tiers", "frugal"), ("tiers", "balanced"), ("tiers", "premium"), ("baseline",)}


@dataclass(frozen=True, slots=True)
class Option:
    """Something to write: how it is named in the list, what it becomes in the text, and the words beside it."""

    label: str
    text: str
    detail: str = ""
    documentation: str = ""
    kind: types.CompletionItemKind = types.CompletionItemKind.Property


async def complete(ls: StepfareServer, uri: str, position: types.Position) -> types.CompletionList:
    """The options at a position, each with the stretch that it replaces."""
    page = ls.page(uri)
    if page is None:
        return types.CompletionList(is_incomplete=False, items=[])
    offset = page.offset(position)
    context = context_at(page.text[:offset], ls.scanned(uri))
    if context is None:
        return types.CompletionList(is_incomplete=False, items=[])
    match context.spot:
        case Spot.HEADER:
            options = list(_headers(page.table))
        case Spot.KEY:
            options = list(_keys(page.table, context))
        case Spot.VALUE:
            options = await _values(ls, page, context)
    stretch = _stretch(page, context, offset)
    items = [_item(option, stretch, index) for index, option in enumerate(options)]
    return types.CompletionList(is_incomplete=False, items=items)


def _headers(root: type[Table]) -> Iterable[Option]:
    for key in keys_of(root).values():
        written = _header(key)
        if written:
            yield Option(written, written, documentation=key.description, kind=types.CompletionItemKind.Module)


def _header(key: Key) -> str:
    match key.shape:
        case Shape.TABLE:
            return f"[{key.name}]"
        case Shape.TABLES:
            return f"[[{key.name}]]"
        case Shape.NAMED_TABLES:
            return f"[{key.name}.NAME]"
        case _:
            return ""


def _keys(root: type[Table], context: Context) -> Iterable[Option]:
    table = table_at(root, context.path)
    for key in keys_of(table).values() if table else ():
        if key.shape in (Shape.VALUE, Shape.LIST) or context.path:
            detail = " | ".join(key.values) or key.shape.value
            yield Option(key.name, f"{key.name} = ", detail, key.description)
    if not context.inline:
        # A new table may begin on any line.
        yield from _headers(root)


async def _values(ls: StepfareServer, page: Page, context: Context) -> list[Option]:
    root = page.table
    key = key_at(root, context.path)
    if key is None:
        return []
    if context.path == ("profile",):
        own = ls.settings().value.user_profiles()
        words: Mapping[str, str] = dict.fromkeys(PROFILES, "ships with stepfare") | dict.fromkeys(own, "your own")
    elif context.path in MODEL_KEYS:
        words = _model_names(await ls.models(), globs=root is WrittenDotfile)
    elif context.path == ("paths", "match"):
        words = await _globs(ls, page)
    else:
        words = dict.fromkeys(key.values, "")
    bare = key.values == ("true", "false")
    in_list = key.shape is Shape.LIST and not context.listed

    def written(word: str) -> str:
        quoted = word if bare else f'"{word}"'
        return f"[{quoted}]" if in_list else quoted

    return [Option(word, written(word), detail, kind=types.CompletionItemKind.EnumMember) for word, detail in words.items()]


def _model_names(models: Iterable[ModelInfo], *, globs: bool) -> Mapping[str, str]:
    listed = list(models)
    providers = dict.fromkeys(model.provider for model in listed)
    named = {model.id: f"{model.tier}, {price_words(model.price_now)}, {model.context_tokens:,} tokens" for model in listed}
    return {**{f"{provider}/*": "every model of this provider" for provider in providers}, **named} if globs else named


async def _globs(ls: StepfareServer, page: Page) -> Mapping[str, str]:
    """Globs that take in something of this project: its folders, the nearest ones first, and the kinds of files in it."""
    folder = os.path.dirname(page.path)
    files = await ls.files_of(folder, lambda: files_below(folder)) if folder else None
    folders, kinds = Counter[str](), Counter[str]()
    for file in files or ():
        parts = file.split("/")
        folders.update("/".join(parts[:depth]) for depth in range(1, min(len(parts), GLOB_DEPTH_MAX + 1)))
        suffix = os.path.splitext(parts[-1])[1]
        if suffix:
            kinds[f"**/*{suffix}"] += 1
    near = sorted(folders, key=lambda name: (name.count("/"), name))[:GLOBS_MAX]
    words = {f"{name}/**": f"{folders[name]:,} files" for name in near}
    return {**words, **{kind: f"{number:,} files" for kind, number in kinds.most_common(GLOB_KINDS_MAX)}}


def _stretch(page: Page, context: Context, offset: int) -> types.Range:
    """What an option replaces: from where the word begins to the cursor, with the quote or the brackets that the editor closed already."""
    end = offset
    begun = page.text[context.start : offset]
    if context.spot is Spot.HEADER:
        while end < len(page.text) and page.text[end] == "]":
            end += 1
    elif begun[:1] in ('"', "'"):
        # In the middle of a text that is closed on this line, all of it gives way.
        rest = _REST.match(page.text, end)
        end = rest.end() if rest and rest[0].endswith(begun[0]) else end
    line = page.line_at(context.start)
    return page.range(line, context.start - page.starts[line], end - context.start)


def _item(option: Option, stretch: types.Range, index: int) -> types.CompletionItem:
    return types.CompletionItem(
        label=option.label,
        kind=option.kind,
        detail=option.detail or None,
        documentation=types.MarkupContent(types.MarkupKind.Markdown, option.documentation) if option.documentation else None,
        # Filtered by what is written, quotes included; sorted as the schema has it.
        filter_text=option.text,
        sort_text=f"{index:04}",
        text_edit=types.TextEdit(stretch, option.text),
    )
