"""An answer that one model began and another one goes on with: one well-formed answer in the client's format, whoever speaks what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from anthropic import AsyncAnthropic
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import AsyncOpenAI
from pytest_aiohttp import AiohttpServer

from stepfare.core.digest import reply_digest
from stepfare.core.money import Usage
from stepfare.core.prompt import Thought
from stepfare.core.request import RequestView
from stepfare.dialects.base import (
    Finished,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ThoughtMade,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from stepfare.dialects.bridge import Translation, end_behind, heard_in, stream_between
from stepfare.dialects.heard import Heard
from stepfare.dialects.passing import told_in
from stepfare.dialects.table import DIALECTS, Stream

NAMES = ("anthropic", "openai", "responses")
TRIPLES = [(client, first, second) for client in NAMES for first in NAMES for second in NAMES]
everybody = pytest.mark.parametrize(("client", "first", "second"), TRIPLES, ids=["-".join(three) for three in TRIPLES])
AT_MS = 1_790_000_000_000
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}
TOOLS = {
    "anthropic": [{"name": name, "input_schema": SCHEMA} for name in ("read", "edit")],
    "openai": [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("read", "edit")],
    "responses": [{"type": "function", "name": name, "parameters": SCHEMA} for name in ("read", "edit")],
}
THINKING = {
    "anthropic": {"max_tokens": 4000, "thinking": {"type": "adaptive"}},
    "openai": {"stream_options": {"include_usage": True}},
    "responses": {"include": ["reasoning.encrypted_content"], "reasoning": {"effort": "low", "summary": "auto"}},
}

BEGUN: tuple[StreamEvent, ...] = (
    UsageReported(Usage(500, output_tokens=1)),
    ThinkingDelta("What is "),
    ThinkingDelta("this?"),
    ThoughtMade(Thought("anthropic", b'{"type":"thinking","thinking":"What is this?","signature":"s1"}', "d1", "What is this?")),
    TextDelta("I look "),
    TextDelta("and mend."),
)
DROPPED: tuple[StreamEvent, ...] = (
    ToolCallStarted(0, "call_dropped", "edit"),
    ToolCallDelta(0, '{"path": "secret"}'),
    UsageReported(Usage(500, output_tokens=50)),
    Finished("tool_calls"),
)
GOING_ON: tuple[StreamEvent, ...] = (
    ThinkingDelta("Better so."),
    TextDelta("Now "),
    TextDelta("for good."),
    ToolCallStarted(0, "call_1", "edit"),
    ToolCallDelta(0, '{"path": '),
    ToolCallDelta(0, '"a.py"}'),
    ToolCallStarted(1, "call_2", "read"),
    ToolCallDelta(1, '{"path": "b.py"}'),
    UsageReported(Usage(2_000, 1_500, 0, 70)),
    Finished("tool_calls"),
)


def view(dialect: str) -> RequestView:
    key, said = ("input", "Mend it.") if dialect == "responses" else ("messages", [{"role": "user", "content": "Mend it."}])
    body = {"model": "auto", "stream": True, key: said, "tools": TOOLS[dialect], **THINKING[dialect]}
    return DIALECTS[dialect].read_request(json.dumps(body).encode(), {})


def spoken(dialect: str, events: Iterable[StreamEvent], name: str) -> bytes:
    """A provider's whole answer in its format."""
    writer = DIALECTS[dialect].writer(view(dialect), name, AT_MS, "lab/maker", lambda _: None)
    return b"".join(writer.write(event) for event in events) + writer.end()


def begun(client: str, first: str, upto: int = 99) -> list[bytes]:
    """What the client has seen of an answer of a provider of that format before its call."""
    asked = Translation(view(client))
    stream: Stream = (
        DIALECTS[client].stream("auto", True, lambda _: None)
        if first == client
        else stream_between(asked, first, "a_1", AT_MS, "lab/small", lambda _: None)
    )
    shown: list[bytes] = []
    for piece in stream.pieces(spoken(first, (*BEGUN, *DROPPED), "up1")):
        if any(isinstance(event, ToolCallStarted) for event in piece.events) or len(shown) == upto:
            break
        shown += [said] if (said := stream.say(piece)) else []
    return shown


