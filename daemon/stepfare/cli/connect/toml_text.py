"""Sets and drops single values in the text of a TOML file; every other byte stays as its owner wrote it.

tomlkit keeps what it is given; what comes out is read again with the standard library's own reader before it may leave this room.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, MutableMapping
from typing import cast

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Item

from stepfare.cli.connect.json_text import Json, JsonObject, Keys, Unsuitable

Table = MutableMapping[str, object]


def parse(text: str) -> JsonObject:
    """The document that the text holds; raises Unsuitable where it holds none."""
    try:
        return cast(JsonObject, tomllib.loads(text))
    except tomllib.TOMLDecodeError as problem:
        raise Unsuitable(f"it is not TOML ({problem})") from problem
    except RecursionError as problem:
        raise Unsuitable("it is nested too deep") from problem


def put(text: str, path: Keys, value: Json | Item) -> str:
    """The text with this value at this path; tables on the way are made where they are missing."""
    document = _document(text)
    table = document
    for depth, key in enumerate(path[:-1]):
        if key not in table:
            # A table that holds nothing but tables needs no heading of its own.
            table[key] = tomlkit.table(is_super_table=depth < len(path) - 2)
        below = table[key]
        if not isinstance(below, MutableMapping):
            raise Unsuitable(f"its value `{'.'.join(path[: depth + 1])}` is not a table")
        table = cast(Table, below)
    table[path[-1]] = value
    after = _told(document)
    if _without(parse(after), path) != _without(parse(text), path):
        raise Unsuitable("it is written in a way that cannot be changed without rewriting it")
    return after


def drop(text: str, path: Keys) -> str:
    """The text without the value at this path; the same text where there is none."""
    document = _document(text)
    table = document
    for key in path[:-1]:
        below = table.get(key)
        if not isinstance(below, MutableMapping):
            return text
        table = cast(Table, below)
    if path[-1] not in table:
        return text
    del table[path[-1]]
    return _told(document)


def _without(document: JsonObject, path: Keys) -> JsonObject:
    """The document without the value at this path and without the tables that only led to it."""
    key, *rest = path
    below = document.get(key)
    left = _without(below, tuple(rest)) if rest and isinstance(below, dict) else {}
    others = {name: value for name, value in document.items() if name != key}
    return {**others, key: left} if left else others


def _document(text: str) -> Table:
    try:
        return cast(Table, tomlkit.parse(text))
    except (TOMLKitError, RecursionError) as problem:
        raise Unsuitable(f"it is not TOML ({problem})") from problem


def _told(document: Table) -> str:
    return tomlkit.dumps(cast("Mapping[str, object]", document))
