"""The lines of a text as digests, and in which of them two texts differ: so that a clock in a system prompt can be pointed at without
the prompt being kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256

LINES_MAX = 4_000
"""Of one text; what follows counts as its last line."""
DIGEST_BYTES = 8
LINE_BYTES = 2 * DIGEST_BYTES + 1
"""A line's digest, that of the line with everything that changes by itself blotted out, and the kind of what changes."""

_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE)
_TIME = re.compile(r"\b\d{1,2}:\d{2}(:\d{2})?\b")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
_DATE = re.compile(
    rf"\b\d{{4}}-\d{{2}}-\d{{2}}\b|\b\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{2,4}}\b|\b{_MONTH}\.? \d{{1,2}}\b|\b\d{{1,2}} {_MONTH}\b", re.IGNORECASE
)
_NUMBER = re.compile(r"\d")
_CHANGING = re.compile(rf"{_UUID.pattern}|\b{_MONTH}\b|\b{_DAY}\b|\b[ap]\.?m\b|\b[0-9a-f]*\d[0-9a-f]*\b|[+-]?\d[\d.,:]*", re.IGNORECASE)

# Order matters: what is more than a number is called so.
_KINDS = ((_UUID, "a uuid"), (_TIME, "a time"), (_DATE, "a date"), (_NUMBER, "a number"))
_TEXT = len(_KINDS)


def packed(texts: Iterable[str]) -> bytes:
    """The lines of these texts, one after the other, LINE_BYTES each."""
    lines = "\n".join(texts).split("\n")
    if len(lines) > LINES_MAX:
        lines = [*lines[: LINES_MAX - 1], "\n".join(lines[LINES_MAX - 1 :])]
    return b"".join(_packed(line) for line in lines)


def changed_lines(old: bytes, new: bytes) -> str:
    """Where two packed texts differ, in words: `at line 12 (a time)`, `at lines 3 to 9`, or nothing where they do not."""
    before, after = _split(old), _split(new)
    head = _alike(before, after)
    if head == len(before) == len(after):
        return ""
    tail = _alike(before[head:][::-1], after[head:][::-1])
    gone, come = before[head : len(before) - tail], after[head : len(after) - tail]
    if len(gone) == len(come):
        moved = [place for place, (one, other) in enumerate(zip(gone, come, strict=True)) if one != other]
        first = head + moved[0] + 1
        if len(moved) == 1:
            return f"at line {first} ({_kind(gone[moved[0]], come[moved[0]])})"
        last = head + moved[-1] + 1
        return f"at {len(moved)} lines from line {first} to {last} ({_kind(gone[moved[0]], come[moved[0]])} in the first)"
    if not come:
        return f"at line {head + 1}, where {_lines(len(gone))} went"
    if not gone:
        return f"at line {head + 1}, where {_lines(len(come))} came"
    return f"at line {head + 1}, where {_lines(len(come))} came for {len(gone)}"


def _packed(line: str) -> bytes:
    exact = sha256(line.encode("utf-8", "replace")).digest()[:DIGEST_BYTES]
    kind = next((place for place, (pattern, _) in enumerate(_KINDS) if pattern.search(line)), _TEXT)
    if kind == _TEXT:
        return exact + exact + bytes((kind,))
    blotted = _CHANGING.sub("#", line)
    return exact + sha256(blotted.encode("utf-8", "replace")).digest()[:DIGEST_BYTES] + bytes((kind,))


def _kind(old: bytes, new: bytes) -> str:
    """What changed, where nothing else of the line did."""
    same = old[DIGEST_BYTES : 2 * DIGEST_BYTES] == new[DIGEST_BYTES : 2 * DIGEST_BYTES]
    return _KINDS[new[-1]][1] if same and new[-1] < _TEXT else "its text"


def _split(lines: bytes) -> list[bytes]:
    return [lines[at : at + LINE_BYTES] for at in range(0, len(lines), LINE_BYTES)]


def _alike(one: list[bytes], other: list[bytes]) -> int:
    """How many lines are equal from the beginning on."""
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def _lines(count: int) -> str:
    return "a line" if count == 1 else f"{count} lines"