def gone_on(client: str, second: str, shown: Sequence[bytes], cuts: Sequence[int] = ()) -> bytes:
    """All that the client sees."""
    stream = stream_between(Translation(view(client)), second, "a_2", AT_MS, "lab/middle", lambda _: "0.5", shown)
    body = spoken(second, GOING_ON, "up2")
    places = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
    said = [stream.feed(body[start:end]) for start, end in pairwise(places)]
    return b"".join((*shown, *said, stream.finish(), stream.tail))


def heard(client: str, stream: bytes) -> Heard:
    return heard_in(Translation(view(client)), (stream,))


@everybody
def test_what_one_began_and_another_went_on_with_is_one_answer(client: str, first: str, second: str) -> None:
    shown = begun(client, first)
    told = heard(client, gone_on(client, second, shown))
    assert told.fault is None
    assert told.text == "I look and mend." + DIALECTS[client].texts_joint + "Now for good."
    assert [(call.id, call.name, json.loads(call.arguments)) for call in told.calls] == [
        ("call_1", "edit", {"path": "a.py"}),
        ("call_2", "read", {"path": "b.py"}),
    ]
    assert told.finished == "tool_calls"
    assert told.usage is not None
    assert told.usage.usage == Usage(2_000, 1_500, 0, 70)
    assert b"secret" not in b"".join(shown)


@everybody
def test_the_text_is_known_again_as_the_client_will_repeat_it(client: str, first: str, second: str) -> None:
    shown = begun(client, first)
    stream = stream_between(Translation(view(client)), second, "a_2", AT_MS, "lab/middle", lambda _: None, shown)
    stream.heard.before = heard(client, b"".join(shown)).text + DIALECTS[client].texts_joint
    said = stream.feed(spoken(second, GOING_ON, "up2")) + stream.finish()
    assert stream.heard.reply_digest == reply_digest(heard(client, b"".join((*shown, said))).text)


@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(0, 6_000), max_size=8))
@pytest.mark.parametrize("second", NAMES)
@pytest.mark.parametrize("client", NAMES)
def test_it_is_the_same_however_its_bytes_are_cut(client: str, second: str, cuts: list[int]) -> None:
    shown = begun(client, client)
    assert gone_on(client, second, shown, cuts) == gone_on(client, second, shown)


@everybody
def test_it_may_go_on_behind_any_frame(client: str, first: str, second: str) -> None:
    for upto in range(2, len(begun(client, first)) + 1):
        shown = begun(client, first, upto)
        told = heard(client, gone_on(client, second, shown))
        assert told.text.endswith("Now for good.")
        assert (len(told.calls), told.finished, told.fault) == (2, "tool_calls", None)
        WELL_FORMED[client](b"".join(shown) and gone_on(client, second, shown))


def _events(stream: bytes) -> list[dict[str, Any]]:
    return [fields for _, fields in told_in((stream,))]


def _one_completion(stream: bytes) -> None:
    chunks = _events(stream)
    assert len({(one["id"], one["created"], one["model"]) for one in chunks}) == 1
    reasons = [choice["finish_reason"] for one in chunks for choice in one["choices"] if choice.get("finish_reason")]
    roles = [choice["delta"] for one in chunks for choice in one["choices"] if "role" in choice["delta"]]
    assert (reasons, len(roles), stream.count(b"[DONE]")) == (["tool_calls"], 1, 1)
    indexes = [call["index"] for one in chunks for choice in one["choices"] for call in choice["delta"].get("tool_calls") or []]
    assert (indexes[0], sorted(set(indexes))) == (0, [0, 1])


def _one_message(stream: bytes) -> None:
    events = _events(stream)
    kinds = [event["type"] for event in events]
    assert (kinds[0], kinds.count("message_start"), kinds.count("message_delta"), kinds[-1]) == ("message_start", 1, 1, "message_stop")
    open_block = -1
    count = 0
    for event in events:
        match event["type"]:
            case "content_block_start":
                assert (open_block, event["index"]) == (-1, count)
                open_block = count
            case "content_block_delta":
                assert event["index"] == open_block
            case "content_block_stop":
                assert event["index"] == open_block
                open_block, count = -1, count + 1
            case _:
                pass
    assert open_block == -1


