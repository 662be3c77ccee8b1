"""The books: how many attempts a second they settle (each reserved on disk, then settled on disk, as the daemon does it, by 64 at once),
and, with a million entries in them, how long a start, an answer to an editor and a month's report take."""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from benchmark.report import Row
from benchmark.stand import MS, Stand, p50, percentile
from benchmark.wire import ask
from benchmark.world import CannotMeasure, Daemon, cores, daemon, pin

if TYPE_CHECKING:
    from stepfare.store.store import Store

AT_ONCE = 64
STEPS_PER_SESSION = 40
WARM_UP_S = 0.5
RUN_S, RUN_QUICK_S = 5.0, 1.5
TARGET_PER_S = 4_000.0
ENTRIES, ENTRIES_QUICK = 1_000_000, 100_000
ASKED, ASKED_QUICK = 25, 7
START_TARGET_S, QUESTION_TARGET_MS, REPORT_TARGET_MS = 1.0, 20.0, 200.0
DAY_MS = 86_400_000
DECISION = b'{"id":"%s","because":["a step of the benchmark, with a sentence or two of reasons as a decision has them"]}' % (b"x" * 600)


def measure(stand: Stand) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="stepfare-bench-ledger-") as folder:
        books = Path(folder) / "ledger.db"
        pin(os.getpid(), cores().measured)
        try:
            entries = fill(books, ENTRIES_QUICK if stand.quick else ENTRIES)
            rate = asyncio.run(settled_per_s(lambda: _open(books), RUN_QUICK_S if stand.quick else RUN_S))
        finally:
            pin(os.getpid(), cores().load)
        what = f"{entries:,} entries"
        rows = [
            Row(
                "ledger",
                f"{what}: attempts reserved and settled, 64 at once (settled_per_s)",
                "1/s",
                ours=rate,
                target=TARGET_PER_S,
                at_least=True,
            )
        ]
        with daemon(stand.upstream.port, books.parent) as started:
            rows.append(Row("ledger", f"{what}: start to healthy", "s", ours=started.healthy_after_s, target=START_TARGET_S))
            rows += questions("ledger", started, what, stand.rounds(ASKED, ASKED_QUICK))
    return rows


def fill(books: Path, entries: int) -> int:
    """Writes about so many entries into new books."""
    from benchmark.big_ledger import build

    build(lambda: _open(books), entries, time.time_ns() // 1_000_000)
    return entries


def _open(books: Path) -> Store:
    from stepfare.store.sqlite_file import open_file

    return open_file(books, lambda: time.time_ns() // 1_000_000)


def questions(measure: str, started: Daemon, what: str, times: int) -> list[Row]:
    """What an editor or a person asks, over HTTP, the whole way to the answer's last byte."""
    from benchmark.big_ledger import PROJECTS, folder_of

    since_ms = time.time_ns() // 1_000_000 - 30 * DAY_MS
    project = quote(folder_of(PROJECTS // 8), safe="")
    session = ask(started.port, f"/control/v1/sessions?limit=1&workspace={project}", token=started.control_token)["sessions"][0]["id"]
    questions: Mapping[str, tuple[str, float]] = {
        "a session with its steps": (f"sessions/{session}", QUESTION_TARGET_MS),
        "today and the latest sessions (overview)": ("overview", QUESTION_TARGET_MS),
        "a status bar's glance": (f"glance?session={session}", QUESTION_TARGET_MS),
        "a project today": (f"workspaces/{project}", QUESTION_TARGET_MS),
        "a project's last week by day": (f"report?by=day&project={project}&since_ms={since_ms + 23 * DAY_MS}", QUESTION_TARGET_MS),
        "a month by day": (f"report?by=day&since_ms={since_ms}", REPORT_TARGET_MS),
        "a month by day and model": (f"report?by=day,model&since_ms={since_ms}", REPORT_TARGET_MS),
        "a month by project and branch": (f"report?by=project,branch&since_ms={since_ms}", REPORT_TARGET_MS),
    }
    rows: list[Row] = []
    for name, (path, target_ms) in questions.items():
        taken_ms: list[float] = []
        for _ in range(times):
            began = time.perf_counter()
            ask(started.port, f"/control/v1/{path}", token=started.control_token)
            taken_ms.append((time.perf_counter() - began) * MS)
        note = f"p95 {percentile(taken_ms, 0.95):.1f}"
        rows.append(Row(measure, f"{what}: {name}, p50", "ms", ours=p50(taken_ms), target=target_ms, note=note))
    return rows


async def settled_per_s(open_books: Callable[[], Store], seconds: float, prefix: str = "") -> float:
    """`prefix` tells the sessions of several writers apart."""
    try:
        from stepfare.core.entry import Opened, Reserved, Settled
        from stepfare.core.money import Rates, Usage
    except ImportError as missing:
        raise CannotMeasure(f"the ledger: {missing}") from missing

    def now_ms() -> int:
        return time.time_ns() // 1_000_000

    store = open_books()
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
            attempt, decision = f"a{prefix}{worker}-{number}", f"d{prefix}{worker}-{number}"
            opening: list[Opened] = []
            if step == 0 or not session:
                session = f"s{prefix}{worker}-{number}"
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
