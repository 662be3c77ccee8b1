"""Sessions and their steps as people want to see them: rows of the journal's sessions, cut and joined as was said of them.

Few sessions are: those are made from their steps here, all others are the plain rows of `queries`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce

from stepfare.core.entry import Entry, Lost, Opened, Reserved, Settled, Voided
from stepfare.ledger.calendar import OffsetAt, utc
from stepfare.ledger.groups import NOWHERE, Group, place_of
from stepfare.ledger.totals import Names, Totals, plus_totals, totals_of
from stepfare.ledger.totals import report as report_of
from stepfare.sessions.shown import Piece, Shown
from stepfare.store import annotations as remarks
from stepfare.store import queries, reports
from stepfare.store.database import Connection
from stepfare.store.queries import SessionRow, StepRow
from stepfare.store.reports import Report, Span
from stepfare.store.slices import Of

ROWS_MAX = 1 << 31


def sessions(connection: Connection, limit: int, since_ms: int, workspace: str | None) -> list[SessionRow]:
    """Sessions heard of since then, the one last heard of first."""
    shown = Shown.of_all(remarks.all_of(connection))
    touched = shown.touched()
    # As many more as may fall out, so that the newest of the others are all there.
    plain = queries.sessions(connection, limit + len(touched), since_ms, workspace)
    rows = [_titled(row, shown) for row in plain if row.opened.session not in touched]
    for name in {*touched.values()}:
        row = _made(connection, shown, name)
        if row is not None and row.last_ms >= since_ms and workspace in (None, row.opened.workspace):
            rows.append(row)
    return sorted(rows, key=lambda row: (-row.last_ms, row.opened.session))[:limit]


def session(connection: Connection, name: str) -> SessionRow | None:
    """The session of this name, or the one that it was merged into; None where there is none."""
    shown = Shown.of_all(remarks.all_of(connection))
    whole = shown.whole(name)
    return _made(connection, shown, whole)


def together(connection: Connection, names: Sequence[str]) -> Totals:
    """The totals of all these sessions; one that is not there adds nothing."""
    shown = Shown.of_all(remarks.all_of(connection))
    touched = shown.touched()
    plain = reports.session_totals(connection, [name for name in names if name not in touched])
    made = (_made(connection, shown, name) for name in names if name in touched)
    return reduce(plus_totals, (*plain.values(), *(row.totals for row in made if row)), Totals())


def steps(connection: Connection, name: str) -> list[StepRow]:
    """Its steps in the order in which they were first reserved, each with its attempts."""
    shown = Shown.of_all(remarks.all_of(connection))
    whole = shown.whole(name)
    pieces = shown.pieces(whole)
    if len(pieces) == 1 and pieces[0].whole:
        return queries.steps(connection, whole)
    return [replace(step, session=whole) for step in _steps_of(connection, pieces)]


def latest_steps(connection: Connection, names: Sequence[str], latest: int) -> dict[str, list[StepRow]]:
    """So many of the latest steps of each of these sessions, in their order."""
    shown = Shown.of_all(remarks.all_of(connection))
    found: dict[str, list[StepRow]] = {}
    for name in names:
        pieces = shown.pieces(shown.whole(name))
        plain = len(pieces) == 1 and pieces[0].whole
        found[name] = queries.steps(connection, pieces[0].session, latest) if plain else _steps_of(connection, pieces)[-latest:]
    return found


def booked_steps(connection: Connection, name: str) -> list[StepRow]:
    """The same with the session of the journal that each step is booked in."""
    shown = Shown.of_all(remarks.all_of(connection))
    return _steps_of(connection, shown.pieces(shown.whole(name)))


def latest_decision(connection: Connection, name: str) -> bytes | None:
    """The message of the newest decision of a session, those of sessions merged into it included."""
    shown = Shown.of_all(remarks.all_of(connection))
    pieces = shown.pieces(shown.whole(name))
    if not any(piece.session in shown.cuts for piece in pieces):
        return queries.latest_decision(connection, [piece.session for piece in pieces])
    # Whose a decision is follows from its step, where only a part of a session is meant.
    found = _steps_of(connection, pieces)
    return queries.decision(connection, found[-1].attempts[-1].reserved.decision) if found else None


def report(connection: Connection, by: Sequence[Group], span: Span, of: Of, offset_at: OffsetAt = utc) -> Report:
    """A report in which sessions are those that are shown: the rows that are by session, and the session that it is of."""
    shown = Shown.of_all(remarks.all_of(connection))
    if of.session is not None:
        name = shown.whole(of.session)
        found = [_report_of(connection, shown, name, piece, by, span, of, offset_at) for piece in shown.pieces(name)]
        return Report(reduce(plus_totals, (one.whole for one in found), Totals()), _joined(one.parts for one in found))
    plain = reports.report(connection, by, span, of, offset_at)
    if "session" not in by or not shown.touched():
        return plain
    at = by.index("session")
    parts: list[Mapping[Names, Totals]] = [
        {_called(names, at, shown.whole(names[at])): totals} for names, totals in plain.parts.items() if names[at] not in shown.cuts
    ]
    for name in {*shown.touched().values()}:
        cut = [piece for piece in shown.pieces(name) if piece.session in shown.cuts]
        parts += [_report_of(connection, shown, name, piece, by, span, of, offset_at).parts for piece in cut]
    return Report(plain.whole, _joined(parts))


def _report_of(
    connection: Connection, shown: Shown, name: str, piece: Piece, by: Sequence[Group], span: Span, of: Of, offset_at: OffsetAt
) -> Report:
    """What one piece adds to the report of the session that is shown by that name. Sums are kept of whole sessions only: of others what
    was booked is added up again."""
    if piece.session not in shown.cuts:
        found = reports.report(connection, by, span, replace(of, session=piece.session), offset_at)
        whole, parts = found.whole, found.parts
    else:
        entries = list(_booked(connection, piece))
        opened = next((entry for entry in entries if isinstance(entry, Opened)), None)
        if not replace(of, session=None).holds(piece.session, NOWHERE if opened is None else place_of(opened)):
            entries = []
        whole = totals_of(entries, span.since_ms, span.until_ms)
        parts = report_of(entries, by, span.since_ms, span.until_ms, offset_at)
    if "session" in by:
        parts = {_called(names, by.index("session"), name): totals for names, totals in parts.items()}
    return Report(whole, parts)


def _booked(connection: Connection, piece: Piece) -> Iterator[Entry]:
    """The entries of a piece in the order of the journal, its session's opening among them."""
    attempts: set[str] = set()
    for row in queries.entries_after(0, 0, piece.session, ROWS_MAX)(connection):
        match row.entry:
            case Opened():
                yield row.entry
            case Reserved() if piece.holds(row.entry.step):
                attempts.add(row.entry.attempt)
                yield row.entry
            case Settled() | Voided() | Lost() if row.entry.attempt in attempts:
                yield row.entry
            case _:
                pass


