"""Sets and drops single values in the text of a JSON file; every other byte stays as its owner wrote it.

Which values, and whose they are, is the business of `edits`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"
Keys: TypeAlias = tuple[str, ...]

NESTING_MAX = 100
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


class Unsuitable(Exception):
    """The file cannot be changed safely. `words` say what is wrong with it, without the file's name."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


def parse(text: str) -> JsonObject:
    """The object that the text holds; raises Unsuitable where it holds none."""
    try:
        value = cast(Json, json.loads(text))
    except json.JSONDecodeError as problem:
        raise Unsuitable(f"it is not JSON (line {problem.lineno}, column {problem.colno}: {problem.msg})") from problem
    except RecursionError as problem:
        raise Unsuitable(f"it is nested more than {NESTING_MAX} deep") from problem
    if not isinstance(value, dict):
        raise Unsuitable("it does not hold a JSON object")
    return value


def value_at(document: Mapping[str, Json] | None, path: Keys) -> Json | Missing:
    """The value at this path, or MISSING."""
    value: Json | Missing = MISSING if document is None else dict(document)
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]
    return value


def put(text: str, path: Keys, value: Json) -> str:
    """The text with this value at this path; objects on the way are made where they are missing."""
    found, rest = _reach(text, path)
    if not rest:
        return text[: found.start] + _dump(value, text, _depth_indent(text, found.start)) + text[found.end :]
    if text[found.start] != "{":
        name = ".".join(path[: len(path) - len(rest)])
        raise Unsuitable(f"its value `{name}` is not an object")
    for key in reversed(rest[1:]):
        value = {key: value}
    return _insert(text, found.start, rest[0], value)


def drop(text: str, path: Keys) -> str:
    """The text without the value at this path; the same text where there is none."""
    while True:
        parent, rest = _reach(text, path[:-1])
        if rest or text[parent.start] != "{":
            return text
        members = list(_members(text, parent.start))
        at = max((index for index, member in enumerate(members) if member.key == path[-1]), default=None)
        if at is None:
            return text
        if at > 0:
            text = text[: members[at - 1].value.end] + text[members[at].value.end :]
        elif len(members) > 1:
            text = text[: members[0].start] + text[members[1].start :]
        else:
            text = text[: parent.start] + "{}" + text[parent.end :]


@dataclass(frozen=True, slots=True)
class Missing:
    """What `value_at` gives where nothing stands."""


MISSING = Missing()


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Member:
    key: str
    start: int
    value: _Span


def _reach(text: str, path: Keys) -> tuple[_Span, Keys]:
    """The value at the path, or the deepest one on the way to it with what is left of the path."""
    start = _skip(text, 0)
    here = _Span(start, _DECODER.raw_decode(text, start)[1])
    for depth, key in enumerate(path):
        if text[here.start] != "{":
            return here, path[depth:]
        # The last of several equal names is the one that readers see.
        found = [member for member in _members(text, here.start) if member.key == key]
        if not found:
            return here, path[depth:]
        here = found[-1].value
    return here, ()


def _members(text: str, start: int) -> Iterator[_Member]:
    """The members of the object that opens at `start`; the text is known to be JSON."""
    at = _skip(text, start + 1)
    while text[at] == '"':
        key, key_end = cast("tuple[str, int]", _DECODER.raw_decode(text, at))
        value_start = _skip(text, _skip(text, key_end) + 1)
        value_end = _DECODER.raw_decode(text, value_start)[1]
        yield _Member(key, at, _Span(value_start, value_end))
        at = _skip(text, value_end)
        if text[at] == "}":
            return
        at = _skip(text, at + 1)


def _insert(text: str, start: int, key: str, value: Json) -> str:
    members = list(_members(text, start))
    if not members:
        outer = _depth_indent(text, start)
        inner = outer + _unit(text)
        line = _line_end(text)
        body = f"{{{line}{inner}{json.dumps(key)}: {_dump(value, text, inner)}{line}{outer}}}"
        return text[:start] + body + text[_DECODER.raw_decode(text, start)[1] :]
    last = members[-1]
    gap = text[start + 1 : members[0].start]
    indent = gap.rpartition("\n")[2] if "\n" in gap else _depth_indent(text, start)
    lead = gap if "\n" in gap else " "
    return text[: last.value.end] + f",{lead}{json.dumps(key)}: {_dump(value, text, indent)}" + text[last.value.end :]


def _dump(value: Json, text: str, indent: str) -> str:
    """The value as JSON, its lines indented as those around it."""
    if "\n" not in text.strip():
        return json.dumps(value, ensure_ascii=False)
    lines = json.dumps(value, ensure_ascii=False, indent=_unit(text)).split("\n")
    return (_line_end(text) + indent).join(lines)


def _unit(text: str) -> str:
    """One level of indentation as this file has it; two spaces where it shows none."""
    match = re.search(r"\{[ \t]*\r?\n([ \t]+)\S", text)
    return match[1] if match else "  "


def _depth_indent(text: str, at: int) -> str:
    """The indentation of the line in which this place is."""
    line_start = text.rfind("\n", 0, at) + 1
    match = re.compile(r"[ \t]*").match(text, line_start)
    return match[0] if match else ""


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
