"""Chat completions written from events: what a client of chat reads is what was said, in a stream and in one piece."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.money import PUSD_PER_USD, Usage, usd_text
from stepfare.core.prompt import Thought
from stepfare.core.request import RequestView
from stepfare.dialects.base import (
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
from stepfare.dialects.openai_chat import read_request
from stepfare.dialects.openai_chat_answer import ChatListener, ChatStream, events_of
from stepfare.dialects.openai_chat_writer import ChatWriter, write_body
from stepfare.dialects.toolnames import as_arguments, flat_name

AT_MS = 1_790_000_000_123
LONG = "look up everything that is known of this / with spaces and more characters than any format allows in a name"
TOOLS = [
    {"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}},
    {"type": "function", "function": {"name": LONG}},
    {"type": "custom", "custom": {"name": "exec"}},
]

texts = st.text(min_size=1, max_size=12)
counts = st.integers(0, 5_000)


@st.composite
def usages(draw: st.DrawFn) -> UsageReported:
    read, written, fresh = draw(counts), draw(counts), draw(counts)
    thought, said = draw(counts), draw(counts)
    usage = Usage(read + written + fresh, read, written, thought + said, reasoning_tokens=thought)
    return UsageReported(usage, draw(st.integers(0, PUSD_PER_USD)))


@st.composite
def answers(draw: st.DrawFn) -> tuple[StreamEvent, ...]:
    events: list[StreamEvent] = draw(st.lists(st.one_of(texts.map(TextDelta), texts.map(ThinkingDelta)), max_size=6))
    calls = draw(st.integers(0, 3))
    for index in range(calls):
        events.append(ToolCallStarted(index, f"call_{index}", draw(st.sampled_from(["read", "other"]))))
        events += [ToolCallDelta(index, piece) for piece in draw(st.lists(texts, min_size=1, max_size=3))]
    reasons = st.sampled_from(["tool_calls", "length"] if calls else ["stop", "length", "content_filter"])
    return (*events, draw(usages()), Finished(draw(reasons)))


def view(**fields: object) -> RequestView:
    body = {"model": "auto", "stream": True, "stream_options": {"include_usage": True}, "messages": [], "tools": TOOLS, **fields}
    body["messages"] = [{"role": "user", "content": "Hi"}]
    return read_request(json.dumps(body).encode(), {})


def cost_text(reported: UsageReported) -> str | None:
    return None if reported.billed_pusd is None else usd_text(reported.billed_pusd)


def written(events: tuple[StreamEvent, ...], seen: RequestView | None = None) -> bytes:
    writer = ChatWriter(seen or view(), "a1", AT_MS, "lab/there", cost_text)
    return b"".join(writer.write(event) for event in events) + writer.end()


def chunks(stream: bytes) -> list[dict[str, Any]]:
    *frames, last, empty = stream.split(b"\n\n")
    assert (last, empty) == (b"data: [DONE]", b"")
    return [json.loads(frame.removeprefix(b"data: ")) for frame in frames]


def said(events: tuple[StreamEvent, ...]) -> tuple[StreamEvent, ...]:
    """Without what only the listener of the other side concludes, usage at the end where a stream of chat has it."""
    plain = [event for event in events if not isinstance(event, ThoughtMade | UsageReported | Finished)]
    ends = [event for event in events if isinstance(event, Finished)] + [event for event in events if isinstance(event, UsageReported)]
    return (*plain, *ends)


@settings(max_examples=60, deadline=None)
@given(answers())
def test_what_is_written_is_heard_again(events: tuple[StreamEvent, ...]) -> None:
    listener = ChatListener()
    heard = tuple(event for chunk in chunks(written(events)) for event in listener.listen("", chunk))
    assert said(heard) == said(events)


@settings(max_examples=40, deadline=None)
@given(answers(), st.integers(1, 40))
def test_a_client_hears_the_same_however_the_stream_is_cut(events: tuple[StreamEvent, ...], size: int) -> None:
    whole = written(events)
    heard = []
    for step in (size, len(whole)):
        stream = ChatStream("auto", show_usage=True, cost_text=cost_text)
        passed = b"".join(stream.feed(whole[at : at + step]) for at in range(0, len(whole), step)) + stream.finish()
        assert passed + stream.tail == whole
        heard.append((stream.heard.text, stream.heard.calls, stream.heard.usage, stream.heard.finished, stream.heard.thoughts))
    assert heard[0] == heard[1]


@settings(max_examples=60, deadline=None)
@given(answers())
def test_an_answer_in_one_piece_means_the_same(events: tuple[StreamEvent, ...]) -> None:
    body = write_body(view(stream=False), events, "a1", AT_MS, "lab/there", cost_text)
    heard = events_of(body)

    def joined(kind: type[TextDelta] | type[ThinkingDelta], those: tuple[StreamEvent, ...]) -> str:
        return "".join(event.text for event in those if isinstance(event, kind))

    def calls(those: tuple[StreamEvent, ...]) -> list[tuple[str, str, str]]:
        began = [event for event in those if isinstance(event, ToolCallStarted)]
        deltas = [event for event in those if isinstance(event, ToolCallDelta)]
        return [(call.id, call.name, "".join(one.arguments for one in deltas if one.index == call.index)) for call in began]

    for kind in (TextDelta, ThinkingDelta):
        assert joined(kind, heard) == joined(kind, events)
    assert calls(heard) == calls(events)
    for kind in (UsageReported, Finished):
        assert [event for event in heard if isinstance(event, kind)] == [event for event in events if isinstance(event, kind)]


def test_a_stream_begins_with_a_role_and_ends_with_usage_and_the_mark() -> None:
    events = (TextDelta("Hi"), UsageReported(Usage(10, 4, 2, 3, reasoning_tokens=1), 5_000_000_000), Finished("stop"))
    head = {"id": "chatcmpl-a1", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": "auto"}
    assert chunks(written(events)) == [
        {**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]},
        {**head, "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {
            **head,
            "choices": [],
            "usage": {
                "prompt_tokens": 10,
                "completion_tokens": 3,
                "total_tokens": 13,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 1},
                "cost": 0.005,
            },
        },
    ]


def test_usage_is_told_only_where_it_was_asked_for_and_cost_only_where_it_is_known() -> None:
    events = (TextDelta("Hi"), UsageReported(Usage(10)), Finished("stop"))
    assert b"usage" not in written(events, view(stream_options=None))
    assert b"prompt_tokens" in written(events)
    assert b"cost" not in written(events)
    late = (TextDelta("Hi"), Finished("stop"), UsageReported(Usage(10)))
    assert written(late) == written(events)


def test_names_and_free_text_come_back_as_the_client_offered_them() -> None:
    free = as_arguments('say "hi"\n')
    events = (
        ToolCallStarted(0, "c0", flat_name(LONG)),
        ToolCallStarted(1, "", "exec"),
        ToolCallDelta(1, free[:5]),
        ToolCallDelta(0, '{"a":1}'),
        ToolCallDelta(1, free[5:]),
        ToolCallStarted(2, "c2", "exec", custom=True),
        ToolCallDelta(2, "ls"),
        ToolCallStarted(3, "c3", "read"),
        Finished("stop"),
    )
    expected = [
        {"id": "c0", "type": "function", "function": {"name": LONG, "arguments": '{"a":1}'}},
        {"id": "call_a1_1", "type": "custom", "custom": {"name": "exec", "input": 'say "hi"\n'}},
        {"id": "c2", "type": "custom", "custom": {"name": "exec", "input": "ls"}},
        {"id": "c3", "type": "function", "function": {"name": "read", "arguments": "{}"}},
    ]
    whole = json.loads(write_body(view(stream=False), events, "a1", AT_MS, "lab/there", cost_text))
    choice = whole["choices"][0]
    assert (choice["message"]["tool_calls"], choice["message"]["content"], choice["finish_reason"]) == (expected, None, "tool_calls")
    streamed: dict[int, dict[str, Any]] = {}
    for chunk in chunks(written(events)):
        for call in chunk["choices"][0]["delta"].get("tool_calls", ()) if chunk["choices"] else ():
            held = streamed.setdefault(call["index"], call)
            for kind, key in (("function", "arguments"), ("custom", "input")):
                if held is not call and kind in call:
                    held[kind][key] += call[kind][key]
    assert [{key: value for key, value in call.items() if key != "index"} for call in streamed.values()] == expected


def test_a_call_that_is_begun_twice_is_one_and_another_id_is_another() -> None:
    events = (
        ToolCallStarted(0, "c0", "read"),
        ToolCallStarted(0, "c0", "read"),
        ToolCallDelta(0, "{}"),
        ToolCallStarted(0, "c1", "read"),
        ToolCallDelta(0, "[]"),
        Finished("tool_calls"),
    )
    calls = json.loads(write_body(view(), events, "a1", AT_MS, "lab/there", cost_text))["choices"][0]["message"]["tool_calls"]
    assert [(call["id"], call["function"]["arguments"]) for call in calls] == [("c0", "{}"), ("c1", "[]")]


@pytest.mark.parametrize(("reason", "told"), [("end_turn", "stop"), ("refusal", "stop"), ("length", "length"), ("", "stop")])
def test_an_end_is_told_in_the_words_of_chat(reason: str, told: str) -> None:
    assert chunks(written((TextDelta("Hi"), Finished(reason))))[-1]["choices"][0]["finish_reason"] == told


def test_a_thought_that_may_not_be_read_is_told_to_nobody() -> None:
    hidden = ThoughtMade(Thought("anthropic", b'{"type":"redacted_thinking","data":"s3cret"}', "d1"))
    assert written((hidden, TextDelta("Hi"), Finished("stop"))) == written((TextDelta("Hi"), Finished("stop")))


def test_an_error_is_told_as_chat_clients_read_it() -> None:
    stream = ChatStream("auto", show_usage=True, cost_text=cost_text)
    writer = ChatWriter(view(), "a1", AT_MS, "lab/there", cost_text)
    stream.feed(writer.write(TextDelta("Hi")) + writer.write(Faulted("too busy", 529, "overloaded")))
    assert stream.heard.fault == Faulted("too busy", 0, "overloaded")
    assert not stream.complete
    whole = json.loads(write_body(view(), (Faulted("gone", 503),), "a1", AT_MS, "lab/there", cost_text))
    assert whole["error"]["message"] == "gone"