def _one_response(stream: bytes) -> None:
    events = _events(stream)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    added = [event for event in events if event["type"] == "response.output_item.added"]
    done = [event for event in events if event["type"] == "response.output_item.done"]
    assert [event["output_index"] for event in added] == [event["output_index"] for event in done] == list(range(len(added)))
    assert [event["item"]["id"] for event in added] == [event["item"]["id"] for event in done]
    ended = events[-1]["response"]
    assert ended["output"] == [event["item"] for event in done]
    assert ended["id"] == events[0]["response"]["id"]
    for event in events:
        if event["type"].endswith(("text.delta", "text.done", "part.done")):
            assert event["item_id"] == added[event["output_index"]]["item"]["id"]
    parts = [event["type"].rpartition(".")[2] for event in events if "part." in event["type"]]
    assert parts == ["added", "done"] * (len(parts) // 2)


WELL_FORMED = {"openai": _one_completion, "anthropic": _one_message, "responses": _one_response}


@pytest.mark.parametrize("client", NAMES)
@pytest.mark.parametrize("first", NAMES)
def test_an_answer_of_which_the_client_has_enough_is_ended_well(client: str, first: str) -> None:
    events = (TextDelta("I look."), ToolCallStarted(0, "call_1", "read"), ToolCallDelta(0, '{"path": "a"}'), *DROPPED[:1])
    asked = Translation(view(client))
    stream = stream_between(asked, first, "a_1", AT_MS, "lab/small", lambda _: None)
    shown: list[bytes] = []
    calls = 0
    for piece in stream.pieces(spoken(first, events, "up1")):
        calls += any(isinstance(event, ToolCallStarted) for event in piece.events)
        if calls == 2:
            break
        shown += [said] if (said := stream.say(piece)) else []
    rest, mark = end_behind(asked, shown, "a_1", AT_MS)
    told = heard(client, b"".join((*shown, rest, mark)))
    assert (told.text, told.finished, told.fault) == ("I look.", "tool_calls", None)
    assert [(call.id, call.name, json.loads(call.arguments)) for call in told.calls] == [("call_1", "read", {"path": "a"})]


# --- the official SDKs


async def served(stream: bytes, path: str, aiohttp_server: AiohttpServer) -> str:
    async def respond(_request: web.Request) -> web.Response:
        return web.Response(body=stream, content_type="text/event-stream")

    app = web.Application()
    app.router.add_post(path, respond)
    return str((await aiohttp_server(app)).make_url("/"))


@pytest.mark.parametrize("first", NAMES)
async def test_the_official_sdk_reads_such_a_message(aiohttp_server: AiohttpServer, first: str) -> None:
    url = await served(gone_on("anthropic", "openai", begun("anthropic", first)), "/v1/messages", aiohttp_server)
    async with (
        AsyncAnthropic(api_key="sk-test", base_url=url, max_retries=0) as client,
        client.messages.stream(model="auto", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]) as stream,
    ):
        message = await stream.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text", "thinking", "text", "tool_use", "tool_use"]
    assert (message.stop_reason, message.usage.output_tokens, message.usage.input_tokens) == ("tool_use", 70, 500)


@pytest.mark.parametrize("first", NAMES)
async def test_the_official_sdk_reads_such_a_response(aiohttp_server: AiohttpServer, first: str) -> None:
    url = await served(gone_on("responses", "anthropic", begun("responses", first)), "/v1/responses", aiohttp_server)
    async with (
        AsyncOpenAI(api_key="sk-test", base_url=f"{url}v1", max_retries=0) as client,
        client.responses.stream(model="auto", input="Hi") as stream,
    ):
        response = await stream.get_final_response()
    kinds = [item.type for item in response.output]
    assert kinds == ["reasoning", "message", "reasoning", "message", "function_call", "function_call"]
    assert response.output_text == "I look and mend.Now for good."


@pytest.mark.parametrize("first", NAMES)
async def test_the_official_sdk_reads_such_a_completion(aiohttp_server: AiohttpServer, first: str) -> None:
    url = await served(gone_on("openai", "responses", begun("openai", first)), "/v1/chat/completions", aiohttp_server)
    async with (
        AsyncOpenAI(api_key="sk-test", base_url=f"{url}v1", max_retries=0) as client,
        client.chat.completions.stream(model="auto", messages=[{"role": "user", "content": "Hi"}]) as stream,
    ):
        completion = await stream.get_final_completion()
    (choice,) = completion.choices
    assert choice.message.content == "I look and mend.\n\nNow for good."
    assert [call.function.name for call in choice.message.tool_calls or []] == ["edit", "read"]
