"""Caching asked for on behalf of clients that ask for none: agents that speak chat completions, served by a model that caches only what
is marked. Held against the simulator's own bill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from stepfare.simulator.app import running as simulating
from tests.fakes.provider import stream
from tests.flows.conftest import Start
from tests.flows.conversing import ChatClient, MessagesClient, Story

CASES = Path(__file__).parents[1] / "cases" / "requests"
STEPS = 25
RESULT = "".join(f"def handler_{n}(rows, limit=50):\n    return [row for row in rows if row.id > {n}]\n" for n in range(40))
MODEL = "anthropic/claude-sonnet-5-5"


class Recorded(ChatClient):
    """A client that goes on from a request as an agent sent it: its own instructions, tools and fields."""

    def __init__(self, case: str) -> None:
        super().__init__(Story(case, results=(RESULT,)))
        self.opening: dict[str, Any] = json.loads((CASES / f"{case}.json").read_text())
        self.messages = self.opening["messages"]

    def body(self, model: str) -> dict[str, Any]:
        return {**self.opening, "model": model, "messages": self.messages, "stream": True, "stream_options": {"include_usage": True}}


@pytest.mark.parametrize("case", ["cline/act_first", "continue/act_after_failing_test", "cline-classic/xml_first"])
async def test_what_can_be_read_from_the_cache_is_read(start: Start, case: str) -> None:
    async with simulating() as base_url:
        root = base_url.removesuffix("/v1")
        settings = f'[providers.anthropic]\nbase_url = "{root}/anthropic/v1"\napi_key = "env:ANTHROPIC_API_KEY"\n'
        running = await start(stream(), settings=settings, keys=["ANTHROPIC_API_KEY"])
        client = Recorded(case)
        # Of an agent's opening the words that were measured are left out; agents' prompts are longer than any cache's minimum.
        client.messages[0] = {**client.messages[0], "content": f"{client.messages[0]['content']}\n{RESULT * 4}"}
        for step in range(STEPS):
            async with running.client.post(running.url + client.path, json=client.body(MODEL), headers=running.headers()) as answer:
                told = await answer.read()
                assert answer.status == 200, f"step {step}: {told.decode()}"
                client.take(told, answer.content_type)
            client.go_on()
        async with running.client.get(f"{root}/simulator/bill") as answer:
            lines = (await answer.json())["lines"]
        _, detail = await running.control("GET", "sessions/last")
    prompts = [line["usage"]["input_tokens"] for line in lines]
    cacheable = sum(prompts[:-1])
    read = sum(line["usage"]["cache_read_tokens"] for line in lines)
    assert read >= 0.95 * cacheable, (read, cacheable, [line["usage"] for line in lines])
    assert [step["cost_pusd"] for step in detail["steps"]] == [line["cost_pusd"] for line in lines]


class Marking(MessagesClient):
    """A client that marks its instructions and the end of its conversation, as Claude Code does."""

    def body(self, model: str) -> dict[str, Any]:
        body = json.loads(json.dumps(super().body(model)))
        for block in (body["system"][-1], body["messages"][-1]["content"][-1]):
            block["cache_control"] = {"type": "ephemeral"}
        return body


@pytest.mark.parametrize("make", [ChatClient, MessagesClient, Marking])
async def test_a_model_that_comes_back_finds_what_it_read_however_many_steps_others_took(start: Start, make: Any) -> None:
    """A provider looks only so many blocks back from a mark: twelve steps are more than that."""
    models = [MODEL, MODEL, *["anthropic/claude-haiku-5-5"] * 12, MODEL]
    async with simulating() as base_url:
        root = base_url.removesuffix("/v1")
        settings = f'[providers.anthropic]\nbase_url = "{root}/anthropic/v1"\napi_key = "env:ANTHROPIC_API_KEY"\n'
        running = await start(stream(), settings=settings, keys=["ANTHROPIC_API_KEY"])
        client = make(Story("back and forth", results=(RESULT[:900],), long_words=6_000))
        for model in models:
            async with running.client.post(running.url + client.path, json=client.body(model), headers=running.headers()) as answer:
                told = await answer.read()
                assert answer.status == 200, told.decode()
                client.take(told, answer.content_type)
            client.go_on()
        async with running.client.get(f"{root}/simulator/bill") as answer:
            lines = (await answer.json())["lines"]
    assert lines[-1]["usage"]["cache_read_tokens"] == lines[1]["usage"]["input_tokens"] > 6_000


async def test_without_marks_that_provider_caches_nothing() -> None:
    """The control: the same kind of conversation, sent to the provider as it is."""
    client = MessagesClient(Story("unmarked", results=(RESULT,), long_words=2_000))
    async with simulating() as base_url, aiohttp.ClientSession() as http:
        root = base_url.removesuffix("/v1")
        headers = {"x-api-key": "sk", "anthropic-version": "2023-06-01"}
        for _ in range(5):
            url = f"{root}/anthropic/v1/messages"
            async with http.post(url, json=client.body(MODEL.partition("/")[2]), headers=headers) as answer:
                client.take(await answer.read(), answer.content_type)
            client.go_on()
        async with http.get(f"{root}/simulator/bill") as answer:
            lines = (await answer.json())["lines"]
    assert [line["usage"]["cache_read_tokens"] for line in lines] == [0] * 5
    assert min(line["usage"]["input_tokens"] for line in lines) > 2_000


async def test_claude_behind_a_market_is_asked_to_cache_in_the_markets_own_format(start: Start) -> None:
    async with simulating() as base_url:
        root = base_url.removesuffix("/v1")
        settings = f'[providers.openrouter]\nbase_url = "{root}/openrouter/v1"\napi_key = "env:OPENROUTER_API_KEY"\n'
        running = await start(stream(), settings=settings, keys=["OPENROUTER_API_KEY"])
        client = ChatClient(Story("a market", results=(RESULT,), long_words=4_000))
        for _ in range(6):
            body = client.body("openrouter/anthropic/claude-sonnet-5.5")
            async with running.client.post(running.url + client.path, json=body, headers=running.headers()) as answer:
                told = await answer.read()
                assert answer.status == 200, told.decode()
                client.take(told, answer.content_type)
            client.go_on()
        async with running.client.get(f"{root}/simulator/bill") as answer:
            lines = (await answer.json())["lines"]
        _, detail = await running.control("GET", "sessions/last")
    assert all(line["usage"]["cache_read_tokens"] > 0 for line in lines[1:]), [line["usage"] for line in lines]
    assert [step["cost_pusd"] for step in detail["steps"]] == [line["cost_pusd"] for line in lines]
    assert {step["cost_source"] for step in detail["steps"]} == {"provider-billed"}


async def test_a_provider_that_counts_tokens_is_asked_to(start: Start) -> None:
    async with simulating() as base_url:
        root = base_url.removesuffix("/v1")
        settings = f'[providers.anthropic]\nbase_url = "{root}/anthropic/v1"\napi_key = "env:ANTHROPIC_API_KEY"\n'
        running = await start(stream(), settings=settings, keys=["ANTHROPIC_API_KEY"])
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello there, how many tokens are these?"}]}
        async with running.client.post(f"{running.url}/v1/messages/count_tokens", json=body, headers=running.headers()) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.headers["x-stepfare-tokens"] == "provider"
            told = await answer.json()
        async with running.client.post(
            f"{root}/anthropic/v1/messages/count_tokens",
            json={**body, "model": "claude-sonnet-5-5"},
            headers={"x-api-key": "k", "anthropic-version": "2023-06-01"},
        ) as answer:
            assert told == await answer.json()
        async with running.client.get(f"{root}/simulator/bill") as answer:
            assert (await answer.json())["cost_pusd"] == 0
