"""What the daemon holds when it has nothing to do, what is left after work, and what an installation takes on the disk."""

from __future__ import annotations

import asyncio
import re
import time
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from benchmark import bodies
from benchmark.report import Row
from benchmark.stand import KB, MB, Stand
from benchmark.wire import Target, WrongAnswer, connect
from benchmark.world import daemon, memory_bytes, pass_through

IDLE_AFTER_S = 1.0
LOADED_AFTER_S = 2.0
SESSIONS, SESSIONS_QUICK = 200, 40
STEPS = 5
BODY_BYTES = 100 * KB
IDLE_TARGET_MB = 70.0
COUNTING_TARGET_MB = 160.0
INSTALLED_TARGET_MB = 70.0
MIB = 1024 * 1024


def measure(stand: Stand) -> list[Row]:
    stand.needed_daemon()
    stand.upstream.plan(chunks=8)
    sessions = stand.rounds(SESSIONS, SESSIONS_QUICK)
    with pass_through(stand.upstream.port) as (process, _, _):
        time.sleep(IDLE_AFTER_S)
        bare = memory_bytes(process.pid) / MIB
    with daemon(stand.upstream.port) as fresh:
        time.sleep(IDLE_AFTER_S)
        idle = memory_bytes(fresh.process.pid) / MIB
        # The first answer makes it load the vocabulary, in a thread.
        asyncio.run(_work(fresh.target, 1))
        time.sleep(LOADED_AFTER_S)
        counting = memory_bytes(fresh.process.pid) / MIB
        asyncio.run(_work(fresh.target, sessions))
        time.sleep(IDLE_AFTER_S)
        worked = memory_bytes(fresh.process.pid) / MIB
    return [
        Row("memory", "idle", "MiB", ours=idle, bare=bare, target=IDLE_TARGET_MB),
        Row("memory", "after the tokenizer was loaded", "MiB", ours=counting, target=COUNTING_TARGET_MB),
        Row("memory", f"after {sessions} sessions of {STEPS} steps with 100 KB", "MiB", ours=worked),
        Row("memory", "installed, with all it needs", "MB", ours=installed_bytes("stepfare") / MB, target=INSTALLED_TARGET_MB),
    ]


async def _work(target: Target, sessions: int) -> None:
    line = await connect(target)
    opening = bodies.template(BODY_BYTES, stream=True)
    for _ in range(sessions):
        session = bodies.session(opening)
        for _ in range(STEPS):
            body = session.next_body()
            heard = await line.call([target.head(len(body)), body])
            if not heard.whole:
                raise WrongAnswer(f"{target.name} answered {heard.shown()}")
    line.hang_up()


def installed_bytes(name: str) -> int:
    """Bytes of a distribution and of all that it needs here, without the caches that Python writes beside them."""
    needed: dict[str, int] = {}
    waiting = [name]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in needed:
            continue
        distribution = metadata.distribution(name)
        needed[name] = sum(_size(Path(str(file.locate()))) for file in distribution.files or [] if file.suffix != ".pyc")
        if (distribution.read_text("direct_url.json") or "").find('"editable": true') >= 0:
            needed[name] += _checkout_bytes()
        wishes = map(Requirement, distribution.requires or [])
        waiting += [wish.name for wish in wishes if wish.marker is None or wish.marker.evaluate({"extra": ""})]
    return sum(needed.values())


def _checkout_bytes() -> int:
    """The packages themselves, where they are used from a checkout."""
    root = Path(__file__).resolve().parents[2]
    folders = (root / "daemon" / "stepfare", root / "lsp" / "stepfare_lsp")
    return sum(_size(path) for folder in folders for path in folder.rglob("*") if path.suffix != ".pyc")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
