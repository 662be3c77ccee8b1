"""Switching models in the middle of a conversation: every family after every other, in histories as agents make them, against
simulators that refuse what the real providers refuse.

One conversation goes through all ordered pairs of families: thirty steps and one, so that each family follows each other once and comes
back to its own thoughts again and again.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from itertools import pairwise, permutations

import pytest

from stepfare.simulator.app import running as simulating
from tests.fakes.provider import stream
from tests.flows.conftest import Running, Start
from tests.flows.conversing import CLIENTS, STORIES, Story

FAMILIES = {
    "anthropic": "ANTHROPIC_API_KEY",
    "openai": "OPENAI_API_KEY",
    "google": "GEMINI_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "mistral": "MISTRAL_API_KEY",
    "xai": "XAI_API_KEY",
}
BALANCED = ("claude-sonnet-5-5", "gpt-6.1-terra", "gemini-3.8-flash", "deepseek-flash", "mistral-large-4", "grok-4.3")
OTHERS = ("claude-sonnet-4-5", "gpt-6.1-sol", "gemini-4-argon", "deepseek-flash", "mistral-small-2603", "grok-4.7")
"""Models of each family, in its order; those of the other row think otherwise (within a budget, always, not at all)."""

CONVERSATIONS = [
    *(pytest.param(BALANCED, story, id=story.name) for story in STORIES),
    *(pytest.param(OTHERS, story, id=f"{story.name}, other models") for story in STORIES if story.effort),
]


def every_pair(names: Sequence[str]) -> list[str]:
    """A walk in which each name follows each other exactly once: an Eulerian circuit through all ordered pairs."""
    left = {name: [other for other in names if other != name] for name in names}
    walk, stack = [], [names[0]]
    while stack:
        onward = left[stack[-1]]
        if onward:
            stack.append(onward.pop())
        else:
            walk.append(stack.pop())
    return walk[::-1]


def test_the_walk_holds_every_ordered_pair_once() -> None:
    walk = every_pair(list(FAMILIES))
    assert sorted(pairwise(walk)) == sorted(permutations(FAMILIES, 2))


@pytest.fixture
async def house(start: Start) -> AsyncGenerator[Running]:
    async with simulating() as base_url:
        root = base_url.removesuffix("/v1")
        settings = "".join(
            f'[providers.{name}]\nbase_url = "{root}/{name}/v1"\napi_key = "env:{variable}"\n' for name, variable in FAMILIES.items()
        )
        running = await start(stream(), settings=settings, keys=list(FAMILIES.values()))
        running.provider.base_url = root
        yield running


async def bill(running: Running) -> dict:
    async with running.client.get(f"{running.provider.base_url}/simulator/bill") as answer:
        return await answer.json()


@pytest.mark.parametrize("dialect", sorted(CLIENTS))
@pytest.mark.parametrize(("models", "story"), CONVERSATIONS)
async def test_no_switch_breaks_a_conversation(house: Running, dialect: str, models: Sequence[str], story: Story) -> None:
    model_of = dict(zip(FAMILIES, models, strict=True))
    client = CLIENTS[dialect](story)
    for step, family in enumerate(every_pair(list(FAMILIES))):
        if story.compact_at == step + 1:
            client.compact()
        body = client.body(f"{family}/{model_of[family]}")
        async with house.client.post(house.url + client.path, json=body, headers=house.headers(x_stepfare_session="one")) as answer:
            told = await answer.read()
            assert answer.status == 200, f"step {step}, {family}: {told.decode()}"
            assert answer.headers["x-stepfare-attempts"] == "1", f"step {step}, {family}: {answer.headers['x-stepfare-reason']}"
            client.take(told, answer.content_type)
        client.go_on()
    _, detail = await house.control("GET", "sessions/one")
    billed = await bill(house)
    assert [line["outcome"] for line in billed["lines"]] == ["ok"] * len(detail["steps"])
    booked = [(step["model"], step["cost_pusd"]) for step in detail["steps"]]
    for step, line in zip(detail["steps"], billed["lines"], strict=True):
        assert step["cost_pusd"] == line["cost_pusd"], json.dumps([step, line], indent=1)
    assert len(booked) == 31
