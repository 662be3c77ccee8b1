"""How many attempts a second the books settle: each reserved on disk, then settled on disk, as the daemon does it, by 64 at once."""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
import time
from pathlib import Path

from benchmark.report import Row
from benchmark.stand import Stand
from benchmark.world import CannotMeasure, cores, pin

AT_ONCE = 64
STEPS_PER_SESSION = 40
WARM_UP_S = 0.5
RUN_S, RUN_QUICK_S = 5.0, 1.5
TARGET_PER_S = 4_000.0
DECISION = b'{"id":"%s","because":["a step of the benchmark, with a sentence or two of reasons as a decision has them"]}' % (b"x" * 600)


def measure(stand: Stand) -> list[Row]:
    pin(os.getpid(), cores().measured)
    try:
        with tempfile.TemporaryDirectory(prefix="stepfare-bench-ledger-") as folder:
            rate = asyncio.run(_settled_per_s(Path(folder) / "ledger.db", RUN_QUICK_S if stand.quick else RUN_S))
    finally:
        pin(os.getpid(), cores().load)
    return [
        Row("ledger", "attempts reserved and settled, 64 at once (settled_per_s)", "1/s", ours=rate, target=TARGET_PER_S, at_least=True)
    ]


async def _settled_per_s(path: Path, seconds: float) -> float:
    try:
        from stepfare.core.entry import Opened, Reserved, Settled
        from stepfare.core.money import Rates, Usage
        from stepfare.store.sqlite_file import open_file
    except ImportError as missing:
        raise CannotMeasure(f"the ledger: {missing}") from missing

    def now_ms() -> int:
        return time.time_ns() // 1_000_000

    store = open_file(path, now_ms)
    rates = Rates(input=2_000_000, cache_read=100_000, cache_write=2_500_000, cache_write_1h=4_000_000, output=10_000_000)
    usage = Usage(input_tokens=25_000, cache_read_tokens=24_000, cache_write_tokens=900, output_tokens=180)
    numbers = itertools.count()
    settled = 0
    until = time.perf_counter() + WARM_UP_S + seconds

    async def agent(worker: int) -> None:
        nonlocal settled
        session = ""
        while time.perf_counter() < until:
            number = next(numbers)
            step = number % STEPS_PER_SESSION
            attempt, decision = f"a{worker}-{number}", f"d{worker}-{number}"
            opening: list[Opened] = []
            if step == 0 or not session:
                session = f"s{worker}-{number}"
                opening = [Opened(session, now_ms(), "bench", "workspace", "project", "main", "Mend the nightly report")]
            reserved = Reserved(
                attempt,
                decision,
                session,
                step + 1,
                now_ms(),
                "bench/middle",
                "balanced",
                "explore",
                "balanced",
                "profile",
                5_000_000_000,
                "bench",
            )
            await store.append(*opening, reserved, decision=(decision, session, DECISION))
            await store.append(Settled(attempt, session, now_ms(), "ok", "explore", usage, 6_450_000_000, "usage-priced", rates, "bench"))
            settled += 1

    async with asyncio.TaskGroup() as group:
        for worker in range(AT_ONCE):
            group.create_task(agent(worker))
        await asyncio.sleep(WARM_UP_S)
        before, began = settled, time.perf_counter()
        await asyncio.sleep(seconds)
        rate = (settled - before) / (time.perf_counter() - began)
    await store.close()
    return rate
