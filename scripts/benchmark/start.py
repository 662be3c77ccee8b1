"""How long the daemon takes from its command to a healthy answer, each time in a new home, beside the bare pass-through."""

from __future__ import annotations

import time

from benchmark.report import Row
from benchmark.stand import Stand, p50
from benchmark.world import daemon, pass_through

STARTS, STARTS_QUICK = 7, 3
TARGET_S = 1.0


def measure(stand: Stand) -> list[Row]:
    stand.needed_daemon()
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(stand.rounds(STARTS, STARTS_QUICK)):
        with daemon(stand.upstream.port) as started:
            ours.append(started.healthy_after_s)
        began = time.perf_counter()
        with pass_through(stand.upstream.port):
            bare.append(time.perf_counter() - began)
    return [Row("start", "start to healthy, p50", "s", ours=p50(ours), bare=p50(bare), target=TARGET_S)]
