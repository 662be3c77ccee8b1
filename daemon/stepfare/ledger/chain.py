"""The hash chain over the journal, and the verdict on it. A row's hash covers the row before, so no row can change, go or come unseen.

A chain alone does not tell that its end is missing; the head, kept in a file beside the database, does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

import msgspec

GENESIS = bytes(32)
"""The hash before the first row."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ended when this was written: how many rows, and the hash of the last (GENESIS where there is none)."""

    count: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the books found. `problems` are sentences for a person, worst first; none means whole."""

    rows: int
    head: Head
    problems: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        return not self.problems


class _HeadFile(msgspec.Struct):
    count: int
    hash: str


def link(previous: bytes, data: bytes) -> bytes:
    """The hash of a row with these canonical bytes after a row with that hash."""
    return sha256(previous + data).digest()


def verify(rows: Iterable[tuple[int, bytes, bytes]]) -> Verdict:
    """Checks (row number, canonical bytes, hash) in journal order; stops at the first bad row and names it."""
    count, previous = 0, GENESIS
    for number, data, stored in rows:
        flaw = flaw_of(count, previous, number, data, stored)
        if flaw:
            return Verdict(count, Head(count, previous), (flaw,))
        count, previous = number, stored
    return Verdict(count, Head(count, previous))


def flaw_of(count: int, previous: bytes, number: int, data: bytes, stored: bytes) -> str:
    """What is wrong with a row that follows `count` rows ending in hash `previous`; empty where it is right."""
    if number != count + 1:
        return f"row {count + 1} is missing: after row {count} comes row {number}"
    if link(previous, data) != stored:
        return f"row {number} does not fit its hash: it, or the row before it, was changed after it was written"
    return ""


def head_text(head: Head) -> str:
    return msgspec.json.encode(_HeadFile(head.count, head.hash.hex())).decode() + "\n"


def head_of(text: str | bytes) -> Head | None:
    """The head that a file's text holds; None where it holds none."""
    try:
        read = msgspec.json.decode(text, type=_HeadFile)
        return Head(read.count, bytes.fromhex(read.hash))
    except (msgspec.DecodeError, ValueError):
        return None
