"""The dashboard over a ledger of a million entries: how long its page waits for all that it shows, and what a page that is read again and
again costs the steps that are served meanwhile."""

from __future__ import annotations

import gc
import http.client
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

from benchmark import bodies
from benchmark.ledger import ASKED, ASKED_QUICK, ENTRIES, ENTRIES_QUICK, QUESTION_TARGET_MS, REPORT_TARGET_MS, fill
from benchmark.report import Row
from benchmark.stand import KB, MS, Stand, p50, p99, percentile
from benchmark.wire import ANSWER_LIMIT_S, SHOWN_BYTES, Line, WrongAnswer, ask
from benchmark.world import Daemon, cores, daemon, pin

DAY_MS = 86_400_000
SIZE_BYTES = 2 * KB
RUNS, RUNS_QUICK = 60, 10
STEPS_PER_SESSION = 10
WARM_UP_SESSIONS = 5
SESSIONS = 10
"""So many the page shows at first."""
READ_EVERY_S = 0.5
CONNECTIONS = 6
"""So many a browser opens to one host."""
ADDED_TARGET_MS, ADDED_P99_TARGET_MS = 0.5, 5.0


def measure(stand: Stand) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="stepfare-bench-dashboard-") as folder:
        books = Path(folder) / "ledger.db"
        pin(os.getpid(), cores().measured)
        try:
            entries = fill(books, ENTRIES_QUICK if stand.quick else ENTRIES)
        finally:
            pin(os.getpid(), cores().load)
        stand.upstream.plan(chunks=8, gap_ms=1, first_ms=0)
        with daemon(stand.upstream.port, books.parent) as started:
            what = f"{entries:,} entries"
            return [*_page(started, what, stand.rounds(ASKED, ASKED_QUICK)), *_served(started, what, stand.rounds(RUNS, RUNS_QUICK))]


class _Visit:
    """A browser that was let in by a link."""

    def __init__(self, started: Daemon) -> None:
        self._port = started.port
        link = ask(started.port, "/control/v1/dashboard-links", token=started.control_token, method="POST")["url"]
        connection = http.client.HTTPConnection("127.0.0.1", started.port, timeout=ANSWER_LIMIT_S)
        connection.request("GET", f"/?{urlsplit(link).query}")
        answer = connection.getresponse()
        cookie = answer.headers["set-cookie"] or ""
        connection.close()
        name, *attributes = cookie.split("; ")
        place = next((one.removeprefix("Path=") for one in attributes if one.startswith("Path=")), "")
        if answer.status != 200 or not place:
            raise WrongAnswer(f"the dashboard's link answered {answer.status} and {cookie.partition('=')[0]!r}")
        self._place, self._headers = place, {"Cookie": name}

    def ask(self, path: str) -> None:
        """Read it to its end, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_LIMIT_S)
        try:
            connection.request("GET", f"{self._place}api/{path}", headers=self._headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise WrongAnswer(f"{path} answered {answer.status}: {text[:SHOWN_BYTES]!r}")
        finally:
            connection.close()


def _page(started: Daemon, what: str, times: int) -> list[Row]:
    """Each thing that the page asks for alone, then all of it at once, as its first second asks."""
    found = ask(started.port, f"/control/v1/sessions?limit={SESSIONS}", token=started.control_token)["sessions"]
    sessions = [one["id"] for one in found]
    first = f"sessions/{quote(sessions[0], safe='')}"
    reports = ("report?by=day,tier", "report?by=model")
    since = f"&since_ms={time.time_ns() // 1_000_000 - 30 * DAY_MS}"
    alone = {
        "the strips of ten sessions": ("strips?" + "&".join(f"session={quote(one, safe='')}" for one in sessions), QUESTION_TARGET_MS),
        "budgets": ("budgets", QUESTION_TARGET_MS),
        "the latest steps of a session": (f"{first}?after=35", QUESTION_TARGET_MS),
        "a month by day and tier": (reports[0] + since, REPORT_TARGET_MS),
        "a month by model": (reports[1] + since, REPORT_TARGET_MS),
    }
    visit = _Visit(started)
    rows: list[Row] = []
    for name, (path, target_ms) in alone.items():
        taken_ms = [_timed_ms(visit, path) for _ in range(times)]
        rows.append(_row(f"{what}: {name}, p50", taken_ms, target_ms))
    whole = ("overview", *(path for path, _ in alone.values()))
    with ThreadPoolExecutor(CONNECTIONS) as browser:
        taken_ms = list[float]()
        for _ in range(times):
            began = time.perf_counter()
            list(browser.map(visit.ask, whole))
            taken_ms.append((time.perf_counter() - began) * MS)
    return [*rows, _row(f"{what}: the whole page, p50", taken_ms, 2 * REPORT_TARGET_MS)]


def _timed_ms(visit: _Visit, path: str) -> float:
    began = time.perf_counter()
    visit.ask(path)
    return (time.perf_counter() - began) * MS


def _row(what: str, taken_ms: list[float], target_ms: float) -> Row:
    return Row("dashboard", what, "ms", ours=p50(taken_ms), target=target_ms, note=f"p95 {percentile(taken_ms, 0.95):.1f}")


def _served(started: Daemon, what: str, sessions: int) -> list[Row]:
    """The first byte of a step while nobody looks, and while a page is read from the beginning twice a second."""
    _first_bytes_ms(started, WARM_UP_SESSIONS)
    quiet = _first_bytes_ms(started, sessions)
    with _read_again_and_again(started):
        watched = _first_bytes_ms(started, sessions)
    name = f"{what}: first byte of a step while the page is read, added"
    return [
        Row("dashboard", f"{name}, p50", "ms", p50(watched) - p50(quiet), target=ADDED_TARGET_MS, note=f"{p50(quiet):.2f} without"),
        Row("dashboard", f"{name}, p99", "ms", p99(watched) - p99(quiet), target=ADDED_P99_TARGET_MS, note=f"{p99(quiet):.2f} without"),
    ]


def _first_bytes_ms(started: Daemon, sessions: int) -> list[float]:
    line = Line(started.target)
    opening = bodies.template(SIZE_BYTES, stream=True)
    taken_ms: list[float] = []
    gc.disable()
    try:
        for _ in range(sessions):
            session = bodies.session(opening)
            taken_ms += [line.timed(session.next_body()).first_byte_s * MS for _ in range(STEPS_PER_SESSION)]
    finally:
        gc.enable()
        line.close()
    return taken_ms


@contextmanager
def _read_again_and_again(started: Daemon) -> Iterator[None]:
    visit, over = _Visit(started), threading.Event()
    since = f"&since_ms={time.time_ns() // 1_000_000 - 30 * DAY_MS}"
    asked = ("overview", "budgets", f"report?by=day,tier{since}", f"report?by=model{since}")

    def read() -> None:
        while not over.wait(READ_EVERY_S):
            for path in asked:
                visit.ask(path)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        over.set()
        reader.join()
