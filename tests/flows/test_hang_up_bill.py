"""Every fifth call is hung up on at a random point of its answer: the books against the simulator's own bill, and how soon it was told.

`pytest -s` prints the figures."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import pytest

import stepfare
from stepfare.core.entry import Settled
from stepfare.core.money import PUSD_PER_USD
from stepfare.simulator.app import running as simulating
from stepfare.simulator.options import SimulatorOptions
from stepfare.simulator.reading import Request
from stepfare.simulator.reply import Reply
from tests.fakes.provider import stream
from tests.flows.conftest import Running, Start

SESSIONS, STEPS, AT_ONCE = 12, 10, 6
LEAVES_EVERY = 4
"""Steps; whoever leaves asks again, so that it is every fifth call."""
CHUNK_MS = 3
CANCELLED_SHARE_MIN = 0.15
"""Some have had their whole answer before they could leave."""
ERROR_SHARE_MAX = 0.005
TYPICAL_MS, SLOWEST_MS = 300.0, 3_000.0
"""What was promised is 100 ms. A machine that runs other tests beside this one is given more time, and the figures are printed."""

CODE = "\n".join(file.read_text(encoding="utf-8") for file in sorted((Path(stepfare.__file__).parent / "core").glob("*.py")))
"""What agents read and write: code. Every message is a piece of it."""


@dataclass(frozen=True)
class Way:
    """A client's format, the provider that it speaks to, and a model there."""

    path: str
    model: str
    key: str


WAYS = {
    "openai": Way("chat/completions", "deepseek/deepseek-v4-pro", "DEEPSEEK_API_KEY"),
    "anthropic": Way("messages", "anthropic/claude-haiku-5-5", "ANTHROPIC_API_KEY"),
    "responses": Way("responses", "openai/gpt-6.1-terra", "OPENAI_API_KEY"),
}


@dataclass
class Seen:
    """What clients saw: when each of those who left did so, by the id of its answer."""

    calls: int = 0
    left_ms: dict[str, float] = field(default_factory=dict)


class Conversation:
    """A client that asks step by step, each time with all that was said so far. Who hangs up asks the same again, as agents do."""

    def __init__(self, number: int, client: str) -> None:
        self.client = client
        self.dice = random.Random(f"{client} {number}")
        self.messages = [{"role": "user", "content": f"Task {number} of {client}.\n{self.piece(2_000, 24_000)}"}]

    def piece(self, shortest: int, longest: int) -> str:
        start = self.dice.randrange(len(CODE) - longest)
        return CODE[start : start + self.dice.randint(shortest, longest)]

    def body(self) -> dict[str, Any]:
        model = WAYS[self.client].model
        match self.client:
            case "openai":
                return {"model": model, "stream": True, "messages": self.messages, "stream_options": {"include_usage": True}}
            case "anthropic":
                return {"model": model, "stream": True, "max_tokens": 8_000, "messages": self.messages}
            case _:
                return {"model": model, "stream": True, "input": self.messages, "store": False}

    async def go(self, running: Running, seen: Seen, places: asyncio.Semaphore) -> None:
        for _ in range(STEPS):
            async with places:
                if self.dice.randrange(LEAVES_EVERY) == 0:
                    await self.leave(running, seen)
                said = await self.listen(running, seen)
            self.messages += [{"role": "assistant", "content": said}, {"role": "user", "content": self.piece(500, 6_000)}]

    def ask(self, running: Running, seen: Seen) -> aiohttp.client._RequestContextManager:
        seen.calls += 1
        return running.client.post(f"{running.url}/v1/{WAYS[self.client].path}", json=self.body(), headers=running.headers())

    async def leave(self, running: Running, seen: Seen) -> None:
        """Hang up after so many pieces of the answer, or before the first."""
        after = self.dice.randint(0, 25)
        async with self.ask(running, seen) as answer:
            got = b""
            for _ in range(after):
                got += await answer.content.readany()
            if answer.content.at_eof():
                return  # It had been said before the client could leave.
            answer.close()
            seen.left_ms[answer_id(got) or f"before the first piece {seen.calls}"] = time.time() * 1000

    async def listen(self, running: Running, seen: Seen) -> str:
        async with self.ask(running, seen) as answer:
            assert answer.status == 200, await answer.text()
            return text_of(await answer.text())


