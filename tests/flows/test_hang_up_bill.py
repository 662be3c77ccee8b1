"""Every fifth call is hung up on at a random point of its answer, streamed, bridged or in one piece: the books against the simulator's
own bill.

`pytest -s` prints the figures; how soon a provider is stopped is measured by `scripts/bench.py --only streams`."""

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
from stepfare.core.entry import Entry, Settled
from stepfare.core.money import PUSD_PER_USD
from stepfare.simulator.app import running as simulating
from stepfare.simulator.options import SimulatorOptions
from stepfare.simulator.reading import Request
from stepfare.simulator.reply import Reply
from tests.fakes.provider import stream
from tests.flows.conftest import Running, Start

STEPS, AT_ONCE = 10, 6
LEAVES_EVERY = 3
"""Steps; whoever leaves asks again, and some have had their whole answer before they could: so it is about every fifth call."""
CHUNK_MS, HELD_BACK_MS = 3, 600_000
CANCELLED_SHARE_MIN = 0.12
ERROR_SHARE_MAX = 0.005

CODE = "\n".join(file.read_text(encoding="utf-8") for file in sorted((Path(stepfare.__file__).parent / "core").glob("*.py")))
"""What agents read and write: code. Every message is a piece of it."""


@dataclass(frozen=True)
class Way:
    """A client's format, a model of some provider, and whether it wants its answers as streams."""

    client: str
    model: str
    stream: bool = True


PATHS = {"openai": "chat/completions", "anthropic": "messages", "responses": "responses"}
KEYS = {"deepseek": "DEEPSEEK_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
WAYS = [
    Way("openai", "deepseek/deepseek-v4-pro"),
    Way("anthropic", "anthropic/claude-haiku-5-5"),
    Way("responses", "openai/gpt-6.1-terra"),
    # Bridged.
    Way("openai", "anthropic/claude-haiku-5-5"),
    Way("anthropic", "openai/gpt-6.1-terra"),
    Way("responses", "deepseek/deepseek-v4-pro"),
    # In one piece, each with a model of its own: the simulator is told by its name to hold an answer back.
    Way("openai", "deepseek/deepseek-flash", stream=False),
    Way("anthropic", "anthropic/claude-haiku-4-5", stream=False),
    Way("responses", "openai/gpt-6-luna", stream=False),
    Way("anthropic", "openai/gpt-6-astra", stream=False),
]


@dataclass
class Seen:
    """What clients saw: when each of those who left did so, by the id of its answer. `asked` is what the provider was asked last, in each
    call that reached it."""

    calls: int = 0
    simulator: str = ""
    asked: set[str] = field(default_factory=set)
    left_ms: dict[str, float] = field(default_factory=dict)


class Conversation:
    """A client that asks step by step, each time with all that was said so far. Who hangs up asks the same again, as agents do."""

    def __init__(self, number: int, way: Way) -> None:
        self.way = way
        self.dice = random.Random(f"{way} {number}")
        self.messages = [{"role": "user", "content": f"Task {number} of {way}.\n{self.piece(2_000, 24_000)}"}]

    def piece(self, shortest: int, longest: int) -> str:
        start = self.dice.randrange(len(CODE) - longest)
        return CODE[start : start + self.dice.randint(shortest, longest)]

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.way.model, "stream": self.way.stream}
        match self.way.client:
            case "openai":
                return {**body, "messages": self.messages, **({"stream_options": {"include_usage": True}} if self.way.stream else {})}
            case "anthropic":
                return {**body, "max_tokens": 8_000, "messages": self.messages}
            case _:
                return {**body, "input": self.messages, "store": False}

    async def go(self, running: Running, seen: Seen, places: asyncio.Semaphore) -> None:
        for _ in range(STEPS):
            async with places:
                if self.dice.randrange(LEAVES_EVERY) == 0:
                    await (self.leave if self.way.stream else self.lose_patience)(running, seen)
                said = await self.listen(running, seen)
            self.messages += [{"role": "assistant", "content": said}, {"role": "user", "content": self.piece(500, 6_000)}]

    def ask(self, running: Running, seen: Seen) -> aiohttp.client._RequestContextManager:
        seen.calls += 1
        return running.client.post(f"{running.url}/v1/{PATHS[self.way.client]}", json=self.body(), headers=running.headers())

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

    async def lose_patience(self, running: Running, seen: Seen) -> None:
        """Hang up on an answer in one piece while it is in the making."""
        held_back = {"faults": [{"spec": f"first-byte-ms={HELD_BACK_MS}", "model": self.way.model.partition("/")[2]}]}
        async with running.client.post(f"{seen.simulator}/simulator/faults", json=held_back) as answer:
            assert answer.status == 200, await answer.text()
        asking = asyncio.ensure_future(self.listen(running, seen))
        while self.messages[-1]["content"] not in seen.asked:
            assert not asking.done()
            await asyncio.sleep(0.005)
        await asyncio.sleep(self.dice.uniform(0.005, 0.05))
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    async def listen(self, running: Running, seen: Seen) -> str:
        async with self.ask(running, seen) as answer:
            assert answer.status == 200, await answer.text()
            return text_of(await answer.text()) if self.way.stream else whole_text(await answer.json())


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


