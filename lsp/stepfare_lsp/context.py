"""Where a cursor stands in a TOML text that may be half written: in a header, at a key, in a value, or nowhere that matters."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from enum import StrEnum

KEY_PARTS = re.compile(r"\"([^\"\n]*)\"?|'([^'\n]*)'?|([^\s.\"'=\[\]]+)")


class Spot(StrEnum):
    HEADER = "header"
    KEY = "key"
    VALUE = "value"


@dataclass(slots=True)
class Scanned:
    """How far an earlier scan came: the text up to its cursor, and the indexes at which a line begins outside of everything, each with
    the table that it belongs to. A scan depends on nothing behind its cursor, so what a new text has in common with this one is known."""

    text: str = ""
    at: list[int] = field(default_factory=lambda: [0])
    tables: list[tuple[str, ...]] = field(default_factory=lambda: [()])

    def rewind(self, text: str) -> tuple[int, tuple[str, ...]]:
        """Where to go on for this text, and in which table."""
        known = bisect_right(self.at, _common(self.text, text)) - 1
        del self.at[known + 1 :], self.tables[known + 1 :]
        self.text = text
        return self.at[known], self.tables[known]

    def mark(self, at: int, table: tuple[str, ...]) -> None:
        self.at.append(at)
        self.tables.append(table)


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while low + 1 < high:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


@dataclass(frozen=True, slots=True)
class Context:
    """`path` leads to the table (at a key or in a header) or to the key (in a value). `start` is the index in the text at which
    what is being written begins; `listed` says whether a value is an item of a list, `inline` whether a key is one of an inline table."""

    spot: Spot
    path: tuple[str, ...]
    start: int
    listed: bool = False
    inline: bool = False


def context_at(text: str, scanned: Scanned | None = None) -> Context | None:
    """The context at the end of `text`, which is the document up to the cursor; None in a comment. `scanned` is what is remembered of an
    earlier text, and then of this one."""
    memory = scanned or Scanned()
    at, table = memory.rewind(text)
    key: tuple[str, ...] | None = None
    open_brackets: list[tuple[str, tuple[str, ...]]] = []
    start = at

    def prefix() -> tuple[str, ...]:
        return open_brackets[-1][1] if open_brackets else table

    while at < len(text):
        char = text[at]
        at += 1
        if char == "#":
            end = text.find("\n", at)
            if end < 0:
                return None
            at = end
            if key is not None and not text[start:at].partition("#")[0].strip():
                start = at + 1
        elif char == "\n":
            if not open_brackets:
                key, start = None, at
                memory.mark(at, table)
            elif not text[start:at].strip():
                start = at
        elif key is None:
            if char == "[" and not open_brackets and not text[start : at - 1].strip():
                end = text.find("\n", at)
                header = text[at - 1 : len(text) if end < 0 else end]
                if end < 0 and "]" not in header:
                    return Context(Spot.HEADER, (), at - 1)
                table = _names(header.partition("]")[0].lstrip("["))
                at = len(text) if end < 0 else end
                start = at
            elif char == "=":
                key, start = (*prefix(), *_names(text[start : at - 1])), at
            elif char == "}" and open_brackets:
                key = open_brackets.pop()[1]
            elif char in "\"'":
                at = _after_string(text, at - 1)
        elif char in "\"'":
            start = at - 1 if not text[start : at - 1].strip() else start
            at = _after_string(text, at - 1)
        elif char == "[":
            open_brackets.append(("[", key))
            start = at
        elif char == "{":
            open_brackets.append(("{", key))
            key, start = None, at
        elif char == "," and open_brackets:
            key, start = (None if open_brackets[-1][0] == "{" else key), at
        elif char in "]}" and open_brackets:
            key = open_brackets.pop()[1]
            start = at
    start += len(text[start:]) - len(text[start:].lstrip())
    if key is None:
        return Context(Spot.KEY, prefix(), start, inline=bool(open_brackets))
    return Context(Spot.VALUE, key, start, listed=bool(open_brackets) and open_brackets[-1][0] == "[")


def _names(text: str) -> tuple[str, ...]:
    return tuple(next(part for part in (*match.groups(), "") if part is not None) for match in KEY_PARTS.finditer(text))


def _after_string(text: str, at: int) -> int:
    """The index after the string that begins at `at`; one that its line does not close ends with the line."""
    quote = text[at]
    if text.startswith(quote * 3, at):
        end = text.find(quote * 3, at + 3)
        return len(text) if end < 0 else end + 3
    at += 1
    while at < len(text) and text[at] not in (quote, "\n"):
        at += 2 if text[at] == "\\" and quote == '"' else 1
    return min(len(text), at + 1) if at < len(text) and text[at] == quote else min(len(text), at)
