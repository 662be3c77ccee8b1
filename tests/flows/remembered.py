"""All that a daemon remembers, as plain values: two of them are equal where nothing was learned, forgotten or put in another order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from concurrent.futures import Executor
from typing import Any

from stepfare.runtime.clock import World

PASSED_OVER = (World, Executor, type)
"""The world outside and threads: nothing that is remembered."""


def remembered(value: object, seen: tuple[int, ...] = ()) -> Any:
    """The value with everything that it holds. Order counts in mappings, where the oldest goes first."""
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    if id(value) in seen or isinstance(value, (*PASSED_OVER, Callable)):
        return "..."
    seen = (*seen, id(value))
    if isinstance(value, Mapping):
        return [(remembered(key, seen), remembered(each, seen)) for key, each in value.items()]
    if isinstance(value, Set):
        return sorted((remembered(each, seen) for each in value), key=repr)
    if isinstance(value, list | tuple) or hasattr(value, "__iter__"):
        return [remembered(each, seen) for each in value]  # type: ignore[attr-defined]
    names = [*getattr(value, "__dict__", {}), *(name for one in type(value).__mro__ for name in getattr(one, "__slots__", ()))]
    return {name: remembered(getattr(value, name, None), seen) for name in names}