def _called(names: Names, at: int, session: str) -> Names:
    return (*names[:at], session, *names[at + 1 :])


def _joined(parts: Iterable[Mapping[Names, Totals]]) -> dict[Names, Totals]:
    """Several parts as one, names in order."""
    joined: dict[Names, Totals] = {}
    for some in parts:
        for names, totals in some.items():
            joined[names] = plus_totals(joined[names], totals) if names in joined else totals
    return dict(sorted(joined.items()))


def _steps_of(connection: Connection, pieces: Sequence[Piece]) -> list[StepRow]:
    found = [step for piece in pieces for step in queries.steps(connection, piece.session) if piece.holds(step.step) and step.attempts]
    return sorted(found, key=lambda step: step.attempts[0].reserved.at_ms)


def _made(connection: Connection, shown: Shown, name: str) -> SessionRow | None:
    """One session from its pieces: opened as the earliest of them that is its own, or else as the first."""
    made: SessionRow | None = None
    for piece in shown.pieces(name):
        row = _row(connection, piece)
        if row is None:
            continue
        if made is None:
            made = SessionRow(replace(row.opened, session=name), row.last_ms, row.totals)
        else:
            first_ms = min(made.opened.at_ms, row.opened.at_ms)
            made = SessionRow(replace(made.opened, at_ms=first_ms), max(made.last_ms, row.last_ms), plus_totals(made.totals, row.totals))
    return made and _titled(made, shown)


def _titled(row: SessionRow, shown: Shown) -> SessionRow:
    title = shown.titles.get(row.opened.session)
    return row if title is None else replace(row, opened=replace(row.opened, title=title))


def _row(connection: Connection, piece: Piece) -> SessionRow | None:
    whole = queries.session(connection, piece.session)
    if whole is None or piece.whole:
        return whole
    entries = list(_entries(queries.steps(connection, piece.session), piece))
    if not entries:
        return None
    at_ms = [entry.at_ms for entry in entries]
    # Where it was opened is where it began, unless that lies in another part.
    opened = whole.opened if piece.first <= 1 else replace(whole.opened, at_ms=min(at_ms))
    totals: Totals = totals_of(entries)
    return SessionRow(opened, max(at_ms), totals)


def _entries(rows: Sequence[StepRow], piece: Piece) -> Iterator[Entry]:
    for step in rows:
        if piece.holds(step.step):
            for attempt in step.attempts:
                yield attempt.reserved
                if attempt.closing is not None:
                    yield attempt.closing
