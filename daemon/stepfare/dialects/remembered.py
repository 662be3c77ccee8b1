"""What was made of a message's bytes, kept by those bytes: a long session's next step then costs what is new in it.

It changes no answer: equal bytes give equal results.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

REMEMBERED_BYTES_MAX = 16 * 1024 * 1024
"""Of messages whose results are kept: a few long sessions."""

T = TypeVar("T")


class Remembered(Generic[T]):
    """Results of a function of bytes. The longest unused go where there are more bytes than are kept."""

    def __init__(self, make: Callable[[bytes], T], bytes_max: int = REMEMBERED_BYTES_MAX) -> None:
        self._make = make
        self._bytes_max = bytes_max
        self._made: OrderedDict[bytes, T] = OrderedDict()
        self._bytes = 0

    def of(self, raw: bytes) -> T:
        """The result for these bytes."""
        if raw in self._made:
            self._made.move_to_end(raw)
            return self._made[raw]
        made = self._made[raw] = self._make(raw)
        self._bytes += len(raw)
        while self._bytes > self._bytes_max:
            self._bytes -= len(self._made.popitem(last=False)[0])
        return made
