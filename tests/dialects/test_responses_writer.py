"""Responses written from stream events: each event whole and in order, and the same meaning when it is heard again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import AsyncOpenAI
from pytest_aiohttp import AiohttpServer

from stepfare.core.money import Usage
from stepfare.core.prompt import Thought
from stepfare.core.request import RequestView
from stepfare.dialects.base import (
    CostText,
    Faulted,
    Finished,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ThoughtMade,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from stepfare.dialects.heard import Heard
from stepfare.dialects.responses_answer import ResponsesListener, ResponsesStream, events_of
from stepfare.dialects.responses_request import read_request
from stepfare.dialects.responses_writer import ResponsesWriter, write_body
from stepfare.dialects.thoughts import unsealed
from stepfare.dialects.toolnames import as_free_text

TOOLS = [
    {
        "type": "function",
        "name": "read",
        "description": "Reads",
        "parameters": {"type": "object", "properties": {"path": {"type": "string"}}},
    },
    {"type": "custom", "name": "exec", "format": {"type": "text"}},
    {"type": "namespace", "name": "agents", "tools": [{"type": "function", "name": "spawn", "parameters": {}}]},
]
USAGE = UsageReported(Usage(2000, 1500, 200, 100, reasoning_tokens=40))
THOUGHT = Thought("anthropic", b'{"type":"thinking","thinking":"Hm.","signature":"sig"}', "d1", "Hm.")
MAKER = "lab/thinker"


def view(**fields: object) -> RequestView:
    body = {"model": "auto", "input": "Hi", "stream": True, "tools": TOOLS, "include": ["reasoning.encrypted_content"], **fields}
    return read_request(json.dumps(body).encode(), {})


def priced(_: UsageReported) -> str | None:
    return "0.0041"


def unpriced(_: UsageReported) -> str | None:
    return None


def told(events: list[StreamEvent], seen: RequestView | None = None, cost: CostText = priced) -> bytes:
    writer = ResponsesWriter(seen or view(), "a_1", 1_700_000_000_123, MAKER, cost)
    return b"".join(writer.write(event) for event in events) + writer.end()


def frames(stream: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for frame in stream.split(b"\n\n")[:-1]:
        name, data = frame.split(b"\n")
        fields = json.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + fields["type"].encode()
        found.append(fields)
    assert [frame["sequence_number"] for frame in found] == list(range(len(found)))
    return found


def last(stream: bytes) -> dict[str, Any]:
    return frames(stream)[-1]["response"]


def heard(stream: bytes) -> Heard:
    passing = ResponsesStream("auto", cost_text=unpriced)
    passing.feed(stream)
    passing.finish()
    return passing.heard


WHOLE: list[StreamEvent] = [
    ThinkingDelta("H"),
    ThinkingDelta("m."),
    ThoughtMade(THOUGHT),
    TextDelta("I "),
    TextDelta("look."),
    ToolCallStarted(0, "c0", "read"),
    ToolCallDelta(0, '{"path":'),
    ToolCallDelta(0, '"a"}'),
    ToolCallStarted(1, "c1", "agents__spawn"),
    ToolCallDelta(1, "{}"),
    ToolCallStarted(2, "c2", "exec"),
    ToolCallDelta(2, '{"input": "ls'),
    ToolCallDelta(2, '\\n"}'),
    USAGE,
    Finished("tool_calls"),
]


def test_an_answer_is_told_item_by_item() -> None:
    kinds = [frame["type"].removeprefix("response.") for frame in frames(told(WHOLE))]
    assert kinds == [
        "created", "in_progress",
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.delta", "output_text.done", "content_part.done",
        "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta", "function_call_arguments.done",
        "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",
        "output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done",
        "completed",
    ]  # fmt: skip


def test_the_whole_response_stands_in_the_last_event() -> None:
    answer = last(told(WHOLE, view(instructions="Be brief.", temperature=0.2)))
    assert (answer["id"], answer["object"], answer["created_at"], answer["status"]) == ("resp_a_1", "response", 1_700_000_000, "completed")
    assert (answer["model"], answer["instructions"], answer["temperature"], answer["tool_choice"]) == ("auto", "Be brief.", 0.2, "auto")
    assert (answer["tools"], answer["error"], answer["incomplete_details"]) == (TOOLS, None, None)
    assert answer["usage"] == {
        "input_tokens": 2000,
        "input_tokens_details": {"cached_tokens": 1500, "cache_write_tokens": 200},
        "output_tokens": 100,
        "output_tokens_details": {"reasoning_tokens": 40},
        "total_tokens": 2100,
        "cost": 0.0041,
    }
    thought, message, read, spawn, run = answer["output"]
    assert unsealed(thought["encrypted_content"]) is not None
    assert (unsealed(thought["encrypted_content"]) or ("", THOUGHT))[0] == MAKER
    assert thought["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert message["content"][0]["text"] == "I look."
    assert (read["type"], read["call_id"], read["name"], read["arguments"]) == ("function_call", "c0", "read", '{"path":"a"}')
    assert (spawn["name"], spawn["namespace"], spawn["call_id"]) == ("spawn", "agents", "c1")
    assert (run["type"], run["name"], run["input"], run["call_id"]) == ("custom_tool_call", "exec", "ls\n", "c2")
    assert [item["id"].partition("_")[0] for item in answer["output"]] == ["rs", "msg", "fc", "fc", "ctc"]


def test_each_event_names_the_item_that_it_is_about() -> None:
    at: dict[int, str] = {}
    for frame in frames(told(WHOLE)):
        if frame["type"] == "response.output_item.added":
            at[frame["output_index"]] = frame["item"]["id"]
        if "item_id" in frame:
            assert at[frame["output_index"]] == frame["item_id"]
    assert len(set(at.values())) == len(at) == 5


def test_calls_that_come_interleaved_are_told_one_after_the_other() -> None:
    events: list[StreamEvent] = [
        ToolCallStarted(0, "c0", "read"),
        ToolCallStarted(1, "c1", "read"),
        ToolCallDelta(1, '{"path":"b"'),
        ToolCallDelta(0, '{"path":'),
        ToolCallDelta(1, "}"),
        TextDelta("And?"),
        ToolCallDelta(0, '"a"}'),
        Finished("tool_calls"),
    ]
    stream = told(events)
    open_item = -1
    for frame in frames(stream):
        if frame["type"] == "response.output_item.added":
            assert frame["output_index"] == open_item + 1
            open_item += 1
        assert frame.get("output_index", open_item) == open_item
    found = heard(stream)
    assert [(call.id, call.arguments) for call in found.calls] == [("c0", '{"path":"a"}'), ("c1", '{"path":"b"}')]
    assert found.text == "And?"


def test_a_call_is_told_as_it_comes() -> None:
    writer = ResponsesWriter(view(), "a_1", 0, MAKER, priced)
    writer.write(ToolCallStarted(0, "c0", "read"))
    assert b'"delta":"{\\"path"' in writer.write(ToolCallDelta(0, '{"path'))
    assert b"function_call_arguments.done" not in writer.write(ToolCallDelta(0, '":1}'))
    # The next call closes it, since nothing can follow what is whole.
    assert b"function_call_arguments.done" in writer.write(ToolCallStarted(1, "c1", "read"))


def test_what_providers_leave_out_of_calls_is_made_up_for() -> None:
    events: list[StreamEvent] = [
        ToolCallDelta(0, "{}"),
        ToolCallStarted(1, "", "read"),
        ToolCallStarted(1, "c1", ""),
        ToolCallStarted(2, "c2", "unknown"),
        ToolCallStarted(2, "c2", "unknown"),
        ToolCallDelta(2, "{}"),
        ToolCallStarted(2, "c3", "read"),
    ]
    items = last(told([*events, Finished("tool_calls")]))["output"]
    assert [(item["name"], item["arguments"]) for item in items] == [("", "{}"), ("read", "{}"), ("unknown", "{}"), ("read", "{}")]
    assert [item["call_id"] for item in items] == ["call_a_1_0", "c1", "c2", "c3"]


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({}, True),
        ({"include": []}, False),
        ({"include": None, "reasoning": {"effort": "low"}}, True),
        ({"include": None, "reasoning": {"summary": "auto"}}, True),
        ({"include": None, "reasoning": {"effort": "none"}}, False),
    ],
)
def test_thoughts_are_told_to_clients_that_know_what_to_do_with_them(fields: dict[str, object], shown: bool) -> None:
    items = last(told([ThinkingDelta("Hm."), ThoughtMade(THOUGHT), TextDelta("Hi")], view(**fields)))["output"]
    assert [item["type"] for item in items] == (["reasoning", "message"] if shown else ["message"])


def test_thoughts_that_may_not_be_read_and_those_without_a_seal_are_items_too() -> None:
    secret = Thought("anthropic", b'{"type":"redacted_thinking","data":"x"}', "d2")
    items = last(told([ThoughtMade(secret), ThoughtMade(THOUGHT), ThinkingDelta("Well"), TextDelta("Hi")]))["output"]
    assert [item["summary"] for item in items[:3]] == [
        [],
        [{"type": "summary_text", "text": "Hm."}],
        [{"type": "summary_text", "text": "Well"}],
    ]
    assert ["encrypted_content" in item for item in items[:3]] == [True, True, False]


def test_a_thought_that_is_made_late_is_not_told_twice() -> None:
    items = last(told([ThinkingDelta("Hm."), TextDelta("Hi"), ThoughtMade(THOUGHT), TextDelta("!")]))["output"]
    assert [item.get("summary") for item in items] == [[{"type": "summary_text", "text": "Hm."}], None, [], None]
    assert "encrypted_content" in items[2]


@pytest.mark.parametrize(
    ("reason", "status", "why"), [("length", "incomplete", "max_output_tokens"), ("content_filter", "incomplete", "content_filter")]
)
def test_an_answer_that_was_cut_short_says_so(reason: str, status: str, why: str) -> None:
    stream = told([TextDelta("I"), ToolCallStarted(0, "c", "read"), ToolCallDelta(0, '{"pa'), USAGE, Finished(reason)])
    answer = last(stream)
    assert frames(stream)[-1]["type"] == f"response.{status}"
    assert (answer["status"], answer["incomplete_details"]) == (status, {"reason": why})
    assert [item["status"] for item in answer["output"]] == ["completed", "incomplete"]


def test_a_fault_is_a_failed_response_and_nothing_follows_it() -> None:
    stream = told([TextDelta("I"), Faulted("busy", 503, "server_is_overloaded")])
    assert last(stream)["error"] == {"code": "server_is_overloaded", "message": "busy"}
    assert frames(stream)[-1]["type"] == "response.failed"
    assert heard(stream).fault == Faulted("busy", 503, "server_is_overloaded")


def test_an_empty_answer_is_an_answer() -> None:
    assert [frame["type"] for frame in frames(told([Finished("stop")]))] == [
        "response.created",
        "response.in_progress",
        "response.completed",
    ]
    assert last(told([])) == last(told([Finished("stop")]))


def test_a_request_in_many_lines_is_echoed_in_one() -> None:
    body = json.dumps({"model": "auto", "input": "Hi", "tools": TOOLS, "metadata": {"a": "b"}}, indent=2).encode()
    seen = read_request(body, {})
    assert last(told([TextDelta("Hi")], seen))["tools"] == TOOLS


def test_the_id_of_an_answer_is_short_and_plain_whatever_it_was_made_of() -> None:
    writer = ResponsesWriter(view(), "äö/" * 40, 0, MAKER, priced)
    writer.write(TextDelta("x"))
    writer.end()
    item: Any = writer.response("completed")["output"]
    assert item[0]["id"].isascii()
    assert len(item[0]["id"]) <= 64


def test_a_whole_answer_is_the_response_of_the_last_event() -> None:
    assert json.loads(write_body(view(), tuple(WHOLE), "a_1", 1_700_000_000_123, MAKER, priced)) == last(told(WHOLE))
    cut: list[StreamEvent] = [TextDelta("I"), Finished("length")]
    assert json.loads(write_body(view(), tuple(cut), "a_1", 1_700_000_000_123, MAKER, priced)) == last(told(cut))


WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
OBJECTS = st.dictionaries(WORDS, st.integers() | WORDS, max_size=3).map(json.dumps)


@st.composite
def answers(draw: st.DrawFn) -> list[StreamEvent]:
    """Thoughts, texts and calls in any order; the pieces of parallel calls shuffled into one another."""
    events: list[StreamEvent] = []
    calls = 0
    for kind in draw(st.lists(st.sampled_from(["thought", "text", "calls"]), max_size=4)):
        if kind == "thought":
            text = draw(WORDS)
            events += [ThinkingDelta(text), ThoughtMade(Thought("anthropic", b"{}", "d", text))]
        elif kind == "text":
            events += [TextDelta(draw(WORDS)) for _ in range(draw(st.integers(1, 3)))]
        else:
            queues: list[list[StreamEvent]] = []
            for _ in range(draw(st.integers(1, 3))):
                name, arguments = draw(st.sampled_from(["read", "agents__spawn", "exec"])), draw(OBJECTS)
                cut = draw(st.integers(0, len(arguments)))
                pieces = [ToolCallDelta(calls, piece) for piece in (arguments[:cut], arguments[cut:]) if piece]
                queues.append([ToolCallStarted(calls, f"c{calls}", name), *pieces])
                calls += 1
            while queues:
                queue = queues[draw(st.integers(0, len(queues) - 1))]
                events.append(queue.pop(0))
                queues = [one for one in queues if one]
    return [*events, USAGE, Finished("tool_calls" if calls else "stop")]


def meaning(events: Iterable[StreamEvent]) -> object:
    found = Heard()
    found.hear(events)
    return found.text, found.calls, [thought.text for thought in found.thoughts], found.usage, found.finished


def as_the_client_knows_them(events: list[StreamEvent]) -> list[StreamEvent]:
    """The calls by the client's names; a tool that takes free text is called with that text."""
    started = {event.index: event for event in events if isinstance(event, ToolCallStarted)}
    whole = {index: "".join(e.arguments for e in events if isinstance(e, ToolCallDelta) and e.index == index) for index in started}
    seen: list[StreamEvent] = [event for event in events if not isinstance(event, ToolCallStarted | ToolCallDelta)]
    for index, event in started.items():
        custom = event.name == "exec"
        seen.append(ToolCallStarted(index, event.id, event.name.removeprefix("agents__")))
        seen.append(ToolCallDelta(index, as_free_text(whole[index]) if custom else whole[index]))
    return seen


