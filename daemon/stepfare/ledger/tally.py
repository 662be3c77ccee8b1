"""Books kept while entries come: sessions, open reservations, and the sums that reports are made of, each as a running fold.

One `Tally` serves three: the store's writer, which loads sessions as they are named; the rebuilding of the store's rollups; and their
verification. It changes in place, since it must keep pace with the writer; whoever loses a transaction throws it away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from stepfare.core.entry import KEPT_WARM, Entry, Extended, Opened, Reserved, Settled
from stepfare.ledger.calendar import DAY_MS, QUARTER_MS
from stepfare.ledger.groups import NOWHERE, Labels, place_of
from stepfare.ledger.groups import Place as WhereAtWork
from stepfare.ledger.journal import Phase, moved, phase_of
from stepfare.ledger.totals import Closing, Firsts, Slice, Sums, added, firsts_of, slice_of

SPANS_MS = (QUARTER_MS, DAY_MS)
"""Sums over time are kept by the quarter of an hour and by the day (of UTC); those of a session, and of one label, by the quarter."""
LABELS_ALONE = tuple(label for label in Labels._fields if label != "workspace")
"""Labels that have sums of their own: most questions are by one of them, and need not walk through all that happened together."""

SessionKey: TypeAlias = tuple[str, int, Labels]
"""A session, the start of a quarter of an hour, and what else the sums are of."""
FileKey: TypeAlias = tuple[str, int, str]
"""A project, the start of a day (of UTC), and a file relative to the project's folder."""
FileSums: TypeAlias = tuple[int, int]
"""The steps that read or changed a file, and its part of what they cost in picodollars."""
TimeKey: TypeAlias = tuple[int, int, Labels]
"""A span of `SPANS_MS`, its start, and what else the sums are of."""
LabelKey: TypeAlias = tuple[str, int, str]
"""One of `LABELS_ALONE`, the start of a quarter of an hour, and what the label says."""


_Key = TypeVar("_Key")


@dataclass(slots=True)
class SessionTally:
    """What is remembered of a session: how it was opened (None: not yet), when it was first and last heard of, which steps are counted."""

    opened: Opened | None = None
    first_ms: int = 0
    last_ms: int = 0
    seen: dict[int, Firsts] = field(default_factory=dict[int, Firsts])

    @property
    def at_work(self) -> WhereAtWork:
        return place_of(self.opened) if self.opened else NOWHERE


@dataclass(frozen=True, slots=True)
class Place:
    """Where a posted entry stands: the step of its session (0: none), and what it is the first of that step to be."""

    step: int
    firsts: Firsts


@dataclass(slots=True)
class Tally:
    sessions: dict[str, SessionTally] = field(default_factory=dict[str, SessionTally])
    open: dict[str, Reserved] = field(default_factory=dict[str, Reserved])
    by_session: dict[SessionKey, Sums] = field(default_factory=dict[SessionKey, Sums])
    by_time: dict[TimeKey, Sums] = field(default_factory=dict[TimeKey, Sums])
    by_file: dict[FileKey, FileSums] = field(default_factory=dict[FileKey, FileSums])

    def by_label(self) -> dict[LabelKey, Sums]:
        """The sums by time as those of each label alone. Added up here rather than at each entry: entries that come together are alike."""
        heaps: dict[LabelKey, Sums] = {}
        for (span_ms, start_ms, labels), sums in self.by_time.items():
            if span_ms == QUARTER_MS:
                for label in LABELS_ALONE:
                    _add_to(heaps, (label, start_ms, getattr(labels, label)), sums)
        return heaps

    def post(self, entry: Entry, closed: Phase | None) -> Place | None:
        """Takes the entry in and says where it stands; None where it was posted already.

        `closed` is how its attempt is known to have ended, if it has (of an extension: whether it was made). AssertionError: see
        `journal.moved`; nothing is changed then.
        """
        if isinstance(entry, Extended):
            return None if closed else Place(0, 0)
        session = self.sessions.get(entry.session)
        if isinstance(entry, Opened):
            if session is not None and session.opened is not None:
                return None
            self._heard(entry.session, entry.at_ms).opened = entry
            return Place(0, 0)
        before = Phase.RESERVED if entry.attempt in self.open else closed
        if not moved(before, entry):
            return None
        if isinstance(entry, Reserved):
            self._heard(entry.session, entry.at_ms, own=entry.side == KEPT_WARM)
            self.open[entry.attempt] = entry
            return Place(entry.step, 0)
        return self._close(entry)

    def _close(self, entry: Closing) -> Place:
        reserved = self.open[entry.attempt]
        assert reserved.session == entry.session, f"attempt {entry.attempt} of {reserved.session} is {phase_of(entry)} by {entry.session}"
        del self.open[entry.attempt]
        session = self._heard(entry.session, entry.at_ms, own=reserved.side == KEPT_WARM)
        seen = session.seen.get(reserved.step, 0)
        firsts = firsts_of(entry, seen)
        if firsts:
            session.seen[reserved.step] = seen | firsts
        one = slice_of(reserved, entry, firsts, session.at_work)
        if one is not None:
            self._add(entry.session, entry.at_ms, one)
        if isinstance(entry, Settled) and entry.files:
            self._add_files(session.at_work.project, entry)
        return Place(reserved.step, firsts)

    def _heard(self, name: str, at_ms: int, *, own: bool = False) -> SessionTally:
        """`own` is a call that no client made: it says nothing of when its session was active."""
        session = self.sessions.get(name)
        if session is None:
            session = self.sessions[name] = SessionTally(first_ms=at_ms, last_ms=at_ms)
        elif not own:
            # The clock of a machine may be set back.
            session.first_ms = min(session.first_ms, at_ms)
            session.last_ms = max(session.last_ms, at_ms)
        return session

    def _add(self, session: str, at_ms: int, one: Slice) -> None:
        quarter_ms, sums = at_ms - at_ms % QUARTER_MS, one.sums
        _add_to(self.by_session, (session, quarter_ms, one.labels), sums)
        for span_ms in SPANS_MS:
            _add_to(self.by_time, (span_ms, at_ms - at_ms % span_ms, one.labels), sums)

    def _add_files(self, project: str, entry: Settled) -> None:
        """Every file of an attempt bears an equal part of its cost, and the first what does not divide."""
        part, rest = divmod(entry.cost_pusd or 0, len(entry.files))
        for place, file in enumerate(entry.files):
            key = (project, entry.at_ms - entry.at_ms % DAY_MS, file)
            steps, spent_pusd = self.by_file.get(key, (0, 0))
            self.by_file[key] = (steps + entry.committed, spent_pusd + part + (rest if not place else 0))


def _add_to(heaps: dict[_Key, Sums], key: _Key, sums: Sums) -> None:
    before = heaps.get(key)
    heaps[key] = sums if before is None else added(before, sums)
