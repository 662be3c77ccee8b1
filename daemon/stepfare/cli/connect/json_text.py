"""Sets and drops single values in the text of a JSON file; every other byte stays as its owner wrote it.

A path names keys of objects; a key such as `[id=a]` names the entry of a list whose `id` reads `a`. Comments and commas before a closing
bracket are read where the file's own reader takes them (`parse_lenient`), and stay. Which values, and whose they are, is the business of
`edits`.
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
_ENTRY = re.compile(r"\[(\w+)=(.*)\]", re.DOTALL)
_STRING = r'"(?:\\.|[^"\\])*"'
_COMMENT = re.compile(rf"({_STRING})|//[^\r\n]*|/\*.*?\*/", re.DOTALL)
_LOOSE_COMMA = re.compile(rf"({_STRING})|,(?=[ \t\r\n]*[}}\]])", re.DOTALL)
_TAIL = re.compile(r"[ \t]*(,?)(?:[ \t]*(?://[^\r\n]*|/\*[^\r\n]*?\*/))*")


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


def parse_lenient(text: str) -> JsonObject:
    """As `parse`, for files whose readers take comments and loose commas."""
    return parse(_bared(text))


def entry_of(key: str) -> tuple[str, str] | None:
    """The field and its value where the key names an entry of a list; None where it names a member of an object."""
    match = _ENTRY.fullmatch(key)
    return (match[1], match[2]) if match else None


def value_at(document: Mapping[str, Json] | None, path: Keys) -> Json | Missing:
    """The value at this path, or MISSING."""
    value: Json | Missing = MISSING if document is None else dict(document)
    for key in path:
        if (entry := entry_of(key)) is not None and isinstance(value, list):
            found = [each for each in value if isinstance(each, dict) and each.get(entry[0]) == entry[1]]
            value = found[-1] if found else MISSING
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            return MISSING
    return value


def put(text: str, path: Keys, value: Json) -> str:
    """The text with this value at this path; objects and lists on the way are made where they are missing."""
    bare = _bared(text)
    found, rest = _reach(bare, path)
    if not rest:
        return text[: found.start] + _dump(value, bare, _depth_indent(bare, found.start)) + text[found.end :]
    if bare[found.start] != ("[" if entry_of(rest[0]) else "{"):
        name = ".".join(path[: len(path) - len(rest)])
        raise Unsuitable(f"its value `{name}` is not {'a list' if entry_of(rest[0]) else 'an object'}")
    for key in reversed(rest[1:]):
        value = [value] if entry_of(key) else {key: value}
    return _insert(text, bare, found, rest[0], value)


def drop(text: str, path: Keys) -> str:
    """The text without the value at this path; the same text where there is none."""
    while True:
        bare = _bared(text)
        parent, rest = _reach(bare, path[:-1])
        if rest or bare[parent.start] not in "{[":
            return text
        members = list(_members(bare, parent.start, path[-1]))
        at = max((index for index, member in enumerate(members) if member.key == path[-1]), default=None)
        if at is None:
            return text
        if text[parent.start : parent.end] != bare[parent.start : parent.end]:
            text = _cut_among_comments(text, bare, members, at)
        elif at > 0:
            text = text[: members[at - 1].value.end] + text[members[at].value.end :]
        elif len(members) > 1:
            text = text[: members[0].start] + text[members[1].start :]
        else:
            text = text[: parent.start] + ("{}" if bare[parent.start] == "{" else "[]") + text[parent.end :]


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


def _bared(text: str) -> str:
    """The text with blanks in place of comments and loose commas: strict JSON of the same length, so that places are the same."""

    def blanked(match: re.Match[str]) -> str:
        return match[0] if match[1] is not None else re.sub(r"[^\r\n]", " ", match[0])

    return _LOOSE_COMMA.sub(blanked, _COMMENT.sub(blanked, text))


def _reach(bare: str, path: Keys) -> tuple[_Span, Keys]:
    """The value at the path, or the deepest one on the way to it with what is left of the path."""
    start = _skip(bare, 0)
    here = _Span(start, _DECODER.raw_decode(bare, start)[1])
    for depth, key in enumerate(path):
        if bare[here.start] != ("[" if entry_of(key) else "{"):
            return here, path[depth:]
        # The last of several equal names is the one that readers see.
        found = [member for member in _members(bare, here.start, key) if member.key == key]
        if not found:
            return here, path[depth:]
        here = found[-1].value
    return here, ()


def _members(bare: str, start: int, asked: str) -> Iterator[_Member]:
    """The members of the object, or the entries of the list, that opens at `start`; the text is known to be JSON.

    An entry is named by the field that the asked key names, so that both are found by their key.
    """
    entry = entry_of(asked) if bare[start] == "[" else None
    at = _skip(bare, start + 1)
    while bare[at] not in "}]":
        if bare[start] == "{":
            key, key_end = cast("tuple[str, int]", _DECODER.raw_decode(bare, at))
            value_start = _skip(bare, _skip(bare, key_end) + 1)
            value_end = _DECODER.raw_decode(bare, value_start)[1]
        else:
            value, value_end = cast("tuple[Json, int]", _DECODER.raw_decode(bare, at))
            value_start, key = at, ""
            if entry is not None and isinstance(value, dict):
                key = f"[{entry[0]}={value.get(entry[0])}]"
        yield _Member(key, at, _Span(value_start, value_end))
        at = _skip(bare, value_end)
        if bare[at] in "}]":
            return
        at = _skip(bare, at + 1)


def _insert(text: str, bare: str, parent: _Span, key: str, value: Json) -> str:
    name = "" if entry_of(key) else f"{json.dumps(key)}: "
    members = list(_members(bare, parent.start, key))
    line = _line_end(text)
    if not members:
        outer = _depth_indent(bare, parent.start)
        inner = outer + _unit(bare)
        remarks = text[parent.start + 1 : parent.end - 1].rstrip() if bare != text else ""
        head, foot = text[parent.start] + remarks.rstrip(" \t"), text[parent.end - 1]
        body = f"{head}{line}{inner}{name}{_dump(value, bare, inner)}{line}{outer}{foot}"
        return text[: parent.start] + body + text[parent.end :]
    last = members[-1]
    gap = bare[parent.start + 1 : members[0].start]
    indent = gap.rpartition("\n")[2] if "\n" in gap else _depth_indent(bare, parent.start)
    remarked = text[parent.start : parent.end] != bare[parent.start : parent.end]
    lead = (line + indent if remarked else gap) if "\n" in gap else " "
    new = f"{lead}{name}{_dump(value, bare, indent)}"
    if not remarked:
        return text[: last.value.end] + "," + new + text[last.value.end :]
    # What is said behind the last value on its line stays with it.
    tail = _TAIL.match(text, last.value.end)
    assert tail is not None
    rest = tail[0] if tail[1] else "," + tail[0]
    return text[: last.value.end] + rest + new + ("," if tail[1] else "") + text[tail.end() :]


def _cut_among_comments(text: str, bare: str, members: list[_Member], at: int) -> str:
    """The text without this member: its own line goes, and the comma that it leaves over; what others said stays."""
    start, end = members[at].start, members[at].value.end
    behind = re.compile(r"[ \t\r\n]*,").match(_COMMENT.sub(lambda m: m[0] if m[1] is not None else " " * len(m[0]), text), end)
    if behind is not None:
        end = behind.end()
    line_start = text.rfind("\n", 0, start) + 1
    rest_of_line = re.compile(r"[ \t]*(\r?\n)?").match(text, end)
    if not text[line_start:start].strip() and rest_of_line is not None and rest_of_line[1]:
        start, end = line_start, rest_of_line.end()
    if behind is None and at > 0:
        comma = bare.index(",", members[at - 1].value.end)
        return text[:comma] + text[comma + 1 : start] + text[end:]
    return text[:start] + text[end:]


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
