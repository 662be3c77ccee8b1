"""The daemon as seen from the language server: absent, there, gone, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from stepfare.control import protocol
from stepfare.control.protocol import Event, Failure, Overview, Totals
from stepfare.paths import paths_from
from stepfare_lsp.link import Connecting, Link, Offline, Online, State
from tests.control.fake_daemon import FakeDaemon

WAIT_S_MAX = 20.0


def overview(steps: int) -> Overview:
    return Overview(version="1", seq=steps, started_ms=0, mode="live", today=Totals(steps=steps), sessions=[], providers=[], problems=[])


class Watched:
    """A link at work, and what it said."""

    def __init__(self, home: Path) -> None:
        self.paths = paths_from({"STEPFARE_HOME": str(home)})
        self.states: list[State] = []
        self._news = asyncio.Event()
        self.link = Link(self.paths, self._heard)

    def _heard(self, state: State) -> None:
        self.states.append(state)
        self._news.set()

    async def until(self, so: Callable[[State], bool]) -> State:
        """The first state that is so."""
        async with asyncio.timeout(WAIT_S_MAX):
            while not any(so(state) for state in self.states):
                self._news.clear()
                await self._news.wait()
        return next(state for state in self.states if so(state))

    async def __aenter__(self) -> Watched:
        self._task = asyncio.create_task(self.link.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


async def test_absent_is_a_state_with_words_and_a_daemon_is_found_when_it_comes(stepfare_home: Path) -> None:
    async with Watched(stepfare_home) as watched:
        absent = await watched.until(lambda state: isinstance(state, Offline))
        assert "stepfare serve" in getattr(absent, "words", "")
        with FakeDaemon(watched.paths) as daemon:
            daemon.answer("overview", overview(1))
            watched.link.wake()
            found = await watched.until(lambda state: isinstance(state, Online))
            assert isinstance(found, Online)
            assert found.overview == overview(1)


async def test_an_event_makes_it_look_again(stepfare_home: Path) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Counting(FakeDaemon):
        """Says one step more each time it is asked, and tells when it was asked twice while one feed was open."""

        async def _handle(self, request: web.Request) -> web.StreamResponse:
            if request.path.endswith("/overview"):
                self.answer("overview", overview(1 + sum(one.path.endswith("/overview") for one in self.asked)))
                if any("/events" in one.path for one in self.asked):
                    loop.call_soon_threadsafe(asked.set)
            return await super()._handle(request)

        async def _send_feed(self, request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            await response.write(b"data: " + Event(seq=2, kind="posted", at_ms=1).model_dump_json().encode() + b"\n\n")
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asked.wait(), loop))
            return response

    with Counting(paths_from({"STEPFARE_HOME": str(stepfare_home)})) as daemon:
        async with Watched(stepfare_home) as watched:
            await watched.until(lambda state: isinstance(state, Online) and state.overview.seq == 2)
            paths = [one.path.removeprefix("/control/v1/") for one in daemon.asked]
            assert paths[:3] == ["overview", "events?after=1", "overview"]


async def test_a_feed_that_ends_is_taken_up_again(stepfare_home: Path) -> None:
    with FakeDaemon(paths_from({"STEPFARE_HOME": str(stepfare_home)})) as daemon:
        daemon.answer("overview", overview(1))
        async with Watched(stepfare_home) as watched:
            await watched.until(lambda state: isinstance(state, Online))
            await watched.until(lambda state: isinstance(state, Connecting))
            watched.states.clear()
            watched.link.wake()
            await watched.until(lambda state: isinstance(state, Online))


async def test_a_daemon_that_refuses_or_speaks_another_protocol_is_told_in_its_words(stepfare_home: Path) -> None:
    with FakeDaemon(paths_from({"STEPFARE_HOME": str(stepfare_home)})) as daemon:
        daemon.answer("overview", Failure(error="token", words="the control token is wrong"), status=401)
        async with Watched(stepfare_home) as watched:
            await watched.until(lambda state: isinstance(state, Offline) and "token is wrong" in state.words)
            daemon.write_file(protocol=protocol.PROTOCOL + 1)
            watched.link.wake()
            await watched.until(lambda state: isinstance(state, Offline) and "protocol" in state.words)
