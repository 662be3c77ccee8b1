"""Tool schemas in the few words of JSON schema that every provider understands; Google's and Mistral's refuse the others.

What is left out only loosens a schema: what it allowed is allowed still.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from stepfare.dialects.elements import named

DEPTH_MAX = 24
"""Of schemas within schemas, references followed; beyond it anything is allowed."""

_KEPT = named(
    "type title description nullable default enum items properties required anyOf",
    "minItems maxItems minimum maximum minLength maxLength pattern",
)
_FORMATS = frozenset({"date-time", "enum"})
_DEFINITIONS = ("$defs", "definitions")


def plain(schema: Mapping[str, object]) -> dict[str, object]:
    """The schema without words that only some understand: references are filled in, alternatives said as anyOf, constants as enums."""
    found: dict[str, object] = {}
    for key in _DEFINITIONS:
        inner = schema.get(key)
        if isinstance(inner, dict):
            found |= {f"#/{key}/{name}": value for name, value in cast("dict[str, object]", inner).items()}
    return _plain(schema, found, 0)


def _plain(schema: object, defined: Mapping[str, object], depth: int) -> dict[str, object]:
    if not isinstance(schema, dict) or depth > DEPTH_MAX:
        return {}
    given = _filled(cast("dict[str, object]", schema), defined)
    made: dict[str, object] = {}
    for key, value in given.items():
        match key:
            case "properties" if isinstance(value, dict):
                members = cast("dict[str, object]", value).items()
                made[key] = {name: _plain(member, defined, depth + 1) for name, member in members}
            case "items":
                made[key] = _plain(value, defined, depth + 1)
            case "anyOf" | "oneOf" if isinstance(value, list):
                made["anyOf"] = [_plain(one, defined, depth + 1) for one in cast("list[object]", value)]
            case "const":
                made.setdefault("enum", [value])
            case "format" if value in _FORMATS:
                made[key] = value
            case "type" if isinstance(value, list):
                _set_types(made, cast("list[object]", value))
            case _ if key in _KEPT:
                made[key] = value
            case _:
                pass
    return _tidied(made)


def _filled(schema: dict[str, object], defined: Mapping[str, object]) -> dict[str, object]:
    """With what it refers to, and with all of what it must be at once, in its place; its own words win."""
    whole = dict(schema)
    for _ in range(DEPTH_MAX):
        reference, all_of = whole.pop("$ref", None), whole.pop("allOf", None)
        if reference is None and all_of is None:
            break
        merged: dict[str, object] = {}
        parts: Sequence[object] = cast("list[object]", all_of) if isinstance(all_of, list) else ()
        for part in (defined.get(reference) if isinstance(reference, str) else None, *parts):
            if isinstance(part, dict):
                merged = _both(merged, cast("dict[str, object]", part))
        whole = _both(merged, whole)
    return whole


def _both(one: dict[str, object], other: dict[str, object]) -> dict[str, object]:
    joined = {**one, **other}
    mine, theirs = one.get("properties"), other.get("properties")
    if isinstance(mine, dict) and isinstance(theirs, dict):
        joined["properties"] = {**cast("dict[str, object]", mine), **cast("dict[str, object]", theirs)}
    needed, more = one.get("required"), other.get("required")
    if isinstance(needed, list) and isinstance(more, list):
        joined["required"] = list(dict.fromkeys([*cast("list[str]", needed), *cast("list[str]", more)]))
    return joined


def _set_types(made: dict[str, object], types: list[object]) -> None:
    named = [kind for kind in types if kind != "null"]
    if len(named) < len(types):
        made["nullable"] = True
    if len(named) == 1:
        made["type"] = named[0]
    elif named:
        made.setdefault("anyOf", [{"type": kind} for kind in named])


def _tidied(made: dict[str, object]) -> dict[str, object]:
    """Without what some refuse in these very words: enums of anything but texts, and required properties that are not described."""
    values = made.get("enum")
    if isinstance(values, list) and not all(isinstance(value, str) for value in cast("list[object]", values)):
        del made["enum"]
    members, needed = made.get("properties"), made.get("required")
    if isinstance(needed, list):
        known = cast("dict[str, object]", members) if isinstance(members, dict) else {}
        kept = [name for name in cast("list[object]", needed) if name in known]
        if kept:
            made["required"] = kept
        else:
            del made["required"]
    if made.get("type") == "array":
        made.setdefault("items", {})
    return made
