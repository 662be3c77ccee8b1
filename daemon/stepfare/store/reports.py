"""The SQL of sums. Whole days and quarters of an hour come from the slices that are kept; what the edges of a span cut through comes
from the journal itself, so that every sum is exact to the millisecond.

Each function works within the transaction that it is called in, and raises the errors of its database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from stepfare.core.entry import Lost, Opened, Reserved, Settled
from stepfare.ledger import codec
from stepfare.ledger.calendar import QUARTER_MS, OffsetAt, stretches, utc
from stepfare.ledger.groups import CALENDAR, NOWHERE, Group, Labels, Place, name_of, place_of
from stepfare.ledger.totals import (
    NOTHING,
    Names,
    Slice,
    Spending,
    Sums,
    Totals,
    added,
    labels_of_open,
    slice_of,
    totals_by_name,
    totals_of_slices,
)
from stepfare.store.database import Connection
from stepfare.store.slices import EVERYTHING, SUMMED, Of, read, source_of

END_OF_TIME_MS = 1 << 53
SQL_VALUES_MAX = 500
"""Values in one list of a statement; old builds of SQLite take 999."""
_NO_LABELS = Labels(*[""] * len(Labels._fields))
_PARTS = ("tier", "model", "kind")
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

    def only(self, first: int, end: int | None) -> _Sheet:
        """The same sums by some of the groups."""
        some = _Sheet(self.by[first:end])
        for names, sums in self.sums.items():
            some.sums[names[first:end]] = added(some.sums.get(names[first:end], NOTHING), sums)
        for names, pusd in self.reserved_pusd.items():
            some.reserved_pusd[names[first:end]] = some.reserved_pusd.get(names[first:end], 0) + pusd
        return some


def totals(connection: Connection, span: Span, of: Of) -> Totals:
    """The totals of that time, with their parts by tier, model and kind."""
    if of != EVERYTHING:
        return _whole(_sheet(connection, _PARTS, span, of, utc))
    # Three short questions about one label each, instead of a long one about all three together.
    by_tier, by_model, by_kind = (totals_of_slices(_slices(_sheet(connection, (part,), span, of, utc))) for part in _PARTS)
    reserved_pusd = sum(reserved.ceiling_pusd or 0 for reserved, _ in _open(connection, span, of))
    return replace(by_tier, reserved_pusd=reserved_pusd, by_model=by_model.by_model, by_kind=by_kind.by_kind)


def report(connection: Connection, by: Sequence[Group], span: Span, of: Of, offset_at: OffsetAt = utc) -> Report:
    """The totals of that time, and their parts by these groups; names in order."""
    if of == EVERYTHING:
        sheet = _sheet(connection, by, span, of, offset_at)
        return Report(totals(connection, span, of), totals_by_name(sheet.sums, sheet.reserved_pusd))
    # Of some, all sums are read in one walk through what is theirs, and told apart afterwards.
    sheet = _sheet(connection, (*by, *_PARTS), span, of, offset_at)
    parts, whole = sheet.only(0, len(by)), sheet.only(len(by), None)
    return Report(_whole(whole), totals_by_name(parts.sums, parts.reserved_pusd))


def spending(connection: Connection, span: Span) -> Spending:
    """Two short questions about one label each, instead of a long one about both together."""

    def by(group: Group) -> dict[str, int]:
        totals = totals_by_name(_sheet(connection, (group,), span, EVERYTHING, utc).sums, {})
        return {name: one.spent_pusd + one.lost_pusd for (name,), one in totals.items()}

    return Spending(by("user"), by("project"))


def session_totals(connection: Connection, sessions: Sequence[str]) -> dict[str, Totals]:
    """The totals of each of these sessions over all time, with their parts."""
    sheets = {session: _Sheet(_PARTS) for session in sessions}
    for start in range(0, len(sessions), SQL_VALUES_MAX):
        some = sessions[start : start + SQL_VALUES_MAX]
        marks = ", ".join("?" * len(some))
        rows = connection.execute(
            f"SELECT session, model, tier, kind, {SUMMED} FROM session_slices WHERE session IN ({marks})"
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
    return totals_of_slices(_slices(sheet), sum(sheet.reserved_pusd.values()))


def _slices(sheet: _Sheet) -> list[Slice]:
    """The sums of a sheet under the labels that it is by."""
    return [Slice(_NO_LABELS._replace(**dict(zip(sheet.by, names, strict=True))), sums) for names, sums in sheet.sums.items()]


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
    first_ms, last_ms = connection.execute(_KNOWN_TIME).fetchone()
    if first_ms is not None:
        since_ms, end_ms = max(span.since_ms, first_ms), min(span.end_ms, last_ms + QUARTER_MS)
        for begun_ms, before_ms, offset_ms in stretches(since_ms, end_ms, offset_at):
            yield Span(begun_ms, before_ms), offset_ms


# Each alone, since only so are they looked up.
_KNOWN_TIME = """SELECT (SELECT min(start_ms) FROM label_slices WHERE label = 'tier'),
    (SELECT max(start_ms) FROM label_slices WHERE label = 'tier')"""


def _add_stretch(sheet: _Sheet, connection: Connection, span: Span, of: Of, offset_ms: int) -> None:
    """What lies within the span from sums of long spans, what its ends leave of those from sums of shorter ones, and what is left of
    these from the journal."""
    source = source_of(sheet.by, of)
    inner: Span | None = None
    for span_ms in source.spans_ms:
        if CALENDAR.intersection(sheet.by) and offset_ms % span_ms:
            continue  # Days elsewhere are no whole days of UTC.
        outer = span.within(span_ms)
        for part in outer.around(inner):
            for found in read(connection, source, span_ms, part.since_ms, part.end_ms, of, offset_ms):
                sheet.add(found.labels, found.sums, found.session, found.local_ms)
        inner = outer
    for part in span.around(inner):
        _add_closed(sheet, connection, part, of, offset_ms)


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
