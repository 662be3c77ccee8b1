"""What goes over the wire: shapes of answers, streams, usage and errors, and the mark on all of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from stepfare.simulator.app import running
from stepfare.simulator.options import FINGERPRINT, HEADER_SIMULATOR, MARK, SimulatorOptions
from stepfare.simulator.tokens import MESSAGE_TOKENS, tokens_of
from tests.simulator.clients import Cline, assembled, frames


@pytest.fixture
async def base_url() -> AsyncIterator[str]:
    async with running(SimulatorOptions(seed=7)) as url:
        yield url


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


def chat(said: str = "Hello there", **more: Any) -> dict[str, Any]:
    return {"model": "simulator/balanced", "messages": [{"role": "user", "content": said}], **more}


async def post(session: aiohttp.ClientSession, base_url: str, body: Any) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with session.post(f"{base_url}/chat/completions", data=data, headers={"Content-Type": "application/json"}) as answer:
        assert answer.headers[HEADER_SIMULATOR] == "true"
        text = await answer.text()
        return answer.status, text if answer.content_type == "text/event-stream" else json.loads(text)


async def test_a_plain_answer_says_in_every_place_that_it_is_no_model(session: aiohttp.ClientSession, base_url: str) -> None:
    status, answer = await post(session, base_url, chat())
    assert status == 200
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "simulator/balanced"
    assert answer["system_fingerprint"] == FINGERPRINT
    assert answer["choices"][0]["message"]["content"].startswith(MARK)
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["prompt_tokens"] == MESSAGE_TOKENS + tokens_of("Hello there")
    assert answer["usage"]["completion_tokens"] == tokens_of(answer["choices"][0]["message"]["content"])


async def test_a_stream_says_the_same_as_the_whole_answer_in_small_pieces(session: aiohttp.ClientSession, base_url: str) -> None:
    _, whole = await post(session, base_url, chat())
    _, stream = await post(session, base_url, chat(stream=True))
    assert stream.endswith("data: [DONE]\n\n")
    message = assembled(stream)
    assert message["content"] == whole["choices"][0]["message"]["content"]
    pieces = frames(stream)
    assert pieces[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert pieces[-1]["choices"][0]["finish_reason"] == "stop"
    assert all(piece["object"] == "chat.completion.chunk" and piece["system_fingerprint"] == FINGERPRINT for piece in pieces)
    assert len({piece["id"] for piece in pieces}) == 1
    words = [piece["choices"][0]["delta"].get("content", "") for piece in pieces]
    assert max(len(word.split()) for word in words) == 1


async def test_usage_is_streamed_only_where_it_was_asked_for_and_then_last_without_choices(
    session: aiohttp.ClientSession, base_url: str
) -> None:
    _, without = await post(session, base_url, chat(stream=True))
    _, asked = await post(session, base_url, chat(stream=True, stream_options={"include_usage": True}))
    _, whole = await post(session, base_url, chat())
    assert all("usage" not in piece for piece in frames(without))
    assert frames(asked)[-1]["choices"] == []
    assert frames(asked)[-1]["usage"] == whole["usage"]
    assert all(piece["usage"] is None for piece in frames(asked)[:-1])


async def test_tool_calls_stream_their_arguments_in_bites_under_ids_of_their_own(session: aiohttp.ClientSession, base_url: str) -> None:
    body = chat("Explain the parser", tools=Cline.tools, stream=True)
    _, stream = await post(session, base_url, body)
    _, again = await post(session, base_url, body)
    calls, others = assembled(stream)["tool_calls"], assembled(again)["tool_calls"]
    assert [call["function"]["name"] for call in calls] == ["run_commands", "search_codebase"]
    assert all(isinstance(json.loads(call["function"]["arguments"]), dict) for call in calls)
    assert all(call["id"].startswith("call_") for call in calls)
    assert len({call["id"] for call in (*calls, *others)}) == 4
    deltas = [
        delta["function"]["arguments"]
        for piece in frames(stream)
        for delta in piece["choices"][0]["delta"].get("tool_calls", [])
        if delta["function"].get("arguments")
    ]
    assert len(deltas) > len(calls)
    assert frames(stream)[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_a_seed_makes_the_ids_repeatable() -> None:
    ids: list[str] = []
    for _ in range(2):
        async with running(SimulatorOptions(seed=3)) as url, aiohttp.ClientSession() as session:
            _, answer = await post(session, url, chat("Explain the parser", tools=Cline.tools))
            ids.append(answer["choices"][0]["message"]["tool_calls"][0]["id"])
    assert ids[0] == ids[1]


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
async def test_a_token_limit_cuts_the_answer_and_says_so(session: aiohttp.ClientSession, base_url: str, limit: str) -> None:
    _, whole = await post(session, base_url, chat())
    _, cut = await post(session, base_url, {**chat(), limit: 6})
    assert cut["choices"][0]["finish_reason"] == "length"
    assert cut["usage"]["completion_tokens"] == 6
    text = cut["choices"][0]["message"]["content"]
    assert whole["choices"][0]["message"]["content"].startswith(text)
    assert text.startswith(MARK)


async def test_the_premium_model_counts_its_reasoning_within_its_output(session: aiohttp.ClientSession, base_url: str) -> None:
    _, answer = await post(session, base_url, {**chat(), "model": "simulator/premium"})
    message, usage = answer["choices"][0]["message"], answer["usage"]
    assert message["reasoning_content"].startswith(MARK)
    assert usage["completion_tokens_details"]["reasoning_tokens"] == tokens_of(message["reasoning_content"])
    assert usage["completion_tokens"] == tokens_of(message["reasoning_content"]) + tokens_of(message["content"])


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "parse the JSON"),
        (b"\xff\xfe", 400, "parse the JSON"),
        (b"[]", 400, "does not fit"),
        (b"[" * 100_000, 400, ""),
        ({"model": "frugal"}, 400, "messages"),
        ({"model": "frugal", "messages": []}, 400, "at least one"),
        ({"model": "frugal", "messages": [{"role": "user", "content": 7}]}, 400, "content"),
        ({"model": "frugal", "messages": [{"content": "x"}]}, 400, "role"),
        ({"model": "gpt-9", "messages": [{"role": "user", "content": "x"}]}, 404, "simulator/frugal"),
        (chat(n=2), 400, "one choice"),
        (chat(max_tokens=0), 400, "max_tokens"),
        (chat(stream="yes"), 400, "stream"),
        ({"model": "frugal", "messages": [{"role": "user", "content": "word " * 400_000}]}, 400, "maximum context length"),
    ],
)
async def test_what_cannot_be_served_is_refused_in_the_usual_shape(
    session: aiohttp.ClientSession, base_url: str, body: Any, status: int, words: str
) -> None:
    got, answer = await post(session, base_url, body)
    assert got == status
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    assert words in answer["error"]["message"]
    assert answer["error"]["message"].startswith(MARK)


async def test_a_text_cut_within_an_emoji_is_served(session: aiohttp.ClientSession, base_url: str) -> None:
    status, _ = await post(session, base_url, rb'{"model":"frugal","messages":[{"role":"user","content":"cut \ud83d"}]}')
    assert status == 200


async def test_models_are_listed_with_their_windows(session: aiohttp.ClientSession, base_url: str) -> None:
    async with session.get(f"{base_url}/models") as answer:
        listed = await answer.json()
    assert [row["id"] for row in listed["data"]] == ["simulator/frugal", "simulator/balanced", "simulator/premium"]
    assert all(row["context_length"] >= 200_000 for row in listed["data"])


@pytest.mark.parametrize(
    ("choice", "called"),
    [("none", None), ("required", "search_codebase"), ({"type": "function", "function": {"name": "ask_question"}}, "ask_question")],
)
async def test_tool_choice_is_obeyed(session: aiohttp.ClientSession, base_url: str, choice: Any, called: str | None) -> None:
    _, answer = await post(session, base_url, chat("Hello", tools=Cline.tools, tool_choice=choice))
    message = answer["choices"][0]["message"]
    assert (message["tool_calls"][0]["function"]["name"] if "tool_calls" in message else None) == called
