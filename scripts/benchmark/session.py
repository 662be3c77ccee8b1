"""A session that grows step by step to bodies of 1 MB: what a step costs early and late, when only its end is new.

The pass-through shows what moving the bytes costs by itself; what the daemon does beyond that should not grow with what it has seen.
"""

from __future__ import annotations

from benchmark import bodies
from benchmark.report import Row
from benchmark.stand import KB, MB, MS, Stand, p50
from benchmark.wire import Line
from benchmark.world import cpu_s

STEP_BYTES = 16 * KB
SESSIONS, SESSIONS_QUICK = 4, 1
# Where on the way to 1 MB to look: from, to, in bytes.
WINDOWS = ((0, 100 * KB), (200 * KB, 300 * KB), (450 * KB, 550 * KB), (900 * KB, MB))


def measure(stand: Stand) -> list[Row]:
    daemon = stand.needed_daemon()
    stand.upstream.plan(chunks=8, gap_ms=1)
    opening = bodies.template(2 * KB, stream=True)
    watched = {"stepfare": daemon.process.pid, "pass-through": stand.bare_process.pid}
    lines = [Line(target) for target in stand.targets()]
    first_ms: dict[tuple[str, int], list[float]] = {}
    spent_ms: dict[tuple[str, int], list[float]] = {}
    try:
        for _ in range(stand.rounds(SESSIONS, SESSIONS_QUICK)):
            session = bodies.session(opening, step_bytes=STEP_BYTES)
            length = 0
            while length < MB:
                body = session.next_body()
                length = len(body)
                window = next((at for at, (low, high) in enumerate(WINDOWS) if low <= length < high), None)
                for line in lines:
                    name = line.target.name
                    before = cpu_s(watched[name]) if name in watched else 0.0
                    timing = line.timed(body)
                    after = cpu_s(watched[name]) if name in watched else 0.0
                    if window is not None:
                        first_ms.setdefault((name, window), []).append(timing.first_byte_s * MS)
                        spent_ms.setdefault((name, window), []).append((after - before) * MS)
    finally:
        for line in lines:
            line.close()
    rows: list[Row] = []
    for at, (low, high) in enumerate(WINDOWS):
        label = f"growing, bodies of {low // KB}-{high // KB} KB"
        base = p50(first_ms["direct", at])
        rows += [
            Row(
                "session",
                f"{label}: added first byte, p50",
                "ms",
                ours=p50(first_ms["stepfare", at]) - base,
                bare=p50(first_ms["pass-through", at]) - base,
                direct=base,
            ),
            Row(
                "session",
                f"{label}: processor time of a step, p50",
                "ms",
                ours=p50(spent_ms["stepfare", at]),
                bare=p50(spent_ms["pass-through", at]),
            ),
        ]
    return rows
