"""Whether an agent spins: the very same call, or pair of calls, with the very same result, again and again."""

from __future__ import annotations

from collections.abc import Sequence

PERIODS = (1, 2)
"""An agent repeats one call, or goes to and fro between two."""


def repeats_in(marks: Sequence[tuple[int, int]]) -> int:
    """How often in a row, up to now, what was done was done again. A mark stands for a call and for its result."""
    return max(_repeats(marks, period) for period in PERIODS)


def _repeats(marks: Sequence[tuple[int, int]], period: int) -> int:
    last = len(marks) - 1
    equal = 0
    while equal <= last - period and marks[last - equal] == marks[last - equal - period]:
        equal += 1
    return equal // period
