"""How many requests a second the daemon carries on one core, and what each costs it in processor time, beside the bare pass-through."""

from __future__ import annotations

import asyncio
import gc
import time

from benchmark import bodies
from benchmark.report import Row
from benchmark.stand import KB, MS, Stand
from benchmark.wire import ANSWER_LIMIT_S, Target, WrongAnswer, connect
from benchmark.world import Process, cpu_s

CONCURRENCY = 32
BODY_BYTES = 100 * KB
STEPS_PER_SESSION = 20
WARM_UP_S = 0.5
ROUND_S = 2.5
ROUNDS = 4
QUICK_ROUND_S = 1.0
QUICK_ROUNDS = 1
TARGET_PER_S = 1_000.0
SHARE_OF_BARE = 0.5


def measure(stand: Stand) -> list[Row]:
    stand.upstream.plan(chunks=8)
    seconds = QUICK_ROUND_S if stand.quick else ROUND_S
    watched: dict[str, Process] = {"direct": stand.upstream.process, "pass-through": stand.bare_process}
    if stand.daemon:
        watched["stepfare"] = stand.daemon.process
    rows: list[Row] = []
    for stream, kind in ((True, "streamed"), (False, "not streamed")):
        requests = dict.fromkeys(watched, 0)
        spent_s = dict.fromkeys(watched, 0.0)
        elapsed_s = dict.fromkeys(watched, 0.0)
        opening = bodies.template(BODY_BYTES, stream=stream)
        for _ in range(stand.rounds(ROUNDS, QUICK_ROUNDS)):
            for target in stand.targets():
                done, took_s, cpu = asyncio.run(_load(target, opening, seconds, watched[target.name].pid))
                requests[target.name] += done
                elapsed_s[target.name] += took_s
                spent_s[target.name] += cpu
        rate = {name: requests[name] / elapsed_s[name] for name in watched}
        cost = {name: spent_s[name] / max(1, requests[name]) * MS for name in watched}
        rows += [
            Row(
                "throughput",
                f"100 KB, 32 at once, {kind}",
                "requests/s",
                ours=rate.get("stepfare"),
                bare=rate["pass-through"],
                direct=rate["direct"],
                target=TARGET_PER_S,
                at_least=True,
            ),
            Row("throughput", f"processor time of one, {kind}", "ms", ours=cost.get("stepfare"), bare=cost["pass-through"]),
        ]
    return rows


async def _load(target: Target, opening: bytes, seconds: float, pid: int) -> tuple[int, float, float]:
    """Requests answered, seconds that they took, and the processor time of the measured process meanwhile."""
    done = 0
    until = time.perf_counter() + WARM_UP_S + seconds
    counting = False

    async def caller() -> None:
        nonlocal done
        line = await connect(target)
        while time.perf_counter() < until:
            session = bodies.session(opening)
            for _ in range(STEPS_PER_SESSION):
                body = session.next_body()
                heard = await line.call([target.head(len(body)), body])
                if not heard.whole:
                    raise WrongAnswer(f"{target.name} answered {heard.shown()}")
                done += counting
                if time.perf_counter() >= until:
                    break
        line.hang_up()

    gc.disable()
    try:
        async with asyncio.timeout(WARM_UP_S + seconds + ANSWER_LIMIT_S), asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY):
                group.create_task(caller())
            await asyncio.sleep(WARM_UP_S)
            counting = True
            began, cpu_before = time.perf_counter(), cpu_s(pid)
            await asyncio.sleep(max(0.0, until - time.perf_counter()))
            counting = False
            took_s, cpu = time.perf_counter() - began, cpu_s(pid) - cpu_before
    finally:
        gc.enable()
    return done, took_s, cpu
