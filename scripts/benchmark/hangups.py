"""Clients that hang up, of every format before providers of every format, on streams and on answers in one piece: how soon the provider is
stopped. That it is stopped at all, and what is booked of it, is for the tests."""

from __future__ import annotations

import asyncio
import json
import time
from itertools import product
from typing import cast

from benchmark import bodies, world
from benchmark.report import Row
from benchmark.stand import MS, Stand, p50
from benchmark.wire import Caller, Target, connect
from benchmark.world import CannotMeasure

PATHS = {"openai": "chat/completions", "anthropic": "messages", "responses": "responses"}
MODEL_OF = {"openai": "bench/small", "anthropic": "bench-anthropic/one", "responses": "bench-responses/one"}
PROVIDER = """
[providers.bench-{dialect}]
dialect = "{dialect}"
base_url = "http://127.0.0.1:{upstream}/v1"
api_key = "env:{key}"

[[models]]
id = "bench-{dialect}/one"
tier = "frugal"
context_tokens = 200_000
max_output_tokens = 32_000
capabilities = ["tools"]
price = {{ input = 1, output = 5 }}
"""
AT_ONCE, AT_ONCE_QUICK = 8, 3
"""Calls of each way."""
GAP_MS, CHUNKS = 50.0, 4_000
HELD_BACK_MS = 120_000.0
"""After which an answer in one piece would come: nobody waits for it."""
LEAVE_AFTER_S = 1.0
SEEN_LIMIT_S, SEEN_POLL_S = 10.0, 0.1
CANCEL_TARGET_MS = 100.0


def measure(stand: Stand) -> list[Row]:
    calls = stand.rounds(AT_ONCE, AT_ONCE_QUICK)
    waits_ms: dict[str, list[float]] = {"streams": [], "bridged streams": [], "answers in one piece": []}
    missing = 0
    port = stand.upstream.port
    others = "".join(PROVIDER.format(dialect=name, upstream=port, key=world.KEY_VARIABLE) for name in ("anthropic", "responses"))
    with world.daemon(port, more=others) as daemon:
        for streamed in (True, False):
            stand.upstream.plan(chunks=CHUNKS, first_ms=0.0 if streamed else HELD_BACK_MS, gap_ms=GAP_MS)
            left: dict[str, tuple[str, float]] = {}
            for client, provider in product(PATHS, PATHS):
                kind = "answers in one piece" if not streamed else "streams" if client == provider else "bridged streams"
                left |= {
                    name: (kind, at_s)
                    for name, at_s in asyncio.run(_leave(daemon.target, client, provider, calls, stream=streamed)).items()
                }
            cut = _cut(stand, len(left))
            missing += len(left) - len(cut)
            for name, at_s in cut.items():
                kind, left_s = left[name]
                waits_ms[kind].append((at_s - left_s) * MS)
    rows: list[Row] = []
    for kind, waited in waits_ms.items():
        if not waited:
            raise CannotMeasure(f"hang-ups: of {kind} none was cancelled")
        said = f"{len(waited)} {kind} are hung up on"
        rows.append(Row("hangups", f"{said}: slowest cancel upstream", "ms", ours=max(waited), target=CANCEL_TARGET_MS))
        rows.append(Row("hangups", f"{said}: cancel upstream, p50", "ms", ours=p50(waited)))
    return [*rows, Row("hangups", "hung up on and never cancelled", "calls", ours=float(missing), target=0.0)]


async def _leave(target: Target, client: str, provider: str, calls: int, *, stream: bool) -> dict[str, float]:
    """When each of these clients left, by its request's id."""
    callers: list[tuple[str, Caller]] = []
    for _ in range(calls):
        name = f"{bodies.next_number():0{bodies.ID_BYTES}d}"
        body = json.dumps(_body(client, provider, name, stream=stream)).encode()
        caller = await connect(target)
        caller.call([target.head(len(body), PATHS[client]), body])
        callers.append((name, caller))
    await asyncio.sleep(LEAVE_AFTER_S)
    return {name: caller.hang_up() for name, caller in callers}


def _body(client: str, provider: str, name: str, *, stream: bool) -> dict[str, object]:
    asks = [{"role": "user", "content": f"Say something long, {bodies.STEP_MARK.decode()}{name}"}]
    body: dict[str, object] = {"model": MODEL_OF[provider], "stream": stream}
    return {**body, "input": asks} if client == "responses" else {**body, "messages": asks, "max_tokens": 4_000}


def _cut(stand: Stand, expected: int) -> dict[str, float]:
    """When the upstream saw each of them cut off, once it has seen all, or for so long."""
    until = time.monotonic() + SEEN_LIMIT_S
    while True:
        cut = cast(dict[str, float], stand.upstream.seen()["cut"])
        if len(cut) == expected or time.monotonic() > until:
            return cut
        time.sleep(SEEN_POLL_S)
