"""Where each key and each value of a TOML text stands. It reads only texts that tomllib has already accepted, and interprets nothing."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
"""Names of tables and keys, and indexes into arrays: ("paths", 0, "match", 1)."""

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]\}\n#]+")
_STRINGS = {
    '"""': re.compile(r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})', re.DOTALL),
    "'''": re.compile(r"'''.*?'''(?:'{0,2})", re.DOTALL),
    '"': re.compile(r'"(?:[^"\\]|\\.)*"'),
    "'": re.compile(r"'[^']*'"),
}
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([btnfr"\\]))')
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of one line: line and column count from 1, in characters. What spans lines is cut at the end of its first."""

    line: int
    column: int
    length: int


@dataclass(frozen=True, slots=True)
class Places:
    """The places of all keys and values, by path. A table's key is the last name of its (first) header."""

    keys: Mapping[KeyPath, Place] = field(default_factory=dict[KeyPath, Place])
    values: Mapping[KeyPath, Place] = field(default_factory=dict[KeyPath, Place])

    def of(self, path: KeyPath, *, key: bool = False) -> Place | None:
        """Where the value (or the key) of that path stands, else where the nearest thing around it does."""
        for end in range(len(path), 0, -1):
            first, second = (self.keys, self.values) if key else (self.values, self.keys)
            place = first.get(path[:end]) or second.get(path[:end])
            if place is not None:
                return place
        return None


def places_of(text: str) -> Places:
    """The places in a valid TOML text whose line ends are all single line feeds."""
    scan = _Scan(text)
    scan.document()
    return Places(scan.keys, scan.values)


@dataclass
class _Scan:
    text: str
    at: int = 0
    keys: dict[KeyPath, Place] = field(default_factory=dict[KeyPath, Place])
    values: dict[KeyPath, Place] = field(default_factory=dict[KeyPath, Place])

    def __post_init__(self) -> None:
        self.line_starts = [0, *(match.end() for match in re.finditer("\n", self.text))]
        self.tables_in: dict[KeyPath, int] = {}
        """How many tables each array of tables has so far."""

    def document(self) -> None:
        table: KeyPath = ()
        while self.skip(_BLANK) < len(self.text):
            if self.text.startswith("[[", self.at):
                table = self.header(2)
            elif self.text.startswith("[", self.at):
                table = self.header(1)
            else:
                self.key_value(table)

    def header(self, brackets: int) -> KeyPath:
        self.at += brackets
        path: KeyPath = ()
        parts = self.key()
        for index, (name, place) in enumerate(parts):
            path = (*path, name)
            self.keys.setdefault(path, place)
            last = index == len(parts) - 1
            if last and brackets == 2:
                self.tables_in[path] = self.tables_in.get(path, 0) + 1
            if path in self.tables_in and (not last or brackets == 2):
                path = (*path, self.tables_in[path] - 1)
                self.keys.setdefault(path, place)
        self.skip(_SPACE)
        self.at += brackets
        return path

    def key_value(self, table: KeyPath) -> None:
        path = table
        for name, place in self.key():
            path = (*path, name)
            self.keys.setdefault(path, place)
        self.skip(_SPACE)
        self.at += 1  # the equals sign
        self.skip(_SPACE)
        self.value(path)

    def key(self) -> list[tuple[str, Place]]:
        parts: list[tuple[str, Place]] = []
        while True:
            self.skip(_SPACE)
            start = self.at
            if self.text[start] in "\"'":
                self.skip(_STRINGS[self.text[start]])
                name = self.text[start + 1 : self.at - 1]
                if self.text[start] == '"':
                    name = _ESCAPE.sub(_unescaped, name)
            else:
                self.skip(_BARE_KEY)
                name = self.text[start : self.at]
            parts.append((name, self.place(start, self.at)))
            self.skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def value(self, path: KeyPath) -> None:
        start = self.at
        opening = self.text[start]
        if opening == "[":
            self.items(path, "]", 0)
        elif opening == "{":
            self.items(path, "}", None)
        elif opening in "\"'":
            triple = opening * 3
            self.skip(_STRINGS[triple if self.text.startswith(triple, start) else opening])
        else:
            self.skip(_BARE_VALUE)
            self.at = start + len(self.text[start : self.at].rstrip(" \t"))
        self.values[path] = self.place(start, self.at)

    def items(self, path: KeyPath, closing: str, index: int | None) -> None:
        """The items of an array (index counts them) or of an inline table (no index), up to and over the closing bracket."""
        self.at += 1
        while True:
            self.skip(_BLANK)
            if self.text.startswith(closing, self.at):
                self.at += 1
                return
            if index is None:
                self.key_value(path)
            else:
                self.value((*path, index))
                index += 1
            self.skip(_BLANK)
            if self.text.startswith(",", self.at):
                self.at += 1

    def skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        assert match is not None, (pattern.pattern, self.at)  # tomllib has accepted this text
        self.at = match.end()
        return self.at

    def place(self, start: int, end: int) -> Place:
        line = bisect_right(self.line_starts, start)
        line_end = self.text.find("\n", start)
        length = end - start if line_end < 0 else min(end, line_end) - start
        return Place(line, start - self.line_starts[line - 1] + 1, length)


def _unescaped(match: re.Match[str]) -> str:
    digits = match[1] or match[2]
    return chr(int(digits, 16)) if digits else _ESCAPED[match[3]]
