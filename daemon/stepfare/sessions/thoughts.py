"""Which model made which thought: a fold of journal entries. Holds digests, never what was thought."""

from __future__ import annotations

from collections import OrderedDict

from stepfare.core.entry import Entry, Lost, Reserved, Settled, Voided

THOUGHTS_MAX = 50_000
"""Digests remembered; the oldest go first. A long session has some hundred."""


class ThoughtIndex:
    """`apply` is its only way to change; replaying a journal rebuilds it."""

    def __init__(self) -> None:
        self._makers: OrderedDict[str, str] = OrderedDict()
        self._open: dict[str, str] = {}

    def maker_of(self, digest: str) -> str:
        """The id of the model that made this thought; empty where nobody knows."""
        return self._makers.get(digest, "")

    def apply(self, entry: Entry) -> None:
        match entry:
            case Reserved():
                self._open[entry.attempt] = entry.model
            case Settled():
                maker = self._open.pop(entry.attempt, "")
                for digest in entry.thoughts if maker else ():
                    self._makers[digest] = maker
                    self._makers.move_to_end(digest)
                while len(self._makers) > THOUGHTS_MAX:
                    self._makers.popitem(last=False)
            case Voided() | Lost():
                self._open.pop(entry.attempt, None)
            case _:
                pass
