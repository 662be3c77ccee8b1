"""What the gate costs where it lets pass: the time until a client has the whole call of a look around, beyond that of the upstream itself.

Held back are only answers of models below what an edit needs; the upstream sends a call as providers do, piece by piece. Beside it stands
what a step costs in time that was asked twice, because the first answer was an edit.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import dataclass

from benchmark import bodies
from benchmark.report import Row
from benchmark.stand import KB, MS, Stand, p50, p99
from benchmark.upstream import CALL_END, EVERYBODY
from benchmark.wire import Line

STEPS_PER_SESSION = 10
WARM_UP_SESSIONS = 2
SESSIONS, SESSIONS_QUICK = 20, 3
SIZES = (2 * KB, 100 * KB)
TARGET_MS = 5.0
WORDS = 4
"""Pieces of text before the call."""
GAP_MS = 1.0
LOOKS = {EVERYBODY: "read_file"}
EDITS_FIRST = {EVERYBODY: "write_to_file"}


@dataclass(frozen=True, slots=True)
class Way:
    """One way to be answered: what it is called, what the request says, which tools the upstream calls, and how often it is asked."""

    words: str
    stream: bool
    parallel: bool
    calls: Mapping[str, str]
    asked: int = 1

    @property
    def target_ms(self) -> float | None:
        return TARGET_MS if self.asked == 1 else None


WAYS = (
    Way("a look around, streamed", stream=True, parallel=True, calls=LOOKS),
    Way("a look around, streamed, one call at a time", stream=True, parallel=False, calls=LOOKS),
    Way("a look around, whole", stream=False, parallel=True, calls=LOOKS),
    Way("an edit, asked twice, streamed", stream=True, parallel=True, calls=EDITS_FIRST, asked=2),
)


def measure(stand: Stand) -> list[Row]:
    return [row for size in SIZES for way in WAYS for row in _rows(stand, size, way)]


def _rows(stand: Stand, size_bytes: int, way: Way) -> list[Row]:
    took = _taken(stand, size_bytes, way)
    direct = took["direct"]
    label = f"{size_bytes // KB} KB, {way.words}: added until its call is whole"

    def added(name: str, share: str) -> float | None:
        measured = p50 if share == "p50" else p99
        times = way.asked if name == "stepfare" else 1
        return measured(took[name]) - times * measured(direct) if took.get(name) else None

    return [
        Row(
            "gate",
            f"{label}, {share}",
            "ms",
            ours=added("stepfare", share),
            bare=added("pass-through", share),
            direct=(p50 if share == "p50" else p99)(direct),
            target=way.target_ms if share == "p50" else None,
            note="" if way.asked == 1 else f"beyond {way.asked} answers of the upstream's",
        )
        for share in ("p50", "p99")
    ]


def _taken(stand: Stand, size_bytes: int, way: Way) -> dict[str, list[float]]:
    """Milliseconds until the whole call had come, by target."""
    stand.upstream.plan(chunks=WORDS, gap_ms=GAP_MS, first_ms=GAP_MS, calls=way.calls)
    lines = [Line(target) for target in stand.targets()]
    took: dict[str, list[float]] = {line.target.name: [] for line in lines}
    opening = bodies.template(size_bytes, stream=way.stream, parallel=way.parallel)
    sessions = stand.rounds(SESSIONS, SESSIONS_QUICK)
    gc.disable()
    try:
        for number in range(-WARM_UP_SESSIONS, sessions):
            session = bodies.session(opening)
            for step in range(STEPS_PER_SESSION):
                body = session.next_body()
                turn = (number * STEPS_PER_SESSION + step) % len(lines)
                for line in lines[turn:] + lines[:turn]:
                    timing = line.timed(body, CALL_END.encode())
                    if number >= 0:
                        took[line.target.name].append(timing.first_byte_s * MS)
            gc.collect()
    finally:
        gc.enable()
        for line in lines:
            line.close()
    return took
