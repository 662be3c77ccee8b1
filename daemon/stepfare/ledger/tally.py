"""Books kept while entries come: sessions, open reservations, and the sums that reports are made of, each as a running fold.

One `Tally` serves three: the store's writer, which loads sessions as they are named; the rebuilding of the store's rollups; and their
verification. It changes in place, since it must keep pace with the writer; whoever loses a transaction throws it away.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from stepfare.core.entry import Entry, Opened, Reserved
from stepfare.ledger.journal import Phase, moved, phase_of
from stepfare.ledger.totals import DAY_MS, NOTHING, Closing, Firsts, Slice, Sums, added, firsts_of, slice_of

QUARTER_MS = 900_000
"""Sums over time are kept by the quarter of an hour, since every time zone in use begins its days on one, and by the day (of UTC)."""
SPANS_MS = (QUARTER_MS, DAY_MS)


@dataclass(slots=True)
class SessionTally:
    """What is remembered of a session: how it was opened (None: not yet), when it was first and last heard of, which steps are counted."""

    opened: Opened | None = None
    first_ms: int = 0
    last_ms: int = 0
    seen: dict[int, Firsts] = field(default_factory=dict[int, Firsts])

    @property
    def workspace(self) -> str:
        return self.opened.workspace if self.opened else ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a posted entry stands: the step of its session (0: none), and what it is the first of that step to be."""

    step: int
    firsts: Firsts


@dataclass(slots=True)
class Tally:
    sessions: dict[str, SessionTally] = field(default_factory=dict[str, SessionTally])
    open: dict[str, Reserved] = field(default_factory=dict[str, Reserved])
    by_session: dict[tuple[str, str, str, str], Sums] = field(default_factory=dict[tuple[str, str, str, str], Sums])
    """Keyed by session, model, tier, kind."""
    by_time: dict[tuple[int, int, str, str, str, str], Sums] = field(default_factory=dict[tuple[int, int, str, str, str, str], Sums])
    """Keyed by a span of `SPANS_MS`, its start in ms, workspace, model, tier, kind."""

    def post(self, entry: Entry, closed: Phase | None) -> Place | None:
        """Takes the entry in and says where it stands; None where it was posted already.

        `closed` is how its attempt is known to have ended, if it has. AssertionError: see `journal.moved`; nothing is changed then.
        """
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
            self._heard(entry.session, entry.at_ms)
            self.open[entry.attempt] = entry
            return Place(entry.step, 0)
        return self._close(entry)

    def _close(self, entry: Closing) -> Place:
        reserved = self.open[entry.attempt]
        assert reserved.session == entry.session, f"attempt {entry.attempt} of {reserved.session} is {phase_of(entry)} by {entry.session}"
        del self.open[entry.attempt]
        session = self._heard(entry.session, entry.at_ms)
        seen = session.seen.get(reserved.step, 0)
        firsts = firsts_of(entry, seen)
        if firsts:
            session.seen[reserved.step] = seen | firsts
        one = slice_of(reserved, entry, firsts)
        if one is not None:
            self._add(entry.session, entry.at_ms, session.workspace, one)
        return Place(reserved.step, firsts)

    def _heard(self, name: str, at_ms: int) -> SessionTally:
        session = self.sessions.get(name)
        if session is None:
            session = self.sessions[name] = SessionTally(first_ms=at_ms, last_ms=at_ms)
        else:
            # The clock of a machine may be set back.
            session.first_ms = min(session.first_ms, at_ms)
            session.last_ms = max(session.last_ms, at_ms)
        return session

    def _add(self, session: str, at_ms: int, workspace: str, one: Slice) -> None:
        by_session = (session, one.model, one.tier, one.kind)
        self.by_session[by_session] = added(self.by_session.get(by_session, NOTHING), one.sums)
        for span_ms in SPANS_MS:
            by_time = (span_ms, at_ms - at_ms % span_ms, workspace, one.model, one.tier, one.kind)
            self.by_time[by_time] = added(self.by_time.get(by_time, NOTHING), one.sums)
