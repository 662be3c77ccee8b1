"""The one thread that writes: it takes all appends that wait, works out their rows, and commits them together.

Encoding and hashing happen here and not in the event loop, which goes on answering meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Protocol, TypeAlias

from stepfare.core.entry import Entry, Extended, Opened, Reserved
from stepfare.ledger import codec
from stepfare.ledger.chain import GENESIS, Head, link
from stepfare.ledger.claims import Claim, OverCap, Shares
from stepfare.ledger.journal import Phase, key_of, phase_of
from stepfare.ledger.tally import Tally
from stepfare.store import files, queries, rollups, statements
from stepfare.store.database import Connection, Database
from stepfare.store.errors import StoreError
from stepfare.store.purses import Purses
from stepfare.store.spool import Spool, Spooled

FOLLOWED_ROWS = 1_000
"""Rows of others that are read at once."""
BATCH_APPENDS_MAX = 512
"""Appends that share one commit."""
HEAD_AGE_MAX_S = 0.9
"""How old the head file may grow while entries are written: renewed at least once a second."""
AGAIN_S = 1.0
"""How soon a database that could not be reached is tried again."""
SESSIONS_REMEMBERED_MAX = 2_048
CLOSED_REMEMBERED_MAX = 8_192
"""What is kept in memory beside the open reservations. What was forgotten is looked up."""

_log = logging.getLogger(__name__)

Decided: TypeAlias = tuple[str, str, bytes]
"""A decision's id, its session, and its JSON message."""
JournalValues: TypeAlias = tuple[int, str, int, str, str, int, int, str, bytes]


@dataclass(slots=True, eq=False)
class Append:
    entries: Sequence[Entry]
    decision: Decided | None
    done: asyncio.Future[None] | None
    """None where nobody waits for it."""
    claims: Sequence[Claim] = ()
    error: BaseException | None = None


@dataclass(slots=True, eq=False)
class Job:
    """Something other than an append, to be done in a transaction of its own."""

    run: Callable[[Connection], None]
    done: asyncio.Future[None]
    error: BaseException | None = None


@dataclass(slots=True)
class _Batch:
    """What one transaction will write."""

    head: Head
    journal: list[JournalValues] = field(default_factory=list[JournalValues])
    decisions: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    sessions: dict[str, int | None] = field(default_factory=dict[str, int | None])
    """Every session that an entry spoke of, with the journal's row that opened it if this batch does."""
    opened: dict[str, int] = field(default_factory=dict[str, int])
    closed: dict[str, Phase] = field(default_factory=dict[str, Phase])
    """The attempts that began, with the journal's row, and those that ended."""


class _Illegal(Exception):
    """This append breaks the legal order. It is taken out, and the batch is worked out anew without it."""

    def __init__(self, append: Append, error: AssertionError) -> None:
        super().__init__(str(error))
        self.append, self.error = append, error


class Ground(Protocol):
    """The database as the writer writes it. All raise the errors of their database."""

    @property
    def connection(self) -> Connection:
        """For questions within the transaction."""
        ...

    def begin(self) -> Head | None:
        """Begins a transaction. Where others write too, they wait until its end, and the head is the one that they left."""
        ...

    def together(self) -> AbstractContextManager[None]:
        """What is written within may travel together."""
        ...

    def commit(self, head: Head, rows: int) -> None:
        """The journal now ends in this head, with so many rows more than at `begin`."""
        ...

    def roll_back(self) -> None:
        """Never raises."""
        ...

    def tend(self, *, idle: bool) -> None:
        """What is to be done between two commits. Never raises."""
        ...

    def close(self) -> None: ...


