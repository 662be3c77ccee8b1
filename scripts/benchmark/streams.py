"""Streams: what a chunk costs the daemon, five hundred slow ones at once, and clients that hang up in the middle.

Every attempt must be in the books at the end, whoever left.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

from benchmark import bodies
from benchmark.report import Row
from benchmark.stand import KB, MS, Stand, p50
from benchmark.wire import ANSWER_LIMIT_S, Caller, Heard, Target, WrongAnswer, connect
from benchmark.world import Daemon, Process, cpu_s, memory_bytes

CHUNK_STREAMS = 10
CHUNK_GAP_MS = 2.0
CHUNKS, CHUNKS_QUICK = 1_500, 300
CHUNK_TARGET_US = 80.0

SLOW_STREAMS = 500
SLOW_GAP_MS = 500.0
SLOW_CHUNKS, SLOW_CHUNKS_QUICK = 12, 5
SLOW_BODY_BYTES = 20 * KB
STALL_MS = 1_000.0
"""More than the upstream's own pace beside a busy core: a stream that waits for another's place waits for all of its chunks."""

HANG_UP_STREAMS = 64
HANG_UP_EVERY = 5
HANG_UP_GAP_MS = 50.0
HANG_UP_CHUNKS = 40
HANG_UP_AFTER_S = 0.8
CANCEL_TARGET_MS = 100.0
BOOKS_LIMIT_S = 10.0
BOOKS_POLL_S = 0.1
OPEN_AT_ONCE = 50


def measure(stand: Stand) -> list[Row]:
    return [*_chunks(stand), *_slow(stand), *_hang_ups(stand)]


def _right(target: Target, answers: list[Heard]) -> list[Heard]:
    for heard in answers:
        if not heard.whole:
            raise WrongAnswer(f"{target.name} answered {heard.shown()}")
    return answers


async def _many(target: Target, sessions: list[bodies.Session]) -> list[Heard]:
    """All of these sessions' next steps at once, each on a connection of its own, to their ends."""
    callers: list[Caller] = []
    for begin in range(0, len(sessions), OPEN_AT_ONCE):
        callers += await asyncio.gather(*(connect(target, keep_arrivals=True) for _ in sessions[begin : begin + OPEN_AT_ONCE]))
    calls: list[asyncio.Future[Heard]] = []
    for caller, session in zip(callers, sessions, strict=True):
        body = session.next_body()
        calls.append(caller.call([target.head(len(body)), body]))
    async with asyncio.timeout(ANSWER_LIMIT_S):
        answers = await asyncio.gather(*calls)
    for caller in callers:
        caller.hang_up()
    return _right(target, answers)


def _processes(stand: Stand) -> list[tuple[Target, Process]]:
    ours = [(stand.daemon.target, stand.daemon.process)] if stand.daemon else []
    return [(stand.bare, stand.bare_process), *ours]


def _chunks(stand: Stand) -> list[Row]:
    chunks = stand.rounds(CHUNKS, CHUNKS_QUICK)
    opening = bodies.template(2 * KB, stream=True)
    cost_us: dict[str, float] = {}
    for target, process in _processes(stand):
        stand.upstream.plan(chunks=2, gap_ms=CHUNK_GAP_MS)
        sessions = [bodies.session(opening) for _ in range(CHUNK_STREAMS)]
        before = cpu_s(process.pid)
        asyncio.run(_many(target, sessions))
        opened_s = cpu_s(process.pid) - before
        stand.upstream.plan(chunks=chunks + 2, gap_ms=CHUNK_GAP_MS)
        before = cpu_s(process.pid)
        asyncio.run(_many(target, sessions))
        # What it takes to open and to close a stream was measured with the short ones, and is taken off.
        cost_us[target.name] = max(0.0, cpu_s(process.pid) - before - opened_s) / (chunks * CHUNK_STREAMS) * 1e6
    return [
        Row(
            "streams",
            "processor time of a streamed chunk",
            "us",
            ours=cost_us.get("stepfare"),
            bare=cost_us["pass-through"],
            target=CHUNK_TARGET_US,
        )
    ]


