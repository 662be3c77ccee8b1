"""What is booked of a bridged call is the id that its client was told, and brings back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import pytest

from stepfare.core.request import RequestView, ToolCall
from stepfare.dialects.base import ToolCallDelta, ToolCallStarted, UsageReported
from stepfare.dialects.bridge import Translation, body_between, body_of_stream, stream_between, stream_of_body
from stepfare.dialects.call_ids import SIXTY_FOUR
from stepfare.dialects.heard import Heard
from stepfare.dialects.table import DIALECTS
from stepfare.dialects.told_ids import ToldIds

NAMES = ("openai", "anthropic", "responses")
PAIRS = [(client, provider) for client in NAMES for provider in NAMES if client != provider]
bridged = pytest.mark.parametrize(("client", "provider"), PAIRS, ids=[f"{client}-to-{provider}" for client, provider in PAIRS])
given = pytest.mark.parametrize(
    "ids", [("call_1", "call_2"), ("", ""), ("functions.read:0", "functions.read:1"), ("call_0", "call_0"), ("x" * 80,), ("é",)]
)
AT_MS = 1_795_000_000_000
ARGUMENTS = '{"path":"a.py"}'


def no_cost(_reported: UsageReported) -> str | None:
    return None


def asking(dialect: str) -> RequestView:
    schema = {"type": "object", "properties": {"path": {"type": "string"}}}
    tools: dict[str, object] = {
        "openai": {"type": "function", "function": {"name": "read", "parameters": schema}},
        "anthropic": {"name": "read", "input_schema": schema},
        "responses": {"type": "function", "name": "read", "parameters": schema},
    }
    said = {"input" if dialect == "responses" else "messages": [{"role": "user", "content": "Read it"}]}
    return DIALECTS[dialect].read_request(json.dumps({"model": "auto", "max_tokens": 99, **said, "tools": [tools[dialect]]}).encode(), {})


def frames(dialect: str, ids: Sequence[str]) -> Iterator[Mapping[str, object]]:
    """A streamed answer of such a provider that calls `read` under these ids."""
    for place, call_id in enumerate(ids):
        if dialect == "openai":
            call = {"index": place, "id": call_id, "function": {"name": "read", "arguments": ARGUMENTS}}
            yield {"choices": [{"delta": {"tool_calls": [call]}}]}
        elif dialect == "anthropic":
            block = {"type": "tool_use", "id": call_id, "name": "read", "input": {}}
            yield {"type": "content_block_start", "index": place, "content_block": block}
            yield {"type": "content_block_delta", "index": place, "delta": {"type": "input_json_delta", "partial_json": ARGUMENTS}}
            yield {"type": "content_block_stop", "index": place}
        else:
            item = {"type": "function_call", "call_id": call_id, "name": "read", "arguments": ARGUMENTS}
            yield {"type": "response.output_item.done", "output_index": place, "item": item}
    if dialect == "openai":
        yield {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}
    elif dialect == "anthropic":
        yield {"type": "message_delta", "delta": {"stop_reason": "tool_use"}}
        yield {"type": "message_stop"}
    else:
        yield {"type": "response.completed", "response": {"status": "completed", "output": []}}


def streamed(dialect: str, ids: Sequence[str]) -> bytes:
    return b"".join(b"data: " + json.dumps(frame).encode() + b"\n\n" for frame in frames(dialect, ids))


def whole(dialect: str, ids: Sequence[str]) -> bytes:
    """The same in one piece."""
    if dialect == "openai":
        calls = [{"id": call_id, "function": {"name": "read", "arguments": ARGUMENTS}} for call_id in ids]
        return json.dumps({"choices": [{"message": {"tool_calls": calls}, "finish_reason": "tool_calls"}]}).encode()
    if dialect == "anthropic":
        blocks = [{"type": "tool_use", "id": call_id, "name": "read", "input": {"path": "a.py"}} for call_id in ids]
        return json.dumps({"type": "message", "content": blocks, "stop_reason": "tool_use"}).encode()
    items = [{"type": "function_call", "call_id": call_id, "name": "read", "arguments": ARGUMENTS} for call_id in ids]
    return json.dumps({"object": "response", "status": "completed", "output": items}).encode()


def calls_told(client: str, said: bytes, *, stream: bool) -> tuple[ToolCall, ...]:
    """The calls as a client of that format understands them."""
    if not stream:
        heard = Heard()
        heard.hear(DIALECTS[client].events_of(said))
        return heard.calls
    own = DIALECTS[client].stream("auto", True, no_cost)
    own.feed(said)
    own.finish()
    return own.heard.calls


def checked(client: str, heard: Heard, told: Sequence[ToolCall], ids: Sequence[str]) -> None:
    assert heard.call_ids == tuple(call.id for call in told)
    assert len(set(heard.call_ids)) == len(ids)
    assert all(heard.call_ids)
    assert [(call.name, json.loads(call.arguments)) for call in told] == [("read", {"path": "a.py"})] * len(ids)
    if client == "anthropic":
        assert all(SIXTY_FOUR.pattern.fullmatch(call_id) for call_id in heard.call_ids)
    elif all(ids) and len(set(ids)) == len(ids):
        assert heard.call_ids == tuple(ids)


@bridged
@given
def test_a_call_of_a_stream_is_booked_as_it_was_told(client: str, provider: str, ids: Sequence[str]) -> None:
    bridge = stream_between(Translation(asking(client)), provider, "a_1", AT_MS, "lab/own", no_cost)
    said = bridge.feed(streamed(provider, ids)) + bridge.finish() + bridge.tail
    checked(client, bridge.heard, calls_told(client, said, stream=True), ids)


@bridged
@given
def test_a_call_of_an_answer_in_one_piece_is_booked_as_it_was_told(client: str, provider: str, ids: Sequence[str]) -> None:
    asked = Translation(asking(client))
    said, heard = body_between(whole(provider, ids), asked, provider, "a_1", AT_MS, "lab/own", no_cost)
    checked(client, heard, calls_told(client, said, stream=False), ids)
    said, heard = body_of_stream(streamed(provider, ids), asked, provider, "a_1", AT_MS, "lab/own", no_cost)
    checked(client, heard, calls_told(client, said, stream=False), ids)
    stream = stream_of_body(asked, provider, "a_1", AT_MS, "lab/own", no_cost)
    said = stream.feed(whole(provider, ids)) + stream.finish() + stream.tail
    checked(client, stream.heard, calls_told(client, said, stream=True), ids)


def test_another_answer_has_other_ids_of_ours() -> None:
    start = ToolCallStarted(0, "", "read")
    one, other = (next(iter(ToldIds("openai", answer).events([start]))) for answer in ("a_1", "a_2"))
    assert one != other


def test_an_id_that_comes_late_or_again_is_of_the_same_call() -> None:
    events = [ToolCallStarted(0, "", "read"), ToolCallDelta(0, "{"), ToolCallStarted(0, "x", ""), ToolCallStarted(0, "x", "read")]
    told = [event.id for event in ToldIds("anthropic", "a_1").events(events) if isinstance(event, ToolCallStarted)]
    assert len(set(told)) == 1


def test_another_id_under_the_same_number_is_another_call() -> None:
    events = [ToolCallStarted(0, "x", "read"), ToolCallDelta(0, "{}"), ToolCallStarted(0, "y", "read"), ToolCallDelta(0, "{}")]
    heard = Heard()
    heard.hear(ToldIds("openai", "a_1").events(events))
    assert heard.call_ids == ("x", "y")
