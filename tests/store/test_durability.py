"""Killed at any moment, or out of disk: what was acknowledged is in the books, and the books are whole."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from stepfare.core.entry import Lost, Reserved, Settled
from stepfare.store.verify import verify
from tests.ledger.samples import NOW_MS
from tests.store.books import books, journal_of

# Eight agents at once; every line says that an entry is on disk, in the words of the journal.
AGENTS = """
import asyncio, os, sys
from pathlib import Path
from stepfare.store.sqlite_file import open_file
from tests.ledger.samples import opened, reserved, settled

async def agent(store, session):
    await store.append(opened(session))
    for step in range(1, 10_000):
        attempt = f"{session}-{step}"
        await store.append(reserved(attempt, session, step))
        os.write(1, f"reserved {attempt}\\n".encode())
        await store.append(settled(attempt, session))
        os.write(1, f"settled {attempt}\\n".encode())

async def main():
    store = open_file(Path(sys.argv[1]), lambda: 0)
    await asyncio.gather(*(agent(store, f"{sys.argv[2]}-{number}") for number in range(8)))

asyncio.run(main())
"""


def run_until_killed(path: Path, life: int, lines: int) -> set[str]:
    """What the agents were told is on disk before the process was killed, in the middle of things."""
    command = [sys.executable, "-c", AGENTS, str(path), f"life{life}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.read().splitlines(keepends=True)
    return {line.strip() for line in said if line.endswith("\n")}


async def test_killed_at_any_moment_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    moments = random.Random(20261122)
    acknowledged = set[str]()
    for life in range(5):
        acknowledged |= run_until_killed(path, life, moments.randint(1, 400))
        verdict = verify(path)
        assert verdict.problems == ()
        async with books(path) as store:
            journal = await journal_of(store)
            written = {f"reserved {entry.attempt}" for entry in journal if isinstance(entry, Reserved)}
            written |= {f"settled {entry.attempt}" for entry in journal if isinstance(entry, Settled)}
            assert acknowledged <= written
            closed = {entry.attempt for entry in journal if isinstance(entry, Settled | Lost)}
            still_open = await store.open_reservations()
            assert still_open == [entry for entry in journal if isinstance(entry, Reserved) and entry.attempt not in closed]
            await store.append(*(Lost(entry.attempt, entry.session, NOW_MS, entry.ceiling_pusd) for entry in still_open))
            assert await store.open_reservations() == []
    assert len(acknowledged) > 100


# The limit on the size of files stands for a full disk: writes beyond it fail in the same places.
FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from stepfare.store.errors import StoreError
from stepfare.store.sqlite_file import open_file
from tests.ledger.samples import opened, reserved, settled

async def main():
    store = open_file(Path(sys.argv[1]), lambda: 0)
    await store.append(opened())
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    written, refused = [], []
    for number in range(1, 400):
        try:
            await store.append(reserved(f"a{number}", step=number))
            written.append(number)
        except StoreError as error:
            refused.append(number)
            words = str(error)
        if len(refused) == 5:
            break
    both = await asyncio.gather(*(store.append(reserved(f"b{n}", step=n)) for n in range(9)), return_exceptions=True)
    assert all(isinstance(error, StoreError) for error in both), both
    assert len(await store.open_reservations()) == len(written)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    for number in refused:
        await store.append(reserved(f"a{number}", step=number))
    await store.append(*(settled(f"a{number}") for number in written))
    assert len(await store.open_reservations()) == len(refused) == 5
    await store.close()
    print(len(written), words)

asyncio.run(main())
"""


def test_a_full_disk_refuses_in_words_and_the_books_go_on_when_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written, words = done.stdout.split(maxsplit=1)
    assert int(written) > 3
    assert "full" in words
    assert "ree some space" in words or "free space" in words
    verdict = verify(path)
    assert (verdict.problems, verdict.rows) == ((), 1 + 2 * int(written) + 5)
