"""Answers about sessions and decisions from the books themselves, for when no daemon is running to ask. It only reads.

What only a running daemon knows (pins, warm caches, budgets in force) is left out.
"""

from __future__ import annotations

from types import TracebackType

from stepfare.control import protocol
from stepfare.control.client import Refused
from stepfare.runtime.clock import offset_at
from stepfare.server import present
from stepfare.store import as_shown, queries, reports, slices
from stepfare.store.database import Database
from stepfare.store.errors import StoreError
from stepfare.store.queries import SessionRow
from stepfare.store.readers import Readers

SESSIONS_SHOWN = 20


class Ledger:
    """Asked like the daemon, for what both can tell; open between `async with`. Raises Refused, and StoreError for an unreadable file."""

    def __init__(self, books: Database, now_ms: int) -> None:
        self._books, self._readers = books, Readers(books)
        self._now_ms = now_ms

    async def __aenter__(self) -> Ledger:
        try:
            if refusal := await self._readers.ask(self._books.refusal):
                raise StoreError(f"{refusal}.")
        except StoreError:
            self._readers.close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._readers.close()

    async def sessions(self, *, workspace: str | None = None, since_ms: int | None = None, limit: int | None = None) -> protocol.Sessions:
        rows = await self._readers.ask(lambda connection: as_shown.sessions(connection, limit or SESSIONS_SHOWN, since_ms or 0, workspace))
        return protocol.Sessions(sessions=[self._session(row) for row in rows])

    async def session(self, session_id: str) -> protocol.SessionDetail:
        row = await self._readers.ask(lambda connection: as_shown.session(connection, session_id))
        if row is None:
            raise Refused(protocol.Failure(error="no-session", words="no session has this id; `stepfare sessions` lists them"), 404)
        steps = await self._readers.ask(lambda connection: as_shown.steps(connection, session_id))
        shown = [present.step(one, await self._record(one.attempts[-1].reserved.decision)) for one in steps if one.attempts]
        return protocol.SessionDetail(session=self._session(row), steps=shown)

    async def report(self, question: protocol.ReportQuestion) -> protocol.Report:
        span = reports.Span(question.since_ms, question.until_ms)
        of = slices.Of(question.session, question.workspace, question.project)
        found = await self._readers.ask(lambda connection: as_shown.report(connection, question.by, span, of, offset_at))
        return present.report(found, question)

    async def decision(self, decision_id: str = "last") -> protocol.Decision:
        if decision_id == "last":
            record = await self._readers.ask(queries.latest_decision)
        else:
            record = await self._record(decision_id)
        if record is None:
            raise Refused(
                protocol.Failure(error="no-decision", words="no decision has this id; `stepfare session ID --json` has them"), 404
            )
        return protocol.Decision.model_validate_json(record)

    async def _record(self, decision_id: str) -> bytes | None:
        return await self._readers.ask(lambda connection: queries.decision(connection, decision_id))

    def _session(self, row: SessionRow) -> protocol.Session:
        return present.session(row, None, (), self._now_ms)
