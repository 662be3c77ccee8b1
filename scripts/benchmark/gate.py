"""What the gate costs where it lets pass: the time until a client has the whole call of a look around, beyond that of the upstream itself.

Held back are only answers of models below what an edit needs; the upstream sends a call as providers do, piece by piece. What of the
time is the gate's own is told by the same steps under the profile `frugal`, which needs no gate. Beside it stands what a step costs in
time that was asked twice, because the first answer was an edit.
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

    @property
    def models(self) -> tuple[str, ...]:
        """The profiles that are asked for: one with a gate, and for looks one without."""
        return ("auto", "frugal") if self.asked == 1 else ("auto",)


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
    label = f"{size_bytes // KB} KB, {way.words}: added until its call is whole"
    gated, open_, bare, direct = (took.get(key, []) for key in (_GATED, _OPEN, ("pass-through", "auto"), ("direct", "auto")))
    rows = [
        Row(
            "gate",
            f"{label}, {name}",
            "ms",
            ours=share(gated) - way.asked * share(direct) if gated else None,
            bare=share(bare) - share(direct),
            direct=share(direct),
            target=way.target_ms if name == "p50" else None,
            note="" if way.asked == 1 else f"beyond {way.asked} answers of the upstream's",
        )
        for name, share in (("p50", p50), ("p99", p99))
    ]
    if open_:
        rows.append(Row("gate", f"{label}, the gate's own part of it, p50", "ms", ours=p50(gated) - p50(open_)))
    return rows


_GATED, _OPEN = ("stepfare", "auto"), ("stepfare", "frugal")


def _taken(stand: Stand, size_bytes: int, way: Way) -> dict[tuple[str, str], list[float]]:
    """Milliseconds until the whole call had come, by target and the profile that was asked for."""
    stand.upstream.plan(chunks=WORDS, gap_ms=GAP_MS, first_ms=GAP_MS, calls=way.calls)
    lines = [(Line(target), model) for target in stand.targets() for model in way.models if model == "auto" or target.name == "stepfare"]
    took: dict[tuple[str, str], list[float]] = {(line.target.name, model): [] for line, model in lines}
    openings = {model: bodies.template(size_bytes, stream=way.stream, parallel=way.parallel, model=model) for model in way.models}
    sessions = stand.rounds(SESSIONS, SESSIONS_QUICK)
    gc.disable()
    try:
        for number in range(-WARM_UP_SESSIONS, sessions):
            session = {model: bodies.session(opening) for model, opening in openings.items()}
            for step in range(STEPS_PER_SESSION):
                body = {model: one.next_body() for model, one in session.items()}
                turn = (number * STEPS_PER_SESSION + step) % len(lines)
                for line, model in lines[turn:] + lines[:turn]:
                    timing = line.timed(body[model], CALL_END.encode())
                    if number >= 0:
                        took[line.target.name, model].append(timing.first_byte_s * MS)
            gc.collect()
    finally:
        gc.enable()
        for line, _ in lines:
            line.close()
    return took
