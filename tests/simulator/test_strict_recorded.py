"""What real clients send is taken by the strict APIs, once what other models thought is gone from it: no honest request is refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.simulator.speaking import Json, Simulator, simulator

CASES = Path(__file__).parents[1] / "cases"
MESSAGES = sorted((CASES / "anthropic").glob("*/*.json"))
RESPONSES = sorted((CASES / "responses").glob("*.json"))
BETAS = "per-turn-control-2026-07-01,mid-conversation-tool-changes-2026-07-01,context-management-2025-06-27"
THINKING = ("thinking", "redacted_thinking")


@pytest.fixture
async def opened() -> AsyncIterator[Simulator]:
    async with simulator() as running:
        yield running


def read(path: Path) -> Json:
    case = json.loads(path.read_text(encoding="utf-8"))
    return case.get("body", case)


def without_thinking(message: Json) -> Json:
    content = message["content"]
    if isinstance(content, list):
        content = [block for block in content if block.get("type") not in THINKING]
    return {**message, "content": content}


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: f"{path.parent.name}-{path.stem}")
async def test_messages_of_real_clients_are_taken(opened: Simulator, path: Path) -> None:
    body = read(path)
    # These ask for what the newest models do not take; which of them do is not the question here.
    asks_much = body.get("temperature") is not None or body.get("tool_choice", {}).get("type") in ("any", "tool")
    model = "claude-sonnet-4-5" if asks_much or body.get("thinking", {}).get("type") == "enabled" else "claude-opus-5-5"
    body = {**body, "model": model, "messages": [without_thinking(message) for message in body["messages"]]}
    if model == "claude-sonnet-4-5":
        body = {**body, "max_tokens": min(body["max_tokens"], 32_000)} | ({"thinking": {"type": "disabled"}} if "thinking" in body else {})
    status, answer = await opened.post("anthropic", "anthropic", body, **{"anthropic-beta": BETAS})
    assert status == 200, answer


@pytest.mark.parametrize("path", RESPONSES, ids=lambda path: path.stem)
async def test_responses_of_real_clients_are_taken(opened: Simulator, path: Path) -> None:
    body = read(path)
    body["model"] = "gpt-4o" if body.get("temperature") is not None else "gpt-6.1-sol"
    if isinstance(body["input"], list):
        body["input"] = [item for item in body["input"] if item.get("type") != "reasoning"]
    status, answer = await opened.post("openai", "responses", body)
    assert status == 200, answer
