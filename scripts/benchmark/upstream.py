"""A fake provider, a process of its own: reads a whole chat completion and plays the answer that the benchmark planned.

It is written on the bare event loop, so that what it costs itself is small beside what is measured. It says what it saw:
how many requests, and which were cut off by the other side and when. Which daemon or person asks is nothing to it.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from dataclasses import dataclass, field

from benchmark.bodies import ID_BYTES, STEP_MARK

HEAD_BYTES_MAX = 64 * 1024
MARK_SEARCH_BYTES = 8 * 1024
"""The request's id stands near the end of the body, its `stream` near either end."""
CREATED_S = 1_780_000_000
WORDS = "The rows are counted twice where "
STEP_ID = re.compile(STEP_MARK + rb"(\d{%d})" % ID_BYTES)
STREAMED = re.compile(rb'"stream"\s*:\s*true')
MODEL = re.compile(rb'"model"\s*:\s*"([^"]+)"')
EVERYBODY = "*"
CALL_END = "bench-end"
"""Stands in the last piece of a call's arguments: who has seen it has the whole call."""
ARGUMENTS = ('{"path":', ' "src/', "report/", "nightly/", "rows_", f'{CALL_END}.py"}}')
LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:\s*chunked", re.IGNORECASE)


@dataclass(slots=True)
class Plan:
    """How to answer: so many pieces of text, so long before the first and between two, and then a call of a tool, where `calls` names one
    for the model that is asked (or for EVERYBODY)."""

    chunks: int = 8
    first_ms: float = 0.0
    gap_ms: float = 0.0
    calls: dict[str, str] = field(default_factory=dict[str, str])

    def tool(self, body: bytes) -> str:
        model = MODEL.search(body[:MARK_SEARCH_BYTES])
        return self.calls.get(model[1].decode() if model else "") or self.calls.get(EVERYBODY, "")


@dataclass(slots=True)
class Seen:
    """What came in since the last plan. Times are those of the machine's monotonic clock, in seconds."""

    requests: int = 0
    finished: int = 0
    cut: dict[str, float] = field(default_factory=dict[str, float])


