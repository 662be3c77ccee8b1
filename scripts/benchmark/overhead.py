"""What the daemon adds to the first byte of a streamed answer, at three sizes of request, beside a direct call and the bare pass-through.

One request at a time, the three ways in turn, so that whatever else the machine does meets all of them alike.
"""

from __future__ import annotations

import gc

from benchmark import bodies
from benchmark.report import Row
from benchmark.stand import KB, MB, MS, Stand, p50, p99
from benchmark.wire import Line

STEPS_PER_SESSION = 10
WARM_UP_SESSIONS = 2
P99_FACTOR = 5
"""The slowest hundredth may take so many times the target."""
# size in bytes, target of the p50 in ms, sessions when thorough, when quick
SIZES = ((2 * KB, 1.0, 40, 6), (100 * KB, 1.5, 30, 4), (MB, 6.0, 10, 2))


def measure(stand: Stand) -> list[Row]:
    return [row for size, target_ms, thorough, quick in SIZES for row in _at(stand, size, target_ms, stand.rounds(thorough, quick))]


def _at(stand: Stand, size_bytes: int, target_ms: float, sessions: int) -> list[Row]:
    stand.upstream.plan(chunks=8, gap_ms=1, first_ms=0)
    lines = [Line(target) for target in stand.targets()]
    opening = bodies.template(size_bytes, stream=True)
    opened: dict[str, list[float]] = {line.target.name: [] for line in lines}
    went_on: dict[str, list[float]] = {line.target.name: [] for line in lines}
    gc.disable()
    try:
        for number in range(-WARM_UP_SESSIONS, sessions):
            session = bodies.session(opening)
            for step in range(STEPS_PER_SESSION):
                body = session.next_body()
                turn = (number * STEPS_PER_SESSION + step) % len(lines)
                for line in lines[turn:] + lines[:turn]:
                    timing = line.timed(body)
                    if number >= 0:
                        (went_on if step else opened)[line.target.name].append(timing.first_byte_s * MS)
            gc.collect()
    finally:
        gc.enable()
        for line in lines:
            line.close()
    label = f"{size_bytes // KB} KB" if size_bytes < MB else f"{size_bytes // MB} MB"
    base = p50(went_on["direct"])

    def added(samples: dict[str, list[float]], name: str, share: str, baseline: float) -> float | None:
        return (p50 if share == "p50" else p99)(samples[name]) - baseline if samples.get(name) else None

    return [
        Row(
            "overhead",
            f"{label}: added first byte, p50",
            "ms",
            ours=added(went_on, "stepfare", "p50", base),
            bare=added(went_on, "pass-through", "p50", base),
            direct=base,
            target=target_ms,
        ),
        Row(
            "overhead",
            f"{label}: added first byte, p99",
            "ms",
            ours=added(went_on, "stepfare", "p99", base),
            bare=added(went_on, "pass-through", "p99", base),
            direct=p99(went_on["direct"]),
            target=target_ms * P99_FACTOR,
        ),
        Row(
            "overhead",
            f"{label}: a session never seen before, p50",
            "ms",
            ours=added(opened, "stepfare", "p50", p50(opened["direct"])),
            bare=added(opened, "pass-through", "p50", p50(opened["direct"])),
            direct=p50(opened["direct"]),
        ),
    ]