def _slow(stand: Stand) -> list[Row]:
    chunks = stand.rounds(SLOW_CHUNKS, SLOW_CHUNKS_QUICK)
    stand.upstream.plan(chunks=chunks, first_ms=SLOW_GAP_MS, gap_ms=SLOW_GAP_MS)
    first_ms: dict[str, float] = {}
    stall_ms: dict[str, float] = {}
    kept_kb: dict[str, float] = {}
    opening = bodies.template(SLOW_BODY_BYTES, stream=True)
    for target, process in _processes(stand):
        sessions = [bodies.session(opening) for _ in range(SLOW_STREAMS)]
        answers = asyncio.run(_many(target, sessions))
        after_first = memory_bytes(process.pid)
        answers += asyncio.run(_many(target, sessions))
        kept_kb[target.name] = max(0, memory_bytes(process.pid) - after_first) / SLOW_STREAMS / KB
        first_ms[target.name] = max(heard.arrivals_s[0] - heard.began_s for heard in answers) * MS - SLOW_GAP_MS
        gaps = [later - earlier for heard in answers for earlier, later in zip(heard.arrivals_s, heard.arrivals_s[1:], strict=False)]
        stall_ms[target.name] = max(gaps) * MS - SLOW_GAP_MS
    measured = "500 slow streams"
    return [
        Row(
            "streams",
            f"{measured}: the last one's first byte, beyond the upstream's",
            "ms",
            ours=first_ms.get("stepfare"),
            bare=first_ms["pass-through"],
            target=STALL_MS * 2,
        ),
        Row(
            "streams",
            f"{measured}: longest silence, beyond the upstream's",
            "ms",
            ours=stall_ms.get("stepfare"),
            bare=stall_ms["pass-through"],
            target=STALL_MS,
        ),
        Row("streams", f"{measured}: memory kept for each that ended", "KB", ours=kept_kb.get("stepfare"), bare=kept_kb["pass-through"]),
    ]


async def _leave(target: Target, sessions: list[bodies.Session]) -> tuple[dict[str, float], list[Heard]]:
    """Every fifth client hangs up in the middle; gives when each of them did, by the request's id, and the other answers."""
    callers = await asyncio.gather(*(connect(target, keep_arrivals=True) for _ in sessions))
    calls: list[asyncio.Future[Heard]] = []
    for caller, session in zip(callers, sessions, strict=True):
        body = session.next_body()
        calls.append(caller.call([target.head(len(body)), body]))
    await asyncio.sleep(HANG_UP_AFTER_S)
    left = {
        f"{session.last_id:0{bodies.ID_BYTES}d}": callers[at].hang_up() for at, session in enumerate(sessions) if at % HANG_UP_EVERY == 0
    }
    async with asyncio.timeout(ANSWER_LIMIT_S):
        stayed = _right(target, [await call for at, call in enumerate(calls) if at % HANG_UP_EVERY])
    for at, caller in enumerate(callers):
        if at % HANG_UP_EVERY:
            caller.hang_up()
    return left, stayed


def _hang_ups(stand: Stand) -> list[Row]:
    opening = bodies.template(2 * KB, stream=True)
    slowest_ms: dict[str, float] = {}
    typical_ms: dict[str, float] = {}
    uncancelled: dict[str, int] = {}
    booked: float | None = None
    for target, _ in _processes(stand):
        stand.upstream.plan(chunks=HANG_UP_CHUNKS, gap_ms=HANG_UP_GAP_MS)
        before = _today(stand.daemon) if stand.daemon and target.name == "stepfare" else {}
        left, _ = asyncio.run(_leave(target, [bodies.session(opening) for _ in range(HANG_UP_STREAMS)]))
        cut = cast(dict[str, float], stand.upstream.seen()["cut"])
        waits_ms = [(cut[name] - at_s) * MS for name, at_s in left.items() if name in cut]
        uncancelled[target.name] = len(left) - len(waits_ms)
        if waits_ms:
            slowest_ms[target.name], typical_ms[target.name] = max(waits_ms), p50(waits_ms)
        if before and stand.daemon:
            booked = _booked(stand.daemon, before)
    named = "64 streams, a fifth hangs up"
    return [
        Row(
            "streams",
            f"{named}: slowest cancel upstream",
            "ms",
            ours=slowest_ms.get("stepfare"),
            bare=slowest_ms.get("pass-through"),
            target=CANCEL_TARGET_MS,
        ),
        Row("streams", f"{named}: cancel upstream, p50", "ms", ours=typical_ms.get("stepfare"), bare=typical_ms.get("pass-through")),
        Row(
            "streams", f"{named}: never cancelled", "calls", ours=uncancelled.get("stepfare"), bare=uncancelled["pass-through"], target=0.0
        ),
        Row("streams", f"{named}: not in the books", "steps", ours=booked, target=0.0),
    ]


def _today(daemon: Daemon) -> dict[str, Any]:
    return cast(dict[str, Any], daemon.overview()["today"])


def _booked(daemon: Daemon, before: dict[str, Any]) -> float:
    """How many of the steps are missing from the books, or still open there, once those who left have been accounted for."""
    until = time.monotonic() + BOOKS_LIMIT_S
    while True:
        today = _today(daemon)
        missing = HANG_UP_STREAMS - (int(today["steps"]) - int(before["steps"]))
        if (missing == 0 and today["reserved_pusd"] == 0 and today["lost_pusd"] == before["lost_pusd"]) or time.monotonic() > until:
            return float(abs(missing) + (today["reserved_pusd"] != 0))
        time.sleep(BOOKS_POLL_S)
