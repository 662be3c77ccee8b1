"""A daemon for tests of those who ask one: a real HTTP server in a thread of its own, with prepared answers and a real daemon.json."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from stepfare.control import protocol
from stepfare.paths import Paths, write_private

CONTROL_TOKEN = "control-token-of-the-test"
LOCAL_TOKEN = "local-token-of-the-test"
STARTED_MS = 1_780_000_000_000


@dataclass
class Asked:
    """One request as the server saw it; `path` as it was on the wire."""

    method: str
    path: str
    authorization: str
    body: bytes


@dataclass
class FakeDaemon:
    """Answers what was prepared with `answer`, and 404 in the control API's own words to all else."""

    paths: Paths
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self._answers: dict[tuple[str, str], tuple[int, bytes]] = {}
        self._feed: Sequence[bytes] = ()
        self._break_feed = False
        self._refusal: tuple[int, bytes] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None

    def answer(self, path: str, message: protocol.Message | bytes, *, method: str = "GET", status: int = 200) -> None:
        body = message if isinstance(message, bytes) else message.model_dump_json().encode()
        self._answers[method, path] = (status, body)

    def feed(self, *pieces: bytes, broken: bool = False) -> None:
        """What the event feed sends, cut as given; then it ends, or breaks off."""
        self._feed, self._break_feed = pieces, broken

    def refuse_feed(self, failure: protocol.Failure, status: int) -> None:
        self._refusal = (status, failure.model_dump_json().encode())

    def file(self, **changes: Any) -> protocol.DaemonFile:
        return protocol.DaemonFile(
            protocol=protocol.PROTOCOL,
            version="0.1.0",
            pid=os.getpid(),
            port=self.port,
            started_ms=STARTED_MS,
            local_token=LOCAL_TOKEN,
            control_token=CONTROL_TOKEN,
        ).model_copy(update=changes)

    def write_file(self, **changes: Any) -> None:
        write_private(self.paths.daemon_json, self.file(**changes).model_dump_json().encode())

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._start())
        self.write_file()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._runner is not None
        self._run(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path
        self.asked.append(Asked(request.method, path, request.headers.get("Authorization", ""), await request.read()))
        if path.startswith("/control/v1/events"):
            return await self._send_feed(request)
        status, body = self._answers.get(
            (request.method, path.removeprefix("/control/v1/")),
            (404, protocol.Failure(error="not-found", words=f"Nothing here by that name: {path}").model_dump_json().encode()),
        )
        return web.Response(status=status, body=body, content_type="application/json")

    async def _send_feed(self, request: web.Request) -> web.StreamResponse:
        if self._refusal is not None:
            return web.Response(status=self._refusal[0], body=self._refusal[1], content_type="application/json")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in self._feed:
            await response.write(piece)
        if self._break_feed:
            assert request.transport is not None
            request.transport.close()
        return response
