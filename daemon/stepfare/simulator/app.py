"""The simulator as an aiohttp application, and how it is run on a loopback port of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from stepfare.simulator import calls, wire
from stepfare.simulator.calls import State, answered
from stepfare.simulator.catalogue import MODELS, PROVIDER_ID
from stepfare.simulator.faults import parse_fault
from stepfare.simulator.options import BODY_BYTES_MAX, FINGERPRINT, MARK, SimulatorOptions
from stepfare.simulator.values import Json

SHUTDOWN_S = 1.0

STATE = web.AppKey("state", State)


class QueuedFault(msgspec.Struct):
    spec: str
    model: str = ""
    times: int = 1


class QueuedFaults(msgspec.Struct):
    faults: list[str | QueuedFault]


def simulator_app(options: SimulatorOptions | None = None) -> web.Application:
    """POST /v1/chat/completions, GET /v1/models, GET /simulator/bill, GET|POST|DELETE /simulator/faults."""
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app[STATE] = State(options or SimulatorOptions())
    app.add_routes(
        [
            web.post("/v1/chat/completions", _chat),
            web.get("/v1/models", _models),
            web.get("/simulator/bill", _bill),
            web.get("/simulator/faults", _faults),
            web.post("/simulator/faults", _queue_faults),
            web.delete("/simulator/faults", _clear_faults),
        ]
    )
    return app


async def start(
    host: str = "127.0.0.1", port: int = 0, options: SimulatorOptions | None = None
) -> tuple[str, Callable[[], Awaitable[None]]]:
    """Serve; returns the base URL (it ends in /v1) and what stops it. Port 0 takes a free one; OSError when the port is taken."""
    # Without handler_cancellation a call whose client is gone would play on to its end and be billed in full.
    runner = web.AppRunner(simulator_app(options), handler_cancellation=True, access_log=None, shutdown_timeout=SHUTDOWN_S)
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
async def running(options: SimulatorOptions | None = None, *, host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[str]:
    """A running simulator for as long as the block lasts; gives the base URL."""
    base_url, stop = await start(host, port, options)
    try:
        yield base_url
    finally:
        await stop()


async def _chat(http: web.Request) -> web.StreamResponse:
    try:
        return await calls.chat(http.app[STATE], http)
    except web.HTTPRequestEntityTooLarge:
        return answered(413, wire.error(413, f"{MARK}The body is larger than {BODY_BYTES_MAX} bytes.", "request_too_large"))


async def _models(http: web.Request) -> web.Response:
    created_s = http.app[STATE].options.now_ms() // 1000
    rows: list[Json] = [
        {"id": model.id, "object": "model", "created": created_s, "owned_by": PROVIDER_ID, "context_length": model.context_tokens}
        for model in MODELS
    ]
    return answered(200, {"object": "list", "data": rows, "system_fingerprint": FINGERPRINT})


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
        return answered(
            400, wire.error(400, f"{MARK}Faults not understood: {error}. Send " + '{"faults": ["429;retry-after=2", ...]}.', "bad_fault")
        )
    return await _faults(http)


async def _clear_faults(http: web.Request) -> web.Response:
    http.app[STATE].faults.clear()
    return await _faults(http)