class Writer:
    """Owns the ground from `start` on."""

    def __init__(self, database: Database, ground: Ground, spool: Spool | None = None, daemons: Callable[[], int] = lambda: 1) -> None:
        """`daemons` says how many write these books, as far as is known; 0 where nothing is."""
        self.commits = 0
        self.head = Head(0, GENESIS)
        self._database = database
        self._ground = ground
        self._spool = spool
        self._daemons = daemons
        self._shares = Shares()
        self._again_s = 0.0
        """When a database that could not be reached is tried again."""
        self._tally: Tally | None = None  # None: to be loaded, at the start or after a transaction that did not come about.
        self._closed: dict[str, Phase] = {}
        self._purses = Purses()
        self._head_on_file: Head | None = None
        self._head_renewed_s = 0.0
        self._queue: SimpleQueue[Append | Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="stepfare-ledger", daemon=True)

    def start(self) -> None:
        """Takes up the journal where it ends, and begins to serve. Raises the errors of the database, and OSError where the head cannot
        be written."""
        self._load()
        self._caught_up()
        self._renew_head()
        self._thread.start()

    @property
    def put_aside(self) -> int:
        """Appends that wait for a database that cannot be reached."""
        return self._spool.count if self._spool else 0

    @property
    def daemons(self) -> int:
        return self._daemons()

    def put(self, work: Append | Job) -> None:
        """Queues the work; its future is resolved in its own event loop."""
        self._queue.put(work)

    def stop(self) -> None:
        """Does all that is queued, renews the head, closes the connection. Blocks until then."""
        self._queue.put(None)
        if self._thread.ident is not None:  # Else the books were never met, and nothing was queued.
            self._thread.join()

    # All that follows runs in the thread.

    def _work(self) -> None:
        while True:
            works = self._gather()
            appends = [work for work in works if isinstance(work, Append)]
            if appends:
                self._commit(appends)
                _resolve(appends)
            jobs = [work for work in works if isinstance(work, Job)]
            for job in jobs:
                self._run(job)
            _resolve(jobs)
            if None in works:
                break
            self._ground.tend(idle=self._queue.empty())
        with contextlib.suppress(OSError):
            self._renew_head()
        self._ground.close()

    def _gather(self) -> list[Append | Job | None]:
        """All that waits, at least one thing, at most a batch; nothing comes after a None."""
        works = [self._next()]
        with contextlib.suppress(Empty):
            while works[-1] is not None and len(works) < BATCH_APPENDS_MAX:
                works.append(self._queue.get_nowait())
        return works

    def _next(self) -> Append | Job | None:
        """The next thing to do, waited for; meanwhile, and under load too, the head file does not grow old."""
        while True:
            if self.put_aside:
                with contextlib.suppress(Empty):
                    return self._queue.get(timeout=AGAIN_S)
                self._caught_up()
                continue
            if self.head == self._head_on_file:
                return self._queue.get()
            fresh_s = self._head_renewed_s + HEAD_AGE_MAX_S - time.monotonic()
            with contextlib.suppress(Empty):
                if fresh_s > 0:
                    return self._queue.get(timeout=fresh_s)
            # A head that cannot be written (the disk is full) must not end the thread: it is tried again, and nothing needs it now.
            with contextlib.suppress(OSError):
                self._renew_head()

    def _commit(self, appends: Sequence[Append]) -> None:
        """Writes the appends in one transaction if it can be, and leaves in each the error that it alone met. Where the database cannot be
        reached, they are put aside."""
        if self._caught_up():
            self._put_aside(self._write(appends))
        else:
            self._put_aside(appends)

    def _write(self, appends: Sequence[Append]) -> Sequence[Append]:
        """Those that the database was too far away for are given back."""
        rest = list(appends)
        while rest:
            try:
                self._transact(rest, careful=False)
                return ()
            except _Illegal as illegal:
                illegal.append.error = illegal.error
                rest.remove(illegal.append)
            except Exception:  # noqa: BLE001
                break
        # One of them may be to blame (posted long ago, too big for the disk, a bug of ours): each on its own finds out.
        for place, append in enumerate(rest):
            try:
                self._transact([append], careful=True)
            except _Illegal as illegal:
                append.error = illegal.error
            except self._database.errors as error:
                append.error = StoreError(self._database.in_words(error))
                if self._spool is not None and self._database.is_away(error):
                    return rest[place:]
            except Exception as error:  # noqa: BLE001
                append.error = error
        return ()

    def _caught_up(self) -> bool:
        """Write what was put aside, if anything; False where the database still cannot be reached."""
        spool = self._spool
        if spool is None or not spool.count:
            return True
        if time.monotonic() < self._again_s:
            return False
        waiting = [Append(one.entries, one.decision, None) for one in spool.read()]
        for start in range(0, len(waiting), BATCH_APPENDS_MAX):
            if self._write(waiting[start : start + BATCH_APPENDS_MAX]):
                self._again_s = time.monotonic() + AGAIN_S
                return False
        for append in waiting:
            if append.error is not None:
                _log.error("an entry that waited for the books does not fit them and is left out: %s", append.error)
        spool.clear()
        self._shares.end()
        _log.warning("the books can be reached again: %s appends that had waited are written", len(waiting))
        return True

    def _put_aside(self, appends: Sequence[Append]) -> None:
        """Keep them on this machine until the database can be reached; those for which there is no room keep the error that they met."""
        spool = self._spool
        if spool is None or not appends:
            return
        for append in appends:
            append.error = self._beyond_share(append)
        appends = [append for append in appends if append.error is None]
        self._again_s = time.monotonic() + AGAIN_S
        away = StoreError(
            f"the ledger at {self._database.name} cannot be reached, and no more can be kept here until it can: check its server."
        )
        try:
            taken = spool.add([Spooled(append.entries, append.decision) for append in appends])
        except OSError as error:
            for append in appends:
                append.error = StoreError(f"the ledger at {self._database.name} cannot be reached, and the disk here refuses ({error}).")
            return
        for append, kept in zip(appends, taken, strict=True):
            append.error = None if kept else away

    def _beyond_share(self, append: Append) -> StoreError | None:
        """Why a reservation may not be made while nobody can be asked what others spend."""
        reserved = [entry for entry in append.entries if isinstance(entry, Reserved)]
        if not any(self._shares.beyond(append.claims, entry.ceiling_pusd, self._daemons()) for entry in reserved):
            return None
        return StoreError(
            f"the ledger at {self._database.name} cannot be reached, and what this daemon may spend of a budget without asking it is used"
            " up: check its server."
        )

    def _transact(self, appends: Sequence[Append], *, careful: bool) -> None:
        """Writes all appends or none. `careful` looks up what is else taken at its word: that a reservation is new."""
        try:
            head = self._ground.begin()
            if self._tally is None:
                self._load()
            elif head is not None and head != self.head:
                self._follow(self._tally, head)
            assert self._tally is not None
            batch = self._work_out(self._tally, appends, careful=careful)
            if batch.journal or batch.decisions:
                self._execute(self._tally, batch)
            else:
                self._ground.roll_back()
        except BaseException:
            # The tally ran ahead of a transaction that did not come about: what is on disk is what counts.
            self._tally = None
            self._ground.roll_back()
            raise
        self.head = batch.head
        self._remember(self._tally, batch)

    def _work_out(self, tally: Tally, appends: Sequence[Append], *, careful: bool) -> _Batch:
        batch = _Batch(self.head)
        count, last = self.head.count, self.head.hash
        self._purses.open(self._ground.connection, (claim.purse for append in appends for claim in append.claims))
        for append in appends:
            append.error = self._refusal(tally, append)
            if append.error is not None:
                continue
            if append.decision is not None:
                decision, session, message = append.decision
                batch.decisions.append((decision, session, message.decode("utf-8", "replace")))
            for entry in append.entries:
                try:
                    data = codec.encode(entry)
                except UnicodeEncodeError:
                    entry = codec.whole(entry)
                    data = codec.encode(entry)
                key, phase = key_of(entry), phase_of(entry)
                reserved = tally.open.get(key)
                try:
                    place = tally.post(entry, self._closed_as(tally, batch, entry, careful=careful))
                except AssertionError as error:
                    raise _Illegal(append, error) from error
                if place is None:
                    continue
                count += 1
                last = link(last, data)
                values = (count, entry.session, place.step, key, phase.value, entry.at_ms, place.firsts, data.decode(), last)
                batch.journal.append(values)
                if isinstance(entry, Extended):
                    continue
                place_at_work = tally.sessions[entry.session].at_work
                if isinstance(entry, Opened):
                    self._purses.move(entry.session, place_at_work, [one for one in tally.open.values() if one.session == entry.session])
                else:
                    self._purses.post(entry, reserved, place_at_work)
                batch.sessions.setdefault(entry.session, None)
                if isinstance(entry, Opened):
                    batch.sessions[entry.session] = count
                elif isinstance(entry, Reserved):
                    batch.opened[key] = count
                else:
                    batch.closed[key] = phase
        batch.head = Head(count, last)
        return batch

    def _refusal(self, tally: Tally, append: Append) -> OverCap | None:
        """Why a reservation may not be made, if a budget has no room for it. What is in the books already is no new reservation."""
        for entry in append.entries if append.claims else ():
            if isinstance(entry, Reserved) and entry.attempt not in tally.open:
                for claim in append.claims:
                    used_pusd = self._purses.used_pusd(claim.purse)
                    if claim.short_pusd(used_pusd, entry.ceiling_pusd):
                        return OverCap(claim, used_pusd)
        return None

    def _closed_as(self, tally: Tally, batch: _Batch, entry: Entry, *, careful: bool) -> Phase | None:
        """How the entry's attempt ended already, if it did. Loads what the tally must know of its session."""
        if isinstance(entry, Extended):
            return queries.closed_phase(self._ground.connection, entry.session, entry.extension)
        if entry.session not in tally.sessions:
            found = queries.session_tally(self._ground.connection, entry.session)
            if found is not None:
                tally.sessions[entry.session] = found
        if isinstance(entry, Opened) or entry.attempt in tally.open:
            return None
        closed = batch.closed.get(entry.attempt) or self._closed.get(entry.attempt)
        if closed is None and (careful or not isinstance(entry, Reserved)):
            closed = queries.closed_phase(self._ground.connection, entry.session, entry.attempt)
        return closed

    def _execute(self, tally: Tally, batch: _Batch) -> None:
        connection = self._ground.connection
        with self._ground.together():
            if batch.journal:
                connection.executemany(statements.INSERT_JOURNAL, batch.journal)
            begun = [(attempt, row) for attempt, row in batch.opened.items() if attempt not in batch.closed]
            if begun:
                connection.executemany(statements.INSERT_OPEN, begun)
            ended = [(attempt,) for attempt in batch.closed if attempt not in batch.opened]
            if ended:
                connection.executemany(statements.DELETE_OPEN, ended)
            rollups.write_sessions(connection, tally, batch.sessions)
            rollups.write_slices(connection, tally)
            if batch.decisions:
                connection.executemany(statements.INSERT_DECISION, batch.decisions)
            self._ground.commit(batch.head, len(batch.journal) + len(batch.decisions) * 4)
        self.commits += 1

    def _remember(self, tally: Tally, batch: _Batch) -> None:
        self._closed.update(batch.closed)
        while len(self._closed) > CLOSED_REMEMBERED_MAX:
            del self._closed[next(iter(self._closed))]
        if len(tally.sessions) > SESSIONS_REMEMBERED_MAX:
            tally.sessions.clear()

    def _load(self) -> None:
        self.head = queries.head(self._ground.connection)
        self._closed.clear()
        self._purses.forget()
        self._tally = Tally(open={reserved.attempt: reserved for reserved in queries.open_reservations(self._ground.connection)})

    def _follow(self, tally: Tally, head: Head) -> None:
        """Take in what others have written up to this head."""
        self._purses.forget()
        while self.head.count < head.count:
            rows = queries.entries_after(self.head.count, 0, None, FOLLOWED_ROWS)(self._ground.connection)
            assert rows, f"the journal ends at row {self.head.count}, but its head says {head.count}"
            for row in rows:
                entry = row.entry
                # What is remembered of its session is out of date: it is loaded anew when it is named again.
                tally.sessions.pop(entry.session, None)
                if isinstance(entry, Reserved):
                    tally.open[entry.attempt] = entry
                elif not isinstance(entry, Opened | Extended):
                    tally.open.pop(entry.attempt, None)
                    self._closed[entry.attempt] = phase_of(entry)
            self.head = Head(rows[-1].row, rows[-1].hash)
        assert self.head == head, f"the journal's row {head.count} is not the one that its head says"

    def _run(self, job: Job) -> None:
        try:
            head = self._ground.begin() or queries.head(self._ground.connection)
            job.run(self._ground.connection)
            self._ground.commit(head, 0)
        except self._database.errors as error:
            job.error = StoreError(self._database.in_words(error))
        except Exception as error:  # noqa: BLE001
            job.error = error
        finally:
            self._tally = None
            if job.error is not None:
                self._ground.roll_back()

    def _renew_head(self) -> None:
        self._head_renewed_s = time.monotonic()
        if self.head != self._head_on_file:
            files.write_head(self._database.beside, self.head)
            self._head_on_file = self.head


def _resolve(works: Sequence[Append | Job]) -> None:
    """Tells those who wait, with one call into each event loop rather than one for each append."""
    waited = [(work.done, work.error) for work in works if work.done is not None]
    loops = {done.get_loop() for done, _ in waited}
    for loop in loops:
        # The loop may have been closed under an append that nobody waits for any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_tell, [one for one in waited if one[0].get_loop() is loop])


def _tell(waited: Sequence[tuple[asyncio.Future[None], BaseException | None]]) -> None:
    for done, error in waited:
        if done.done():
            continue  # Cancelled: the entries are written all the same.
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
