#!/usr/bin/env python3
"""Kill the books at random moments, again and again, and check after each death that nothing acknowledged was lost, nothing is there twice,
and the chain verifies.

Each life is a process of its own with eight agents that append through the store, as the daemon does it; now and then one copies the
books meanwhile. It is ended with kill -9 (no handler runs, nothing is flushed) after a random time, its first moments included: opening,
migrating, taking up the journal. What it said was on disk must be there. Open reservations are then closed as lost, and the next life
goes on in the same books; after some lives new books are begun, so that young and old ones are killed alike.

With --daemon it is the whole daemon that is killed, while agents stream through it: `daemon_deaths` says what is looked at then.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib import import_module
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
LIVES_PER_BOOKS = 25
LIFE_S_MAX = 0.6
AGENTS = 8


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1_000, help="so many deaths (default: 1000)")
    parser.add_argument("--daemon", action="store_true", help="kill `stepfare serve` under streaming agents, instead of the store alone")
    parser.add_argument("--seed", type=int, default=None, help="of the moments; one of its own for each run if not given")
    parser.add_argument("--live", nargs=2, metavar=("FILE", "NAME"), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.live:
        asyncio.run(live(Path(chosen.live[0]), chosen.live[1]))
        return 0
    seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"{chosen.trials} trials, seed {seed}", flush=True)
    if chosen.daemon:
        print(of_daemons(chosen.trials, random.Random(seed)))
        return 0
    tally = trials(chosen.trials, random.Random(seed))
    print(
        f"{chosen.trials} deaths by kill -9: {tally['acknowledged']:,} entries were acknowledged before, all are there, each once;"
        f" {tally['lost']:,} attempts were open and are booked as lost; {tally['unborn']:,} died before they had written anything;"
        f" all {tally['verified']:,} verifications found the books whole."
    )
    return 0


def trials(count: int, dice: random.Random) -> Counter[str]:
    """So many deaths; raises AssertionError at the first that lost or doubled anything."""
    tally: Counter[str] = Counter()
    began = time.monotonic()
    for first in range(0, count, LIVES_PER_BOOKS):
        with tempfile.TemporaryDirectory(prefix="stepfare-kill-") as folder:
            books = Path(folder) / "ledger.db"
            acknowledged: set[str] = set()
            for number in range(first, min(first + LIVES_PER_BOOKS, count)):
                said = one_life(books, f"life{number}", dice.uniform(0, LIFE_S_MAX))
                tally["unborn"] += not said
                acknowledged |= said
                if books.exists():
                    tally["lost"] += asyncio.run(look(books, acknowledged))
                    tally["verified"] += 1
            tally["acknowledged"] += len(acknowledged)
        if sys.stderr.isatty():
            done = min(first + LIVES_PER_BOOKS, count)
            print(f"\r{done:,} of {count:,}, {time.monotonic() - began:.0f} s", end="", file=sys.stderr, flush=True)
    return tally


def of_daemons(count: int, dice: random.Random) -> str:
    """So many deaths of whole daemons, told in words; raises AssertionError at the first that lost or doubled anything."""
    from daemon_deaths import deaths

    began = time.monotonic()

    def progress(done: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done:,} of {count:,}, {time.monotonic() - began:.0f} s", end="", file=sys.stderr, flush=True)

    tally = asyncio.run(deaths(count, dice, progress))
    return (
        f"{count} deaths of the daemon by kill -9, {tally['stillborn']:,} of them while it started: of {tally['calls']:,} calls"
        f" {tally['whole']:,} were answered to their end, and each is settled once, at the cost that its client was told;"
        f" {tally['lost']:,} attempts were open and are booked as lost, at their ceilings;"
        f" all {tally['verified']:,} verifications found the books whole, and their heads agree."
    )


def one_life(books: Path, name: str, seconds: float) -> set[str]:
    """What a process was told is on disk before it was killed after that time, counted from when it opens the books."""
    command = [sys.executable, str(Path(__file__).resolve()), "--live", str(books), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()  # It is about to open the books: what Python needs to start is no moment of interest.
        time.sleep(seconds)
        process.kill()
        said = process.stdout.read()
    return {line for line in said.split("\n")[:-1] if line}  # The last line may be half a line.


async def look(books: Path, acknowledged: set[str]) -> int:
    """Checks the books after a death, and closes what it left open; how many attempts that were."""
    from stepfare.core.entry import Extended, Lost, Opened
    from stepfare.ledger.journal import phase_of
    from stepfare.store.sqlite_file import open_file
    from stepfare.store.verify import verify

    verdict = verify(books)
    # Killed before its first commit, a file has no tables yet, or no head beside it.
    assert verdict.whole or not verdict.rows, verdict.problems
    store = open_file(books, lambda: 0)
    try:
        assert not store.problems, store.problems
        entries = [row.entry async for batch in store.entries() for row in batch]
        written = Counter(f"{phase_of(entry)} {entry.attempt}" for entry in entries if not isinstance(entry, Opened | Extended))
        lost = acknowledged - written.keys()
        assert not lost, f"acknowledged, and not in the books: {sorted(lost)[:5]}"
        twice = [what for what, times in written.items() if times > 1]
        assert not twice, f"twice in the books: {twice[:5]}"
        still_open = await store.open_reservations()
        await store.append(*(Lost(one.attempt, one.session, one.at_ms, one.ceiling_pusd) for one in still_open))
    finally:
        await store.close()
    verdict = verify(books)
    assert verdict.whole, verdict.problems
    return len(still_open)


async def live(books: Path, name: str) -> None:
    """Agents that reserve and settle until the process is killed; each line on stdout says that an entry is on disk."""
    from stepfare.core.entry import Opened, Reserved, Settled
    from stepfare.core.money import Usage
    from stepfare.store.backup import back_up
    from stepfare.store.sqlite_file import open_file

    def say(words: str) -> None:
        os.write(1, f"{words}\n".encode())

    say("")
    store = open_file(books, lambda: 0)

    async def agent(session: str) -> None:
        await store.append(Opened(session, 1, "trial", "/srv/trial", "/srv/trial", "main", ""))
        for step in range(1, 1_000_000):
            attempt = f"{session}-{step}"
            await store.append(
                Reserved(attempt, f"d-{attempt}", session, step, step, "lab/m", "frugal", "run", "frugal", "profile", 900, "trial"),
                decision=(f"d-{attempt}", session, b"{}"),
            )
            say(f"reserved {attempt}")
            await store.append(Settled(attempt, session, step, "ok", "run", Usage(100, 50), 500, "usage-priced", None, ""))
            say(f"settled {attempt}")

    async def copies() -> None:
        for number in itertools.count():
            await asyncio.sleep(0.2)
            await asyncio.to_thread(back_up, books, books.with_name(f"copy-{name}-{number}.db"))

    async with asyncio.TaskGroup() as group:
        group.create_task(copies())
        for number in range(AGENTS):
            group.create_task(agent(f"{name}-{number}"))


if __name__ == "__main__":
    sys.path.insert(0, str(SCRIPTS))
    import_module("environment").enter(__file__)
    sys.exit(main(sys.argv[1:]))
