"""Something wrong in a file that a person wrote, with its place and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """`line` and `column` count from 1, in characters; 0 where the whole file is meant. `length` is that of the marked text.

    `code` is a short stable name (syntax, unknown-key, wrong-value, forbidden, budget-above-user, unmatched-glob, too-large, unreadable).
    `severity` is error or warning. `words` say what is wrong, what is done instead, and what to do.
    """

    source: str
    code: str
    words: str
    severity: str = "error"
    line: int = 0
    column: int = 0
    length: int = 0
