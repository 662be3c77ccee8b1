"""What telling an answer in another format costs: a stream of 200 events through each pair of formats, beside letting it pass."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from functools import partial

from benchmark.report import Row
from benchmark.stand import Stand, p50
from benchmark.world import CannotMeasure, cores, pin

EVENTS = 200
ROUNDS, ROUNDS_QUICK = 60, 10
NS_PER_MS = 1_000_000
TARGET_MS = 3.0
"""Of processor time, more than letting the same stream pass."""
QUESTIONS = {
    "openai": b'{"model":"auto","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hi"}]}',
    "anthropic": b'{"model":"auto","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}',
    "responses": b'{"model":"auto","stream":true,"input":"Hi"}',
}


def measure(stand: Stand) -> list[Row]:
    try:
        from stepfare.core.money import Usage
        from stepfare.dialects.base import Finished, StreamEvent, TextDelta, ToolCallDelta, ToolCallStarted, UsageReported
        from stepfare.dialects.bridge import Translation, stream_between
        from stepfare.dialects.table import DIALECTS, Stream
    except ImportError as missing:
        raise CannotMeasure(f"the bridges: {missing}") from missing

    def no_cost(_reported: UsageReported) -> str | None:
        return "0.001"

    half = EVENTS // 2
    said: list[StreamEvent] = [TextDelta("word ") for _ in range(half)]
    said += [ToolCallStarted(0, "call_1", "edit"), ToolCallDelta(0, '{"path": "')]
    said += [ToolCallDelta(0, "piece ") for _ in range(EVENTS - half - 3)]
    said += [ToolCallDelta(0, '"}'), UsageReported(Usage(1000, 500, 0, 200)), Finished("tool_calls")]
    views = {name: DIALECTS[name].read_request(body, {}) for name, body in QUESTIONS.items()}
    frames: dict[str, list[bytes]] = {}
    for name, view in views.items():
        writer = DIALECTS[name].writer(view, "a1", 0, "lab/model", no_cost)
        whole = b"".join([*(writer.write(event) for event in said), writer.end()])
        frames[name] = [frame + b"\n\n" for frame in whole.split(b"\n\n") if frame]

    def cpu_ms(make: Callable[[], Stream], provider: str) -> float:
        taken: list[float] = []
        for number in range(-3, stand.rounds(ROUNDS, ROUNDS_QUICK)):
            stream = make()
            began = time.process_time_ns()
            for frame in frames[provider]:
                stream.feed(frame)
            stream.finish()
            if number >= 0:
                taken.append((time.process_time_ns() - began) / NS_PER_MS)
            assert stream.heard.calls, "the stream was not understood"
        return p50(taken)

    pin(os.getpid(), cores().measured)
    gc.disable()
    try:
        passing = {name: cpu_ms(partial(DIALECTS[name].stream, "auto", True, no_cost), name) for name in QUESTIONS}
        rows = [Row("bridge", f"{EVENTS} events of {name}, passing", "ms", ours=ms) for name, ms in passing.items()]
        for provider in QUESTIONS:
            for client in QUESTIONS:
                if client != provider:
                    telling = partial(stream_between, Translation(views[client]), provider, "a1", 0, "lab/model", no_cost)
                    between = cpu_ms(telling, provider)
                    what = f"{EVENTS} events of {provider}, told in {client}: more than passing"
                    rows.append(Row("bridge", what, "ms", ours=between - passing[provider], target=TARGET_MS))
        return rows
    finally:
        gc.enable()
        pin(os.getpid(), cores().load)
