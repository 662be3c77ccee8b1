"""Whether a tool call is one that its client can carry out: the tool was offered, and the arguments fit the schema that it came with.

A small part of JSON Schema, read leniently: what is not understood here is valid, and so is what would take too long to look at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import cast

from stepfare.core.prompt import ToolOffer
from stepfare.core.request import ToolCall

DEPTH_MAX = 8
VALUES_MAX = 2_000
"""How many values of one call's arguments are looked at."""
WORDS_CHARS_MAX = 60

_OPEN = frozenset({"$ref", "$dynamicRef", "anyOf", "oneOf", "allOf", "not", "if", "patternProperties", "unevaluatedProperties"})
"""Where one of these stands, a value is left to those who know it."""


def flaw_of(call: ToolCall, offers: Mapping[str, ToolOffer]) -> str:
    """What is wrong with a call that was said to its end, in words; empty where nothing is. `offers` are the request's tools by name."""
    offer = offers.get(call.name)
    if offer is None:
        return f'it calls "{_short(call.name)}", which is none of the tools that the client offers'
    if offer.custom:
        return ""
    given = _decoded(call.arguments)
    if given is None:
        return f"its arguments for {_short(call.name)} are no JSON object"
    flaw = next(_flaws(given, offer.schema, "", DEPTH_MAX, [VALUES_MAX]), "")
    return f"its arguments for {_short(call.name)} do not fit: {flaw}" if flaw else ""


def is_whole(arguments: str) -> bool:
    """Whether nothing can follow these arguments: they are an object that is closed."""
    return arguments.rstrip().endswith("}") and bool(arguments.strip()) and _decoded(arguments) is not None


def _decoded(arguments: str) -> Mapping[str, object] | None:
    try:
        value: object = json.loads(arguments, strict=False) if arguments.strip() else {}
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _flaws(value: object, schema: object, place: str, depth: int, left: list[int]) -> Iterator[str]:
    """What is wrong with this value, the first thing first. `left` counts down how many values may still be looked at."""
    left[0] -= 1
    if not isinstance(schema, dict) or depth == 0 or left[0] < 0:
        return
    rules = cast("dict[str, object]", schema)
    if not _OPEN.isdisjoint(rules):
        return
    named = rules.get("type")
    kinds = [named] if isinstance(named, str) else cast("list[object]", named) if isinstance(named, list) else []
    if kinds and all(kind in _IS for kind in kinds) and not any(_IS[cast("str", kind)](value) for kind in kinds):
        if not (value is None and rules.get("nullable") is True):
            yield f"{place or 'they'} must be {' or '.join(cast('list[str]', kinds))}"
        return
    allowed = rules.get("enum")
    if isinstance(allowed, list) and value not in allowed:
        yield f"{place or 'they'} must be one of {_short(', '.join(str(one) for one in cast('list[object]', allowed)))}"
    elif isinstance(value, dict):
        yield from _flaws_of_object(cast("dict[str, object]", value), rules, place, depth, left)
    elif isinstance(value, list):
        for number, item in enumerate(cast("list[object]", value)):
            if left[0] < 0:
                return
            yield from _flaws(item, rules.get("items"), f"{place}[{number}]", depth - 1, left)


def _flaws_of_object(value: dict[str, object], rules: dict[str, object], place: str, depth: int, left: list[int]) -> Iterator[str]:
    inner, required = rules.get("properties"), rules.get("required")
    known = cast("dict[str, object]", inner) if isinstance(inner, dict) else {}
    must = {key for key in cast("list[object]", required) if isinstance(key, str)} if isinstance(required, list) else set[str]()
    missing = next((key for key in sorted(must) if key not in value), None)
    if missing is not None:
        yield f"{_below(place, missing)} is missing"
    for key, item in value.items():
        if key not in known:
            if rules.get("additionalProperties") is False:
                yield f"{_below(place, key)} is not known"
        elif item is not None or key in must:  # Models write null for what they leave out.
            yield from _flaws(item, known[key], _below(place, key), depth - 1, left)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_IS: Mapping[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and value == int(cast("float", value)),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}


def _below(place: str, key: str) -> str:
    return f"{place}.{_short(key)}" if place else _short(key)


def _short(text: str) -> str:
    return text if len(text) <= WORDS_CHARS_MAX else text[: WORDS_CHARS_MAX - 3] + "..."
