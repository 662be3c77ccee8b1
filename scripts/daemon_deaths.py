"""Deaths of the whole daemon, for `kill_trials.py --daemon`: agents stream through it to a simulator of three providers until it is
killed, and after each death the books are held to what the agents saw and to what the simulator billed.

Each life is `stepfare serve` in the home that the one before left as it was: its books with open reservations, its log, its
`daemon.json` with the number of a process that is no more. Some are killed while they start.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import aiohttp

from stepfare.core.entry import Entry, Lost, Reserved, Settled, Voided
from stepfare.core.money import PUSD_PER_USD
from stepfare.ledger import codec
from stepfare.simulator.app import running as simulating
from stepfare.simulator.options import SimulatorOptions
from stepfare.simulator.reading import Request
from stepfare.simulator.reply import Reply
from stepfare.store import files
from stepfare.store.verify import verify

LIVES_PER_HOME = 25
LIFE_S_MAX = 2.5
"""Counted from when it answers."""
BIRTH_S_MAX = 1.5
"""One in so many is killed within this time after it was started, whether it answers yet or not."""
STILLBORN_EVERY = 6
START_S_MAX, STOP_S_MAX = 60.0, 30.0
POLL_S = 0.02
AGENTS = 9
CHUNK_MS = 2
WORDS = ("the", "rows", "are", "counted", "twice", "where", "a", "stream", "is", "cut", "and", "asked", "for", "again", "nobody", "looks")

MODELS = {
    "openai": ("deepseek/deepseek-v4-pro", "auto", "anthropic/claude-haiku-5-5"),
    "anthropic": ("anthropic/claude-haiku-5-5", "auto", "deepseek/deepseek-v4-pro"),
    "responses": ("openai/gpt-6.1-terra", "auto", "anthropic/claude-haiku-5-5"),
}
"""What clients of each format ask for: a model of their provider's own format, any, and one behind a bridge."""
PATHS = {"openai": "chat/completions", "anthropic": "messages", "responses": "responses"}
ENDS = {"openai": b"data: [DONE]", "anthropic": b'"message_stop"', "responses": b'"response.completed"'}
KEYS = {"deepseek": "DEEPSEEK_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
TOKEN = "the-local-token"


@dataclass
class Seen:
    """What the agents of one home saw: the cost that they were told of each answer which they had to its end, by its decision."""

    calls: int = 0
    whole: dict[str, int] = field(default_factory=dict[str, int])


@dataclass
class Home:
    """A home with its simulator, over all the lives in it."""

    folder: Path
    root: str
    port: int
    dice: random.Random
    seen: Seen = field(default_factory=Seen)

    @property
    def books(self) -> Path:
        return self.folder / "ledger.db"


async def deaths(count: int, dice: random.Random, progress: Callable[[int], None]) -> Counter[str]:
    """So many deaths; raises AssertionError at the first that lost, doubled or forgot anything."""
    tally: Counter[str] = Counter()
    for first in range(0, count, LIVES_PER_HOME):
        with tempfile.TemporaryDirectory(prefix="stepfare-kill-") as folder:
            await _lives(Path(folder), min(LIVES_PER_HOME, count - first), dice, tally, lambda done, first=first: progress(first + done))
    return tally


async def _lives(folder: Path, count: int, dice: random.Random, tally: Counter[str], progress: Callable[[int], None]) -> None:
    async with simulating(SimulatorOptions(first_byte_ms=CHUNK_MS, chunk_ms=CHUNK_MS), _player(random.Random(dice.random()))) as base_url:
        root = base_url.removesuffix("/v1")
        settings = "".join(f'[providers.{name}]\nbase_url = "{root}/{name}/v1"\napi_key = "env:{key}"\n' for name, key in KEYS.items())
        (folder / "config.toml").write_text(settings, encoding="utf-8")
        home = Home(folder, root, _free_port(), dice)
        for number in range(count):
            tally["stillborn"] += not await _life(home, f"life {number}")
            _look(home)
            tally["verified"] += 1
            progress(number + 1)
        await _last_life(home)
        entries = _look(home, closed=True)
        tally["verified"] += 1
        tally["calls"] += home.seen.calls
        tally["whole"] += len(home.seen.whole)
        tally["lost"] += sum(isinstance(entry, Lost) for entry in entries)
        await _compare(home, entries)


async def _life(home: Home, name: str) -> bool:
    """A daemon from its start to its death; whether it ever answered."""
    process = await _start(home)
    try:
        if home.dice.randrange(STILLBORN_EVERY) == 0:
            await asyncio.sleep(home.dice.uniform(0, BIRTH_S_MAX))
            return False
        await _answers(home, process)
        _knows_itself(home, process)
        async with aiohttp.ClientSession() as session:
            agents = [asyncio.create_task(_agent(home, session, f"{name}, agent {number}", number)) for number in range(AGENTS)]
            await asyncio.sleep(home.dice.uniform(0, LIFE_S_MAX))
            _kill(process)
            await asyncio.gather(*agents)
        return True
    finally:
        _kill(process)
        await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    """By its number: asyncio's own way would bury the dead before its loop hears of them."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


async def _last_life(home: Home) -> None:
    """One that is ended as people end it: it takes up what the dead left."""
    process = await _start(home)
    try:
        await _answers(home, process)
        _knows_itself(home, process)
        process.terminate()
        async with asyncio.timeout(STOP_S_MAX):
            assert await process.wait() == 0, "the last daemon did not end well"
    finally:
        _kill(process)
        await process.wait()


async def _start(home: Home) -> asyncio.subprocess.Process:
    environ = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY") and not name.startswith("STEPFARE_")}
    environ |= {
        "STEPFARE_HOME": str(home.folder),
        "STEPFARE_TOKEN": TOKEN,
        "HOME": str(home.folder),
        **dict.fromkeys(KEYS.values(), "sk-trial"),
    }
    with (home.folder / "said.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "stepfare", "serve", "--port", str(home.port), env=environ, stdout=log, stderr=log
        )


async def _answers(home: Home, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(START_S_MAX), aiohttp.ClientSession() as session:
        while True:
            assert process.returncode is None, (
                f"the daemon did not start over what the dead one left:\n{(home.folder / 'said.log').read_text()[-3000:]}"
            )
            with suppress(aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{home.port}/health") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(POLL_S)


def _knows_itself(home: Home, process: asyncio.subprocess.Process) -> None:
    """Whoever looks for the daemon finds this one, not the dead one."""
    found = json.loads((home.folder / "daemon.json").read_text(encoding="utf-8"))
    assert (found["pid"], found["port"]) == (process.pid, home.port), "daemon.json is still that of the dead one"


def _free_port() -> int:
    with socket.socket() as knock:
        knock.bind(("127.0.0.1", 0))
        return cast(int, knock.getsockname()[1])


def _player(dice: random.Random) -> Callable[[Request], Reply]:
    """A model that says something of random length."""

    def reply(_request: Request) -> Reply:
        return Reply(" ".join(dice.choices(WORDS, k=dice.randint(10, 120))))

    return reply


async def _agent(home: Home, session: aiohttp.ClientSession, name: str, number: int) -> None:
    """Asks step by step, each time with all that was said, until nobody answers any more."""
    dialect = list(PATHS)[number % len(PATHS)]
    dice = random.Random(f"{home.dice.random()} {name}")
    model = MODELS[dialect][number // len(PATHS) % len(MODELS[dialect])]
    messages = [{"role": "user", "content": f"A task of {name}: {' '.join(dice.choices(WORDS, k=200))}"}]
    while True:
        streamed = dice.random() < 0.8
        told = await _ask(home, session, dialect, _body(dialect, model, messages, stream=streamed))
        if told is None:
            return
        messages += [
            {"role": "assistant", "content": f"I said {len(told)} bytes."},
            {"role": "user", "content": " ".join(dice.choices(WORDS, k=60))},
        ]


def _body(dialect: str, model: str, messages: Sequence[Mapping[str, str]], *, stream: bool) -> dict[str, object]:
    body: dict[str, object] = {"model": model, "stream": stream}
    match dialect:
        case "openai":
            return {**body, "messages": messages, "stream_options": {"include_usage": True}} if stream else {**body, "messages": messages}
        case "anthropic":
            return {**body, "messages": messages, "max_tokens": 4_000}
        case _:
            return {**body, "input": messages, "store": False}


async def _ask(home: Home, session: aiohttp.ClientSession, dialect: str, body: Mapping[str, object]) -> bytes | None:
    """One call; None where the daemon died under it. What came to its end is remembered with the cost that was told."""
    home.seen.calls += 1
    headers = {"authorization": f"Bearer {TOKEN}"}
    got = b""
    try:
        async with session.post(f"http://127.0.0.1:{home.port}/v1/{PATHS[dialect]}", json=body, headers=headers) as answer:
            with suppress(aiohttp.ClientError, ConnectionError):
                async for piece in answer.content.iter_any():
                    got += piece
            decision = answer.headers["x-stepfare-decision"]
            if body["stream"]:
                comments = [line for line in got.split(b"\n") if line.startswith(b": stepfare {")]
                if ENDS[dialect] not in got:
                    return None
                told = json.loads(comments[-1].removeprefix(b": stepfare "))["cost_usd"]
            elif answer.content.at_eof() and len(got) == answer.content_length:
                told = answer.headers["x-stepfare-cost-usd"]
            else:
                return None
            assert answer.status == 200, got
    except (aiohttp.ClientError, ConnectionError):
        return None
    home.seen.whole[decision] = _pusd(told)
    return got


def _pusd(usd: str) -> int:
    whole, _, rest = usd.partition(".")
    return int(whole) * PUSD_PER_USD + int(rest.ljust(12, "0"))


def _look(home: Home, *, closed: bool = False) -> list[Entry]:
    """Holds the books to what was seen: whole, every answer that was had to its end settled once at the cost that was told, nothing closed
    twice, what was lost at its ceiling. `closed` is whether a daemon took up what the dead left open, and ended well."""
    if not home.books.exists():
        assert not home.seen.whole, "the books are gone"
        return []
    verdict = verify(home.books)
    assert verdict.whole or (not verdict.rows and not home.seen.whole), verdict.problems
    entries = _entries(home.books)
    reserved = {entry.attempt: entry for entry in entries if isinstance(entry, Reserved)}
    closings = [entry for entry in entries if isinstance(entry, Settled | Voided | Lost)]
    times_closed = Counter(entry.attempt for entry in closings)
    assert len(reserved) == sum(isinstance(entry, Reserved) for entry in entries), "an attempt was reserved twice"
    twice = [attempt for attempt, times in times_closed.items() if times > 1]
    assert not twice, f"closed twice: {twice[:5]}"
    for entry in closings:
        if isinstance(entry, Lost):
            assert entry.ceiling_pusd == reserved[entry.attempt].ceiling_pusd, f"{entry.attempt} was not lost at its ceiling"
    spent: dict[str, list[Settled]] = {}
    for entry in closings:
        if isinstance(entry, Settled):
            spent.setdefault(reserved[entry.attempt].decision, []).append(entry)
    for decision, cost_pusd in home.seen.whole.items():
        settled = spent.get(decision, [])
        assert sum(entry.outcome == "ok" for entry in settled) == 1, f"the answer of {decision} was had, and is settled as {settled}"
        assert sum(entry.cost_pusd or 0 for entry in settled) == cost_pusd, (
            f"{decision} was told as {cost_pusd}, and is booked as {settled}"
        )
    if closed:
        still_open = reserved.keys() - times_closed.keys()
        assert not still_open, f"still open: {sorted(still_open)[:5]}"
        head = files.read_head(files.head_path(home.books))
        assert head is not None, "there is no head beside the books"
        assert head == verdict.head, f"the head says {head}, the journal {verdict.head}"
        assert not files.lost_heads(home.books), "a head was put aside: the journal was shorter than it"
    return entries


def _entries(books: Path) -> list[Entry]:
    with closing(sqlite3.connect(f"file:{books}?mode=ro", uri=True)) as connection:
        return [codec.decode(body) for (body,) in connection.execute("SELECT CAST(body AS BLOB) FROM journal ORDER BY row")]


async def _compare(home: Home, entries: Sequence[Entry]) -> None:
    """Against the bill of the simulator: what was settled was spent, and no more was spent than what was settled or may have been lost."""
    async with aiohttp.ClientSession() as session, session.get(f"{home.root}/simulator/bill") as answer:
        bill: dict[str, Any] = await answer.json()
    settled = sum(entry.cost_pusd or 0 for entry in entries if isinstance(entry, Settled))
    lost = sum(entry.ceiling_pusd or 0 for entry in entries if isinstance(entry, Lost))
    assert settled <= bill["cost_pusd"] <= settled + lost, f"settled {settled}, lost at most {lost}, billed {bill['cost_pusd']}"
