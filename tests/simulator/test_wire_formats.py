"""Messages and Responses over the wire: whole and streamed answers say the same, in the events of the format, under every fault."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from stepfare.core.money import Usage
from stepfare.simulator.calls import State
from stepfare.simulator.options import HEADER_FAULT, MARK
from stepfare.simulator.reply import OutCall, Reply
from stepfare.simulator.usages import anthropic_usage, chat_usage, responses_usage
from tests.simulator.speaking import (
    ALL_TOOLS,
    PATHS,
    Json,
    Simulator,
    assembled_message,
    assembled_response,
    events,
    simulator,
)

HELLO: Json = {"role": "user", "content": "Explain the parser"}
MESSAGES: Json = {"model": "simulator/premium", "max_tokens": 4000, "tools": ALL_TOOLS, "messages": [HELLO]}
RESPONSES: Json = {
    "model": "simulator/premium",
    "input": [HELLO],
    "tools": [{"type": "function", "name": tool["name"], "parameters": tool["input_schema"], "strict": False} for tool in ALL_TOOLS],
    "include": ["reasoning.encrypted_content"],
}
BODIES = {
    "anthropic": MESSAGES,
    "responses": RESPONSES,
    "openai": {"model": "simulator/premium", "messages": [HELLO], "stream_options": {"include_usage": True}},
}


@pytest.fixture
async def opened() -> AsyncIterator[Simulator]:
    async with simulator() as running:
        yield running


def unnamed(value: Any) -> Any:
    """The same without what two answers never share: ids, seals, times."""
    if isinstance(value, list):
        return [unnamed(item) for item in value]
    if isinstance(value, dict):
        apart = ("id", "item_id", "call_id", "signature", "encrypted_content", "created_at", "data")
        return {name: unnamed(inner) for name, inner in value.items() if name not in apart}
    return value


async def test_a_message_is_the_same_whole_and_streamed(opened: Simulator) -> None:
    _, whole = await opened.post("", "anthropic", MESSAGES)
    _, stream = await opened.post("", "anthropic", {**MESSAGES, "stream": True})
    message = assembled_message(stream)
    assert unnamed(message) == unnamed(whole)
    assert [block["type"] for block in whole["content"]] == ["thinking", "text", "tool_use", "tool_use"]
    assert (whole["stop_reason"], whole["usage"]["output_tokens_details"]["thinking_tokens"] > 0) == ("tool_use", True)
    kinds = [event["type"] for event in events(stream)]
    assert (kinds[0], kinds[1], kinds[-2:]) == ("message_start", "ping", ["message_delta", "message_stop"])
    opened_blocks = kinds.count("content_block_start")
    assert opened_blocks == kinds.count("content_block_stop") == 4
    signed = [event["delta"] for event in events(stream) if event.get("delta", {}).get("type") == "signature_delta"]
    assert len(signed) == 1
    arguments = [event for event in events(stream) if event.get("delta", {}).get("type") == "input_json_delta"]
    assert len(arguments) > 4


async def test_a_response_is_the_same_whole_and_streamed(opened: Simulator) -> None:
    _, whole = await opened.post("", "responses", RESPONSES)
    _, stream = await opened.post("", "responses", {**RESPONSES, "stream": True})
    assert unnamed(assembled_response(stream)) == unnamed(whole)
    assert [item["type"] for item in whole["output"]] == ["reasoning", "message", "function_call", "function_call"]
    assert whole["output"][0]["encrypted_content"]
    kinds = [event["type"] for event in events(stream)]
    assert kinds[:3] == ["response.created", "response.in_progress", "response.output_item.added"]
    assert kinds[-1] == "response.completed"
    for begun, ended in (
        ("response.output_item.added", "response.output_item.done"),
        ("response.content_part.added", "response.content_part.done"),
        ("response.reasoning_summary_part.added", "response.reasoning_summary_part.done"),
    ):
        assert kinds.count(begun) == kinds.count(ended) > 0


@pytest.mark.parametrize("dialect", ["anthropic", "responses"])
async def test_a_token_limit_cuts_and_says_so(opened: Simulator, dialect: str) -> None:
    limit = {"max_tokens": 20} if dialect == "anthropic" else {"max_output_tokens": 20}
    for stream in (False, True):
        _, answer = await opened.post("", dialect, {**BODIES[dialect], "tools": [], **limit, "stream": stream})
        if dialect == "anthropic":
            whole = assembled_message(answer) if stream else answer
            assert whole["stop_reason"] == "max_tokens"
        else:
            whole = assembled_response(answer) if stream else answer
            assert (whole["status"], whole["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
        assert whole["usage"]["output_tokens"] == 20


async def test_thinking_is_shown_as_it_is_asked_for(opened: Simulator) -> None:
    async def blocks(family: str, model: str, **thinking: str) -> list[Json]:
        asked: Json = {"model": model, "max_tokens": 2000, "messages": [HELLO], **({"thinking": thinking} if thinking else {})}
        found: list[list[Json]] = []
        for stream in (False, True):
            _, answer = await opened.post(family, "anthropic", {**asked, "stream": stream})
            found.append((assembled_message(answer) if stream else answer)["content"])
        assert unnamed(found[0]) == unnamed(found[1])
        return found[0]

    assert [block["type"] for block in await blocks("anthropic", "claude-opus-5-5")] == ["thinking", "text"]
    assert (await blocks("anthropic", "claude-opus-5-5"))[0]["thinking"] == ""
    assert (await blocks("anthropic", "claude-opus-5-5", type="adaptive", display="summarized"))[0]["thinking"].startswith(MARK)
    assert [block["type"] for block in await blocks("anthropic", "claude-haiku-5-5", type="disabled")] == ["text"]
    assert [block["type"] for block in await blocks("anthropic", "claude-sonnet-4-5")] == ["text"]
    assert [block["type"] for block in await blocks("", "simulator/frugal")] == ["text"]
    assert (await blocks("", "simulator/frugal", type="adaptive"))[0]["thinking"].startswith(MARK)


async def test_custom_tools_and_namespaces_keep_their_names(opened: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = (OutCall("exec", "text('x')", namespace="functions", custom=True), OutCall("spawn", "{}", namespace="agents"))
    monkeypatch.setattr(State, "reply", lambda _state, _request: Reply("", calls))
    for stream in (False, True):
        _, answer = await opened.post("", "responses", {**RESPONSES, "stream": stream})
        custom, named = (assembled_response(answer) if stream else answer)["output"]
        assert (custom["type"], custom["namespace"], custom["input"]) == ("custom_tool_call", "functions", "text('x')")
        assert (named["type"], named["namespace"], named["arguments"]) == ("function_call", "agents", "{}")
        assert custom["id"].startswith("ctc_")
        assert named["id"].startswith("fc_")


def test_usage_is_counted_as_each_provider_counts() -> None:
    usage = Usage(1000, 600, 300, 50, 100, 20)
    assert anthropic_usage(usage)["input_tokens"] == 100
    assert anthropic_usage(usage)["cache_creation"] == {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100}
    assert responses_usage(usage)["total_tokens"] == 1050

    def counts(shape: str) -> list[Any]:
        told = chat_usage(shape, usage, 1_500_000)
        return [told["prompt_tokens"], told["completion_tokens"], told["total_tokens"]]

    assert counts("openai") == counts("openrouter") == counts("deepseek") == [1000, 50, 1050]
    assert counts("xai") == counts("google") == [1000, 30, 1050]
    assert chat_usage("openrouter", usage, 1_500_000)["cost"] == 0.0000015
    deepseek = chat_usage("deepseek", usage, 0)
    assert (deepseek["prompt_cache_hit_tokens"], deepseek["prompt_cache_miss_tokens"]) == (600, 400)


@pytest.mark.parametrize(
    ("family", "model", "ids", "field"),
    [
        ("openai", "gpt-4o", "call_", None),
        ("google", "gemini-4-argon", "function-call-", None),
        ("deepseek", "deepseek-flash", "call_00_", "reasoning_content"),
        ("mistral", "mistral-large-4", "", None),
        ("xai", "grok-4.7", "call_", None),
        ("openrouter", "anthropic/claude-opus-5.5", "call_", "reasoning"),
    ],
)
async def test_each_provider_names_calls_and_shows_thoughts_in_its_way(
    opened: Simulator, family: str, model: str, ids: str, field: str | None
) -> None:
    schema = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
    tools = [{"type": "function", "function": {"name": "bash", "description": "Run a shell command", "parameters": schema}}]
    asked: Json = {"model": model, "messages": [HELLO], "tools": tools}
    _, whole = await opened.post(family, "openai", asked)
    message = whole["choices"][0]["message"]
    made = message["tool_calls"][0]
    assert made["id"].startswith(ids)
    assert len(made["id"]) == 9 or family != "mistral"
    assert {name for name in message if "reasoning" in name} == ({field} if field == "reasoning_content" else set()) | (
        {"reasoning", "reasoning_details"} if field == "reasoning" else set()
    )
    _, stream = await opened.post(family, "openai", {**asked, "stream": True})
    deltas = [choice["delta"] for frame in events(stream) for choice in frame["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == message["content"]
    streamed = [call for delta in deltas for call in delta.get("tool_calls", [])]
    assert "".join(call["function"].get("arguments", "") for call in streamed) == made["function"]["arguments"]
    assert "".join(delta.get(field, "") for delta in deltas if field) == (message[field] if field else "")
    signed = [call for call in streamed if "extra_content" in call]
    assert (len(signed) == 1) == (family == "google") == ("extra_content" in made)
    assert any(frame.get("usage") for frame in events(stream)) == (family == "mistral")


@pytest.mark.parametrize("dialect", list(PATHS)[:3])
@pytest.mark.parametrize("stream", [False, True])
async def test_refusals_on_demand_come_in_the_shape_of_the_format(opened: Simulator, dialect: str, stream: bool) -> None:
    for fault, status in (("429;retry-after=2", 429), ("529", 529), ("402;message=No credits", 402)):
        got, body = await opened.post("", dialect, {**BODIES[dialect], "stream": stream}, **{HEADER_FAULT: fault})
        assert got == status
        assert body["error"]["message"].startswith(MARK)
        assert ("type" in body) == (dialect == "anthropic")
    got, body = await opened.post("anthropic", "anthropic", {**MESSAGES, "model": "claude-opus-5-5"}, **{HEADER_FAULT: "529"})
    assert (got, body["error"]) == (529, {"type": "overloaded_error", "message": "Overloaded."})


async def test_a_prompt_that_is_too_long_is_refused_in_the_words_that_clients_know(opened: Simulator) -> None:
    wanted = {
        "anthropic": "prompt is too long: 1000001 tokens > 1000000 maximum",
        "openai": "maximum context length",
        "responses": "exceeds",
    }
    for dialect, words in wanted.items():
        got, body = await opened.post("", dialect, BODIES[dialect], **{HEADER_FAULT: "overflow"})
        assert (got, words in body["error"]["message"]) == (400, True)
    # Responses tell it within the stream that was asked for.
    got, stream = await opened.post("", "responses", {**RESPONSES, "stream": True}, **{HEADER_FAULT: "overflow"})
    assert (got, events(stream)[-1]["type"]) == (200, "response.failed")
    assert events(stream)[-1]["response"]["error"]["code"] == "context_length_exceeded"


async def test_an_error_within_a_stream_is_an_event_of_the_format(opened: Simulator) -> None:
    fault = {HEADER_FAULT: "error-in-stream=4;message=It broke;code=server_error"}
    _, stream = await opened.post("", "anthropic", {**MESSAGES, "stream": True}, **fault)
    last = events(stream)[-1]
    assert (last["type"], last["error"]) == ("error", {"type": "api_error", "message": f"{MARK}It broke"})
    _, stream = await opened.post("", "responses", {**RESPONSES, "stream": True}, **fault)
    last = events(stream)[-1]
    assert (last["type"], last["response"]["status"]) == ("response.failed", "failed")
    assert last["response"]["error"] == {"code": "server_error", "message": f"{MARK}It broke"}
    assert [line["outcome"] for line in await opened.bill()] == ["error-in-stream"] * 2


@pytest.mark.parametrize("dialect", ["anthropic", "responses"])
async def test_the_line_goes_dead_and_what_went_out_is_billed(opened: Simulator, dialect: str) -> None:
    address = f"{opened.url}/{PATHS[dialect]}"
    headers = {HEADER_FAULT: "disconnect-after=5"}
    async with opened.session.post(address, json={**BODIES[dialect], "stream": True}, headers=headers) as answer:
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
    line = (await opened.bill())[0]
    assert (line["outcome"], line["dialect"], line["family"]) == ("disconnect-after", dialect, "")
    assert 0 < line["usage"]["output_tokens"] < 40
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await opened.post("", dialect, BODIES[dialect], **{HEADER_FAULT: "disconnect-before"})


@pytest.mark.parametrize("dialect", ["anthropic", "responses"])
@pytest.mark.parametrize("stream", [False, True])
async def test_usage_may_be_missing(opened: Simulator, dialect: str, stream: bool) -> None:
    _, answer = await opened.post("", dialect, {**BODIES[dialect], "stream": stream}, **{HEADER_FAULT: "no-usage"})
    text = answer if isinstance(answer, str) else json.dumps(answer)
    assert '"output_tokens"' not in text
    assert (await opened.bill())[0]["usage"]["output_tokens"] > 0


async def test_a_client_that_hangs_up_is_billed_for_what_it_got(opened: Simulator) -> None:
    address = f"{opened.url}/messages"
    async with opened.session.post(address, json={**MESSAGES, "stream": True}, headers={HEADER_FAULT: "stall=6"}) as answer:
        got = b""
        while got.count(b"\n\n") < 6:
            got += await answer.content.readany()
    while not (lines := await opened.bill()):
        pass
    assert lines[0]["outcome"] in ("stall", "cancelled")
    assert lines[0]["usage"]["input_tokens"] > 0


@pytest.mark.parametrize("stream", [False, True])
async def test_a_gap_is_filled(opened: Simulator, stream: bool) -> None:
    asked: Json = {"model": "simulator/frugal", "prompt": "def add(a, b):\n", "suffix": "\n\nprint(add(1, 2))", "stream": stream}
    _, answer = await opened.post("", "completions", asked)
    frames = events(answer) if isinstance(answer, str) else [answer]
    text = "".join(choice["text"] for frame in frames for choice in frame["choices"])
    assert text.startswith(MARK.strip())
    assert frames[-1]["choices"][0]["finish_reason"] == "stop"
    assert frames[-1]["usage"]["prompt_tokens"] == 4 + 5
    line = (await opened.bill())[0]
    assert (line["usage"]["input_tokens"], line["cost_pusd"] > 0) == (9, True)
    assert (await opened.post("", "completions", {**asked, "model": "simulator/premium"}))[0] == 400
    assert (await opened.post("", "completions", {**asked, "prompt": [1, 2]}))[0] == 400


async def test_texts_become_vectors(opened: Simulator) -> None:
    asked: Json = {"model": "simulator/frugal", "input": ["one", "two", "one"], "dimensions": 8}
    _, answer = await opened.post("", "embeddings", asked)
    vectors = [row["embedding"] for row in answer["data"]]
    assert (len(vectors), {len(vector) for vector in vectors}) == (3, {8})
    assert vectors[0] == vectors[2] != vectors[1]
    assert answer["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    for wrong in ({"input": []}, {"input": [1]}, {"dimensions": 100_000}, {"model": "simulator/premium"}):
        assert (await opened.post("", "embeddings", {**asked, **wrong}))[0] == 400
    assert len(await opened.bill()) == 1


async def test_models_are_listed_for_each_provider(opened: Simulator) -> None:
    async def listed(family: str, **headers: str) -> Any:
        async with opened.session.get(f"{opened.root}/{family}/v1/models", headers=headers) as answer:
            return await answer.json()

    assert "gpt-6.1-sol" in [row["id"] for row in (await listed("openai"))["data"]]
    anthropic = await listed("anthropic", **{"anthropic-version": "2023-06-01"})
    assert {row["type"] for row in anthropic["data"]} == {"model"}
    assert len((await listed("openrouter"))["data"]) > 400
    assert "error" in await listed("nobody")
