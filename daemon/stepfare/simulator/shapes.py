"""What a tool takes, read from its JSON schema or from the XML manual in a system prompt. What it is good for is `hands`' business."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from stepfare.simulator.reading import ToolFunction

SHAPE_DEPTH_MAX = 6


@dataclass(frozen=True, slots=True)
class Shape:
    """A value's shape: string, number, integer, boolean, array or object."""

    kind: str = "string"
    words: str = ""
    properties: Mapping[str, Shape] = field(default_factory=dict[str, "Shape"])
    required: frozenset[str] = frozenset()
    items: Shape | None = None
    enum: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool; a `custom` one takes free text instead of what `takes` describes. `words` are its description."""

    name: str
    takes: Shape
    namespace: str = ""
    custom: bool = False
    words: str = ""


def native_tools(tools: Sequence[ToolFunction]) -> tuple[ToolSpec, ...]:
    return tuple(
        ToolSpec(tool.name, shape_of(tool.parameters or {}), tool.namespace, tool.custom, tool.description or "") for tool in tools
    )


def shape_of(schema: object, depth: int = 0) -> Shape:
    """The shape that a JSON schema describes; where it offers a choice, the first that is not null."""
    if not isinstance(schema, dict) or depth > SHAPE_DEPTH_MAX:
        return Shape()
    known = cast(dict[str, object], schema)
    for choice in ("anyOf", "oneOf", "allOf"):
        for option in _list(known.get(choice)):
            if isinstance(option, dict) and cast(dict[str, object], option).get("type") != "null":
                return shape_of({**known, choice: None, **cast(dict[str, object], option)}, depth + 1)
    kinds = [kind for kind in (_list(known.get("type")) or [known.get("type")]) if isinstance(kind, str) and kind != "null"]
    properties = known.get("properties")
    inner = cast(dict[str, object], properties) if isinstance(properties, dict) else {}
    default_kind = "object" if inner or depth == 0 else "string"
    return Shape(
        kind=kinds[0] if kinds else default_kind,
        words=str(known.get("description") or ""),
        properties={name: shape_of(value, depth + 1) for name, value in inner.items()},
        required=frozenset(name for name in _list(known.get("required")) if isinstance(name, str)),
        items=shape_of(known["items"], depth + 1) if "items" in known else None,
        enum=tuple(_list(known.get("enum"))),
    )


def _list(value: object) -> list[object]:
    return cast(list[object], value) if isinstance(value, list) else []


_MANUAL = re.compile(r"^## (?P<name>[a-z_]+)\n(?P<body>.*?)(?=^## |^# |^====|\Z)", re.MULTILINE | re.DOTALL)
_PARAMETER = re.compile(r"^- (?P<name>\w+): \((?P<need>required|optional)\) ?(?P<words>.*)$", re.MULTILINE)


def manual_tools(system: str) -> tuple[ToolSpec, ...]:
    """The tools that a system prompt describes in words, to be called by XML tags in the text; empty where it describes none."""
    if "\n## " not in system:
        return ()
    specs: list[ToolSpec] = []
    for section in _MANUAL.finditer(system):
        name, body = section["name"], section["body"]
        if f"<{name}>" not in body:
            continue
        rows = list(_PARAMETER.finditer(body))
        properties = {row["name"]: Shape(words=row["words"]) for row in rows}
        required = frozenset(row["name"] for row in rows if row["need"] == "required")
        specs.append(ToolSpec(name, Shape("object", properties=properties, required=required)))
    return tuple(specs)
