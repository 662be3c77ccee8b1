"""Numbers as clients write them, which may be longer than any that can be reckoned with."""

from __future__ import annotations

from math import isfinite


def number(value: object) -> float | None:
    """A decoded value as a number; None for what is none, or is beyond all that can be said again."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        said = float(value)
    except OverflowError:
        return None
    return said if isfinite(said) else None
