"""The SQL of sums. Whole quarters of an hour, and whole sessions, come from the slices that are kept; what the edges of a span cut
through comes from the journal itself, so that every sum is exact to the millisecond.

Each function works within the transaction that it is called in, and raises the errors of its database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from stepfare.core.entry import Lost, Reserved, Settled
from stepfare.ledger import codec
from stepfare.ledger.tally import QUARTER_MS, SPANS_MS
from stepfare.ledger.totals import DAY_MS, SUMS, Group, Slice, Totals, day_of, slice_of, totals_of_slices
from stepfare.store.database import Connection

END_OF_TIME_MS = 1 << 53
SQL_VALUES_MAX = 500
"""Values in one list of a statement; old builds of SQLite take 999."""
_WORKSPACE_THEN = "(SELECT coalesce(max(workspace), '') FROM sessions WHERE session = closing.session AND opened < closing.row)"
_SUMS = ", ".join(SUMS)
_SUMMED = ", ".join(f"sum({name})" for name in SUMS)


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

    def holds(self, first_ms: int, last_ms: int) -> bool:
        return self.since_ms <= first_ms and last_ms < self.end_ms


@dataclass(slots=True)
class _Sheet:
    """Slices and reservations as they are gathered, each under the name of its group."""

    group: Group | None = None
    day_offset_ms: int = 0
    slices: dict[str, list[Slice]] = field(default_factory=dict[str, list[Slice]])
    reserved_pusd: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, one: Slice, *, session: str = "", at_ms: int = 0) -> None:
        self.slices.setdefault(self._name(one.model, one.tier, one.kind, session, at_ms), []).append(one)

    def reserve(self, reserved: Reserved) -> None:
        name = self._name(reserved.model, reserved.tier, reserved.kind, reserved.session, reserved.at_ms)
        self.reserved_pusd[name] = self.reserved_pusd.get(name, 0) + (reserved.ceiling_pusd or 0)

    def totals(self) -> dict[str, Totals]:
        names = sorted({*self.slices, *self.reserved_pusd})
        return {name: totals_of_slices(self.slices.get(name, ()), self.reserved_pusd.get(name, 0)) for name in names}

    def _name(self, model: str, tier: str, kind: str, session: str, at_ms: int) -> str:
        match self.group:
            case None:
                return ""
            case "day":
                return day_of(at_ms + self.day_offset_ms)
            case "session":
                return session
            case "model":
                return model
            case "tier":
                return tier
            case "kind":
                return kind


def totals(connection: Connection, span: Span, session: str | None, workspace: str | None) -> Totals:
    return report(connection, None, span, session, workspace).get("", Totals())


def report(
    connection: Connection,
    group: Group | None,
    span: Span,
    session: str | None = None,
    workspace: str | None = None,
    day_offset_ms: int = 0,
) -> dict[str, Totals]:
    """Totals by the name of their group, names in order; all under one empty name where there is no group."""
    assert day_offset_ms % QUARTER_MS == 0, f"no time zone begins its days {day_offset_ms} ms before those of UTC"
    sheet = _Sheet(group, day_offset_ms)
    if session is not None or group == "session":
        _add_sessions(sheet, connection, span, session, workspace)
    else:
        _add_times(sheet, connection, span, workspace)
    for reserved in _open(connection, span, session, workspace):
        sheet.reserve(reserved)
    return sheet.totals()


def session_totals(connection: Connection, sessions: Sequence[str]) -> dict[str, Totals]:
    """The totals of each of these sessions over all time."""
    sheet = _Sheet("session", reserved_pusd=dict.fromkeys(sessions, 0))
    for name, one in _session_slices(connection, sessions):
        sheet.add(one, session=name)
    for reserved in _open(connection, Span(), None, None):
        if reserved.session in sheet.reserved_pusd:
            sheet.reserve(reserved)
    return sheet.totals()


def _add_sessions(sheet: _Sheet, connection: Connection, span: Span, session: str | None, workspace: str | None) -> None:
    """Sessions that lie within the span from their slices, those that its ends cut through from the journal."""
    where, values = "last_ms >= ? AND first_ms < ?", [span.since_ms, span.end_ms]
    for column, value in (("session", session), ("workspace", workspace)):
        if value is not None:
            where, values = f"{where} AND {column} = ?", [*values, value]
    whole: list[str] = []
    for name, first_ms, last_ms in connection.execute(f"SELECT session, first_ms, last_ms FROM sessions WHERE {where}", values).fetchall():
        # The slices of a session do not know its days.
        if span.holds(first_ms, last_ms) and sheet.group != "day":
            whole.append(name)
        else:
            _add_closed(sheet, connection, span, "journal_by_session", "closing.session = ?", [name])
    for name, one in _session_slices(connection, whole):
        sheet.add(one, session=name)


def _add_times(sheet: _Sheet, connection: Connection, span: Span, workspace: str | None) -> None:
    """Days that lie within the span from their slices, quarters of the days that its ends cut through from theirs, and what is
    left of the quarters that its ends cut through from the journal."""
    inner: Span | None = None
    for span_ms in sorted(SPANS_MS, reverse=True):
        if sheet.group == "day" and sheet.day_offset_ms % span_ms:
            continue  # Days elsewhere are no whole days of UTC.
        outer = span.within(span_ms)
        for part in outer.around(inner):
            _add_slices(sheet, connection, span_ms, part, workspace)
        inner = outer
    # An attempt that ended before its session was opened belongs to no workspace: the slices say so too.
    here, values = ("", []) if workspace is None else (f" AND {_WORKSPACE_THEN} = ?", [workspace])
    for part in span.around(inner):
        where = f"closing.at_ms >= ? AND closing.at_ms < ?{here}"
        _add_closed(sheet, connection, part, "journal_by_time", where, [part.since_ms, part.end_ms, *values])


def _add_slices(sheet: _Sheet, connection: Connection, span_ms: int, part: Span, workspace: str | None) -> None:
    here, values = ("", []) if workspace is None else (" AND workspace = ?", [workspace])
    day = f"(start_ms + {sheet.day_offset_ms}) / {DAY_MS}" if sheet.group == "day" else "0"
    rows = connection.execute(
        f"SELECT {day} AS day, model, tier, kind, {_SUMMED} FROM time_slices WHERE span_ms = ? AND start_ms >= ? AND start_ms < ?{here}"
        " GROUP BY day, model, tier, kind",
        [span_ms, part.since_ms, part.end_ms, *values],
    )
    for number, model, tier, kind, *sums in rows:
        sheet.add(Slice(model, tier, kind, tuple(sums)), at_ms=number * DAY_MS - sheet.day_offset_ms)


def _add_closed(sheet: _Sheet, connection: Connection, span: Span, index: str, where: str, values: Sequence[str | int]) -> None:
    """What attempts add that ended within the span, read from the journal by that index."""
    rows = connection.execute(
        "SELECT closing.firsts, CAST(closing.body AS BLOB), CAST(reserved.body AS BLOB)"
        # CROSS keeps the order: first what ended in the span, then its reservations.
        f" FROM journal AS closing INDEXED BY {index} CROSS JOIN journal AS reserved"
        " ON reserved.session = closing.session AND reserved.step = closing.step"
        " AND reserved.attempt = closing.attempt AND reserved.phase = 'reserved'"
        f" WHERE closing.phase IN ('settled', 'lost') AND {where}",
        values,
    )
    for firsts, closing_body, reserved_body in rows:
        closing, reserved = codec.decode(closing_body), codec.decode(reserved_body)
        assert isinstance(closing, Settled | Lost), closing
        assert isinstance(reserved, Reserved), reserved
        one = slice_of(reserved, closing, firsts)
        if one is not None and span.holds(closing.at_ms, closing.at_ms):
            sheet.add(one, session=closing.session, at_ms=closing.at_ms)


def _session_slices(connection: Connection, sessions: Sequence[str]) -> Iterator[tuple[str, Slice]]:
    for start in range(0, len(sessions), SQL_VALUES_MAX):
        some = sessions[start : start + SQL_VALUES_MAX]
        marks = ", ".join("?" * len(some))
        rows = connection.execute(f"SELECT session, model, tier, kind, {_SUMS} FROM session_slices WHERE session IN ({marks})", some)
        for session, model, tier, kind, *sums in rows:
            yield session, Slice(model, tier, kind, tuple(sums))


def _open(connection: Connection, span: Span, session: str | None, workspace: str | None) -> Iterator[Reserved]:
    """Open reservations of that time, session and workspace. There are never many."""
    rows = connection.execute(
        "SELECT CAST(body AS BLOB), workspace FROM open_attempts JOIN journal USING (row) JOIN sessions USING (session) ORDER BY row"
    )
    for body, where in rows:
        reserved = codec.decode(body)
        assert isinstance(reserved, Reserved)
        if span.holds(reserved.at_ms, reserved.at_ms) and session in (None, reserved.session) and workspace in (None, where):
            yield reserved
