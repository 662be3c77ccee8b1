"""Thoughts kept for clients whose format has no place for them, so that the model that made them finds them again in its next step.

In memory only, for prompts and answers are not stored: after a restart a model goes on without what it thought before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from stepfare.core.prompt import Thought

KEPT_BYTES_MAX = 32 * 1024 * 1024
"""Of all sessions together; what is longest unused goes first."""


class _Place(NamedTuple):
    """An answer: whose, by what of it the client will bring back, and after how many other answers."""

    session: str
    model: str
    key: str
    answers_before: int


class Keepsakes:
    """Thoughts by the answer in which a model had them."""

    def __init__(self, bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._kept: OrderedDict[_Place, tuple[Thought, ...]] = OrderedDict()
        self._bytes_max = bytes_max
        self._bytes = 0

    def keep(self, session: str, model: str, key: str, answers_before: int, thoughts: Sequence[Thought]) -> None:
        """Keep what this model thought in an answer; `key` is the id of its first tool call, or the digest of its text."""
        if not thoughts or not key:
            return
        place = _Place(session, model, key, answers_before)
        self._drop(place)
        self._kept[place] = tuple(thoughts)
        self._bytes += _size(thoughts)
        while self._bytes > self._bytes_max:
            self._drop(next(iter(self._kept)))

    def of(self, session: str, model: str) -> Callable[[str, int], tuple[Thought, ...]]:
        """What this model thought in this session, by key and place of the answer."""

        def kept_for(key: str, answers_before: int) -> tuple[Thought, ...]:
            place = _Place(session, model, key, answers_before)
            found = self._kept.get(place, ())
            if found:
                self._kept.move_to_end(place)
            return found

        return kept_for

    def forget(self, session: str, model: str = "") -> None:
        """As if this model, or else every model, had thought nothing in this session so far."""
        for place in [place for place in self._kept if place.session == session and model in ("", place.model)]:
            self._drop(place)

    def _drop(self, place: _Place) -> None:
        self._bytes -= _size(self._kept.pop(place, ()))


def _size(thoughts: Sequence[Thought]) -> int:
    return sum(len(thought.raw) for thought in thoughts)
