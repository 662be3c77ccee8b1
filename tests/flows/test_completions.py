"""Inline completion and embeddings through the whole daemon, served by models that can and by no other."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from stepfare.simulator.app import running as simulating
from tests.fakes.provider import stream
from tests.flows.conftest import Running, Start

KEYS = {"openai": "OPENAI_API_KEY", "mistral": "MISTRAL_API_KEY", "deepseek": "DEEPSEEK_API_KEY"}


@pytest.fixture
async def house(start: Start) -> AsyncGenerator[Running]:
    async with simulating() as base_url:
        root = base_url.removesuffix("/v1")
        settings = "".join(f'[providers.{name}]\nbase_url = "{root}/{name}/v1"\napi_key = "env:{key}"\n' for name, key in KEYS.items())
        yield await start(stream(), settings=settings, keys=list(KEYS.values()))


async def asked(house: Running, path: str, **body: Any) -> tuple[int, Any, str]:
    async with house.client.post(f"{house.url}/v1/{path}", json=body, headers=house.headers()) as answer:
        told = await (answer.json() if "json" in answer.content_type else answer.text())
        return answer.status, told, answer.headers.get("x-stepfare-model", "")


async def test_a_gap_is_filled_by_the_cheapest_model_that_fills_gaps(house: Running) -> None:
    status, told, model = await asked(house, "completions", model="auto", prompt="def total(", suffix="\n    return 1", max_tokens=20)
    assert status == 200, told
    assert model.split("/")[0] in ("mistral", "deepseek")
    assert told["model"] == "auto"
    assert told["choices"][0]["text"]
    detail = await house.last_session()
    assert [(step["kind"], step["tier"]) for step in detail["steps"]] == [("complete", "frugal")]
    assert detail["steps"][0]["cost_pusd"] > 0


async def test_a_completion_can_be_streamed(house: Running) -> None:
    status, told, _ = await asked(house, "completions", model="auto", prompt="def total(", suffix=")", max_tokens=20, stream=True)
    assert status == 200, told
    assert "data: [DONE]" in told
    assert ": stepfare {" in told


async def test_texts_become_vectors(house: Running) -> None:
    status, told, model = await asked(house, "embeddings", model="text-embedding-3-small", input=["one", "two"])
    assert status == 200, told
    assert model == "openai/text-embedding-3-small"
    assert [len(row["embedding"]) > 0 for row in told["data"]] == [True, True]
    detail = await house.last_session()
    assert detail["steps"][0]["cost_pusd"] > 0


async def test_a_model_that_converses_is_asked_for_no_vectors_and_one_that_makes_vectors_for_no_words(house: Running) -> None:
    status, told, _ = await asked(house, "embeddings", model="gpt-6-luna", input="one")
    assert status == 400
    assert "embed" in told["error"]["message"]
    messages = [{"role": "user", "content": "Hi"}]
    status, told, _ = await asked(house, "chat/completions", model="text-embedding-3-small", messages=messages)
    assert status == 400
    status, told, model = await asked(house, "chat/completions", model="auto", messages=messages)
    assert status == 200, told
    assert "codestral" not in model
    assert "embed" not in model
