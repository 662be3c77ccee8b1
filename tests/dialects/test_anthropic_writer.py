"""Anthropic Messages written from stream events: order, names, thoughts, usage; and heard again by its own listener."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.money import Usage
from stepfare.core.prompt import Thought
from stepfare.core.request import RequestView, ToolCall
from stepfare.dialects.anthropic_answer import MessagesStream, events_of
from stepfare.dialects.anthropic_writer import AnthropicWriter, write_body
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
from stepfare.dialects.heard import Heard
from stepfare.dialects.thoughts import sealed, unsealed
from stepfare.dialects.toolnames import flat_name
from tests.dialects.anthropic_cases import HELLO, assistant, text, thinking, user, view

MAKER = "openai/gpt-6.1-sol"
THINKS = view(thinking={"type": "adaptive"})
OMITS = view(thinking={"type": "adaptive", "display": "omitted"})
SILENT = view()
USAGE = UsageReported(Usage(2310, 2000, 300, 90, 200, 40))
THOUGHT = Thought("responses", b'{"type":"reasoning","id":"rs_1","encrypted_content":"x"}', "d", "so")


def frames(events: Iterable[StreamEvent], seen: RequestView = THINKS, *, ends: bool = True) -> list[dict[str, Any]]:
    writer = AnthropicWriter(seen, "a1", 0, MAKER, lambda _: "0.0041")
    said = b"".join(writer.write(event) for event in events) + (writer.end() if ends else b"")
    found: list[dict[str, Any]] = []
    for frame in said.split(b"\n\n")[:-1]:
        name, data = frame.split(b"\n")
        found.append(json.loads(data.removeprefix(b"data: ")))
        assert name.removeprefix(b"event: ").decode() == found[-1]["type"]
    return found


def short(told: Sequence[dict[str, Any]]) -> list[str]:
    """Frames in short: `+0 text`, `0 hello`, `-0`."""
    lines: list[str] = []
    for frame in told:
        match frame["type"]:
            case "content_block_start":
                block = frame["content_block"]
                lines.append(f"+{frame['index']} {block['type']} {block.get('name', '')}".strip())
            case "content_block_delta":
                lines.append(f"{frame['index']} {next(str(value) for key, value in frame['delta'].items() if key != 'type')}")
            case "content_block_stop":
                lines.append(f"-{frame['index']}")
            case kind:
                lines.append(kind)
    return lines


def test_a_whole_answer_is_told_in_order() -> None:
    seal = sealed(THOUGHT, MAKER)
    told = frames(
        [
            UsageReported(Usage(2310, 2000)),
            ThinkingDelta("so "),
            ThinkingDelta("so"),
            ThoughtMade(THOUGHT),
            TextDelta("I "),
            TextDelta("read."),
            ToolCallStarted(0, "call_1", "Read"),
            ToolCallDelta(0, '{"a"'),
            ToolCallDelta(0, ":1}"),
            ToolCallStarted(1, "call_2", "List"),
            ToolCallDelta(1, "{}"),
            USAGE,
            Finished("tool_calls"),
        ]
    )
    assert short(told) == [
        "message_start",
        "+0 thinking",
        "0 so ",
        "0 so",
        f"0 {seal}",
        "-0",
        "+1 text",
        "1 I ",
        "1 read.",
        "-1",
        "+2 tool_use Read",
        '2 {"a"',
        "2 :1}",
        "-2",
        "+3 tool_use List",
        "3 {}",
        "-3",
        "message_delta",
        "message_stop",
    ]
    message = told[0]["message"]
    assert (message["id"], message["model"], message["role"], message["content"]) == ("msg_a1", "auto", "assistant", [])
    assert message["usage"]["input_tokens"] == 310
    assert told[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert told[-2]["usage"] == {
        "input_tokens": 10,
        "cache_creation_input_tokens": 300,
        "cache_read_input_tokens": 2000,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
        "output_tokens": 90,
        "output_tokens_details": {"thinking_tokens": 40},
        "cost": 0.0041,
    }


def test_calls_that_come_side_by_side_are_told_one_after_the_other() -> None:
    told = frames(
        [
            ToolCallStarted(0, "a", "Read"),
            ToolCallStarted(1, "b", "List"),
            ToolCallDelta(1, '{"b":'),
            ToolCallDelta(0, '{"x":{}'),
            TextDelta("aside"),
            ToolCallDelta(1, "2}"),
            ToolCallDelta(0, "}"),
            Finished("tool_calls"),
        ]
    )
    assert short(told)[1:-2] == [
        "+0 tool_use Read",
        '0 {"x":{}',
        "0 }",
        "-0",
        "+1 tool_use List",
        '1 {"b":',
        "1 2}",
        "-1",
        "+2 text",
        "2 aside",
        "-2",
    ]


def test_a_call_is_streamed_as_it_comes() -> None:
    writer = AnthropicWriter(THINKS, "a1", 0, MAKER, lambda _: None)
    writer.write(ToolCallStarted(0, "a", "Read"))
    assert b'"partial_json":"{\\"a\\""' in writer.write(ToolCallDelta(0, '{"a"'))
    assert b"content_block_stop" not in writer.write(ToolCallDelta(0, ":1}"))
    assert b"content_block_stop" in writer.write(ToolCallStarted(1, "b", "List"))


def test_a_call_whose_name_comes_late_waits_for_it_and_repeats_are_one_call() -> None:
    told = frames(
        [
            ToolCallStarted(0, "a", ""),
            ToolCallDelta(0, "{"),
            ToolCallStarted(0, "a", "Read"),
            ToolCallDelta(0, "}"),
            ToolCallStarted(0, "a", "Read"),
            ToolCallStarted(0, "b", "List"),
            ToolCallDelta(0, "{}"),
            Finished("stop"),
        ]
    )
    assert short(told)[1:-2] == ["+0 tool_use Read", "0 {", "0 }", "-0", "+1 tool_use List", "1 {}", "-1"]
    assert told[-2]["delta"]["stop_reason"] == "tool_use"


def test_names_and_ids_are_the_clients() -> None:
    long = "mcp__server__" + "x" * 80
    seen = view(tools=[{"name": long, "input_schema": {}}])
    told = frames(
        [
            ToolCallStarted(0, "functions.x:0", flat_name(long)),
            ToolCallDelta(0, "{}"),
            ToolCallStarted(1, "", "other"),
            ToolCallDelta(1, "{}"),
            ToolCallStarted(2, "same", "f"),
            ToolCallDelta(2, "{}"),
            ToolCallStarted(3, "same", "f"),
            Finished("tool_calls"),
        ],
        seen,
    )
    blocks = [frame["content_block"] for frame in told if frame["type"] == "content_block_start"]
    assert [block["name"] for block in blocks] == [long, "other", "f", "f"]
    ids = [block["id"] for block in blocks]
    assert len(set(ids)) == 4
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", one) for one in ids)
    assert ids[2] == "same"


def test_free_text_of_a_custom_tool_becomes_an_object() -> None:
    told = frames([ToolCallStarted(0, "a", "exec", custom=True), ToolCallDelta(0, "const "), ToolCallDelta(0, "x"), Finished("tool_calls")])
    assert short(told)[1:4] == ["+0 tool_use exec", '0 {"input": "const x"}', "-0"]


def test_thoughts_are_shown_to_clients_that_ask_for_them_only() -> None:
    events = [ThinkingDelta("so"), ThoughtMade(THOUGHT), TextDelta("x"), Finished("stop")]
    seal = sealed(THOUGHT, MAKER)
    assert short(frames(events, SILENT))[1:-2] == ["+0 text", "0 x", "-0"]
    assert short(frames(events, OMITS))[1:-2] == ["+0 thinking", f"0 {seal}", "-0", "+1 text", "1 x", "-1"]
    shows = view([*HELLO, assistant(thinking("s"), text("y")), user(text("on"))])
    assert short(frames(events, shows))[1:-2] == ["+0 thinking", "0 so", f"0 {seal}", "-0", "+1 text", "1 x", "-1"]


def test_a_thought_that_may_not_be_read_is_redacted() -> None:
    told = frames([ThoughtMade(THOUGHT), ThoughtMade(THOUGHT), TextDelta("x"), Finished("stop")])
    assert short(told)[1:-2] == ["+0 redacted_thinking", "-0", "+1 redacted_thinking", "-1", "+2 text", "2 x", "-2"]
    assert unsealed(told[1]["content_block"]["data"]) is not None


def test_a_thought_that_is_signed_behind_the_last_words_does_not_stand_for_them() -> None:
    told = frames([TextDelta("x"), ThoughtMade(THOUGHT), Finished("stop")])
    assert short(told)[1:-2] == ["+0 text", "0 x", "-0"]
    told = frames([TextDelta("x"), ThoughtMade(THOUGHT), ToolCallStarted(0, "a", "f"), ToolCallDelta(0, "{}"), Finished("tool_calls")])
    assert short(told)[1:-2] == ["+0 text", "0 x", "-0", "+1 redacted_thinking", "-1", "+2 tool_use f", "2 {}", "-2"]


@pytest.mark.parametrize(
    ("finished", "reason", "sequence"),
    [
        (Finished("stop"), "end_turn", None),
        (Finished("stop", "END"), "stop_sequence", "END"),
        (Finished("tool_calls"), "end_turn", None),  # Without a call the client would wait for one.
        (Finished("length"), "max_tokens", None),
        (Finished("content_filter"), "refusal", None),
        (Finished("pause_turn"), "pause_turn", None),
        (Finished("eos"), "end_turn", None),
    ],
)
def test_reasons_for_the_end_are_told_in_this_apis_words(finished: Finished, reason: str, sequence: str | None) -> None:
    assert frames([TextDelta("x"), finished])[-2]["delta"] == {"stop_reason": reason, "stop_sequence": sequence}


def test_an_empty_answer_is_an_answer() -> None:
    told = frames([Finished("stop")])
    assert short(told) == ["message_start", "message_delta", "message_stop"]
    assert told[1]["usage"] == {"output_tokens": 0}


def test_an_answer_that_breaks_off_is_given_no_reason_for_its_end() -> None:
    assert short(frames([TextDelta("x")])) == ["message_start", "+0 text", "0 x", "-0", "message_stop"]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Faulted("w", 529, "overloaded_error"), "overloaded_error"),
        (Faulted("w", 429, "rate_limit_exceeded"), "rate_limit_error"),
        (Faulted("w"), "api_error"),
    ],
)
def test_a_fault_is_an_error(fault: Faulted, kind: str) -> None:
    assert frames([TextDelta("x"), fault], ends=False)[-1] == {"type": "error", "error": {"type": kind, "message": "w"}, "request_id": None}
    body = json.loads(write_body(THINKS, (TextDelta("x"), fault), "a1", 0, MAKER, lambda _: None))
    assert (body["type"], body["error"]["message"]) == ("error", "w")


def test_a_whole_answer_is_one_message() -> None:
    events = (ThinkingDelta("so"), ThoughtMade(THOUGHT), TextDelta("I "), TextDelta("read."), ToolCallStarted(0, "a", "Read"))
    ends = (ToolCallDelta(0, '{"a":1}'), ToolCallStarted(1, "b", "List"), Finished("tool_calls"), USAGE)
    body = json.loads(write_body(THINKS, (*events, *ends), "a1", 0, MAKER, lambda _: "0.5"))
    assert body["content"] == [
        {"type": "thinking", "thinking": "so", "signature": sealed(THOUGHT, MAKER)},
        {"type": "text", "text": "I read."},
        {"type": "tool_use", "id": "a", "name": "Read", "input": {"a": 1}},
        {"type": "tool_use", "id": "b", "name": "List", "input": {}},
    ]
    assert (body["id"], body["type"], body["model"], body["stop_reason"], body["stop_sequence"]) == (
        "msg_a1",
        "message",
        "auto",
        "tool_use",
        None,
    )
    assert (body["usage"]["output_tokens"], body["usage"]["cost"]) == (90, 0.5)


# Said and heard again.

TEXTS = st.text(min_size=1, max_size=6)


@st.composite
def answers(draw: st.DrawFn) -> list[StreamEvent]:
    events: list[StreamEvent] = [USAGE] if draw(st.booleans()) else []
    for place in range(draw(st.integers(0, 2))):
        events += [ThinkingDelta(piece) for piece in draw(st.lists(TEXTS, max_size=2))]
        events.append(ThoughtMade(Thought("responses", b'{"n":%d}' % place, str(place))))
    events += [TextDelta(piece) for piece in draw(st.lists(TEXTS, max_size=3))]
    calls = draw(st.integers(0, 3))
    whole = [json.dumps({"a": draw(TEXTS), "b": {}}, ensure_ascii=False) for _ in range(calls)]
    pieces = [[text[start : start + 4] for start in range(0, len(text), 4)] for text in whole]
    waiting = [call for call in range(calls) for _ in pieces[call]]
    order = draw(st.permutations(waiting)) if draw(st.booleans()) else waiting
    begun: set[int] = set()
    for call in order:
        for new in range(call + 1):  # Calls begin in the order of their places.
            if new not in begun:
                begun.add(new)
                events.append(ToolCallStarted(new, f"call_{new}", f"tool_{new}"))
        events.append(ToolCallDelta(call, pieces[call].pop(0)))
    return [*events, USAGE, Finished("tool_calls" if calls else draw(st.sampled_from(["stop", "length", "content_filter"])))]


def meaning(heard: Heard) -> tuple[object, ...]:
    return heard.text, heard.calls, heard.usage and heard.usage.usage, heard.finished, heard.fault


def opened(heard: Heard) -> list[object]:
    """The thoughts in an answer as their maker wrote them."""
    seals = [json.loads(thought.raw) for thought in heard.thoughts]
    found = [unsealed(seal.get("signature") or seal.get("data")) for seal in seals]
    return [(one[0], one[1].dialect, one[1].raw) for one in found if one]


@given(answers(), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_an_answer_that_is_written_is_heard_with_the_same_meaning(events: list[StreamEvent], size: int) -> None:
    first = Heard()
    first.hear(events)
    writer = AnthropicWriter(THINKS, "a1", 0, MAKER, lambda _: None)
    said = b"".join(writer.write(event) for event in events) + writer.end()
    stream = MessagesStream("auto", False, lambda _: None)
    shown = b"".join(stream.feed(said[start : start + size]) for start in range(0, len(said), size)) + stream.finish()
    assert shown + stream.tail == said
    assert meaning(stream.heard) == meaning(first)
    assert opened(stream.heard) == [(MAKER, "responses", thought.raw) for thought in first.thoughts]
    whole = Heard()
    whole.hear(events_of(write_body(THINKS, tuple(events), "a1", 0, MAKER, lambda _: None)))
    calls = tuple(ToolCall(call.id, call.name, json.dumps(json.loads(call.arguments))) for call in whole.calls)
    assert calls == tuple(ToolCall(call.id, call.name, json.dumps(json.loads(call.arguments))) for call in first.calls)
    assert (whole.text, whole.finished, opened(whole)) == (first.text, first.finished, opened(stream.heard))


@given(answers())
@settings(max_examples=60, deadline=None)
def test_one_block_is_open_at_a_time_and_each_is_closed(events: list[StreamEvent]) -> None:
    told = frames(events)
    assert [frame["type"] for frame in (told[0], *told[-2:])] == ["message_start", "message_delta", "message_stop"]
    open_index, next_index = None, 0
    for frame in told[1:-2]:
        match frame["type"]:
            case "content_block_start":
                assert (open_index, frame["index"]) == (None, next_index)
                open_index = frame["index"]
            case "content_block_delta":
                assert frame["index"] == open_index
            case "content_block_stop":
                assert frame["index"] == open_index
                open_index, next_index = None, next_index + 1
            case kind:
                pytest.fail(kind)
    assert open_index is None
