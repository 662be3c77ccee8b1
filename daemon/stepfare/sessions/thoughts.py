"""Which model made which thought: a fold of journal entries. Holds digests, never what was thought."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from stepfare.core.entry import Entry, Lost, Reserved, Settled, Voided

THOUGHTS_MAX = 50_000
"""Digests remembered; the oldest go first. A long session has some hundred."""


@dataclass(frozen=True, slots=True)
class _Made:
    session: str
    model: str


class ThoughtIndex:
    """`apply` is its way to change; replaying a journal rebuilds it."""

    def __init__(self) -> None:
        self._made: OrderedDict[str, _Made] = OrderedDict()
        self._open: dict[str, _Made] = {}

    def maker_of(self, digest: str) -> str:
        """The id of the model that made this thought; empty where nobody knows, or where it is not to be sent again."""
        made = self._made.get(digest)
        return made.model if made else ""

    def forget(self, session: str, model: str) -> None:
        """What this model thought in this session so far is not to be sent again: its provider refused it, as it does when the client
        has changed what was said before. Whoever replays the journal later learns the same by one refusal."""
        for digest in [digest for digest, made in self._made.items() if made == _Made(session, model)]:
            del self._made[digest]

    def apply(self, entry: Entry) -> None:
        match entry:
            case Reserved():
                self._open[entry.attempt] = _Made(entry.session, entry.model)
            case Settled():
                made = self._open.pop(entry.attempt, None)
                if made is not None:
                    self._remember(entry.thoughts, made)
            case Voided() | Lost():
                self._open.pop(entry.attempt, None)
            case _:
                pass

    def _remember(self, digests: Sequence[str], made: _Made) -> None:
        for digest in digests:
            self._made[digest] = made
            self._made.move_to_end(digest)
        while len(self._made) > THOUGHTS_MAX:
            self._made.popitem(last=False)
