"""Writing down: entries into the daemon's own memory, onto the disk, and out to whoever listens, in that order.

Memory comes first, so that a concurrent call sees a reservation before the disk has it; if the disk refuses, memory takes it back.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Sequence

from stepfare.control.protocol import Event
from stepfare.core.annotation import Annotation
from stepfare.core.budget import Scope, crossed
from stepfare.core.entry import Entry, Extended, Lost, Opened, Reserved, Settled, Voided
from stepfare.core.money import usd
from stepfare.ledger.claims import Claim
from stepfare.routing.filters import said_of
from stepfare.runtime.clock import World
from stepfare.runtime.hub import Hub
from stepfare.runtime.state import State
from stepfare.sessions.shown import Shown
from stepfare.store.errors import StoreError
from stepfare.store.store import Store

UNBOOKED_MAX = 10_000
"""Closing entries kept in memory while the disk refuses them. After a crash their reservations become Lost: nothing is forgotten."""

_log = logging.getLogger(__name__)
_KINDS: dict[type[Entry], str] = {Reserved: "reserved", Settled: "settled", Voided: "voided", Lost: "lost"}


class Books:
    """The one way to post an entry."""

    def __init__(self, store: Store, state: State, hub: Hub, world: World) -> None:
        self._store, self._state, self._hub, self._world = store, state, hub, world
        self._unbooked: deque[Entry] = deque(maxlen=UNBOOKED_MAX)
        self._tasks: set[asyncio.Task[None]] = set()
        self._aside = self._refusing = False
        self.unmet = ""
        """Why nothing may be spent yet: the books were not reached since the start, so nobody knows what was spent."""

    async def reserve(self, *entries: Entry, decision: tuple[str, str, bytes] | None = None, claims: Sequence[Claim] = ()) -> None:
        """Post what must be on disk before a byte leaves. In books that others write too, each claim must find room there; in our own,
        who decided has seen that it does. Raises StoreError, or OverCap; then nothing was reserved."""
        if self.unmet:
            raise StoreError(self.unmet)
        for entry in entries:
            self._state.apply(entry)
        try:
            await self._catch_up()
            await self._store.append(*entries, decision=decision, claims=claims if self._store.shared else ())
        except asyncio.CancelledError:
            # The client left meanwhile, but the reservation is on its way to the disk: it is closed there too.
            for voided in self._voided(entries, "hang-up", "the client left before anything was sent"):
                self.spawn(self.close(voided))
            raise
        except BaseException as error:
            if isinstance(error, StoreError):
                self._refuse(error)
            for voided in self._voided(entries, "unbooked", "the books could not be written"):
                self._state.apply(voided)
            for entry in entries:
                if isinstance(entry, Opened):
                    # Else its next step would find it known, and the books would never hear who opened it.
                    self._state.sessions.forget(entry.session)
            raise
        if self._refusing:
            self._refusing = False
            self._state.trouble("ledger", "")
        for entry in entries:
            self._announce(entry)
        self._say_put_aside()

    def _refuse(self, error: StoreError) -> None:
        """Said where people look, not only to the client that is refused; once in the log, for agents ask again and again."""
        if not self._refusing:
            _log.error("calls are refused, for the ledger cannot be written: %s", error)
        self._refusing = True
        waiting = f" {len(self._unbooked)} entries wait in memory." if self._unbooked else ""
        self._state.trouble("ledger", f"{error}{waiting} Calls are refused until it can be written.")

    def _say_put_aside(self) -> None:
        """Whether entries are kept on this machine because the books cannot be reached, for the overview."""
        waiting = self._store.put_aside
        if bool(waiting) != self._aside:
            self._aside = bool(waiting)
            words = (
                "the ledger's server cannot be reached: what is spent is kept on this machine, within bounds, and written when it can be"
            )
            self._state.trouble("ledger", words if waiting else "")

    async def note(self, decision: tuple[str, str, bytes]) -> None:
        """Keep why nobody served a step. A disk that refuses costs the reason, nothing else."""
        try:
            await self._store.append(decision=decision)
        except StoreError as error:
            _log.warning("the reasons of decision %s are not kept: %s", decision[0], error)

    def say(self, kind: str, session: str, words: str) -> None:
        """Tell whoever listens of something that is no entry."""
        self._hub.publish(Event(seq=0, kind=kind, at_ms=self._world.now_ms(), session=session or None, words=words))

    async def close(self, entry: Settled | Voided | Lost) -> None:
        """Post how an attempt ended. A disk that refuses is said in the log and in the overview, and tried again with the next entry."""
        self._state.apply(entry)
        try:
            await self._catch_up()
            await self._store.append(entry)
        except StoreError as error:
            self._unbooked.append(entry)
            self._state.trouble("ledger", f"{error} {len(self._unbooked)} entries wait in memory and are written as soon as it can be.")
            _log.error("the ledger cannot be written: %s", error)
        self._announce(entry)
        self._warn(entry)

    async def extend(self, entry: Extended) -> None:
        """Add to a cap: in the books first, then in force; said again, nothing changes. Raises StoreError; then nothing was added."""
        await self._catch_up()
        await self._store.append(entry)
        if entry.extension not in self._state.budgets.extensions:
            self._state.apply(entry)
            self._announce(entry)

    async def annotate(self, annotation: Annotation) -> None:
        """Post what was said of a session: on disk and in force when this returns. Raises sessions.shown.Refused where it makes no sense
        behind what others said first, and StoreError; then nothing has changed."""
        self._fold(await self._store.annotate(annotation))
        self._hub.publish(Event(seq=0, kind="sessions", at_ms=annotation.at_ms, session=annotation.session))

    async def close_surely(self, entry: Settled | Voided | Lost) -> None:
        """The same for a request that is being cancelled: the entry is posted whatever becomes of the caller."""
        await asyncio.shield(self.spawn(self.close(entry)))

    def heard(self, entries: Sequence[Entry]) -> None:
        """What other daemons have posted into the same books."""
        for entry in entries:
            self._state.apply(entry)
            self._announce(entry)

    def remarked(self, said: Sequence[Annotation]) -> None:
        """All that was said of sessions by now, some of it through other daemons."""
        fresh = said[self._state.shown.count :]
        self._fold(said)
        for one in fresh:
            self._hub.publish(Event(seq=0, kind="sessions", at_ms=one.at_ms, session=one.session))

    def _fold(self, said: Sequence[Annotation]) -> None:
        # It only grows: what comes late and is shorter was read before.
        if len(said) > self._state.shown.count:
            self._state.shown = Shown.of_all(said)

    async def recall(self, sessions: Sequence[str]) -> None:
        """Take up again what the books know of sessions that memory does not hold: a cap counts on where it stood, and so do steps. Where
        the books cannot be asked, they begin anew."""
        for name in sessions:
            try:
                entries = await self._store.entries_of(name)
            except StoreError as error:
                _log.warning("what session %s did before cannot be read: %s", name, error)
                return
            if self._state.sessions.get(name) is None:  # Else it was heard of meanwhile.
                self._state.recall(entries)

    async def look(self) -> None:
        """Returns when all is known that other daemons have posted by now."""
        self._say_put_aside()
        await self._store.look()

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Work that outlives its request; `finish` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self) -> None:
        """Wait for all that is being posted."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _catch_up(self) -> None:
        """Write what the disk refused before. Raises StoreError where it still does."""
        while self._unbooked:
            entry = self._unbooked[0]
            try:
                await self._store.append(entry)
            except AssertionError:
                # Its reservation never reached the disk either: there is nothing to close.
                _log.exception("an entry that waited does not fit the journal and is left out")
            if self._unbooked and self._unbooked[0] is entry:
                self._unbooked.popleft()
            if not self._unbooked:
                self._state.trouble("ledger", "")

    def _voided(self, entries: Sequence[Entry], outcome: str, why: str) -> list[Voided]:
        now_ms = self._world.now_ms()
        return [Voided(entry.attempt, entry.session, now_ms, outcome, why) for entry in entries if isinstance(entry, Reserved)]

    def _warn(self, entry: Settled | Voided | Lost) -> None:
        """Say of each cap once that the spend has come near it."""
        cost_pusd = entry.cost_pusd if isinstance(entry, Settled) else entry.ceiling_pusd if isinstance(entry, Lost) else 0
        if not cost_pusd:
            return
        for cap in crossed(self._state.caps_of(entry.session), cost_pusd):
            words = f"{said_of(cap)}: more than {cap.warn_at:.0%} of it is spent"
            self._hub.publish(Event(seq=0, kind="budget", at_ms=entry.at_ms, session=entry.session, words=words))

    def _announce(self, entry: Entry) -> None:
        if isinstance(entry, Extended):
            whose = f" of {entry.subject}" if entry.subject else ""
            self.say(
                "budget",
                entry.subject if entry.scope is Scope.SESSION else "",
                f"{usd(entry.pusd)} was added to the {entry.scope} budget{whose}",
            )
        kind = _KINDS.get(type(entry))
        if kind is not None:
            self._hub.publish(Event(seq=0, kind=kind, at_ms=entry.at_ms, session=entry.session))
