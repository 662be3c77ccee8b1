"""What is used of each purse that a budget caps: read from the sums on disk when it is first asked for, then kept up to date.

It is right within a transaction that no other writer can come between; after one it is only what this writer knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stepfare.core.entry import Entry, Lost, Reserved, Settled
from stepfare.ledger.calendar import DAY_MS, QUARTER_MS
from stepfare.ledger.claims import Heap, Purse
from stepfare.ledger.groups import NOWHERE, Place
from stepfare.store import reports
from stepfare.store.database import Connection

PURSES_MAX = 4_096
"""Purses that are kept; then all are forgotten, and read again when they are asked for."""
_COLUMNS = {Heap.PROJECT: "project", Heap.USER: "who"}


class Purses:
    def __init__(self) -> None:
        self._used: dict[Purse, int] = {}
        self._sinces: dict[Heap, set[int]] = {}
        self._merged: dict[str, set[Purse]] = {}
        """A session -> the purses of those that it was merged with, and of itself with them."""

    def forget(self) -> None:
        """Others have written: all is read anew."""
        self._used.clear()
        self._sinces.clear()
        self._merged.clear()

    def open(self, connection: Connection, purses: Iterable[Purse]) -> None:
        """Read what is not known yet of these, before anything of a transaction is posted that is not on disk yet."""
        if len(self._used) > PURSES_MAX:
            self.forget()
        fresh = [purse for purse in dict.fromkeys(purses) if purse not in self._used]
        reserved = list(reports.open_places(connection)) if fresh else []
        for purse in fresh:
            ceilings = (one.ceiling_pusd or 0 for one, place in reserved if purse.holds(one.session, place))
            self._used[purse] = _closed_pusd(connection, purse) + sum(ceilings)
            if purse.merged:
                for name in (purse.name, *purse.merged):
                    self._merged.setdefault(name, set()).add(purse)
            else:
                self._sinces.setdefault(purse.heap, set()).add(purse.since_ms)

    def used_pusd(self, purse: Purse) -> int:
        """Picodollars settled, lost or reserved."""
        return self._used[purse]

    def post(self, entry: Entry, closes: Reserved | None, place: Place) -> None:
        """An entry that is being written, of a session that is at work there; `closes` is the reservation that it closes."""
        for purse in self._of(entry.session, place):
            self._used[purse] += _change_pusd(entry, closes, purse.since_ms)

    def move(self, session: str, place: Place, reserved: Iterable[Reserved]) -> None:
        """A session was opened at this place after these reservations: they count there. What it spent before counts nowhere."""
        ceilings_pusd = sum(one.ceiling_pusd or 0 for one in reserved)
        for purse in self._of(session, NOWHERE):
            self._used[purse] -= ceilings_pusd
        for purse in self._of(session, place):
            self._used[purse] += ceilings_pusd

    def _of(self, session: str, place: Place) -> Iterator[Purse]:
        """The purses that are kept of what this session spends."""
        yield from self._merged.get(session, ())
        names = {Heap.SESSION: session, Heap.PROJECT: place.project, Heap.USER: place.who, Heap.ALL: ""}
        for heap, sinces in self._sinces.items():
            for since_ms in sinces:
                purse = Purse(heap, names[heap], since_ms)
                if purse in self._used:
                    yield purse


def _change_pusd(entry: Entry, reserved: Reserved | None, since_ms: int) -> int:
    if isinstance(entry, Reserved):
        return entry.ceiling_pusd or 0
    cost_pusd = entry.cost_pusd if isinstance(entry, Settled) else entry.ceiling_pusd if isinstance(entry, Lost) else 0
    spent_pusd = cost_pusd or 0 if entry.at_ms >= since_ms else 0
    return spent_pusd - (reserved.ceiling_pusd or 0 if reserved else 0)


def _closed_pusd(connection: Connection, purse: Purse) -> int:
    """What was settled or lost: whole days from their sums, the quarters before the first whole day from theirs."""
    if purse.heap is Heap.SESSION:
        names = [purse.name, *purse.merged]
        table, where = "session_slices", f"session IN ({', '.join('?' * len(names))}) AND start_ms >= ?"
        values: list[int | str] = [*names, purse.since_ms]
    else:
        midnight_ms = -(-purse.since_ms // DAY_MS) * DAY_MS
        table = "time_slices"
        where = "((span_ms = ? AND start_ms >= ? AND start_ms < ?) OR (span_ms = ? AND start_ms >= ?))"
        values = [QUARTER_MS, purse.since_ms, midnight_ms, DAY_MS, midnight_ms]
        if purse.heap in _COLUMNS:
            where, values = f"{where} AND {_COLUMNS[purse.heap]} = ?", [*values, purse.name]
    return connection.execute(f"SELECT coalesce(sum(spent_pusd + lost_pusd), 0) FROM {table} WHERE {where}", values).fetchone()[0]
