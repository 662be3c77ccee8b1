"""How far into a session's conversation each model was asked last: where its cache ends when it comes back.

In memory only: after a restart a model that comes back finds what it holds if that is near the end, or else begins anew.
"""

from __future__ import annotations

from collections import OrderedDict

KEPT_MAX = 10_000
"""Pairs of session and model; those longest unused go first."""


class Reach:
    """Numbers of messages, by session and model."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self._kept: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._kept_max = kept_max

    def move(self, session: str, model: str, messages: int) -> int:
        """This model is asked with so many messages now; how many it was asked with the last time, 0 where it never was."""
        before = self._kept.pop((session, model), 0)
        self._kept[session, model] = messages
        if len(self._kept) > self._kept_max:
            self._kept.popitem(last=False)
        return before
