"""The SQL of the sums that are kept: which table answers a question soonest, and how it is asked. What they are added up to is the business
of `reports`.

Three tables hold the same sums: by one label alone (small), by project and all labels together, and by session.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from stepfare.ledger.calendar import DAY_MS, QUARTER_MS
from stepfare.ledger.groups import CALENDAR, Group, Labels, Place
from stepfare.ledger.tally import SPANS_MS
from stepfare.ledger.totals import SUMS, Sums
from stepfare.store.database import Connection

SUMMED = ", ".join(f"sum({name})" for name in SUMS)
_DAY = f"(start_ms + {{offset_ms}}) / {DAY_MS}"
_COLUMNS: Mapping[Group, str] = {"user": "who", "day": _DAY, "month": _DAY, "provider": "model"}
"""What is read for a group whose names are no column."""

Table: TypeAlias = Literal["label_slices", "time_slices", "session_slices"]


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
class FileSum:
    """How many steps read or changed a file, relative to its project's folder, and its part of what they cost: a step's cost is parted
    equally among its files."""

    file: str
    steps: int
    spent_pusd: int


@dataclass(frozen=True, slots=True)
class Read:
    """Sums as a table has them: what their labels are, as far as was asked, their session, and the begin of their local day."""

    labels: Labels
    session: str
    local_ms: int
    sums: Sums


@dataclass(frozen=True, slots=True)
class Source:
    """The table that answers a question, and the columns of attempts that it is asked for."""

    table: Table
    columns: tuple[str, ...]

    @property
    def spans_ms(self) -> Sequence[int]:
        """The spans that the table has sums of, the longest first."""
        return sorted(SPANS_MS, reverse=True) if self.table == "time_slices" else (QUARTER_MS,)


def source_of(by: Sequence[Group], of: Of) -> Source:
    """Where the sums by these groups are read soonest."""
    columns = tuple(dict.fromkeys(_COLUMNS.get(group, group) for group in by))
    if of.session is not None or "session" in by:
        return Source("session_slices", columns)
    labels = {column for group, column in zip(by, (_COLUMNS.get(group, group) for group in by), strict=True) if group not in CALENDAR}
    return Source("label_slices" if of == EVERYTHING and len(labels) <= 1 else "time_slices", columns)


def read(connection: Connection, source: Source, span_ms: int, since_ms: int, end_ms: int, of: Of, offset_ms: int = 0) -> Iterator[Read]:
    """The sums of what ended in that time, whose ends lie on the borders of spans of `span_ms`."""
    where, values = _where(source, span_ms, since_ms, end_ms, of)
    # Each label has a table of names of its own, as it were: the label that is asked for is its name there.
    label = next((column for column in source.columns if column in Labels._fields), "tier") if source.table == "label_slices" else ""
    asked = ["name" if column == label else column.format(offset_ms=offset_ms) for column in source.columns]
    if label:
        where.append("label = ?")
        values.append(label)
    aliases = [f"named{number}" for number in range(len(asked))]
    named = "".join(f"{column} AS {alias}, " for column, alias in zip(asked, aliases, strict=True))
    grouped = f" GROUP BY {', '.join(aliases)}" if aliases else ""
    rows = connection.execute(f"SELECT {named}{SUMMED} FROM {source.table} WHERE {' AND '.join(where)}{grouped}", values)
    for row in rows:
        if row[-1] is None:
            continue  # The sum of nothing, where no names were asked for.
        known = dict(zip(source.columns, row, strict=False))
        labels = Labels(*(known.get(name, "") for name in Labels._fields))
        yield Read(labels, known.get("session", ""), known.get(_DAY, 0) * DAY_MS, row[len(asked) :])


def files(connection: Connection, project: str, since_ms: int, limit: int) -> list[FileSum]:
    """What steps cost by the files of a project that they read or changed, the dearest first; days are counted whole."""
    rows = connection.execute(
        "SELECT file, sum(steps), sum(spent_pusd) AS spent FROM file_slices WHERE project = ? AND start_ms >= ?"
        " GROUP BY file ORDER BY spent DESC, file LIMIT ?",
        (project, since_ms - since_ms % DAY_MS, limit),
    )
    return [FileSum(file, int(steps), int(spent)) for file, steps, spent in rows]


def _where(source: Source, span_ms: int, since_ms: int, end_ms: int, of: Of) -> tuple[list[str], list[str | int]]:
    where, values = ["start_ms >= ?", "start_ms < ?"], list[str | int]((since_ms, end_ms))

    def also(condition: str, *more: str | int) -> None:
        where.append(condition)
        values.extend(more)

    if source.table == "session_slices":
        if of.session is not None:
            also("session = ?", of.session)
        else:
            # Few sessions of all that there are were at work in a short time, and sessions are what these slices are led by.
            also("session IN (SELECT session FROM sessions WHERE last_ms >= ? AND first_ms < ?)", since_ms, end_ms)
    if source.table == "time_slices":
        also("span_ms = ?", span_ms)
        if of.project is None:
            # The same with projects, which lead these.
            at_work = "SELECT DISTINCT name FROM label_slices WHERE label = 'project' AND start_ms >= ? AND start_ms < ?"
            also(f"project IN ({at_work})", since_ms, end_ms)
    for column, value in (("workspace", of.workspace), ("project", of.project)):
        if value is not None:
            also(f"{column} = ?", value)
    return where, values