def whole_text(answer: dict[str, Any]) -> str:
    if "choices" in answer:
        return answer["choices"][0]["message"]["content"]
    blocks = answer["content"] if "content" in answer else [part for item in answer["output"] for part in item.get("content", [])]
    return "".join(block.get("text", "") for block in blocks)


def player(dice: random.Random, seen: Seen) -> Any:
    """A model that writes code of random length."""

    def reply(request: Request) -> Reply:
        seen.asked.add(request.messages[-1].text)
        start = dice.randrange(len(CODE) - 4_000)
        return Reply(CODE[start : start + dice.randint(100, 800)])

    return reply


async def bill_of(running: Running, base_url: str) -> dict[str, Any]:
    async with running.client.get(base_url.removesuffix("/v1") + "/simulator/bill") as answer:
        return await answer.json()


@pytest.fixture
async def driven(start: Start, request: pytest.FixtureRequest) -> tuple[Seen, dict[str, Any], list[Settled]]:
    """All conversations at once, through a whole daemon to a simulator that plays three providers, and what either booked."""
    seen = Seen()
    async with simulating(SimulatorOptions(chunk_ms=CHUNK_MS), player(random.Random(5), seen)) as base_url:
        root = seen.simulator = base_url.removesuffix("/v1")
        settings = "".join(f'[providers.{name}]\nbase_url = "{root}/{name}/v1"\napi_key = "env:{key}"\n' for name, key in KEYS.items())
        running = await start(stream(), settings=settings, keys=list(KEYS.values()))
        places = asyncio.Semaphore(AT_ONCE)
        conversations = [Conversation(number, way) for way in WAYS for number in range(2 if way.stream else 1)]
        await asyncio.gather(*(one.go(running, seen, places) for one in conversations))
        await running.house.books.finish()
        bill = await bill_of(running, base_url)
        for _ in range(300):
            if bill["calls"] == seen.calls:
                break
            await asyncio.sleep(0.01)
            bill = await bill_of(running, base_url)
        return seen, bill, [entry for entry in await journal(running) if isinstance(entry, Settled)]


async def journal(running: Running) -> list[Entry]:
    return [row.entry async for batch in running.house.store.entries() for row in batch]


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
    assert len(entries) == bill["calls"] == seen.calls
    assert len(cancelled) >= CANCELLED_SHARE_MIN * seen.calls
    assert abs(booked - billed) <= ERROR_SHARE_MAX * billed
    # Whoever guesses says between which bounds: what was cancelled cost what lies between them.
    assert all(entry.source == "estimated" and entry.confidence in ("likely", "guess") for entry in hung_up)
    assert sum(entry.low_pusd or 0 for entry in hung_up) <= theirs <= sum(entry.high_pusd or 0 for entry in hung_up)
    # All else was counted by its provider, and is booked to the picodollar.
    assert booked - ours == billed - theirs


def ended_ms(line: dict[str, Any]) -> int:
    return line["at_ms"] + line["total_ms"]


def off(ours: int, theirs: int) -> str:
    return f"{100 * (ours / theirs - 1):+.3f} %"
