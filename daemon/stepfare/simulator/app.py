"""The simulator as an aiohttp application, and how it is run on a loopback port of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import msgspec
from aiohttp import web

from stepfare.simulator import beside, calls
from stepfare.simulator.calls import Player, State, answered, refusal
from stepfare.simulator.faults import parse_fault
from stepfare.simulator.options import BODY_BYTES_MAX, SimulatorOptions
from stepfare.simulator.refused import Refused
from stepfare.simulator.values import Json

SHUTDOWN_S = 1.0

BASES = ("/v1", "/{family}/v1", "/{family}/anthropic/v1")
"""Where the simulator's own models are served, and those of other providers; some keep a door of its own for Anthropic's format."""

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

STATE = web.AppKey("state", State)


class QueuedFault(msgspec.Struct):
    spec: str
    model: str = ""
    times: int = 1


class QueuedFaults(msgspec.Struct):
    faults: list[str | QueuedFault]


def simulator_app(options: SimulatorOptions | None = None, player: Player | None = None) -> web.Application:
    """The simulator's own models under /v1, those of other providers under /PROVIDER/v1, and its books under /simulator.

    POST chat/completions, responses, messages, messages/count_tokens, completions, embeddings; GET models. GET /simulator/bill,
    GET|POST|DELETE /simulator/faults. A `player` answers in place of the agent that is played.
    """
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app[STATE] = State(options or SimulatorOptions(), player)
    app.add_routes(
        [
            *(route for base in BASES for route in _routes(base)),
            web.get("/simulator/bill", _bill),
            web.get("/simulator/faults", _faults),
            web.post("/simulator/faults", _queue_faults),
            web.delete("/simulator/faults", _clear_faults),
        ]
    )
    return app


async def start(
    host: str = "127.0.0.1", port: int = 0, options: SimulatorOptions | None = None, player: Player | None = None
) -> tuple[str, Callable[[], Awaitable[None]]]:
    """Serve; returns the base URL (it ends in /v1) and what stops it. Port 0 takes a free one; OSError when the port is taken."""
    # Without handler_cancellation a call whose client is gone would play on to its end and be billed in full.
    runner = web.AppRunner(simulator_app(options, player), handler_cancellation=True, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
    except OSError:
        await runner.cleanup()
        raise
    bound: int = runner.addresses[0][1]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{bound}/v1", runner.cleanup


@asynccontextmanager
async def running(
    options: SimulatorOptions | None = None, player: Player | None = None, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncGenerator[str]:
    """A running simulator for as long as the block lasts; gives the base URL."""
    base_url, stop = await start(host, port, options, player)
    try:
        yield base_url
    finally:
        await stop()


def _routes(base: str) -> list[web.RouteDef]:
    return [
        web.post(f"{base}/chat/completions", _conversing("openai")),
        web.post(f"{base}/responses", _conversing("responses")),
        web.post(f"{base}/messages", _conversing("anthropic")),
        web.post(f"{base}/messages/count_tokens", _within_bounds(beside.count_tokens)),
        web.post(f"{base}/completions", _within_bounds(beside.completions)),
        web.post(f"{base}/embeddings", _within_bounds(beside.embeddings)),
        web.get(f"{base}/models", _models),
    ]


def _conversing(dialect: str) -> Handler:
    async def converse(state: State, http: web.Request, family: str) -> web.StreamResponse:
        return await calls.converse(state, http, family, dialect)

    return _within_bounds(converse)


def _within_bounds(answer: Callable[[State, web.Request, str], Awaitable[web.StreamResponse]]) -> Handler:
    async def handle(http: web.Request) -> web.StreamResponse:
        try:
            return await answer(http.app[STATE], http, http.match_info.get("family", ""))
        except web.HTTPRequestEntityTooLarge:
            return refusal(None, None, Refused(413, f"The body is larger than {BODY_BYTES_MAX} bytes.", "request_too_large"))

    return handle


async def _models(http: web.Request) -> web.Response:
    return beside.models(http.app[STATE], http.match_info.get("family", ""), anthropic="anthropic-version" in http.headers)


async def _bill(http: web.Request) -> web.Response:
    return answered(200, http.app[STATE].bill.as_json())


async def _faults(http: web.Request) -> web.Response:
    waiting: list[Json] = [*http.app[STATE].faults.waiting()]
    return answered(200, {"waiting": waiting})


async def _queue_faults(http: web.Request) -> web.Response:
    queue = http.app[STATE].faults
    try:
        wanted = msgspec.json.decode(await http.read(), type=QueuedFaults)
        rows = [item if isinstance(item, QueuedFault) else QueuedFault(item) for item in wanted.faults]
        parsed = [(parse_fault(row.spec), row.model, row.times) for row in rows]
        for fault, model, times in parsed:
            queue.add(fault, model, times)
    except (msgspec.DecodeError, ValueError) as error:
        return refusal(
            None, None, Refused(400, f"Faults not understood: {error}. Send " + '{"faults": ["429;retry-after=2", ...]}.', "bad_fault")
        )
    return await _faults(http)


async def _clear_faults(http: web.Request) -> web.Response:
    http.app[STATE].faults.clear()
    return await _faults(http)
