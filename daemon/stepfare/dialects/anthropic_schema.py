"""JSON schemas as the Messages API takes them: for the input of a tool, and for an answer that it holds to a schema.

What a schema says beyond that is told to the model in words, never lost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

DEPTH_MAX = 64
"""Of schemas within schemas; deeper ones are left as they are."""

_ALTERNATIVES = ("oneOf", "anyOf", "allOf")
_MAPS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "allOf")
_KEPT = frozenset({"type", "title", "description", "enum", "const", "required", "items", "$ref", "additionalProperties", *_MAPS, *_LISTS})
_FORMATS = frozenset("date-time time date duration email hostname uri ipv4 ipv6 uuid".split())  # noqa: SIM905


def tool_schema(schema: Mapping[str, object]) -> dict[str, object]:
    """The schema of a tool's input: an object, and no choice between schemas at its top."""
    plain = {key: value for key, value in schema.items() if key not in _ALTERNATIVES}
    plain = plain if plain.get("type") == "object" else {**plain, "type": "object"}
    beyond = {key: schema[key] for key in _ALTERNATIVES if key in schema}
    return _described(plain, beyond) if beyond else plain


def answer_schema(schema: Mapping[str, object], depth: int = 0) -> dict[str, object]:
    """The schema of an answer: its objects closed, limits that the API does not know told in the description."""
    if depth > DEPTH_MAX or ("$ref" in schema and "$defs" not in schema):
        return dict(schema)
    made: dict[str, object] = {}
    beyond: dict[str, object] = {}
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, dict):
            made[key] = {name: _inner(inner, depth) for name, inner in cast("dict[str, object]", value).items()}
        elif key in _ALTERNATIVES and isinstance(value, list):
            made[key if key in _LISTS else "anyOf"] = [_inner(inner, depth) for inner in cast("list[object]", value)]
        elif key == "items":
            made[key] = _inner(value, depth)
        elif key in _KEPT or (key == "format" and value in _FORMATS) or (key == "minItems" and value in (0, 1)):
            made[key] = value
        elif not key.startswith("$"):
            beyond[key] = value
    if "properties" in made or made.get("type") == "object":
        made["additionalProperties"] = False
    return _described(made, beyond) if beyond else made


def _described(schema: dict[str, object], beyond: Mapping[str, object]) -> dict[str, object]:
    said = json.dumps(beyond, ensure_ascii=False)
    description = schema.get("description")
    return {**schema, "description": f"{description}\n\n{said}" if description else said}


def _inner(schema: object, depth: int) -> object:
    return answer_schema(cast("dict[str, object]", schema), depth + 1) if isinstance(schema, dict) else schema
