"""Sessions as a person wants them: a fold of what was said of them (names, merges, splits, pins), over the sessions of the journal.

A session of the journal is cut into parts where it was split; a part belongs to the session that it was merged into. The journal, and
the recognising of requests, know nothing of it: both keep to the sessions that are booked, and what was said can be taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from stepfare.core.annotation import Annotation, Merged, Pinned, Renamed, Split
from stepfare.core.step import Tier

TITLE_CHARS_MAX = 60
ANNOTATIONS_MAX = 10_000
"""Of all that is said of sessions; they are folded anew where sessions are listed."""


class Refused(Exception):
    """What was asked of sessions cannot be; the message says why."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Steps of a session of the journal, from `first` to before `end` (None: to its end, those still to come included)."""

    session: str
    first: int = 1
    end: int | None = None

    @property
    def whole(self) -> bool:
        return self.first <= 1 and self.end is None

    def holds(self, step: int) -> bool:
        return self.first <= step and (self.end is None or step < self.end)


@dataclass(slots=True)
class Shown:
    """`apply` is its only way to change."""

    titles: dict[str, str] = field(default_factory=dict[str, str])
    into: dict[str, str] = field(default_factory=dict[str, str])
    """A merged session or part -> what it was merged into."""
    cuts: dict[str, list[tuple[int, str]]] = field(default_factory=dict[str, list[tuple[int, str]]])
    """A session of the journal -> from which step on it is which part, in the order of steps."""
    pins: dict[str, Tier] = field(default_factory=dict[str, Tier])
    count: int = 0

    @classmethod
    def of_all(cls, annotations: Iterable[Annotation]) -> Shown:
        shown = cls()
        for annotation in annotations:
            shown.apply(annotation)
        return shown

    def apply(self, annotation: Annotation) -> None:
        """Fold one more in. Raises Refused where it makes no sense; then nothing has changed."""
        if self.count >= ANNOTATIONS_MAX:
            raise Refused(f"{ANNOTATIONS_MAX} things were said of sessions already; no more are kept.")
        match annotation:
            case Renamed(session, _, title):
                self._set(self.titles, self.whole(session), title[:TITLE_CHARS_MAX])
            case Merged(session, _, "") if session not in self.into:
                raise Refused(f"{session} was not merged into another session.")
            case Merged(session, _, into):
                self._merge(session, into)
            case Split(session, _, part, cuts):
                self._split(session, part, cuts)
            case Pinned(session, _, tier):
                if tier is None:
                    self.pins.pop(self.whole(session), None)
                else:
                    self.pins[self.whole(session)] = tier
        self.count += 1

    def of(self, session: str, step: int) -> str:
        """The session as shown that this step of a session of the journal belongs to."""
        part = session
        for first, name in self.cuts.get(session, ()):
            if first <= step:
                part = name
        return self.whole(part)

    def whole(self, part: str) -> str:
        """The session as shown that a part belongs to: itself, unless it was merged into another."""
        while part in self.into:
            part = self.into[part]
        return part

    def going_on(self, session: str) -> str:
        """The session as shown that the coming steps of a session of the journal belong to."""
        cuts = self.cuts.get(session)
        return self.whole(cuts[-1][1] if cuts else session)

    def pin(self, session: str) -> Tier | None:
        """The tier that the coming steps of a session of the journal are pinned to."""
        return self.pins.get(self.going_on(session)) if self.pins else None

    def pieces(self, shown: str) -> tuple[Piece, ...]:
        """What a session as shown is made of, the session of that name first."""
        return tuple(piece for part in self._parts(shown) for piece in self._pieces_of(part))

    def merged(self, shown: str) -> tuple[str, ...]:
        """What was merged into it, at once or by way of others."""
        return self._parts(shown)[1:]

    def touched(self) -> Mapping[str, str]:
        """Every session of the journal and every part that is cut, merged or merged into -> the session as shown that it ends up in."""
        parts = {name for cuts in self.cuts.values() for _, name in cuts}
        return {name: self.whole(name) for name in {*self.cuts, *parts, *self.into, *self.into.values()}}

    def _parts(self, shown: str) -> tuple[str, ...]:
        parts = [shown]
        for part in parts:  # It grows while it is walked through: what was merged into what was merged.
            parts.extend(name for name, into in self.into.items() if into == part)
        return tuple(parts)

    def _pieces_of(self, part: str) -> Iterator[Piece]:
        mine = self.cuts.get(part, [])
        if not mine or mine[0][0] > 1:
            yield Piece(part, 1, mine[0][0] if mine else None)
        for session, cuts in self.cuts.items():
            for place, (first, name) in enumerate(cuts):
                if name == part:
                    yield Piece(session, first, cuts[place + 1][0] if place + 1 < len(cuts) else None)

    def _merge(self, session: str, into: str) -> None:
        if not into:
            del self.into[session]
            return
        session, into = self.whole(session), self.whole(into)
        if session == into:
            raise Refused(f"they are one session already: {into}.")
        self.into[session] = into

    def _split(self, session: str, part: str, cuts: Iterable[tuple[str, int]]) -> None:
        new = dict(cuts)
        if not new or any(step < 1 or self.of(name, step) != session for name, step in new.items()):
            raise Refused(f"{session} cannot be split there.")
        for name, step in new.items():
            self.cuts[name] = sorted([*((first, old) for first, old in self.cuts.get(name, []) if first != step), (step, part)])

    def _set(self, texts: dict[str, str], key: str, text: str) -> None:
        if text:
            texts[key] = text
        else:
            texts.pop(key, None)