def _event(delta: dict[str, object], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": CREATED_S, "model": "bench", "choices": [choice]}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def _usage(body_bytes: int, chunks: int) -> dict[str, int]:
    prompt, completion = max(1, body_bytes // 4), max(1, chunks * 6)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


TEXT = _http_chunk(_event({"content": WORDS}))
FIRST = _http_chunk(_event({"role": "assistant", "content": WORDS}))
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"


def _named(event: dict[str, object]) -> bytes:
    return _http_chunk(f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n".encode())


MESSAGE = {
    "id": "msg_bench",
    "type": "message",
    "role": "assistant",
    "model": "bench",
    "content": [],
    "usage": {"input_tokens": 9, "output_tokens": 1},
}
RESPONSE = {"id": "resp_bench", "object": "response", "model": "bench", "status": "in_progress", "output": []}
BEGUN: dict[bytes, tuple[bytes, bytes]] = {
    b"/chat/completions": (FIRST, TEXT),
    b"/messages": (
        _named({"type": "message_start", "message": MESSAGE})
        + _named({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        _named({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": WORDS}}),
    ),
    b"/responses": (
        _named({"type": "response.created", "response": RESPONSE}),
        _named({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": WORDS}),
    ),
}
"""How a stream begins and goes on in each format, by the end of its path. Only chat completions are told to their end."""


def _call(name: str) -> list[bytes]:
    """The frames of a call, as providers send them: its name, then its arguments in pieces."""
    opening = {"index": 0, "id": f"call_{CREATED_S}", "type": "function", "function": {"name": name, "arguments": ""}}
    pieces = [{"index": 0, "function": {"arguments": piece}} for piece in ARGUMENTS]
    return [_http_chunk(_event({"tool_calls": [row]})) for row in (opening, *pieces)]


def _frames(plan: Plan, tool: str, path: bytes) -> list[bytes]:
    first, text = BEGUN[path]
    return [first, *[text] * (plan.chunks - 1), *(_call(tool) if tool else [])]


def _end(body_bytes: int, chunks: int, tool: str = "") -> bytes:
    usage = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": CREATED_S, "model": "bench", "choices": []}
    last = b"data: " + json.dumps({**usage, "usage": _usage(body_bytes, chunks)}, separators=(",", ":")).encode() + b"\n\n"
    return _http_chunk(_event({}, "tool_calls" if tool else "stop")) + _http_chunk(last) + _http_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def _whole(body_bytes: int, chunks: int, tool: str = "") -> bytes:
    message: dict[str, object] = {"role": "assistant", "content": WORDS * chunks}
    if tool:
        function = {"name": tool, "arguments": "".join(ARGUMENTS)}
        message["tool_calls"] = [{"id": f"call_{CREATED_S}", "type": "function", "function": function}]
    answer = {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": CREATED_S,
        "model": "bench",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if tool else "stop"}],
        "usage": _usage(body_bytes, chunks),
    }
    return _answer(json.dumps(answer, separators=(",", ":")).encode())


def _answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


class World:
    """What all connections share: the plan, and what was seen of it."""

    def __init__(self) -> None:
        self.plan = Plan()
        self.seen = Seen()


class Connection(asyncio.Protocol):
    """One kept-alive connection: a request is read whole, answered as planned, then the next."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._pieces: list[bytes] = []
        self._held_bytes = 0
        self._wanted_bytes: int | None = None
        self._head = b""
        self._id = ""
        self._timer: asyncio.TimerHandle | None = None
        self._answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._answering:
            self._world.seen.cut[self._id] = time.monotonic()

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        self._held_bytes += len(data)
        if self._wanted_bytes is None:
            held = b"".join(self._pieces)
            head, end, rest = held.partition(b"\r\n\r\n")
            if not end:
                assert len(held) < HEAD_BYTES_MAX, "a request head without an end"
                return
            length = LENGTH.search(head)
            assert length or not CHUNKED.search(head), "the fake upstream wants a content-length"
            self._head, self._pieces, self._held_bytes = head, [rest], len(rest)
            self._wanted_bytes = int(length[1]) if length else 0
        if self._held_bytes >= self._wanted_bytes:
            body = b"".join(self._pieces)
            self._pieces, self._held_bytes, self._wanted_bytes = [], 0, None
            self._request(body)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _request(self, body: bytes) -> None:
        path = self._head.split(b" ", 2)[1]
        format_path = next((end for end in BEGUN if path.endswith(end)), None)
        if format_path is not None:
            self._complete(body, format_path)
        elif path == b"/bench/plan":
            self._world.plan, self._world.seen = Plan(**json.loads(body)), Seen()
            self._write(_answer(b"{}"))
        elif path == b"/bench/seen":
            seen = self._world.seen
            self._write(_answer(json.dumps({"requests": seen.requests, "finished": seen.finished, "cut": seen.cut}).encode()))
        else:
            self._write(_answer(b'{"error":{"message":"no such page"}}', b"404 Not Found"))

    def _complete(self, body: bytes, path: bytes) -> None:
        plan, seen = self._world.plan, self._world.seen
        seen.requests += 1
        found = STEP_ID.findall(body[-MARK_SEARCH_BYTES:])
        self._id = found[-1].decode() if found else ""
        streamed = STREAMED.search(body[:MARK_SEARCH_BYTES]) or STREAMED.search(body[-MARK_SEARCH_BYTES:])
        tool = plan.tool(body)
        if not streamed:
            whole = _whole(len(body), plan.chunks, tool)
            if plan.first_ms:
                self._answering = True
                self._timer = self._loop.call_later(plan.first_ms / 1000, self._play, 0.0, [], 0, whole)
                return
            self._write(whole)
            seen.finished += 1
            return
        frames, end = _frames(plan, tool, path), _end(len(body), plan.chunks, tool)
        if plan.gap_ms == 0 and plan.first_ms == 0:
            self._write(STREAM_HEAD + b"".join(frames) + end)
            seen.finished += 1
        else:
            self._answering = True
            self._timer = self._loop.call_later(plan.first_ms / 1000, self._play, plan.gap_ms / 1000, frames, 0, end)

    def _play(self, gap_s: float, frames: list[bytes], sent: int, end: bytes) -> None:
        if sent == len(frames):
            self._write(end)
            self._world.seen.finished += 1
            self._answering = False
            self._timer = None
            return
        self._write(STREAM_HEAD + frames[0] if sent == 0 else frames[sent])
        self._timer = self._loop.call_later(gap_s, self._play, gap_s, frames, sent + 1, end)


async def main() -> None:
    world = World()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(world), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
