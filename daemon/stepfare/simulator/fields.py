"""Careful looks into decoded JSON of which nothing is known: every look gives a value of the type that was asked for, never an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, cast

import msgspec

Fields: TypeAlias = "dict[str, object]"

_ENCODER = msgspec.json.Encoder()


def fields_of(value: object) -> Fields:
    """The value where it is an object, else an empty one."""
    return cast(Fields, value) if isinstance(value, dict) else {}


def items_of(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def is_number(value: object) -> bool:
    """Whether it is a JSON number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def integer_of(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def words_of(text: str) -> tuple[str, ...]:
    """The words of a table row."""
    return tuple(text.split())


def parts_of(content: object) -> list[Fields]:
    """The parts of a message's content; a bare string is one part of text."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [fields_of(part) for part in items_of(content)]


def without(fields: Mapping[str, object], *names: str) -> Fields:
    return {name: value for name, value in fields.items() if name not in names}


def encoded(value: object) -> bytes:
    """The value as compact JSON, its keys in the order in which they came."""
    return _ENCODER.encode(value)
