"""The SQL of sums. Whole days and quarters of an hour come from the slices that are kept; what the edges of a span cut through comes
from the journal itself, so that every sum is exact to the millisecond.

Each function works within the transaction that it is called in, and raises the errors of its database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stepfare.core.entry import Lost, Opened, Reserved, Settled
from stepfare.ledger import codec
from stepfare.ledger.calendar import DAY_MS, QUARTER_MS, OffsetAt, stretches, utc
from stepfare.ledger.groups import CALENDAR, NOWHERE, Group, Labels, Place, name_of, place_of
from stepfare.ledger.tally import SPANS_MS
from stepfare.ledger.totals import (
    NOTHING,
    SUMS,
    Names,
    Slice,
    Sums,
    Totals,
    added,
    labels_of_open,
    slice_of,
    totals_by_name,
    totals_of_slices,
)
from stepfare.store.database import Connection

END_OF_TIME_MS = 1 << 53
SQL_VALUES_MAX = 500
"""Values in one list of a statement; old builds of SQLite take 999."""
_SUMMED = ", ".join(f"sum({name})" for name in SUMS)
_PARTS = ("model", "tier", "kind")
"""What the parts of a total are by."""


@dataclass(frozen=True, slots=True)
class Span:
    """From `since_ms` to before `until_ms` (None: no end)."""

    since_ms: int = 0
    until_ms: int | None = None

    @property
    def end_ms(self) -> int:
        return END_OF_TIME_MS if self.until_ms is None else self.until_ms

    def within(self, span_ms: int) -> Span:
        """What of it is whole spans of this length; empty at its beginning where there are none."""
        first_ms = -(-self.since_ms // span_ms) * span_ms
        return Span(first_ms, max(first_ms, self.end_ms // span_ms * span_ms))

    def around(self, inner: Span | None) -> Iterator[Span]:
        """What lies before and after a span within this one; all of it where that is empty."""
        parts = (
            [self]
            if inner is None or inner.since_ms >= inner.end_ms
            else [Span(self.since_ms, inner.since_ms), Span(inner.end_ms, self.end_ms)]
        )
        yield from (part for part in parts if part.since_ms < part.end_ms)

    def holds(self, at_ms: int) -> bool:
        return self.since_ms <= at_ms < self.end_ms


@dataclass(frozen=True, slots=True)
class Of:
    """Whose attempts are meant: those of a session, of a workspace, of a project, or all."""

    session: str | None = None
    workspace: str | None = None
    project: str | None = None

    def holds(self, session: str, place: Place) -> bool:
        return self.session in (None, session) and self.workspace in (None, place.workspace) and self.project in (None, place.project)


EVERYTHING = Of()


@dataclass(frozen=True, slots=True)
class Report:
    """Totals with their parts by tier, model and kind, and, without these, for each combination of names that there is; all read at
    one moment, so that the parts make up the whole."""

    whole: Totals
    parts: Mapping[Names, Totals]


@dataclass(slots=True)
class _Sheet:
    """Sums and reservations as they are gathered, each under its names."""

    by: Sequence[Group]
    sums: dict[Names, Sums] = field(default_factory=dict[Names, Sums])
    reserved_pusd: dict[Names, int] = field(default_factory=dict[Names, int])

    def add(self, labels: Labels, sums: Sums, session: str, local_ms: int) -> None:
        names = tuple(name_of(group, labels, session, local_ms) for group in self.by)
        self.sums[names] = added(self.sums.get(names, NOTHING), sums)

    def reserve(self, reserved: Reserved, place: Place, local_ms: int) -> None:
        labels = labels_of_open(reserved, place)
        names = tuple(name_of(group, labels, reserved.session, local_ms) for group in self.by)
        self.reserved_pusd[names] = self.reserved_pusd.get(names, 0) + (reserved.ceiling_pusd or 0)


def totals(connection: Connection, span: Span, of: Of) -> Totals:
    """The totals of that time, with their parts by tier, model and kind."""
    return _whole(_sheet(connection, _PARTS, span, of, utc))


def report(connection: Connection, by: Sequence[Group], span: Span, of: Of, offset_at: OffsetAt = utc) -> Report:
    """The totals of that time, and their parts by these groups; names in order."""
    sheet = _sheet(connection, by, span, of, offset_at)
    return Report(totals(connection, span, of), totals_by_name(sheet.sums, sheet.reserved_pusd))


def session_totals(connection: Connection, sessions: Sequence[str]) -> dict[str, Totals]:
    """The totals of each of these sessions over all time, with their parts."""
    sheets = {session: _Sheet(_PARTS) for session in sessions}
    for start in range(0, len(sessions), SQL_VALUES_MAX):
        some = sessions[start : start + SQL_VALUES_MAX]
        marks = ", ".join("?" * len(some))
        rows = connection.execute(
            f"SELECT session, model, tier, kind, {_SUMMED} FROM session_slices WHERE session IN ({marks})"
            " GROUP BY session, model, tier, kind",
            some,
        )
        for session, model, tier, kind, *sums in rows:
            sheets[session].add(Labels(*NOWHERE, "", model, tier, kind), tuple(sums), session, 0)
    for reserved, place in _open(connection, Span(), EVERYTHING):
        if reserved.session in sheets:
            sheets[reserved.session].reserve(reserved, place, 0)
    return {session: _whole(sheet) for session, sheet in sheets.items()}


def _whole(sheet: _Sheet) -> Totals:
    """A sheet by `_PARTS` as one total."""
    slices = [Slice(Labels(*NOWHERE, "", *names), sums) for names, sums in sheet.sums.items()]
    return totals_of_slices(slices, sum(sheet.reserved_pusd.values()))


def _sheet(connection: Connection, by: Sequence[Group], span: Span, of: Of, offset_at: OffsetAt) -> _Sheet:
    sheet = _Sheet(by)
    for part, offset_ms in _stretches(connection, by, span, offset_at):
        _add_stretch(sheet, connection, part, of, offset_ms)
    for reserved, place in _open(connection, span, of):
        sheet.reserve(reserved, place, reserved.at_ms + offset_at(reserved.at_ms))
    return sheet


def _stretches(connection: Connection, by: Sequence[Group], span: Span, offset_at: OffsetAt) -> Iterator[tuple[Span, int]]:
    """The parts of the span in which the clocks are not changed; all of it where no day is asked for."""
    if not CALENDAR.intersection(by):
        yield span, 0
        return
    first_ms, last_ms = connection.execute("SELECT min(start_ms), max(start_ms) FROM time_slices WHERE span_ms = ?", (DAY_MS,)).fetchone()
    if first_ms is not None:
        since_ms, end_ms = max(span.since_ms, first_ms), min(span.end_ms, last_ms + DAY_MS)
        for begun_ms, before_ms, offset_ms in stretches(since_ms, end_ms, offset_at):
            yield Span(begun_ms, before_ms), offset_ms


def _add_stretch(sheet: _Sheet, connection: Connection, span: Span, of: Of, offset_ms: int) -> None:
    """Days that lie within the span from their slices, quarters of the days that its ends cut through from theirs, and what is
    left of the quarters that its ends cut through from the journal."""
    by_session = of.session is not None or "session" in sheet.by
    spans_ms = [QUARTER_MS] if by_session else sorted(SPANS_MS, reverse=True)
    inner: Span | None = None
    for span_ms in spans_ms:
        if CALENDAR.intersection(sheet.by) and offset_ms % span_ms:
            continue  # Days elsewhere are no whole days of UTC.
        outer = span.within(span_ms)
        for part in outer.around(inner):
            _add_slices(sheet, connection, None if by_session else span_ms, part, of, offset_ms)
        inner = outer
    for part in span.around(inner):
        _add_closed(sheet, connection, part, of, offset_ms)


def _add_slices(sheet: _Sheet, connection: Connection, span_ms: int | None, part: Span, of: Of, offset_ms: int) -> None:
    """Sums from the slices of that span, or (None) from those of the sessions."""
    where, values = ["start_ms >= ?", "start_ms < ?"], list[str | int]((part.since_ms, part.end_ms))
    if span_ms is not None:
        where.append("span_ms = ?")
        values.append(span_ms)
    elif of.session is None:
        # Few sessions of all that there are were at work in a short span, and sessions are what their slices are led by.
        where.append("session IN (SELECT session FROM sessions WHERE last_ms >= ? AND first_ms < ?)")
        values += [part.since_ms, part.end_ms]
    else:
        where.append("session = ?")
        values.append(of.session)
    for column, value in (("workspace", of.workspace), ("project", of.project)):
        if value is not None:
            where.append(f"{column} = ?")
            values.append(value)
    columns = list(dict.fromkeys(_COLUMNS.get(group, group) for group in sheet.by))
    asked = [column.format(offset_ms=offset_ms) for column in columns]
    names = [f"named{number}" for number in range(len(asked))]
    named = "".join(f"{column} AS {name}, " for column, name in zip(asked, names, strict=True))
    grouped = f" GROUP BY {', '.join(names)}" if names else ""
    rows = connection.execute(
        f"SELECT {named}{_SUMMED} FROM {'session' if span_ms is None else 'time'}_slices WHERE {' AND '.join(where)}{grouped}", values
    )
    for row in rows:
        if row[-1] is None:
            continue  # The sum of nothing, where no names were asked for.
        known = dict(zip(columns, row, strict=False))
        labels = Labels(*(known.get(label, "") for label in Labels._fields))
        sheet.add(labels, row[len(columns) :], known.get("session", ""), known.get(_DAY, 0) * DAY_MS)


_DAY = f"(start_ms + {{offset_ms}}) / {DAY_MS}"
_COLUMNS: Mapping[Group, str] = {"user": "who", "day": _DAY, "month": _DAY, "provider": "model"}
"""What is read for a group whose names are no column."""


def _add_closed(sheet: _Sheet, connection: Connection, span: Span, of: Of, offset_ms: int) -> None:
    """What attempts add that ended within the span, read from the journal."""
    where, values = "", list[str | int]((span.since_ms, span.end_ms))
    if of.session is not None:
        where, values = " AND closing.session = ?", [*values, of.session]
    rows = connection.execute(
        "SELECT closing.firsts, CAST(closing.body AS BLOB), CAST(reserved.body AS BLOB), opened.row, CAST(opened.body AS BLOB)"
        # CROSS keeps the order: first what ended in the span, then its reservations.
        " FROM journal AS closing INDEXED BY journal_by_time CROSS JOIN journal AS reserved"
        " ON reserved.session = closing.session AND reserved.step = closing.step"
        " AND reserved.attempt = closing.attempt AND reserved.phase = 'reserved'"
        " LEFT JOIN sessions ON sessions.session = closing.session"
        # An attempt that ended before its session was opened is at no place: the slices say so too.
        " LEFT JOIN journal AS opened ON opened.row = sessions.opened AND opened.row < closing.row"
        f" WHERE closing.at_ms >= ? AND closing.at_ms < ? AND closing.phase IN ('settled', 'lost'){where}",
        values,
    )
    places: dict[int | None, Place] = {None: NOWHERE}
    for firsts, closing_body, reserved_body, opened_row, opened_body in rows:
        if opened_row not in places:
            opened = codec.decode(opened_body)
            assert isinstance(opened, Opened), opened
            places[opened_row] = place_of(opened)
        closing, reserved = codec.decode(closing_body), codec.decode(reserved_body)
        assert isinstance(closing, Settled | Lost), closing
        assert isinstance(reserved, Reserved), reserved
        place = places[opened_row]
        one = slice_of(reserved, closing, firsts, place)
        if one is not None and of.holds(closing.session, place):
            sheet.add(one.labels, one.sums, closing.session, closing.at_ms + offset_ms)


def _open(connection: Connection, span: Span, of: Of) -> Iterator[tuple[Reserved, Place]]:
    """Open reservations of that time, of those who are meant, with where their sessions are at work by now."""
    for reserved, place in open_places(connection):
        if of.holds(reserved.session, place) and span.holds(reserved.at_ms):
            yield reserved, place


def open_places(connection: Connection) -> Iterator[tuple[Reserved, Place]]:
    """Open reservations, with where their sessions are at work by now. There are never many."""
    rows = connection.execute(
        "SELECT CAST(reserved.body AS BLOB), CAST(opened.body AS BLOB) FROM open_attempts"
        " JOIN journal AS reserved ON reserved.row = open_attempts.row"
        " JOIN sessions ON sessions.session = reserved.session LEFT JOIN journal AS opened ON opened.row = sessions.opened"
        " ORDER BY reserved.row"
    )
    for body, opened_body in rows:
        reserved = codec.decode(body)
        assert isinstance(reserved, Reserved)
        opened = None if opened_body is None else codec.decode(opened_body)
        assert opened is None or isinstance(opened, Opened), opened
        yield reserved, NOWHERE if opened is None else place_of(opened)
