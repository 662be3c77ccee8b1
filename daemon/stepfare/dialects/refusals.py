"""What a refusal says, wherever and however deeply its provider has put it: its words, and the parameters that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from stepfare.core.attempt import Fault
from stepfare.dialects import splice
from stepfare.dialects.base import BadRequest
from stepfare.dialects.elements import named

DEPTH_MAX = 8
BODY_BYTES_MAX = 64 * 1024
WORDS_CHARS_MAX = 4_000

_WORD_KEYS = ("message", "msg", "detail", "description", "raw", "error", "errors", "details", "fieldViolations", "metadata")
_INDEX = re.compile(r"\[(\d+)\]")
_TAGS = named(
    "system developer user assistant tool custom text image document",
    "thinking redacted_thinking tool_use tool_result search_result",
)
"""How validators name which of several shapes an element has, between its index and its own field."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """`words` are all its texts; `params` what it names as refused, as paths with `*` for an index; `codes` its reasons in one word."""

    words: str
    params: tuple[str, ...] = ()
    codes: frozenset[str] = field(default_factory=frozenset[str])


def refusal_of(fault: Fault) -> Refusal:
    """Everything that the provider said. Where its body was not kept, there are the words for a person."""
    texts: list[str] = []
    params: list[str] = []
    codes: set[str] = set()
    for value in _statements(_decoded(fault.body[:BODY_BYTES_MAX]), 0):
        texts += [text for key in _WORD_KEYS if isinstance(text := value.get(key), str)]
        codes |= {code for key in ("code", "type") if isinstance(code := value.get(key), str)}
        place = value.get("loc")
        param = value.get("param")
        if isinstance(place, list):
            params.append(path_of(".".join(str(part) for part in cast("list[object]", place))))
        elif isinstance(param, str) and param:
            params.append(path_of(param))
    words = "\n".join(dict.fromkeys(texts)) or fault.words
    return Refusal(words[:WORDS_CHARS_MAX], tuple(dict.fromkeys(params)), frozenset(codes))


def path_of(said: str) -> str:
    """A path as rules say it: `messages[3].name`, `messages.3.user.name` and `body.messages.3.name` are all `messages.*.name`."""
    parts = _INDEX.sub(r".\1", said).strip("./$ ").split(".")
    if parts[0] == "body":
        parts = parts[1:]
    path: list[str] = []
    for place, part in enumerate(parts):
        if part.isdecimal():
            path.append("*")
        elif not (path and path[-1] == "*" and part in _TAGS and place + 1 < len(parts)):
            path.append(part)
    return ".".join(path)


def _statements(value: object, depth: int) -> Iterator[dict[str, object]]:
    """Every object in an error that may say something; an error within a text of another is looked into."""
    if depth > DEPTH_MAX:
        return
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        yield from _statements(_decoded(value.encode("utf-8", "replace")), depth + 1)
    elif isinstance(value, list):
        for one in cast("list[object]", value):
            yield from _statements(one, depth + 1)
    elif isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        yield fields
        for key in _WORD_KEYS:
            yield from _statements(fields.get(key), depth + 1)


def _decoded(raw: bytes) -> object:
    try:
        return splice.loads(raw) if raw else None
    except BadRequest:
        return None
