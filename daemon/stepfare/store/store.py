"""The store: a daemon's books, in a file of its own or shared with others. An append returns when its entries are on disk; questions are
answered beside it.

Writing is done in `writer`, the SQL of the questions stands in `queries`, what the entries mean in `stepfare.ledger`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from stepfare.core.annotation import Annotation
from stepfare.core.entry import Entry, Extended, Reserved
from stepfare.ledger.calendar import OffsetAt, utc
from stepfare.ledger.claims import Claim
from stepfare.ledger.groups import Group, Place
from stepfare.ledger.totals import Spending, Totals
from stepfare.store import annotations as remarks
from stepfare.store import as_shown, queries, reports, rollups, slices, thinning
from stepfare.store.database import Connection, Database
from stepfare.store.errors import StoreError
from stepfare.store.following import Following, Remarked, Told
from stepfare.store.queries import JournalRow, SessionRow, StepRow
from stepfare.store.readers import Readers
from stepfare.store.reports import Report
from stepfare.store.slices import EVERYTHING, FileSum, Of
from stepfare.store.thinning import Thinned
from stepfare.store.writer import Append, Decided, Job, Writer

__all__ = ["JournalRow", "SessionRow", "StepRow", "Store", "StoreError"]

WAITING_APPENDS_MAX = 8_192
"""Appends in flight; the next one waits for room before it is queued."""
LOOK_S = 2.0
"""How long a look at what others wrote is waited for, should their server be slow or gone."""
ENTRIES_BATCH_ROWS = 1_000
RECENT_SESSIONS_MAX = 300
"""Whose entries are read again at the start, which must be quick."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What books have that several daemons write: the name of this one, how it hears of the others, and what of theirs is lost."""

    writer: str
    when_grown: Callable[[Callable[[], None]], None]
    """Has something called, in another thread, whenever the journal has grown."""
    left_open: Callable[[Connection, int], list[Reserved]]
    meet: Callable[[], None]
    """Connects the writer to books that could not be reached when they were opened. Blocks. Raises their errors, and StoreError."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The books as of a row of the journal, from which there is `follow`.

    `entries` are those of `recent_entries`; `extensions` all that was ever added to caps; `still_open` all open reservations, each with
    where its session is at work; `spent` what was spent since the beginning of each period that was asked for.
    """

    row: int
    entries: list[Entry]
    extensions: list[Extended]
    still_open: list[tuple[Reserved, Place]]
    spent: Mapping[int, Spending]


