"""Bytes or text -> TOML data with places, or the problem that stands in the way. What the data means is the business of `check`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from stepfare.config.places import Places, places_of
from stepfare.core.problem import Problem

NESTING_MAX = 12
"""The deepest key that any file of ours knows has four parts."""

KEY_PARTS_MAX = 64
"""The parser's work on a dotted key grows with the square of its parts."""

_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*"|'[^'\n]*')"""
_ENDLESS_KEY = re.compile(rf"(?<![A-Za-z0-9_-])(?:{_PART}[ \t]*+\.[ \t]*+){{{KEY_PARTS_MAX}}}")
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_KEPT = "Nothing of this file is used until that is right."


@dataclass(frozen=True, slots=True)
class Read:
    """What a text holds. Numbers with a decimal point are Decimals. Where it is not `readable` the data is empty and a problem says why."""

    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    places: Places = field(default_factory=Places)
    problems: tuple[Problem, ...] = ()
    readable: bool = True


def read(raw: str | bytes, source: str, bytes_max: int) -> Read:
    """The data of a TOML text of at most so many bytes."""

    def unread(code: str, words: str, line: int = 0, column: int = 0, length: int = 0) -> Read:
        return Read(problems=(Problem(source, code, f"{words} {_KEPT}", "error", line, column, length),), readable=False)

    size_bytes = len(raw) if isinstance(raw, bytes) else len(raw.encode("utf-8", "surrogatepass"))
    if size_bytes > bytes_max:
        return unread("too-large", f"The file has {size_bytes:,} bytes; at most {bytes_max:,} are read. Shorten it.")
    try:
        text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
        text.encode("utf-8")
    except UnicodeError as error:
        before = raw[: error.start] if isinstance(error, UnicodeDecodeError) and isinstance(raw, bytes) else b""
        return unread("unreadable", "The file is not UTF-8 text. Save it as UTF-8.", before.count(b"\n") + 1, 1, 1)
    problems: list[Problem] = []
    if text.startswith("\ufeff"):
        text = text[1:]
        problems.append(
            Problem(
                source,
                "unreadable",
                "The file begins with a byte order mark, which was passed over. Save it as UTF-8 without one.",
                "warning",
                1,
                1,
                1,
            )
        )
    text = text.replace("\r\n", "\n")
    endless = _ENDLESS_KEY.search(text)
    if endless:
        return unread("syntax", f"A key has more than {KEY_PARTS_MAX} parts.", text.count("\n", 0, endless.start()) + 1, 1, 1)
    try:
        data = tomllib.loads(text, parse_float=_decimal)
    except tomllib.TOMLDecodeError as error:
        line, column, length = _error_place(str(error), text)
        return unread("syntax", f"{_AT.sub('', str(error))}.", line, column, length)
    except RecursionError:
        return unread("syntax", "The file nests too deeply to be read.")
    except ValueError as error:  # a whole number of thousands of digits, a day that no calendar has
        return unread("syntax", f"A value cannot be read: {error}.")
    if _deeper_than(data, NESTING_MAX):
        return unread("syntax", f"The file nests deeper than {NESTING_MAX} levels, which no key of it needs.")
    return Read(data, places_of(text), tuple(problems))


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond all measure
        return Decimal("nan")


def _error_place(message: str, text: str) -> tuple[int, int, int]:
    """Line, column and length of what the parser stumbled over: up to the end of its line, or the last thing of the text."""
    lines = text.split("\n")
    match = _AT.search(message)
    if match is not None and match[1]:
        line, column = int(match[1]), int(match[2])
    else:
        line = max((number for number, words in enumerate(lines, 1) if words.strip()), default=1)
        column = len(lines[line - 1].rstrip())
    return line, max(1, column), max(1, len(lines[line - 1].rstrip()) - column + 1) if line <= len(lines) else 1


def _deeper_than(data: object, levels_max: int) -> bool:
    level: list[object] = [data]
    for _ in range(levels_max + 1):
        level = [child for value in level for child in _children(value)]
        if not level:
            return False
    return True


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return list(value) if isinstance(value, list) else []  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
