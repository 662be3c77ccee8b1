"""Thoughts kept for clients whose format has no place for them, so that the model that made them finds them again in its next step.

In memory only, for prompts and answers are not stored: after a restart a model goes on without what it thought before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from stepfare.core.prompt import Thought

KEPT_BYTES_MAX = 32 * 1024 * 1024
"""Of all sessions together; what is longest unused goes first."""


class Keepsakes:
    """Thoughts by the model that made them and by what of the same answer the client will bring back."""

    def __init__(self, bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._kept: OrderedDict[tuple[str, str], tuple[Thought, ...]] = OrderedDict()
        self._bytes_max = bytes_max
        self._bytes = 0

    def keep(self, model: str, call_ids: Sequence[str], reply: str, thoughts: Sequence[Thought]) -> None:
        """Keep what this model thought in an answer: under its first tool call, or the digest of its text where it made none."""
        key = (model, call_ids[0] if call_ids else reply)
        if not thoughts or not key[1]:
            return
        self._forget(key)
        self._kept[key] = tuple(thoughts)
        self._bytes += _size(thoughts)
        while self._bytes > self._bytes_max:
            self._forget(next(iter(self._kept)))

    def of(self, model: str) -> Callable[[str], tuple[Thought, ...]]:
        """What this model thought, by the id of a call or the digest of a text."""

        def kept_for(key: str) -> tuple[Thought, ...]:
            found = self._kept.get((model, key), ())
            if found:
                self._kept.move_to_end((model, key))
            return found

        return kept_for

    def _forget(self, key: tuple[str, str]) -> None:
        self._bytes -= _size(self._kept.pop(key, ()))


def _size(thoughts: Sequence[Thought]) -> int:
    return sum(len(thought.raw) for thought in thoughts)
