"""A ledger of a million entries, as a busy team fills it in some weeks, written through the store's own writer. What is asked of it is up
to the measurements."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator

from stepfare.core.entry import Entry, Opened, Reserved, Settled
from stepfare.core.money import Rates, Usage, cost
from stepfare.store.store import Store

STEPS_PER_SESSION = 40
DAYS = 45
DAY_MS = 86_400_000
STEP_MS = 20_000
PROJECTS, BRANCHES = 24, 3
CLIENTS = ("cline", "claude-code", "codex", "aider")
MODELS = (("bench/small", "frugal"), ("bench/middle", "balanced"), ("bench/large", "premium"), ("other/small", "frugal"))
KINDS = ("explore", "run", "edit", "summarize", "plan", "answer")
RATES = Rates(input=2_000_000, cache_read=100_000, cache_write=2_500_000, cache_write_1h=4_000_000, output=10_000_000)
APPEND_ENTRIES = 2_000
DECISIONS_OF_SESSIONS = 200
"""So many sessions, the last ones, have the reasons of their steps too."""
DECISION = (
    '{{"id":"{id}","session":"{session}","kind":"explore","probabilities":{{"explore":0.8,"edit":0.2}},"floor":{{"tier":"frugal",'
    '"source":"profile","words":"{words}"}},"candidates":[],"rejections":[],"gate":{{"on":false,"needs":"frugal"}},"chosen":"bench/small",'
    '"because":["{words}"]}}'
)


def build(open_books: Callable[[], Store], entries: int, until_ms: int) -> None:
    """Writes about so many entries, the last of them at `until_ms`. Takes a minute for a million."""
    asyncio.run(_build(open_books, entries, until_ms))


def folder_of(project: int) -> str:
    return f"/home/team/work/project-{project:02}"


async def _build(open_books: Callable[[], Store], entries: int, until_ms: int) -> None:
    store = open_books()
    try:
        sessions = max(1, entries // (2 * STEPS_PER_SESSION + 1))
        waiting: list[Entry] = []
        for number in range(sessions):
            waiting += session_of(number, sessions, until_ms)
            if len(waiting) >= APPEND_ENTRIES or number == sessions - 1:
                await store.append(*waiting)
                waiting.clear()
        for number in range(max(0, sessions - DECISIONS_OF_SESSIONS), sessions):
            await _decide(store, number)
    finally:
        await store.close()


def session_of(number: int, sessions: int, until_ms: int) -> Iterator[Entry]:
    """The entries of one session of many that are spread over the weeks before `until_ms`."""
    dice = random.Random(number)
    project = min(dice.randrange(PROJECTS), dice.randrange(PROJECTS))  # Some are worked on more than others.
    session, client = f"s{number:06}", dice.choice(CLIENTS)
    begun_ms = until_ms - STEPS_PER_SESSION * STEP_MS - (sessions - 1 - number) * DAYS * DAY_MS // sessions
    folder, branch = folder_of(project), f"branch-{dice.randrange(BRANCHES)}"
    yield Opened(session, begun_ms, client, folder, folder, branch, "Mend the nightly report and its tests")
    for step in range(1, STEPS_PER_SESSION + 1):
        at_ms, attempt = begun_ms + (step - 1) * STEP_MS, f"a{number:06}-{step:02}"
        model, tier = dice.choices(MODELS, (6, 3, 1, 2))[0]
        kind = dice.choice(KINDS)
        usage = Usage(20_000 + 700 * step, 19_000 + 650 * step, 900, dice.randrange(40, 900))
        paid = cost(RATES, usage)
        yield Reserved(
            attempt, f"d-{attempt}", session, step, at_ms, model, tier, kind, tier, "profile", 9_000_000_000, client, 2 * step, "c" * 32
        )
        yield Settled(
            attempt, session, at_ms + STEP_MS - 1, "ok", kind, usage, paid, "usage-priced", RATES, "bench", None, None, 3 * paid, 2 * paid
        )


async def _decide(store: Store, number: int) -> None:
    session = f"s{number:06}"
    words = "looking around needs no better model: five of the last six calls read files, and nothing failed " * 4
    for step in range(1, STEPS_PER_SESSION + 1):
        decision = f"d-a{number:06}-{step:02}"
        await store.append(decision=(decision, session, DECISION.format(id=decision, session=session, words=words).encode()))
