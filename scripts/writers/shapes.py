"""The messages of the wire as plain shapes, which every writer of a language reads: names, fields, types, words."""

from __future__ import annotations

import json
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


@dataclass(frozen=True, slots=True)
class Notation:
    """How a language writes types: its own by JSON's names, one of our messages, one of several, names to values, and anything at all."""

    own: Mapping[str, str]
    message: str
    either: str
    names_to: str
    anything: str

    def of(self, node: Mapping[str, Any]) -> str:
        """A node of a JSON Schema as a type."""
        match node:
            case {"$ref": name}:
                return self.message.format(name)
            case {"allOf": [only, *_]}:
                return self.of(only)
            case {"anyOf": options}:
                return self.either.join(dict.fromkeys(self.of(option) for option in options))
            case {"enum": values}:
                return self.either.join(json.dumps(value) for value in values)
            case {"const": value}:
                return json.dumps(value)
            case {"type": "array"}:
                inner = self.of(node.get("items", {}))
                return f"({inner})[]" if self.either in inner else f"{inner}[]"
            case {"type": "object"}:
                values = node.get("additionalProperties", True)
                return self.names_to.format(self.anything if values is True else self.of(values))
            case _:
                return self.own.get(node.get("type", ""), self.anything)


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
