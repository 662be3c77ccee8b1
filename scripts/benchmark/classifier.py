"""What it takes to know which step is to come: reading the request, its features, and the classification, each without network or disk.

Every request is the next step of its session, so what may be remembered of the head is, and the tail is new.
"""

from __future__ import annotations

import gc
import os
import time

from benchmark import bodies
from benchmark.report import Row
from benchmark.stand import KB, MB, Stand, p50, p99
from benchmark.world import CannotMeasure, cores, pin

HEADERS = {"user-agent": "stepfare-bench", "content-type": "application/json"}
STEPS_PER_SESSION = 10
# size in bytes, sessions when thorough, when quick
SIZES = ((2 * KB, 60, 10), (100 * KB, 30, 5), (MB, 8, 2))


def measure(stand: Stand) -> list[Row]:
    try:
        from stepfare.dialects.openai_chat import read_request
        from stepfare.steps.classify import classify
        from stepfare.steps.features import features_of
    except ImportError as missing:
        raise CannotMeasure(f"the classifier: {missing}") from missing

    def at(size_bytes: int, sessions: int) -> list[Row]:
        opening = bodies.template(size_bytes, stream=True)
        read_us: list[float] = []
        classify_us: list[float] = []
        for number in range(-1, sessions):  # the first warms up
            session = bodies.session(opening)
            for _ in range(STEPS_PER_SESSION):
                body = session.next_body()
                began = time.perf_counter_ns()
                view = read_request(body, HEADERS)
                read = time.perf_counter_ns()
                step = classify(features_of(view))
                ended = time.perf_counter_ns()
                assert step.because
                if number >= 0:
                    read_us.append((read - began) / 1_000)
                    classify_us.append((ended - read) / 1_000)
        label = f"{size_bytes // KB} KB" if size_bytes < MB else f"{size_bytes // MB} MB"
        return [
            Row("classifier", f"{label}: read the request, p50", "us", ours=p50(read_us)),
            Row("classifier", f"{label}: features and kind of the step, p50", "us", ours=p50(classify_us)),
            Row("classifier", f"{label}: features and kind of the step, p99", "us", ours=p99(classify_us)),
        ]

    pin(os.getpid(), cores().measured)
    gc.disable()
    try:
        return [row for size, thorough, quick in SIZES for row in at(size, stand.rounds(thorough, quick))]
    finally:
        gc.enable()
        pin(os.getpid(), cores().load)