@settings(max_examples=60, deadline=None)
@given(answers())
def test_what_is_told_means_the_same_when_it_is_heard(events: list[StreamEvent]) -> None:
    listener = ResponsesListener()
    streamed = [event for frame in frames(told(events, cost=unpriced)) for event in listener.listen(frame["type"], frame)]
    whole = events_of(write_body(view(), tuple(events), "a_1", 0, MAKER, unpriced))
    assert meaning(streamed) == meaning(as_the_client_knows_them(events))
    assert meaning(whole) == meaning(streamed)


# --- the official SDK


async def answered(stream: bytes, aiohttp_server: AiohttpServer) -> AsyncOpenAI:
    """The SDK, talking to a server that gives this stream, or this body, to whoever asks."""

    async def respond(request: web.Request) -> web.Response:
        kind = "text/event-stream" if stream.startswith(b"event:") else "application/json"
        return web.Response(body=stream, content_type=kind)

    app = web.Application()
    app.router.add_post("/v1/responses", respond)
    server = await aiohttp_server(app)
    return AsyncOpenAI(api_key="sk-test", base_url=str(server.make_url("/v1")), max_retries=0)


async def test_the_official_sdk_reads_the_stream_and_finds_the_same_response_in_it(aiohttp_server: AiohttpServer) -> None:
    client = await answered(told(WHOLE), aiohttp_server)
    kinds: list[str] = []
    text = ""
    async with client, client.responses.stream(model="auto", input="Hi") as stream:
        async for event in stream:
            kinds.append(event.type)
            if event.type == "response.output_text.delta":
                text = event.snapshot
        final = await stream.get_final_response()
    assert text == final.output_text == "I look."
    assert kinds[-1] == "response.completed"
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call", "function_call", "custom_tool_call"]
    assert final.usage is not None
    assert (final.usage.input_tokens, final.usage.input_tokens_details.cached_tokens) == (2000, 1500)
    # What the SDK gathered from the pieces is what the last event says.
    whole = last(told(WHOLE))
    assert [item.to_dict()["id"] for item in final.output] == [item["id"] for item in whole["output"]]


async def test_the_official_sdk_reads_a_whole_answer_and_a_failed_one(aiohttp_server: AiohttpServer) -> None:
    client = await answered(write_body(view(), tuple(WHOLE), "a_1", 0, MAKER, priced), aiohttp_server)
    async with client:
        answer = await client.responses.create(model="auto", input="Hi")
    assert (answer.output_text, answer.status) == ("I look.", "completed")
    failing = await answered(told([TextDelta("I"), Faulted("busy", 503, "server_error")]), aiohttp_server)
    async with failing, failing.responses.stream(model="auto", input="Hi") as stream:
        events = [event async for event in stream]
    assert events[-1].type == "response.failed"
    assert events[-1].response.error is not None
    assert events[-1].response.error.message == "busy"
