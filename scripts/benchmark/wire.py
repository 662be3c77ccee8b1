"""HTTP as the load speaks it: bytes that are ready before the clock runs, and as little as can be between the socket and the clock."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

RECEIVE_BYTES = 256 * 1024
ANSWER_LIMIT_S = 60.0
LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
CHUNKED_END = b"0\r\n\r\n"
SHOWN_BYTES = 400


class WrongAnswer(Exception):
    """The far side answered something else than was planned; the text says what."""


@dataclass(frozen=True, slots=True)
class Target:
    """Somewhere to send requests to."""

    name: str
    port: int
    token: str = "bench"

    def head(self, body_bytes: int, path: str = "chat/completions") -> bytes:
        lines = (
            f"POST /v1/{path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            f"Authorization: Bearer {self.token}",
            "Content-Type: application/json",
            "Accept: text/event-stream",
            "User-Agent: stepfare-bench",
            f"Content-Length: {body_bytes}",
        )
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def request(self, body: bytes) -> bytes:
        return self.head(len(body)) + body


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds from the first byte sent to the first byte of the answer's content (or whatever else was waited for), and to its end."""

    first_byte_s: float
    total_s: float


class Line:
    """One kept-alive connection on which streamed requests are timed, one after the other."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._socket = socket.create_connection(("127.0.0.1", target.port), timeout=ANSWER_LIMIT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def timed(self, body: bytes, until: bytes = b"data:") -> Timing:
        """The first moment is that at which `until` has come."""
        request = self.target.request(body)
        began = time.perf_counter()
        self._socket.sendall(request)
        answer = b""
        first = 0.0
        while not _is_whole(answer):
            data = self._socket.recv(RECEIVE_BYTES)
            answer += data
            if not first and until in answer[-len(data) - len(until) :]:
                first = time.perf_counter()
            if not data or (not first and b"\r\n\r\n" in answer and not answer.startswith(b"HTTP/1.1 200")):
                raise WrongAnswer(f"{self.target.name} answered {answer[:SHOWN_BYTES].decode('utf-8', 'replace')!r}")
        return Timing(first - began, time.perf_counter() - began)

    def close(self) -> None:
        self._socket.close()


def _is_whole(answer: bytes) -> bool:
    if answer.endswith(CHUNKED_END):
        return True
    head, end, body = answer.partition(b"\r\n\r\n")
    length = LENGTH.search(head + b"\r\n") if end else None
    return length is not None and len(body) == int(length[1])


def ask(port: int, path: str, body: object = None, token: str = "", method: str = "") -> Any:
    """One JSON question, outside of what is timed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_LIMIT_S)
    try:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        connection.request(
            method or ("GET" if body is None else "POST"), path, None if body is None else json.dumps(body).encode(), headers
        )
        response = connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise WrongAnswer(f"{path} answered {response.status}: {text[:SHOWN_BYTES].decode('utf-8', 'replace')}")
        return json.loads(text)
    finally:
        connection.close()


@dataclass(slots=True)
class Heard:
    """One answer as the load saw it. `arrivals_s` are the moments at which bytes of its content came."""

    began_s: float
    arrivals_s: list[float] = field(default_factory=list[float])
    whole: bool = False
    head: bytes = b""
    """The answer's head, with whatever of its body came along."""

    def shown(self) -> str:
        return repr(self.head[:SHOWN_BYTES].decode("utf-8", "replace"))


class Caller(asyncio.Protocol):
    """One connection of many: sends a request, listens to the end of its answer, and may hang up in between."""

    def __init__(self, *, keep_arrivals: bool = False) -> None:
        self._keep_arrivals = keep_arrivals
        self._transport: asyncio.Transport | None = None
        self._heard = Heard(0.0)
        self._done: asyncio.Future[Heard] | None = None
        self._in_body = False
        self._tail = b""
        self._left_bytes: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(whole=False)

    def call(self, pieces: Sequence[bytes]) -> asyncio.Future[Heard]:
        assert self._transport is not None
        self._heard = Heard(time.monotonic())
        self._in_body, self._tail, self._left_bytes = False, b"", None
        self._done = asyncio.get_running_loop().create_future()
        if self._transport.is_closing():
            self._finish(whole=False)
        else:
            self._transport.writelines(pieces)
        return self._done

    def hang_up(self) -> float:
        """Close at once; gives the moment (monotonic seconds)."""
        now = time.monotonic()
        assert self._transport is not None
        self._transport.abort()
        return now

    def data_received(self, data: bytes) -> None:
        if not self._in_body:
            self._heard.head += data
            head, end, data = self._heard.head.partition(b"\r\n\r\n")
            if not end:
                return
            self._in_body = True
            length = LENGTH.search(head)
            self._left_bytes = int(length[1]) if length else None
        if self._keep_arrivals and b"data:" in data:
            self._heard.arrivals_s.append(time.monotonic())
        if self._left_bytes is not None:
            self._left_bytes -= len(data)
        self._tail = (self._tail + data)[-len(CHUNKED_END) :]
        if self._left_bytes == 0 if self._left_bytes is not None else self._tail == CHUNKED_END:
            self._finish(whole=True)

    def _finish(self, *, whole: bool) -> None:
        if self._done is not None and not self._done.done():
            self._heard.whole = whole and self._heard.head.startswith(b"HTTP/1.1 200")
            self._done.set_result(self._heard)


async def connect(target: Target, *, keep_arrivals: bool = False) -> Caller:
    _, caller = await asyncio.get_running_loop().create_connection(lambda: Caller(keep_arrivals=keep_arrivals), "127.0.0.1", target.port)
    return caller
