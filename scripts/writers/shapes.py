"""The messages of the wire as plain shapes, which every writer of a language reads: names, fields, types, words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.json_schema import JsonSchemaMode, models_json_schema

from stepfare.control.protocol import Message
from stepfare_lsp import wire


@dataclass(frozen=True, slots=True)
class Field:
    """`type` is a node of a JSON Schema. An optional field may be left out by who sends the message."""

    name: str
    type: Mapping[str, Any]
    words: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    words: str
    fields: tuple[Field, ...]


def shapes() -> tuple[Shape, ...]:
    """Every message that editors send or get, those of the wire itself first, then what they hold, each once."""
    sent = [wire.Options, *(method.params for method in wire.METHODS if method.to_server)]
    got = [method.params if not method.to_server else method.answer for method in wire.METHODS]
    found = {
        **_shapes([model for model in got if model is not None], written=True),
        **_shapes(sent, written=False),
    }
    first = [model.__name__ for model in (*sent, *got) if model is not None]
    return tuple(found[name] for name in dict.fromkeys([*first, *sorted(found)]))


def _shapes(models: Iterable[type[Message]], *, written: bool) -> dict[str, Shape]:
    """The shapes of these models and of all that they hold. What the server writes it writes whole."""
    mode: JsonSchemaMode = "serialization" if written else "validation"
    _, schema = models_json_schema([(model, mode) for model in models], ref_template="{model}")
    return {name: _shape(name, node, written=written) for name, node in schema["$defs"].items()}


def _shape(name: str, node: Mapping[str, Any], *, written: bool) -> Shape:
    required = node.get("required", ())
    fields = tuple(
        Field(field, about, one_line(about.get("description", "")), not written and field not in required)
        for field, about in node.get("properties", {}).items()
    )
    return Shape(name, one_line(node.get("description", "")), fields)


def one_line(text: str) -> str:
    return " ".join(text.split())
