"""A provider that plays a script: a real server on loopback that answers call by call as it was told, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(frozen=True)
class Play:
    """One answer. `pieces` are written one by one with `pause_s` between them; `cut` breaks the connection after the last one. After
    `silent_after` of them nothing is written any more until the other side leaves."""

    status: int = 200
    content_type: str = "text/event-stream"
    pieces: Sequence[bytes] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    before_s: float = 0.0
    pause_s: float = 0.0
    cut: bool = False
    silent_after: int | None = None


@dataclass
class Asked:
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)


class Provider:
    """Answers in the order of `script`; the last play is repeated when the script is over."""

    def __init__(self, script: Sequence[Play]) -> None:
        self.script = list(script)
        self.asked: list[Asked] = []
        self.cancelled = 0
        self.written = 0
        """Pieces of all answers."""
        self.base_url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(Asked(request.path, dict(request.headers), await request.read()))
        play = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        try:
            await asyncio.sleep(play.before_s)
            response = web.StreamResponse(status=play.status, headers={"content-type": play.content_type, **play.headers})
            await response.prepare(request)
            for piece in play.pieces[: play.silent_after]:
                await response.write(piece)
                self.written += 1
                await asyncio.sleep(play.pause_s)
            if play.silent_after is not None:
                await asyncio.Event().wait()
            if play.cut:
                assert request.transport is not None
                request.transport.abort()
            else:
                await response.write_eof()
            return response
        except (asyncio.CancelledError, ConnectionError):
            self.cancelled += 1
            raise


@asynccontextmanager
async def playing(*script: Play) -> AsyncGenerator[Provider]:
    provider = Provider(script)
    app = web.Application(client_max_size=256 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", provider.answer)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield provider
    finally:
        await runner.cleanup()


def event(data: object) -> bytes:
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n"


def chunk(delta: dict | None = None, finish: str | None = None, usage: dict | None = None, model: str = "served-name") -> bytes:
    choices = [] if delta is None and finish is None else [{"index": 0, "delta": delta or {}, "finish_reason": finish}]
    body: dict[str, object] = {"id": "c1", "object": "chat.completion.chunk", "model": model, "choices": choices}
    if usage is not None:
        body["usage"] = usage
    return event(body)


USAGE = {"prompt_tokens": 2000, "completion_tokens": 100, "total_tokens": 2100, "prompt_tokens_details": {"cached_tokens": 500}}
DONE = event(b"[DONE]")


def stream(text: str = "Hello there", usage: dict | None = None, call: tuple[str, str, str] | None = None, **other: object) -> Play:
    """A whole streamed answer: text word by word, maybe a tool call (id, name, arguments), usage, the end mark."""
    pieces = [chunk({"role": "assistant", "content": ""})]
    pieces += [chunk({"content": word + " "}) for word in text.split()]
    if call is not None:
        pieces.append(
            chunk({"tool_calls": [{"index": 0, "id": call[0], "type": "function", "function": {"name": call[1], "arguments": ""}}]})
        )
        pieces.append(chunk({"tool_calls": [{"index": 0, "function": {"arguments": call[2]}}]}))
    pieces.append(chunk(None, "tool_calls" if call else "stop"))
    pieces.append(chunk(None, None, usage or USAGE))
    return Play(pieces=[*pieces, DONE], **other)  # type: ignore[arg-type]


def whole(text: str = "Hello there", usage: dict | None = None) -> Play:
    body = {
        "id": "c1",
        "object": "chat.completion",
        "model": "served-name",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": usage or USAGE,
        "unheard_of": {"kept": [1.50, "as it is"]},
    }
    return Play(content_type="application/json", pieces=[json.dumps(body, indent=1).encode()])


def refusal(status: int, message: str = "no", code: str = "", **headers: str) -> Play:
    body = json.dumps({"error": {"message": message, "type": "error", "code": code}}).encode()
    return Play(status, "application/json", [body], {name.replace("_", "-"): value for name, value in headers.items()})
