"""A way to write long tables of words so that a person can read them."""

from __future__ import annotations


def words(*lines: str) -> tuple[str, ...]:
    """The words of these lines."""
    return tuple(word for line in lines for word in line.split())