class Store:
    """Made by `sqlite_file.open_file` or `postgres_books.open_shared`. Its methods are called from one event loop, and do not block it."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        problems: Sequence[str],
        let_go: Callable[[], None],
        shared: Shared | None = None,
        unmet: str = "",
    ) -> None:
        self.database = database
        self.problems = problems
        """What was found wrong with the books when they were met, in words."""
        self.unmet = unmet
        """Why the books were never reached since they were opened; empty once they were. Until then nothing is written, nor kept here to
        be written later: what has been spent, and so what may be, is not known."""
        self._meeting: asyncio.Future[None] | None = None
        self._writer = writer
        self._readers = Readers(database)
        self._let_go = let_go
        self._shared = shared
        self._following: Following | None = None
        self._room = asyncio.Semaphore(WAITING_APPENDS_MAX)
        self._closing = False

    @property
    def commits(self) -> int:
        """Transactions so far: fewer than appends where these came together."""
        return self._writer.commits

    async def meet(self) -> None:
        """Reaches books that could not be reached when they were opened: returns when what an earlier life of this daemon kept here is
        written, and appends are taken in. Raises StoreError where they cannot be reached yet; then `unmet` says why."""
        if not self.unmet or self._shared is None:
            return
        self._meeting = asyncio.ensure_future(asyncio.to_thread(self._shared.meet))
        try:
            # Who goes away does not stop it half way: `close` waits for it.
            await asyncio.shield(self._meeting)
        except self.database.errors as error:
            self.unmet = self.database.in_words(error)
            raise StoreError(self.unmet) from error
        except StoreError as error:
            self.unmet = str(error)
            raise
        self.unmet = ""

    async def append(self, *entries: Entry, decision: Decided | None = None, claims: Sequence[Claim] = ()) -> None:
        """Returns when all these entries, and the decision, are on disk: all of them are, or none.

        `claims` are what each reservation among them must find room for: looked at and taken within the transaction, whoever else
        writes. An entry that was posted before changes nothing. Raises StoreError where the disk refuses, OverCap
        where a claim finds no room, and AssertionError where an entry breaks the legal order (`ledger.journal.moved`); none of them
        touches the appends of others.
        """
        async with self._room:
            await self._do(Append(entries, decision, asyncio.get_running_loop().create_future(), claims))

    async def rebuild(self) -> None:
        """Makes everything that is derived from the journal anew. Appends wait meanwhile. Raises StoreError."""
        await self._do(Job(rollups.rebuild, asyncio.get_running_loop().create_future()))

    async def annotate(self, annotation: Annotation) -> list[Annotation]:
        """Returns when it is on disk, with all that was said up to it. Raises sessions.shown.Refused where it makes no sense behind what
        others said first, and StoreError; then nothing was written."""
        said: list[Annotation] = []
        await self._do(Job(lambda connection: said.extend(remarks.add(connection, annotation)), asyncio.get_running_loop().create_future()))
        return said

    async def annotations(self) -> list[Annotation]:
        """What was said of sessions, in the order in which it was said. Raises StoreError."""
        return await self._readers.ask(remarks.all_of)

    async def thin(self, before_ms: int) -> Thinned:
        """Removes the decisions of some sessions last heard of before that time; see `thinning.thin`. Raises StoreError."""
        found: list[Thinned] = []
        thin = thinning.thin_shared if self.shared else thinning.thin
        job = Job(lambda connection: found.append(thin(connection, before_ms)), asyncio.get_running_loop().create_future())
        await self._do(job)
        return found[0]

    async def close(self) -> None:
        """Writes what waits, renews the head, and lets the books go. Later appends raise StoreError."""
        if self._closing:
            return
        self._closing = True
        if self._meeting is not None:
            await asyncio.wait([self._meeting])
        # Readers first: the last connection to close tidies the log away, and one that only reads cannot.
        await asyncio.to_thread(self._readers.close)
        await asyncio.to_thread(self._writer.stop)
        self._let_go()

    async def _do(self, work: Append | Job) -> None:
        if self._closing:
            raise StoreError(f"the ledger {self.database.name} is closed, since the daemon is stopping: nothing was written.")
        if self.unmet:
            raise StoreError(self.unmet)
        self._writer.put(work)
        if work.done is not None:
            await work.done

    @property
    def put_aside(self) -> int:
        """Appends that are kept on this machine, since the books cannot be reached."""
        return self._writer.put_aside

    @property
    def daemons(self) -> int:
        """How many daemons write these books, as far as is known."""
        return self._writer.daemons

    @property
    def shared(self) -> bool:
        """Whether other daemons write these books too."""
        return self._shared is not None

    async def remembered(self, since_ms: int, periods_ms: Sequence[int] = (), sessions_max: int = RECENT_SESSIONS_MAX) -> Remembered:
        """All that a daemon must know to begin with, as of one moment."""
        return await self._readers.ask(lambda connection: _remembered(connection, since_ms, periods_ms, sessions_max))

    def follow(self, after_row: int, told: Told, after_remark: int = 0, remarked: Remarked = lambda _: None) -> None:
        """From now on `told` is told what other daemons write after this row, and `remarked` all that was said of sessions whenever
        there is more of it than so much. Where nobody else writes, nothing."""
        if self._shared is None:
            return
        following = self._following = Following(self._readers, self._shared.writer, after_row, told, after_remark, remarked)
        loop = asyncio.get_running_loop()

        def grown() -> None:
            with contextlib.suppress(RuntimeError):  # The loop is closed: nobody is to be told any more.
                asyncio.run_coroutine_threadsafe(following.look(), loop)

        self._shared.when_grown(grown)

    async def look(self) -> None:
        """Returns when all is told that others have written by now."""
        if self._following is None or self.put_aside:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await self._following.look()

    async def left_open(self, now_ms: int) -> list[Reserved]:
        """Reservations that nobody will close any more, in journal order."""
        shared = self._shared
        if shared is None:
            return await self.open_reservations()
        return await self._readers.ask(lambda connection: shared.left_open(connection, now_ms))

    async def open_reservations(self) -> list[Reserved]:
        """Attempts that were reserved and not closed yet, in journal order."""
        return await self._readers.ask(queries.open_reservations)

    async def entries(
        self, *, since_ms: int = 0, session: str | None = None, after_row: int = 0, limit: int | None = None
    ) -> AsyncIterator[list[JournalRow]]:
        """The journal in its order, in batches; `limit` is how many rows in all."""
        first_row = await self._readers.ask(lambda connection: queries.first_row(connection, since_ms))
        after_row = max(after_row, first_row - 1)
        while limit is None or limit > 0:
            size = ENTRIES_BATCH_ROWS if limit is None else min(limit, ENTRIES_BATCH_ROWS)
            batch = await self._readers.ask(queries.entries_after(after_row, since_ms, session, size))
            if batch:
                yield batch
            if len(batch) < size:
                return
            after_row = batch[-1].row
            limit = None if limit is None else limit - size

    async def entries_of(self, session: str) -> list[Entry]:
        """All entries of that session, in journal order; none where the books do not know it."""
        return await self._readers.ask(lambda connection: queries.entries_of(connection, session))

    async def recent_entries(self, since_ms: int, sessions_max: int = RECENT_SESSIONS_MAX) -> list[Entry]:
        """All entries, in journal order, of the sessions heard of since then (the newest `sessions_max` of them)."""
        return await self._readers.ask(lambda connection: queries.recent_entries(connection, since_ms, sessions_max))

    async def decision(self, decision: str) -> bytes | None:
        """The message of that decision; None where there is none."""
        return await self._readers.ask(lambda connection: queries.decision(connection, decision))

    async def decisions(self, names: Sequence[str]) -> dict[str, bytes]:
        """The messages of those decisions that are there, by their ids, in one look."""
        return await self._readers.ask(
            lambda connection: {name: message for name in names if (message := queries.decision(connection, name)) is not None}
        )

    async def latest_decision(self, session: str | None = None) -> bytes | None:
        """The message of the newest decision, of that session or of all."""
        return await self._readers.ask(
            lambda connection: queries.latest_decision(connection) if session is None else as_shown.latest_decision(connection, session)
        )

    async def sessions(self, limit: int = 20, since_ms: int = 0, workspace: str | None = None) -> list[SessionRow]:
        """Sessions heard of since then, the one last heard of first."""
        return await self._readers.ask(lambda connection: as_shown.sessions(connection, limit, since_ms, workspace))

    async def session(self, session: str) -> SessionRow | None:
        return await self._readers.ask(lambda connection: as_shown.session(connection, session))

    async def together(self, sessions: Sequence[str]) -> Totals:
        """The totals of all these sessions as one."""
        return await self._readers.ask(lambda connection: as_shown.together(connection, sessions))

    async def last_reserved(self, session: str) -> Reserved | None:
        """The session's last attempt, as it was reserved; None where it has none."""
        return await self._readers.ask(lambda connection: queries.last_reserved(connection, session))

    async def booked_steps(self, session: str) -> list[StepRow]:
        """The same steps as `steps`, each with the session and the step of the journal that it is booked as."""
        return await self._readers.ask(lambda connection: as_shown.booked_steps(connection, session))

    async def steps(self, session: str) -> list[StepRow]:
        """The session's steps in the order in which they were first reserved, each with its attempts."""
        return await self._readers.ask(lambda connection: as_shown.steps(connection, session))

    async def latest_steps(self, sessions: Sequence[str], latest: int) -> dict[str, list[StepRow]]:
        """So many of the latest steps of each of these sessions, in their order."""
        return await self._readers.ask(lambda connection: as_shown.latest_steps(connection, sessions, latest))

    async def totals(
        self, since_ms: int = 0, until_ms: int | None = None, *, session: str | None = None, workspace: str | None = None
    ) -> Totals:
        """Totals of attempts closed (or, if open, reserved) from `since_ms` to before `until_ms`, exact to the millisecond."""
        span, of = reports.Span(since_ms, until_ms), Of(session, workspace)
        return await self._readers.ask(lambda connection: reports.totals(connection, span, of))

    async def files(self, project: str, since_ms: int, limit: int) -> list[FileSum]:
        """What was spent on the files of a project since the day of UTC that `since_ms` lies in, the dearest first."""
        return await self._readers.ask(lambda connection: slices.files(connection, project, since_ms, limit))

    async def report(
        self, by: Sequence[Group], since_ms: int = 0, until_ms: int | None = None, of: Of = EVERYTHING, offset_at: OffsetAt = utc
    ) -> Report:
        """`totals`, and their parts for each combination of names of these groups. Days begin where `offset_at` says."""
        span = reports.Span(since_ms, until_ms)
        return await self._readers.ask(lambda connection: as_shown.report(connection, by, span, of, offset_at))


def _remembered(connection: Connection, since_ms: int, periods_ms: Sequence[int], sessions_max: int) -> Remembered:
    return Remembered(
        row=queries.head(connection).count,
        entries=queries.recent_entries(connection, since_ms, sessions_max),
        extensions=queries.extensions(connection),
        still_open=list(reports.open_places(connection)),
        # The same month for a person and for a team is asked for once.
        spent={start_ms: reports.spending(connection, reports.Span(start_ms)) for start_ms in {*periods_ms}},
    )
