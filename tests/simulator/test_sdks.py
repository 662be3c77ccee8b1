"""The official SDKs as clients of the simulator: what they parse, validate and raise is what the real providers would make of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import openai
import pytest
from pydantic import BaseModel

from stepfare.simulator.options import HEADER_FAULT, MARK
from tests.simulator.speaking import ALL_TOOLS, SCHEMA, Json, Simulator, simulator

OPUS, SOL = "claude-opus-5-5", "gpt-6.1-sol"
ASKED: Json = {"role": "user", "content": "Explain the parser"}


class Verdict(BaseModel):
    words: str
    certain: bool


@pytest.fixture
async def opened() -> AsyncIterator[Simulator]:
    async with simulator() as running:
        yield running


@pytest.fixture
async def claude(opened: Simulator) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=f"{opened.root}/anthropic", api_key="secret", max_retries=0) as client:
        yield client


@pytest.fixture
async def gpt(opened: Simulator) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{opened.root}/openai/v1", api_key="secret", max_retries=0) as client:
        yield client


async def test_messages_with_tools_whole_and_streamed(claude: Any) -> None:
    messages: list[Json] = [ASKED]
    whole = await claude.messages.create(model=OPUS, max_tokens=2000, messages=messages, tools=ALL_TOOLS)
    assert [block.type for block in whole.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert whole.stop_reason == "tool_use"
    results = [{"type": "tool_result", "tool_use_id": block.id, "content": "x.py"} for block in whole.content if block.type == "tool_use"]
    messages += [{"role": "assistant", "content": [block.to_dict() for block in whole.content]}, {"role": "user", "content": results}]
    counted = await claude.messages.count_tokens(model=OPUS, messages=messages, tools=ALL_TOOLS)
    kinds: set[str] = set()
    async with claude.messages.stream(model=OPUS, max_tokens=2000, messages=messages, tools=ALL_TOOLS) as stream:
        async for event in stream:
            kinds.add(event.type)
        final = await stream.get_final_message()
    assert {"message_start", "signature", "text", "input_json", "message_delta", "message_stop"} <= kinds
    assert final.usage.input_tokens == counted.input_tokens
    assert final.usage.output_tokens_details is not None
    assert final.usage.output_tokens_details.thinking_tokens > 0


async def test_messages_in_a_form(claude: Any) -> None:
    parsed = await claude.messages.parse(model="claude-haiku-5-5", max_tokens=500, messages=[ASKED], output_format=Verdict)
    assert parsed.parsed_output is not None
    assert parsed.parsed_output.words.startswith(MARK)


async def test_errors_of_anthropics_are_raised_as_what_they_are(claude: Any) -> None:
    async def ask(fault: str = "none", **more: object) -> None:
        body: Json = {"model": OPUS, "max_tokens": 100, "messages": [ASKED], **more}
        await claude.messages.create(**body, extra_headers={HEADER_FAULT: fault})

    with pytest.raises(anthropic.BadRequestError, match="is deprecated for this model"):
        await ask(extra_body={"temperature": 0})
    with pytest.raises(anthropic.NotFoundError, match="model: claude-9"):
        await ask(model="claude-9")
    for fault, kind in (
        ("429;retry-after=1", anthropic.RateLimitError),
        ("529", anthropic.InternalServerError),
        ("401", anthropic.AuthenticationError),
        ("402", anthropic.APIStatusError),
        ("disconnect-before", anthropic.APIConnectionError),
    ):
        with pytest.raises(kind):
            await ask(fault)
    stream = await claude.messages.create(
        model=OPUS, max_tokens=100, messages=[ASKED], stream=True, extra_headers={HEADER_FAULT: "error-in-stream=4"}
    )
    with pytest.raises(anthropic.APIStatusError, match="had an error"):
        async for _ in stream:
            pass


async def test_responses_with_tools_whole_and_streamed(gpt: Any) -> None:
    tools = [{"type": "function", "name": tool["name"], "parameters": tool["input_schema"], "strict": False} for tool in ALL_TOOLS]
    asked: Json = {
        "model": SOL,
        "tools": tools,
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "low", "summary": "auto"},
    }
    whole = await gpt.responses.create(**asked, input=[ASKED])
    assert [item.type for item in whole.output] == ["reasoning", "message", "function_call", "function_call"]
    outputs = [
        {"type": "function_call_output", "call_id": item.call_id, "output": "x.py"} for item in whole.output if item.type == "function_call"
    ]
    given = [ASKED, *(item.to_dict() for item in whole.output), *outputs]
    async with gpt.responses.stream(**asked, input=given) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    assert final.usage is not None
    assert final.usage.output_tokens_details.reasoning_tokens > 0
    assert final.output_text.startswith(MARK)


async def test_responses_and_chat_in_a_form(gpt: Any) -> None:
    response = await gpt.responses.parse(model=SOL, input=[ASKED], text_format=Verdict)
    assert response.output_parsed is not None
    assert response.output_parsed.words.startswith(MARK)
    chat = await gpt.chat.completions.parse(model=SOL, messages=[ASKED], response_format=Verdict)
    assert chat.choices[0].message.parsed is not None


async def test_chat_with_tools_streamed(gpt: Any) -> None:
    tools = [{"type": "function", "function": {"name": "bash", "description": "Run a shell command", "parameters": {
        **SCHEMA, "properties": {"command": {"type": "string"}}, "required": ["command"],
    }}}]  # fmt: skip
    async with gpt.chat.completions.stream(model="gpt-4o", messages=[ASKED], tools=tools, stream_options={"include_usage": True}) as stream:
        async for _ in stream:
            pass
        final = await stream.get_final_completion()
    assert final.choices[0].finish_reason == "tool_calls"
    assert final.usage is not None


async def test_errors_of_openais_are_raised_as_what_they_are(gpt: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="Use 'max_completion_tokens' instead") as raised:
        await gpt.chat.completions.create(model=SOL, messages=[ASKED], max_tokens=10)
    assert (raised.value.code, raised.value.param) == ("unsupported_parameter", "max_tokens")
    foreign = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAA=="}
    with pytest.raises(openai.BadRequestError) as raised:
        await gpt.responses.create(model=SOL, input=[ASKED, foreign, {"role": "assistant", "content": "x"}])
    assert raised.value.code == "invalid_encrypted_content"
    for fault, kind in (("429", openai.RateLimitError), ("500", openai.InternalServerError), ("401", openai.AuthenticationError)):
        with pytest.raises(kind):
            await gpt.responses.create(model=SOL, input="Hello", extra_headers={HEADER_FAULT: fault})
    stream = await gpt.chat.completions.create(model=SOL, messages=[ASKED], stream=True, extra_headers={HEADER_FAULT: "error-in-stream=2"})
    with pytest.raises(openai.APIError, match="had an error"):
        async for _ in stream:
            pass


async def test_vectors_gaps_and_models(opened: Simulator, gpt: Any, claude: Any) -> None:
    made = await gpt.embeddings.create(model="text-embedding-3-small", input=["one", "two"], dimensions=16)
    assert [len(row.embedding) for row in made.data] == [16, 16]
    assert all(-1 <= number <= 1 for number in made.data[0].embedding)
    async with openai.AsyncOpenAI(base_url=opened.url, api_key="secret") as own:
        filled = await own.completions.create(model="simulator/frugal", prompt="def f():\n", suffix="\n")
        streamed = await own.completions.create(model="simulator/frugal", prompt="def f():\n", suffix="\n", stream=True)
        text = "".join([choice.text async for chunk in streamed for choice in chunk.choices])
    assert filled.choices[0].text == text
    assert SOL in [model.id async for model in gpt.models.list()]
    assert OPUS in [model.id async for model in claude.models.list()]
