"""Responses, the answer half: what is heard, and what of the provider's bytes the client sees."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.money import Usage
from stepfare.core.request import ToolCall
from stepfare.dialects.base import (
    Faulted,
    Finished,
    Searched,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ThoughtMade,
    ToolCallDelta,
    ToolCallStarted,
    Unreadable,
    UsageReported,
)
from stepfare.dialects.heard import Heard
from stepfare.dialects.responses_answer import ResponsesListener, ResponsesStream, events_of, read_body
from stepfare.dialects.thoughts import digest_of

USAGE = {
    "input_tokens": 2000,
    "input_tokens_details": {"cached_tokens": 1500, "cache_write_tokens": 200},
    "output_tokens": 100,
    "output_tokens_details": {"reasoning_tokens": 40},
    "total_tokens": 2100,
}
COUNTED = UsageReported(Usage(2000, 1500, 200, 100, reasoning_tokens=40))
DONE = b"data: [DONE]\n\n"


def priced(_: UsageReported) -> str | None:
    return "0.0041"


def event(kind: str, named: bool = True, **fields: object) -> bytes:
    data = json.dumps({"type": f"response.{kind}", "sequence_number": 7, **fields}, ensure_ascii=False).encode()
    return (b"event: response." + kind.encode() + b"\n" if named else b"") + b"data: " + data + b"\n\n"


def response(status: str = "in_progress", **fields: object) -> dict[str, object]:
    return {"id": "resp_1", "object": "response", "model": "served-2026", "status": status, "output": [], "usage": None, **fields}


REASONING = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "Let me think."}, {"type": "summary_text", "text": "Done."}],
    "encrypted_content": "gAAAAAé",
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Résumé → x"}],
}
READ = {"id": "fc_1", "type": "function_call", "call_id": "a", "name": "read", "arguments": '{"path":"a"}', "status": "completed"}
EXEC = {"id": "ctc_1", "type": "custom_tool_call", "call_id": "b", "name": "exec", "namespace": "functions", "input": "ls"}
OUTPUT = [REASONING, MESSAGE, READ, EXEC]


def begun(item: Mapping[str, object], **empty: object) -> dict[str, object]:
    return {**item, **empty}


WHOLE = [
    event("created", response=response(tools=[{"type": "function", "name": "model", "parameters": {"model": "served-2026"}}])),
    event("in_progress", response=response()),
    b": keep-alive\n\n",
    event("output_item.added", output_index=0, item=begun(REASONING, summary=[])),
    event("reasoning_summary_part.added", output_index=0, item_id="rs_1", summary_index=0, part={"type": "summary_text", "text": ""}),
    event("reasoning_summary_text.delta", output_index=0, item_id="rs_1", summary_index=0, delta="Let me "),
    event("reasoning_summary_text.delta", output_index=0, item_id="rs_1", summary_index=0, delta="think."),
    event("reasoning_summary_text.done", output_index=0, item_id="rs_1", summary_index=0, text="Let me think."),
    event("reasoning_summary_text.delta", output_index=0, item_id="rs_1", summary_index=1, delta="Done."),
    event("output_item.done", output_index=0, item=REASONING),
    event("output_item.added", output_index=1, item=begun(MESSAGE, content=[])),
    event("content_part.added", output_index=1, item_id="msg_1", content_index=0, part={"type": "output_text", "text": ""}),
    event("output_text.delta", output_index=1, item_id="msg_1", content_index=0, delta="Résumé → "),
    event("output_text.delta", output_index=1, item_id="msg_1", content_index=0, delta="x"),
    event("output_text.done", output_index=1, item_id="msg_1", content_index=0, text="Résumé → x"),
    event("content_part.done", output_index=1, item_id="msg_1", content_index=0, part=MESSAGE["content"]),
    event("output_item.done", output_index=1, item=MESSAGE),
    event("output_item.added", output_index=2, item=begun(READ, arguments="")),
    event("function_call_arguments.delta", output_index=2, item_id="fc_1", delta='{"path":'),
    event("output_item.added", output_index=3, item=begun(EXEC, input="")),
    event("function_call_arguments.delta", output_index=2, item_id="fc_1", delta='"a"}'),
    event("function_call_arguments.done", output_index=2, item_id="fc_1", arguments='{"path":"a"}'),
    event("output_item.done", output_index=2, item=READ),
    event("custom_tool_call_input.done", output_index=3, item_id="ctc_1", input="ls"),
    event("output_item.done", output_index=3, item=EXEC),
    event("completed", response=response("completed", output=OUTPUT, usage=USAGE)),
]
RAW = json.dumps(REASONING, ensure_ascii=False, separators=(",", ":")).encode()


def played(chunks: Iterable[bytes]) -> tuple[bytes, ResponsesStream]:
    stream = ResponsesStream("auto", cost_text=priced)
    shown = b"".join(stream.feed(piece) for piece in chunks)
    return shown + stream.finish(), stream


def listened(*frames: bytes) -> list[StreamEvent]:
    listener = ResponsesListener()
    found: list[StreamEvent] = []
    for frame in frames:
        lines = frame.decode().split("\n")
        data = next((line[6:] for line in lines if line.startswith("data: ")), "")
        name = next((line[7:] for line in lines if line.startswith("event: ")), "")
        if data and data != "[DONE]":
            found += listener.listen(name, json.loads(data))
    return found


def heard(*frames: bytes) -> Heard:
    found = Heard()
    found.hear(listened(*frames))
    return found


def facts(found: Heard) -> tuple[object, ...]:
    return found.text, found.calls, found.usage, found.finished, found.fault, found.thoughts, found.output_chars


def test_a_stream_is_heard_in_full() -> None:
    _, stream = played(WHOLE)
    found = stream.heard
    assert found.text == "Résumé → x"
    assert found.calls == (ToolCall("a", "read", '{"path":"a"}'), ToolCall("b", "exec", "ls"))
    assert found.usage == COUNTED
    assert (found.finished, found.fault, stream.complete) == ("tool_calls", None, True)
    (thought,) = found.thoughts
    assert (thought.dialect, thought.raw, thought.digest) == ("responses", RAW, digest_of("gAAAAAé"))
    assert thought.text == "Let me think.\n\nDone."


def test_the_events_of_a_stream_come_once_and_in_order() -> None:
    events = listened(*WHOLE)
    assert "".join(one.text for one in events if isinstance(one, ThinkingDelta)) == "Let me think.\n\nDone."
    assert len([one for one in events if isinstance(one, ThoughtMade)]) == 1
    assert [one.text for one in events if isinstance(one, TextDelta)] == ["Résumé → ", "x"]
    calls = [one for one in events if isinstance(one, ToolCallStarted)]
    assert calls == [ToolCallStarted(0, "a", "read"), ToolCallStarted(1, "b", "exec", "functions", custom=True)]
    assert events[-2:] == [COUNTED, Finished("tool_calls")]


def test_only_model_and_usage_differ_from_the_providers_bytes() -> None:
    shown, stream = played(WHOLE)
    expected = b"".join(WHOLE).replace(b'"object": "response", "model": "served-2026"', b'"object": "response", "model": "auto"')
    assert shown + stream.tail == expected.replace(b'"total_tokens": 2100}', b'"total_tokens": 2100,"cost":0.0041}')
    assert stream.tail.startswith(b"event: response.completed\n")


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 9000), max_size=12))
def test_the_client_sees_the_same_bytes_however_the_providers_are_cut(line_end: bytes, cuts: list[int]) -> None:
    stream = b"".join(WHOLE).replace(b"\n", line_end)
    marks = [0, *sorted(cut % len(stream) for cut in cuts), len(stream)]
    cut_up, one = played(stream[start:end] for start, end in pairwise(marks))
    whole, other = played([stream])
    assert (cut_up, one.tail) == (whole, other.tail)
    assert facts(one.heard) == facts(other.heard)
    assert one.heard.finished == "tool_calls"


def test_events_need_no_name_beside_their_type() -> None:
    named, nameless = (
        played(WHOLE)[1],
        played(b"\n".join(frame.split(b"\n")[1:]) if frame.startswith(b"event") else frame for frame in WHOLE)[1],
    )
    assert facts(named.heard) == facts(nameless.heard)
    assert nameless.complete


@pytest.mark.parametrize("more", [[DONE], [b"data:[DONE]"], [event("odd")], [DONE, DONE]])
def test_what_follows_the_end_is_not_shown(more: list[bytes]) -> None:
    shown, stream = played([*WHOLE, *more])
    assert (shown, stream.tail, stream.complete) == (played(WHOLE)[0], played(WHOLE)[1].tail, True)


def test_a_stream_that_just_stops_was_cut() -> None:
    assert not played(WHOLE[:-1])[1].complete
    assert not played([*WHOLE[:-1], DONE])[1].complete


def test_an_end_without_its_blank_line_is_an_end() -> None:
    _, stream = played([*WHOLE[:-1], WHOLE[-1].rstrip(b"\n")])
    assert stream.complete
    assert stream.tail.endswith(b"}\n\n")


ONLY_ENDS = [event("output_item.done", output_index=place, item=item) for place, item in enumerate(OUTPUT)]
ALL_AT_ZERO = [
    frame
    for item, empty in zip(OUTPUT, [{"summary": []}, {"content": []}, {"arguments": ""}, {"input": ""}], strict=True)
    for frame in (event("output_item.added", output_index=0, item={**item, **empty}), event("output_item.done", output_index=0, item=item))
]


@pytest.mark.parametrize("frames", [[], ONLY_ENDS, ALL_AT_ZERO, WHOLE[:-1]])
def test_what_comes_only_whole_is_taken_whole_and_nothing_is_heard_twice(frames: list[bytes]) -> None:
    found = heard(*frames, WHOLE[-1])
    assert found.calls == (ToolCall("a", "read", '{"path":"a"}'), ToolCall("b", "exec", "ls"))
    assert (found.finished, found.usage) == ("tool_calls", COUNTED)
    assert found.text == "Résumé → x"
    assert [thought.raw for thought in found.thoughts] == [RAW]


def test_a_call_that_only_the_last_event_tells_is_heard_beside_a_text_that_streamed() -> None:
    found = heard(*WHOLE[10:17], WHOLE[-1])
    assert (found.text, [call.id for call in found.calls]) == ("Résumé → x", ["a", "b"])


def test_reasoning_in_full_is_heard_where_there_is_no_summary_of_it() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm, so."}]}
    frames = [
        event("reasoning_text.delta", output_index=0, content_index=0, delta="Hm, "),
        event("reasoning_text.delta", output_index=0, content_index=0, delta="so."),
        event("output_item.done", output_index=0, item=item),
    ]
    *pieces, made = listened(*frames)
    assert pieces == [ThinkingDelta("Hm, "), ThinkingDelta("so.")]
    assert isinstance(made, ThoughtMade)
    assert (made.thought.text, made.thought.digest) == ("Hm, so.", digest_of("rs_1"))
    both = [event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="In short."), *frames]
    assert [one for one in listened(*both) if isinstance(one, ThinkingDelta)] == [ThinkingDelta("In short.")]


def test_a_refusal_is_what_was_said() -> None:
    assert listened(event("refusal.delta", output_index=0, content_index=0, delta="No.")) == [TextDelta("No.")]


def test_calls_that_the_client_runs_are_calls_and_those_of_the_provider_are_none() -> None:
    shell = {"type": "local_shell_call", "id": "lsh_1", "call_id": "c", "action": {"type": "exec", "command": ["ls"]}}
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
    frames = [event("output_item.done", output_index=0, item=search), event("output_item.done", output_index=1, item=shell)]
    assert listened(*frames) == [
        Searched(1),
        ToolCallStarted(0, "c", "local_shell"),
        ToolCallDelta(0, '{"type": "exec", "command": ["ls"]}'),
    ]


def test_searches_are_counted_while_they_are_under_way_and_no_more_once_they_opened_a_page() -> None:
    def search(index: int, *, action: str = "", status: str = "completed") -> bytes:
        item = {"type": "web_search_call", "id": f"ws_{index}", "status": status, "action": {"type": action}}
        return event("output_item.done" if action else "output_item.added", output_index=index, item=item)

    frames = [
        search(0),
        search(1),
        search(0, action="search"),
        search(1, action="open_page"),
        search(2),
        search(2, action="search", status="failed"),
    ]
    assert [one.searches for one in listened(*frames) if isinstance(one, Searched)] == [1, 2, 2, 1, 2, 1]


@pytest.mark.parametrize(
    ("kind", "details", "output", "reason"),
    [
        ("completed", None, [MESSAGE], "stop"),
        ("completed", None, [], "stop"),
        ("completed", None, [MESSAGE, READ], "tool_calls"),
        ("incomplete", {"reason": "max_output_tokens"}, [MESSAGE], "length"),
        ("incomplete", {"reason": "max_output_tokens"}, [READ], "length"),
        ("incomplete", {"reason": "content_filter"}, [], "content_filter"),
        ("incomplete", {"reason": "steered"}, [], "steered"),
        ("incomplete", None, [], "length"),
    ],
)
def test_why_an_answer_ended(kind: str, details: object, output: list[object], reason: str) -> None:
    answer = response(kind, output=output, incomplete_details=details)
    assert heard(event(kind, response=answer)).finished == reason
    assert played([event(kind, response=answer)])[1].complete
    assert events_of(json.dumps(answer).encode())[-1] == Finished(reason)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        ({"code": "rate_limit_exceeded", "message": "slow"}, Faulted("slow", 429, "rate_limit_exceeded")),
        ({"code": "server_error", "message": "oops"}, Faulted("oops", 500, "server_error")),
        ({"code": "server_is_overloaded", "message": "busy"}, Faulted("busy", 503, "server_is_overloaded")),
        ({"code": "context_length_exceeded", "message": "long"}, Faulted("long", 400, "context_length_exceeded")),
        ({"code": "529", "message": "busy"}, Faulted("busy", 529, "529")),
        ({"code": None, "message": None}, Faulted("no reason given")),
        ({}, Faulted("the answer was failed")),
        ("gone", Faulted("gone")),
    ],
)
def test_an_answer_that_failed_is_a_fault_with_its_status(error: object, fault: Faulted) -> None:
    failed = event("failed", response=response("failed", error=error))
    shown, stream = played([*WHOLE[:4], failed])
    assert stream.heard.fault == fault
    assert not stream.complete
    assert b'"model": "auto", "status": "failed"' in shown
    assert read_body(json.dumps(response("failed", error=error)).encode(), "auto", priced)[1].fault == fault


@pytest.mark.parametrize(
    "frame",
    [
        b'event: error\ndata: {"type":"error","code":"rate_limit_exceeded","message":"slow","param":null,"sequence_number":3}\n\n',
        b'data: {"type":"error","error":{"type":"rate_limit_exceeded","message":"slow"}}\n\n',
        b'event: error\ndata: {"message":"slow","code":"rate_limit_exceeded"}\n\n',
        b'data: {"error":{"code":"rate_limit_exceeded","message":"slow"}}\n\n',
    ],
)
def test_an_error_event_is_a_fault_and_passes_as_it_is(frame: bytes) -> None:
    shown, stream = played([frame])
    assert shown == frame
    assert stream.heard.fault == Faulted("slow", 429, "rate_limit_exceeded")


@pytest.mark.parametrize(
    ("usage", "reported"),
    [
        (USAGE, COUNTED),
        ({**USAGE, "cost": 0.0123}, UsageReported(COUNTED.usage, 12_300_000_000)),
        ({"input_tokens": 10, "output_tokens": 2}, UsageReported(Usage(10, output_tokens=2))),
        ({"input_tokens": 10, "input_tokens_details": {"cached_tokens": 90}}, UsageReported(Usage(10, 10))),
        ({"input_tokens": 10, "input_tokens_details": {"cache_creation_tokens": 4}}, UsageReported(Usage(10, 0, 4))),
        (
            {"output_tokens": 10, "output_tokens_details": {"reasoning_tokens": 90}},
            UsageReported(Usage(0, output_tokens=10, reasoning_tokens=10)),
        ),
        ({"input_tokens": -1, "output_tokens": 1e300}, UsageReported(Usage(0))),
        ({}, None),
        ("odd", None),
    ],
)
def test_usage_is_inclusive_and_what_cannot_be_is_held_to_what_can(usage: object, reported: UsageReported | None) -> None:
    assert heard(event("completed", response=response("completed", usage=usage))).usage == reported


def test_a_whole_answer_is_heard_and_passes_under_the_clients_name() -> None:
    body = json.dumps(response("completed", output=OUTPUT, usage=USAGE, x=1.50), ensure_ascii=False).encode()
    shown, found = read_body(body, "auto", priced)
    assert shown == body.replace(b'"served-2026"', b'"auto"').replace(b": 2100}", b': 2100,"cost":0.0041}')
    assert facts(found) == facts(played(WHOLE)[1].heard)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"output":{}}', b'{"output":[NaN]}', b'{"output":[' + b"[" * 100_000, b"data: {}\n\n"]
)
def test_what_is_no_answer_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_body(body, "auto", priced)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
KEYS = st.sampled_from(["content", "summary", "arguments", "call_id", "id", "name", "type", "usage", "output", "text", "status", "error"])
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=8)
KINDS = st.sampled_from(
    [
        "created",
        "output_item.added",
        "output_item.done",
        "output_text.delta",
        "reasoning_text.done",
        "failed",
        "completed",
        "incomplete",
        "odd",
    ]
)
TYPES = st.sampled_from(["message", "reasoning", "function_call", "custom_tool_call", "web_search_call"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(KINDS, TYPES, JSON, JSON, JSON), max_size=5))
def test_no_shape_of_an_event_is_a_bug_of_ours(odd: list[tuple[str, str, object, object, object]]) -> None:
    frames = [
        event(kind, output_index=a, item={"type": sort, "content": b, "summary": c, "arguments": a, "id": b}, delta=b, response=c, text=a)
        for kind, sort, a, b, c in odd
    ]
    whole = [event(kind, response={"output": b, "usage": c, "status": a, "error": c, "model": "x"}) for kind, _, a, b, c in odd]
    shown, stream = played(frames + whole)
    assert (shown + stream.tail).count(b"event: ") <= len(frames + whole)
