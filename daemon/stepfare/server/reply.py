"""The client's side of one exchange: headers that leave with the first content, keep-alive comments, and honest ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

QUIET_S = 10.0
"""Clients bear 20 s without a byte; before half of that is over, headers and a comment leave."""
STREAM_HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
KEEP_ALIVE = b": stepfare waits for the provider\n\n"


class HttpReply:
    """A `Reply` over aiohttp. One of `stream` and `whole` is used, never both after something has left."""

    def __init__(self, request: web.Request, quiet_s: float = QUIET_S) -> None:
        self.opened = False
        self.response: web.StreamResponse | None = None
        self._request = request
        self._quiet_s = quiet_s
        self._headers: Callable[[], dict[str, str]] = dict
        self._timer: asyncio.TimerHandle | None = None
        self._beat: asyncio.Task[None] | None = None
        self._waits = False
        self._ended = False
        self._lock = asyncio.Lock()

    def waiting(self, headers: Callable[[], dict[str, str]]) -> None:
        self._headers = headers
        self._still()
        self._waits = True
        self._wind()

    async def stream(self, headers: dict[str, str], data: bytes) -> None:
        self._still()
        async with self._lock:
            response = await self._open(headers)
            if data:
                await response.write(data)

    async def whole(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self._still()
        assert not self.opened, "an answer in one piece after a stream began"
        self.opened = True
        self.response = web.Response(status=status, body=body, headers=headers, content_type="application/json", charset="utf-8")

    async def end(self) -> None:
        self.close()
        if self.response is not None:
            await self.response.write_eof()

    def cut(self) -> None:
        self.close()
        transport = self._request.transport
        if transport is not None:
            # Closing the transport without the last chunk: the client sees a broken connection, not an end.
            transport.abort()

    def close(self) -> None:
        """No comment follows, whatever happened."""
        self._ended = True
        self._still()

    async def _open(self, headers: dict[str, str]) -> web.StreamResponse:
        if self.response is None:
            self.opened = True
            self.response = web.StreamResponse(headers={**headers, **STREAM_HEADERS})
            await self.response.prepare(self._request)
        return self.response

    def _wind(self) -> None:
        if self._ended or not self._waits:
            return
        self._timer = asyncio.get_running_loop().call_later(self._quiet_s, self._ring)

    def _ring(self) -> None:
        self._beat = asyncio.get_running_loop().create_task(self._keep_alive())

    async def _keep_alive(self) -> None:
        async with self._lock:
            if self._ended or not self._waits:
                return
            try:
                response = await self._open(self._headers())
                await response.write(KEEP_ALIVE)
            except (ConnectionError, RuntimeError):
                return  # The client has gone: its handler is told by cancellation.
        self._wind()

    def _still(self) -> None:
        self._waits = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
