"""What counting costs while a session grows to 150,000 tokens: a step should pay for what is new in it, and for nothing else."""

from __future__ import annotations

import gc
import os
import time

from benchmark import bodies
from benchmark.report import Row
from benchmark.stand import KB, Stand, p50
from benchmark.world import CannotMeasure, cores, pin

TOKENS_AT_THE_END = 150_000
STEP_BYTES = 6 * KB
PARTS = 5
SESSIONS, SESSIONS_QUICK = 3, 1
NS_PER_MS = 1_000_000


def measure(stand: Stand) -> list[Row]:
    try:
        from stepfare.counting import vocabulary
        from stepfare.counting.counts import Counts
        from stepfare.dialects.openai_chat import read_request
    except ImportError as missing:
        raise CannotMeasure(f"the tokens: {missing}") from missing

    began = time.process_time_ns()
    count = vocabulary.load()
    loading_ms = (time.process_time_ns() - began) / NS_PER_MS

    def grow() -> tuple[list[tuple[int, float, int]], float]:
        """Of each step: tokens so far, milliseconds of counting, new tokens; and what counting all of the last step anew takes."""
        counts, session = Counts(), bodies.session(bodies.template(2 * KB, stream=True), step_bytes=STEP_BYTES)
        steps: list[tuple[int, float, int]] = []
        tokens = 0
        while True:
            view = read_request(session.next_body(), {})
            list(view.turns[-4:])  # what the step's features have looked at anyway
            began = time.process_time_ns()
            counts.add(counts.missing(view), count)
            now, _ = counts.tally(view)
            steps.append((now, (time.process_time_ns() - began) / NS_PER_MS, now - tokens))
            tokens = now
            if tokens >= TOKENS_AT_THE_END:
                break
        began = time.process_time_ns()
        cold = Counts()
        cold.add(cold.missing(view), count)
        return steps, (time.process_time_ns() - began) / NS_PER_MS

    pin(os.getpid(), cores().measured)
    gc.disable()
    try:
        grown = [grow() for _ in range(stand.rounds(SESSIONS, SESSIONS_QUICK))]
    finally:
        gc.enable()
        pin(os.getpid(), cores().load)
    rows: list[Row] = []
    for part in range(PARTS):
        low, high = (TOKENS_AT_THE_END * place // PARTS for place in (part, part + 1))
        within = [(ms, new) for steps, _ in grown for tokens, ms, new in steps[1:] if low <= tokens < high]
        label = f"session of {low // 1000}-{high // 1000}k tokens: a step's counting"
        rows.append(Row("tokens", f"{label}, p50", "ms", ours=p50([ms for ms, _ in within])))
        rows.append(Row("tokens", f"{label} for 1,000 new tokens, p50", "ms", ours=p50([ms / new * 1000 for ms, new in within])))
    rows.append(Row("tokens", "all of 150k tokens counted anew, p50", "ms", ours=p50([cold for _, cold in grown])))
    rows.append(Row("tokens", "the vocabulary loaded, once and beside", "ms", ours=loading_ms))
    return rows
