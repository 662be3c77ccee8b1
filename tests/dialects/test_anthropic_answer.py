"""Anthropic Messages, the answer half: what is heard, and what of the provider's bytes the client sees."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.money import Usage
from stepfare.core.prompt import Thought
from stepfare.core.request import ToolCall
from stepfare.dialects.anthropic_answer import MessagesListener, MessagesStream, events_of, read_body
from stepfare.dialects.anthropic_usage import messages_usage, said
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
    Unreadable,
    UsageReported,
)
from stepfare.dialects.heard import Heard
from stepfare.dialects.thoughts import digest_of

USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 2000,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
    "output_tokens": 1,
    "service_tier": "standard",
}
COUNTED = Usage(2310, 2000, 300, 90, 200)


def priced(_: UsageReported) -> str | None:
    return "0.0041"


def unpriced(_: UsageReported) -> str | None:
    return None


def event(kind: str, *, name: bool = True, **fields: object) -> bytes:
    data = json.dumps({"type": kind, **fields}, ensure_ascii=False, separators=(",", ":")).encode()
    return (b"event: " + kind.encode() + b"\n" if name else b"") + b"data: " + data + b"\n\n"


def start(usage: object = USAGE, **more: object) -> bytes:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "served", "content": [], "usage": usage, **more}
    return event("message_start", message=message)


def block(index: int, content: Mapping[str, object], *deltas: Mapping[str, object]) -> bytes:
    return b"".join(
        (
            event("content_block_start", index=index, content_block=content),
            *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
            event("content_block_stop", index=index),
        )
    )


def thinking(*texts: str, signature: str = "sig") -> tuple[Mapping[str, object], ...]:
    deltas = ({"type": "thinking_delta", "thinking": text} for text in texts)
    return ({"type": "thinking", "thinking": "", "signature": ""}, *deltas, {"type": "signature_delta", "signature": signature})


def spoken(*texts: str) -> tuple[Mapping[str, object], ...]:
    return ({"type": "text", "text": ""}, *({"type": "text_delta", "text": text} for text in texts))


def used(call: str, name: str, *pieces: str) -> tuple[Mapping[str, object], ...]:
    deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
    return ({"type": "tool_use", "id": call, "name": name, "input": {}}, *deltas)


def ended(reason: str | None = "end_turn", usage: object = None, **more: object) -> bytes:
    delta = {"stop_reason": reason, "stop_sequence": None, **more}
    return event("message_delta", delta=delta, usage=usage or {"output_tokens": 90})


STOP = event("message_stop")
PING = event("ping")
WHOLE = [
    start(),
    PING,
    block(0, *thinking("Let me ", "think → ", signature="c2ln")),
    block(1, {"type": "redacted_thinking", "data": "hidden"}),
    block(2, *spoken("Résumé ", 'of "model": "x"')),
    block(3, *used("toolu_a", "Read", "", '{"path":', '"a"}')),
    block(4, *used("toolu_b", "List")),
    ended("tool_use"),
    STOP,
]
BLOCK = b'{"type":"thinking","thinking":"Let me think \xe2\x86\x92 ","signature":"c2ln"}'
HIDDEN = b'{"type":"redacted_thinking","data":"hidden"}'


def played(chunks: Iterable[bytes], cost: CostText = priced) -> tuple[bytes, MessagesStream]:
    stream = MessagesStream("auto", False, cost)
    shown = b"".join(stream.feed(piece) for piece in chunks)
    return shown + stream.finish(), stream


def heard(*chunks: bytes) -> Heard:
    return played(chunks)[1].heard


def events(*chunks: bytes) -> list[StreamEvent]:
    """What the listener says of these frames."""
    listener = MessagesListener()
    found: list[StreamEvent] = []
    for frame in b"".join(chunks).split(b"\n\n")[:-1]:
        head, _, data = frame.rpartition(b"data: ")
        found += listener.listen(head.removeprefix(b"event: ").strip().decode(), json.loads(data))
    return found


def test_a_stream_is_heard_in_full() -> None:
    assert events(*WHOLE) == [
        UsageReported(Usage(2310, 2000, 300, 1, 200)),
        ThinkingDelta("Let me "),
        ThinkingDelta("think → "),
        ThoughtMade(Thought("anthropic", BLOCK, digest_of("c2ln"), "Let me think → ")),
        ThoughtMade(Thought("anthropic", HIDDEN, digest_of("hidden"))),
        TextDelta("Résumé "),
        TextDelta('of "model": "x"'),
        ToolCallStarted(0, "toolu_a", "Read"),
        ToolCallDelta(0, '{"path":'),
        ToolCallDelta(0, '"a"}'),
        ToolCallStarted(1, "toolu_b", "List"),
        ToolCallDelta(1, "{}"),
        UsageReported(COUNTED),
        Finished("tool_calls"),
    ]
    _, stream = played(WHOLE)
    assert stream.heard.calls == (ToolCall("toolu_a", "Read", '{"path":"a"}'), ToolCall("toolu_b", "List", "{}"))
    assert (stream.heard.finished, stream.heard.fault, stream.complete, stream.tail) == ("tool_calls", None, True, STOP)


def test_the_client_sees_the_name_that_it_asked_for_and_the_cost_and_no_other_change() -> None:
    shown, _ = played(WHOLE)
    expected = b"".join(WHOLE[:-1]).replace(b'"model":"served"', b'"model":"auto"')
    assert shown == expected.replace(b'"usage":{"output_tokens":90}', b'"usage":{"output_tokens":90,"cost":0.0041}')
    assert played(WHOLE, unpriced)[0] == expected


@given(st.lists(st.integers(0, len(b"".join(WHOLE))), max_size=12), st.sampled_from([b"\n", b"\r\n", b"\r"]))
@settings(max_examples=60, deadline=None)
def test_a_stream_reads_the_same_however_it_is_cut(cuts: list[int], line_end: bytes) -> None:
    body = b"".join(WHOLE).replace(b"\n", line_end)
    places = sorted({0, len(body), *(min(cut, len(body)) for cut in cuts)})
    shown, stream = played(body[first:last] for first, last in pairwise(places))
    whole, once = played([body])
    assert (shown + stream.tail, stream.heard.calls, stream.heard.thoughts) == (whole + once.tail, once.heard.calls, once.heard.thoughts)
    assert stream.heard.usage == UsageReported(COUNTED)


def test_a_stream_without_names_of_events_is_understood() -> None:
    bare = re.sub(rb"event: \w+\n", b"", b"".join(WHOLE))
    _, stream = played([bare])
    assert stream.heard == played(WHOLE)[1].heard
    assert stream.tail == b'data: {"type":"message_stop"}\n\n'


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause_turn"),
        ("something_new", "something_new"),
    ],
)
def test_reasons_for_the_end_are_told_in_the_words_of_all(reason: str, told: str) -> None:
    assert events(start(), ended(reason))[-1] == Finished(told)


def test_the_stop_sequence_is_kept() -> None:
    assert events(ended("stop_sequence", stop_sequence="END"))[-1] == Finished("stop", "END")


def test_an_end_without_a_reason_is_an_end_and_a_stream_that_stops_was_cut() -> None:
    assert events(start(), block(0, *spoken("x")), STOP)[-1] == Finished("stop")
    assert events(start(), block(0, *used("t", "Read")), STOP)[-1] == Finished("tool_calls")
    assert events(*WHOLE)[-1] == Finished("tool_calls")
    assert not played([start(), block(0, *spoken("x"))])[1].complete


def test_signs_of_life_are_no_content() -> None:
    assert not heard(start(), PING, b": comment\n\n").started
    assert heard(start(), PING, block(0, *spoken("x"))).started


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, Faulted("Overloaded", 529, "overloaded_error")),
        ({"type": "error", "error": {"type": "rate_limit_error", "message": "Slow"}}, Faulted("Slow", 429, "rate_limit_error")),
        ({"type": "error", "error": {"type": "api_error", "message": "Oops"}}, Faulted("Oops", 500, "api_error")),
        ({"error": {"code": 503, "message": "No room"}}, Faulted("No room", 503, "503")),
        ({"type": "error", "error": "plain"}, Faulted("plain")),
        ({"type": "error", "error": {}}, Faulted("no reason given", 0, "error")),
    ],
)
def test_an_error_inside_a_stream_is_heard(data: object, fault: Faulted) -> None:
    found = heard(start(), b"event: error\ndata: " + json.dumps(data).encode() + b"\n\n")
    assert found.fault == fault


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"input_tokens": 5, "output_tokens": 2}, Usage(5, output_tokens=2)),
        ({"input_tokens": 5, "cache_read_input_tokens": None, "cache_creation": None, "output_tokens": 2}, Usage(5, output_tokens=2)),
        ({"cache_read_input_tokens": 7}, Usage(7, 7)),
        ({"input_tokens": 1, "cache_creation": {"ephemeral_1h_input_tokens": 4}, "output_tokens": 0}, Usage(5, 0, 4, 0, 4)),
        ({"input_tokens": 1, "cache_creation_input_tokens": 2, "cache_creation": {"ephemeral_1h_input_tokens": 9}}, Usage(3, 0, 2, 0, 2)),
        (
            {"input_tokens": 1, "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}},
            Usage(1, output_tokens=9, reasoning_tokens=4),
        ),
        (
            {"input_tokens": 1, "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 40}},
            Usage(1, output_tokens=9, reasoning_tokens=9),
        ),
        (
            {
                "input_tokens": 1,
                "output_tokens": 9,
                "iterations": [{"type": "compaction", "input_tokens": 50, "output_tokens": 5}, {"type": "message", "input_tokens": 1}],
            },
            Usage(51, output_tokens=14),
        ),
        ({"prompt_tokens": 8, "completion_tokens": 3}, Usage(8, output_tokens=3)),
        ({"input_tokens": "5", "output_tokens": 2}, Usage(5, output_tokens=2)),
        ({"input_tokens": "five", "output_tokens": 2}, Usage(0, output_tokens=2)),
        ({"input_tokens": -5, "output_tokens": 2}, Usage(0, output_tokens=2)),
        ({"input_tokens": 10**30, "output_tokens": 2}, Usage(0, output_tokens=2)),
    ],
)
def test_usage_is_counted_inclusively(told: dict[str, object], usage: Usage) -> None:
    assert messages_usage(told) == UsageReported(usage)


@pytest.mark.parametrize("told", [{}, {"input_tokens": 0, "output_tokens": 0}, {"service_tier": "standard"}, {"input_tokens": True}])
def test_an_answer_that_counts_nothing_reports_no_usage(told: dict[str, object]) -> None:
    assert messages_usage(told) is None


def test_what_a_gateway_billed_is_read() -> None:
    report = messages_usage({"input_tokens": 5, "output_tokens": 2, "cost": 0.0042})
    assert report == UsageReported(Usage(5, output_tokens=2), 4_200_000_000)


@given(st.lists(st.integers(0, 10**6), min_size=6, max_size=6))
@settings(max_examples=40, deadline=None)
def test_usage_said_in_this_apis_counting_is_read_again(counts: list[int]) -> None:
    fresh, read, short, long, output, thought = counts
    usage = Usage(fresh + read + short + long, read, short + long, output + thought, long, thought)
    told = json.loads(json.dumps(said(usage, None)))
    assert messages_usage(told) == (UsageReported(usage) if sum(counts) else None)
    assert told["input_tokens"] == fresh


def test_a_later_report_of_usage_keeps_what_it_does_not_repeat() -> None:
    found = heard(start(), ended(usage={"input_tokens": 12, "cache_read_input_tokens": None, "output_tokens": 7}))
    assert found.usage == UsageReported(Usage(2312, 2000, 300, 7, 200))


def test_a_call_that_tells_its_arguments_at_once_is_heard() -> None:
    found = heard(block(0, {"type": "tool_use", "id": "t", "name": "Read", "input": {"path": "a"}}))
    assert found.calls == (ToolCall("t", "Read", '{"path":"a"}'),)


def test_what_the_provider_calls_itself_is_no_call_of_the_client() -> None:
    server = {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {}}
    found = heard(
        start(),
        block(0, server, {"type": "input_json_delta", "partial_json": '{"query":"x"}'}),
        block(1, {"type": "web_search_tool_result", "tool_use_id": "srv", "content": []}),
        block(2, *used("t", "Read", '{"a":1}')),
        ended("tool_use"),
        STOP,
    )
    assert found.calls == (ToolCall("t", "Read", '{"a":1}'),)


def test_thoughts_that_are_not_shown_are_kept() -> None:
    found = events(start(), block(0, *thinking(signature="only")))
    raw = b'{"type":"thinking","thinking":"","signature":"only"}'
    assert found[1:] == [ThoughtMade(Thought("anthropic", raw, digest_of("only")))]


def test_a_thought_without_a_signature_is_known_by_its_text() -> None:
    found = events(block(0, {"type": "thinking", "thinking": "So"}, {"type": "thinking_delta", "thinking": " be it"}))
    assert isinstance(found[-1], ThoughtMade)
    assert (found[-1].thought.text, found[-1].thought.digest) == ("So be it", digest_of("So be it"))


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"type": "content_block_delta"},
        {"type": "content_block_delta", "index": [], "delta": {"type": "text_delta", "text": 7}},
        {"type": "content_block_delta", "index": 9, "delta": {"type": "input_json_delta", "partial_json": "x"}},
        {"type": "content_block_start", "index": None, "content_block": 3},
        {"type": "content_block_stop", "index": "0"},
        {"type": "message_start", "message": []},
        {"type": "message_delta", "delta": None, "usage": 3},
        {"type": ["x"]},
    ],
)
def test_events_that_say_nothing_are_let_pass(data: object) -> None:
    frame = b"data: " + json.dumps(data).encode() + b"\n\n"
    shown, stream = played([frame])
    assert shown == frame
    assert stream.heard == Heard()


def test_an_event_that_is_no_json_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        played([b"event: content_block_delta\ndata: {oops\n\n"])


MESSAGE = {
    "model": "served",
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "content": [
        {"type": "thinking", "thinking": "Let me think → ", "signature": "c2ln"},
        {"type": "text", "text": "Done."},
        {"type": "tool_use", "id": "toolu_a", "name": "Read", "input": {"path": "a"}},
        {"type": "server_tool_use", "id": "x", "name": "web_search", "input": {}},
        {"type": "tool_use", "id": "toolu_b", "name": "List", "input": {}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {**USAGE, "output_tokens": 90},
}


def test_a_whole_answer_is_heard_and_changed_in_name_and_cost_only() -> None:
    body = json.dumps(MESSAGE, ensure_ascii=False, separators=(",", ":")).encode()
    shown, found = read_body(body, "auto", priced)
    assert shown == body.replace(b'"served"', b'"auto"').replace(b'"standard"}', b'"standard","cost":0.0041}')
    assert found.calls == (ToolCall("toolu_a", "Read", '{"path":"a"}'), ToolCall("toolu_b", "List", "{}"))
    assert (found.text, found.finished, found.usage) == ("Done.", "tool_calls", UsageReported(COUNTED))
    assert found.thoughts == [Thought("anthropic", BLOCK, digest_of("c2ln"), "Let me think → ")]


def test_a_whole_answer_that_is_an_error_is_one() -> None:
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    assert read_body(body, "auto", priced)[0] == body
    assert events_of(body) == (Faulted("Overloaded", 529, "overloaded_error"),)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"content":"x"}', b'{"choices":[]}', b"<html>", b'{"content":[{]}'])
def test_an_answer_that_is_no_message_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_body(body, "auto", priced)


@pytest.mark.parametrize("content", [[], [7], [{}], [{"type": "tool_use", "input": 3}], [{"type": "text"}]])
def test_odd_content_is_read(content: object) -> None:
    assert events_of(json.dumps({"content": content}).encode())[-1].__class__ is Finished