def events_of(text: str) -> list[dict[str, Any]]:
    lines = (line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {"))
    return [json.loads(line) for line in lines if line.endswith("}")]


def answer_id(got: bytes) -> str:
    for event in events_of(got.decode("utf-8", "ignore")):
        found = event.get("id") or (event.get("message") or {}).get("id") or (event.get("response") or {}).get("id")
        if found:
            return found
    return ""


def text_of(text: str) -> str:
    said = ""
    for event in events_of(text):
        if "choices" in event:
            said += "".join(choice["delta"].get("content") or "" for choice in event["choices"])
        elif event.get("type") == "content_block_delta":
            said += event["delta"].get("text", "")
        elif event.get("type") == "response.output_text.delta":
            said += event["delta"]
    return said


def player(dice: random.Random) -> Any:
    """A model that writes code of random length."""

    def reply(_request: Request) -> Reply:
        start = dice.randrange(len(CODE) - 4_000)
        return Reply(CODE[start : start + dice.randint(100, 800)])

    return reply


async def bill_of(running: Running, base_url: str) -> dict[str, Any]:
    async with running.client.get(base_url.removesuffix("/v1") + "/simulator/bill") as answer:
        return await answer.json()


@pytest.fixture
async def driven(start: Start, request: pytest.FixtureRequest) -> tuple[Seen, dict[str, Any], list[Settled]]:
    """All conversations at once, through a whole daemon to a simulator that plays three providers, and what either booked."""
    async with simulating(SimulatorOptions(chunk_ms=CHUNK_MS), player(random.Random(5))) as base_url:
        root = base_url.removesuffix("/v1")
        names = [way.model.partition("/")[0] for way in WAYS.values()]
        settings = "".join(
            f'[providers.{name}]\nbase_url = "{root}/{name}/v1"\napi_key = "env:{way.key}"\n'
            for name, way in zip(names, WAYS.values(), strict=True)
        )
        running = await start(stream(), settings=settings, keys=[way.key for way in WAYS.values()])
        seen, places = Seen(), asyncio.Semaphore(AT_ONCE)
        conversations = [Conversation(number, client) for client in WAYS for number in range(SESSIONS // len(WAYS))]
        await asyncio.gather(*(one.go(running, seen, places) for one in conversations))
        await running.house.books.finish()
        bill = await bill_of(running, base_url)
        for _ in range(300):
            if bill["calls"] == seen.calls:
                break
            await asyncio.sleep(0.01)
            bill = await bill_of(running, base_url)
        entries = [row.entry async for batch in running.house.store.entries() for row in batch]
        return seen, bill, [entry for entry in entries if isinstance(entry, Settled)]


async def test_the_books_are_the_providers_bill_though_every_fifth_call_is_hung_up_on(
    driven: tuple[Seen, dict[str, Any], list[Settled]],
) -> None:
    seen, bill, entries = driven
    cancelled = {line["id"]: line for line in bill["lines"] if line["cancelled"]}
    hung_up = [entry for entry in entries if entry.outcome == "hang-up"]
    booked, billed = sum(entry.cost_pusd or 0 for entry in entries), bill["cost_pusd"]
    waits_ms = sorted(ended_ms(cancelled[name]) - at_ms for name, at_ms in seen.left_ms.items() if name in cancelled)
    ours, theirs = sum(entry.cost_pusd or 0 for entry in hung_up), sum(line["cost_pusd"] for line in cancelled.values())
    print(
        f"\n{seen.calls} calls, {len(cancelled)} cancelled, after {median(waits_ms):.1f} ms (median) and {waits_ms[-1]:.1f} ms (slowest)"
        f"; billed ${billed / PUSD_PER_USD:.6f}, booked {off(booked, billed)}, of what was cancelled {off(ours, theirs)}"
    )
    assert len(entries) == seen.calls
    assert len(cancelled) >= CANCELLED_SHARE_MIN * seen.calls
    assert abs(booked - billed) <= ERROR_SHARE_MAX * billed
    assert median(waits_ms) <= TYPICAL_MS
    assert waits_ms[-1] <= SLOWEST_MS
    # Whoever guesses says between which bounds: what was cancelled cost what lies between them.
    assert all(entry.source == "estimated" and entry.confidence in ("likely", "guess") for entry in hung_up)
    assert sum(entry.low_pusd or 0 for entry in hung_up) <= theirs <= sum(entry.high_pusd or 0 for entry in hung_up)
    # All else was counted by its provider, and is booked to the picodollar.
    assert booked - ours == billed - theirs


def ended_ms(line: dict[str, Any]) -> int:
    return line["at_ms"] + line["total_ms"]


def off(ours: int, theirs: int) -> str:
    return f"{100 * (ours / theirs - 1):+.3f} %"
