"""Names of tools where a format knows no namespaces, allows fewer characters, or no tools that take free text.

A name depends on its tool alone, never on the others that are offered: so a prefix of a conversation is always said in the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import cast

import msgspec

NAME_CHARS_MAX = 64
"""The shortest limit of the formats; all take letters, digits, `_` and `-`."""
JOINT = "__"
FREE_TEXT = "input"
"""The one property of a function that stands for a custom tool."""
FREE_TEXT_SCHEMA: Mapping[str, object] = {
    "type": "object",
    "properties": {FREE_TEXT: {"type": "string", "description": "The whole input of this tool, as plain text."}},
    "required": [FREE_TEXT],
    "additionalProperties": False,
}

_FOREIGN = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class ToolName:
    """A tool as its client calls it."""

    name: str
    namespace: str = ""
    custom: bool = False


def flat_name(name: str, namespace: str = "") -> str:
    """The one name of a tool in a format without namespaces. Names that would be equal after shortening stay apart by a digest."""
    whole = f"{namespace}{JOINT}{name}" if namespace else name
    plain = _FOREIGN.sub("_", whole)
    if plain == whole and len(plain) <= NAME_CHARS_MAX:
        return plain
    mark = sha256(whole.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{plain[: NAME_CHARS_MAX - 9]}_{mark}"


def by_flat_name(tools: Iterable[ToolName]) -> Mapping[str, ToolName]:
    """The way back, for the tools that a client offers."""
    return {flat_name(tool.name, tool.namespace): tool for tool in tools}


def as_arguments(free_text: str) -> str:
    """Free text as the arguments of the function that stands for its tool."""
    return json.dumps({FREE_TEXT: free_text}, ensure_ascii=False)


def as_free_text(arguments: str) -> str:
    """The way back; arguments that do not hold the one property are the text themselves."""
    try:
        fields = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return arguments
    value = cast("dict[str, object]", fields).get(FREE_TEXT) if isinstance(fields, dict) else None
    return value if isinstance(value, str) else arguments
