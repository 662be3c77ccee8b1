"""A daemon for the editor's tests that stays: its feed is open until it is told to end, and its answers are prepared."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from stepfare.control.protocol import (
    Event,
    Files,
    FileSpend,
    Overview,
    Report,
    ReportRow,
    Session,
    Totals,
)
from stepfare.paths import paths_from
from tests.control.fake_daemon import FakeDaemon

CENT = 10**10
DAY_MS = 86_400_000


def week_ms() -> int:
    """Where the last seven days begin, counted in whole ones."""
    now_ms = time.time_ns() // 1_000_000
    return now_ms - now_ms % DAY_MS - 6 * DAY_MS


def totals(cents: int, steps: int = 1, **more: Any) -> Totals:
    return Totals(steps=steps, spent_pusd=cents * CENT, **more)


def session(name: str, workspace: Path, cents: int, **more: Any) -> Session:
    return Session(
        id=name, title=name, workspace=str(workspace), project=str(workspace), started_ms=1, last_ms=2, totals=totals(cents), **more
    )


def overview(*sessions: Session, seq: int = 0, **more: Any) -> Overview:
    return Overview(
        version="7.7",
        seq=seq,
        started_ms=1,
        mode="live",
        today=totals(sum(one.totals.spent_pusd for one in sessions) // CENT),
        sessions=list(sessions),
        providers=[],
        problems=[],
        **more,
    )


class StandingDaemon(FakeDaemon):
    """Answers what was prepared. `publish` sends an event to whoever follows."""

    def __init__(self, home: Path) -> None:
        super().__init__(paths_from({"STEPFARE_HOME": str(home)}))
        self._events: list[asyncio.Queue[Event | None]] = []

    def publish(self, event: Event | None) -> None:
        """None ends the feeds."""
        for queue in self._events:
            self._loop.call_soon_threadsafe(queue.put_nowait, event)

    def now(self, message: Overview) -> None:
        """Something happened, and this is how things stand then."""
        self.answer("overview", message)
        self.publish(Event(seq=message.seq, kind="posted", at_ms=1))

    def spent(self, by: str, project: Path, rows: Mapping[Sequence[str], tuple[int, int]]) -> None:
        """What the report by these groups says: names -> cents, and cents saved on always balanced."""
        told = [
            ReportRow(names=list(names), totals=totals(cents, 3), saved_on_premium_pusd=0, saved_on_balanced_pusd=saved * CENT)
            for names, (cents, saved) in rows.items()
        ]
        whole = ReportRow(
            names=[],
            totals=totals(sum(cents for cents, _ in rows.values()), 3 * len(rows)),
            saved_on_premium_pusd=0,
            saved_on_balanced_pusd=sum(saved for _, saved in rows.values()) * CENT,
        )
        groups: Any = by.split(",")
        asked = urlencode({"by": by, "since_ms": week_ms(), "project": str(project)})
        self.answer(f"report?{asked}", Report(by=groups, rows=told, whole=whole))

    def files(self, project: Path, cents: Mapping[str, int]) -> None:
        told = [FileSpend(file=file, steps=2, spent_pusd=sum_ * CENT) for file, sum_ in cents.items()]
        asked = urlencode({"project": str(project), "since_ms": week_ms()})
        self.answer(f"files?{asked}", Files(project=str(project), since_ms=week_ms(), files=told))

    def told(self, method: str, path: str) -> list[bytes]:
        """The bodies of the requests so far to that address."""
        return [one.body for one in self.asked if one.method == method and one.path.removeprefix("/control/v1/").startswith(path)]

    async def _send_feed(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._events.append(queue)
        await response.prepare(request)
        await response.write(b": open\n\n")
        while (event := await queue.get()) is not None:
            await response.write(b"data: " + event.model_dump_json().encode() + b"\n\n")
        return response
