"""Between any two of the three formats: what is asked and what is answered means the same on the other side, in stable bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.digest import reply_digest
from stepfare.core.money import Usage
from stepfare.core.prompt import (
    CallPart,
    ImagePart,
    Message,
    OutputForm,
    Part,
    Prompt,
    ResultPart,
    TextPart,
    Thought,
    ThoughtPart,
    ToolOffer,
)
from stepfare.core.request import RequestView, Role, ToolCall
from stepfare.dialects.base import (
    Faulted,
    Finished,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Unreadable,
    UsageReported,
)
from stepfare.dialects.bridge import Translation, body_between, stream_between, with_own_thoughts
from stepfare.dialects.care import Care
from stepfare.dialects.heard import Heard
from stepfare.dialects.table import DIALECTS
from stepfare.dialects.toolnames import flat_name

NAMES = ("anthropic", "openai", "responses")
PAIRS = [(client, provider) for client in NAMES for provider in NAMES if client != provider]
OWN, OTHER = "lab/one", "lab/two"
CARE = Care(OWN, "one", 64_000)
AT_MS = 1_790_000_000_000
PNG = "iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"], "additionalProperties": False}
TOOLS = (
    ToolOffer("read", "Reads a file", SCHEMA),
    ToolOffer("search", "Finds a word", {"type": "object", "properties": {}, "additionalProperties": False}),
)
MESSAGES = {"anthropic": "messages", "openai": "messages", "responses": "input"}
bridged = pytest.mark.parametrize(("client", "provider"), PAIRS, ids=[f"{client}-to-{provider}" for client, provider in PAIRS])

_WORD = re.compile(r"w\d+x")


# What is asked.


@st.composite
def conversations(draw: st.DrawFn) -> tuple[tuple[Message, ...], ...]:
    """A conversation by steps: each ends where an agent would ask for the next answer. Every text holds a word of its own."""
    words = iter(f"w{number}x" for number in range(1_000))

    def text() -> str:
        return draw(st.sampled_from(["", "é ", '"\n', "\\ "])) + next(words)

    def shown() -> list[TextPart | ImagePart | Any]:
        pictures = [ImagePart("image/png", PNG)] if draw(st.integers(0, 3)) == 0 else []
        return [TextPart(text()), *pictures]

    opening = [Message(Role.SYSTEM, tuple(TextPart(text()) for _ in range(draw(st.integers(0, 2)))))]
    steps = [[*(message for message in opening if message.parts), Message(Role.USER, tuple(shown()))]]
    for turn in range(draw(st.integers(0, 4))):
        calls = [
            CallPart(f"call_{turn}_{place}", draw(st.sampled_from(["read", "search"])), json.dumps({"path": f"p{turn}{place}"}))
            for place in range(draw(st.integers(0, 3)))
        ]
        spoken = [TextPart(text())] if draw(st.booleans()) or not calls else []
        results = [Message(Role.TOOL, (ResultPart(call.id, tuple(shown()), draw(st.booleans())),)) for call in calls]
        asked = [Message(Role.USER, tuple(shown()))] if draw(st.booleans()) or not calls else []
        steps.append([Message(Role.ASSISTANT, (*spoken, *calls)), *results, *asked])
    return tuple(tuple(step) for step in steps)


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    choice = draw(st.sampled_from(["", "auto", "none", "required", "tool:read"]))
    return Prompt(
        messages=tuple(message for step in draw(conversations()) for message in step),
        tools=TOOLS,
        tool_choice=choice,
        parallel=draw(st.sampled_from([None, True, False])),
        stream=draw(st.booleans()),
        max_output_tokens=draw(st.integers(16, 60_000)),
        # Who forces a call forbids some models to think.
        effort=draw(st.sampled_from(["", "low", "medium", "high"])) if choice in ("", "auto") else "",
        form=draw(st.sampled_from([None, OutputForm("answer", SCHEMA, True)])),
    )


def asked_in(dialect: str, prompt: Prompt) -> RequestView:
    """A client of that format that asks this."""
    body = DIALECTS[dialect].write_prompt(prompt, replace(CARE, upstream="auto")).body()
    return DIALECTS[dialect].read_request(body, {})


def told_in(dialect: str, view: RequestView, care: Care = CARE) -> RequestView:
    """What a provider of that format is asked in this client's stead."""
    return DIALECTS[dialect].read_request(Translation(view).draft(dialect, care).body(), {})


def read(view: RequestView) -> Prompt:
    return DIALECTS[view.dialect].read_prompt(view)


def words_of(parts: Sequence[Part]) -> list[str]:
    return [word for part in parts if isinstance(part, TextPart) for word in _WORD.findall(part.text)]


def spoken(prompt: Prompt) -> list[tuple[str, str]]:
    """Every word with who said it, in order; those of results stand in `results`."""
    return [(message.role.value, word) for message in prompt.messages if message.role is not Role.TOOL for word in words_of(message.parts)]


def calls_of(prompt: Prompt) -> list[tuple[str, str, object]]:
    parts = [part for message in prompt.messages for part in message.parts]
    return [(part.id, part.name, json.loads(part.arguments)) for part in parts if isinstance(part, CallPart)]


def results_of(prompt: Prompt) -> dict[str, list[str]]:
    parts = [part for message in prompt.messages for part in message.parts]
    return {part.id: words_of(part.parts) for part in parts if isinstance(part, ResultPart)}


def images_of(prompt: Prompt) -> int:
    parts = [part for message in prompt.messages for part in message.parts]
    inner = [one for part in parts for one in (part.parts if isinstance(part, ResultPart) else (part,))]
    return sum(isinstance(part, ImagePart) and (part.media_type, part.data) == ("image/png", PNG) for part in inner)


def meaning(prompt: Prompt) -> dict[str, object]:
    offers = [(tool.name, tool.description, dict(tool.schema)) for tool in prompt.tools]
    form = None if prompt.form is None else prompt.form.schema
    return {
        "spoken": spoken(prompt),
        "calls": calls_of(prompt),
        "results": results_of(prompt),
        "images": images_of(prompt),
        "tools": offers,
        "choice": prompt.tool_choice or "auto",
        "parallel": prompt.parallel is not False or prompt.tool_choice == "none",
        "form": form,
        "effort": prompt.effort,
        "limit": prompt.max_output_tokens,
        "stream": prompt.stream,
        "losses": [loss for loss in prompt.losses if loss.essential],
    }


@bridged
@settings(max_examples=25, deadline=None)
@given(prompt=prompts())
def test_a_request_means_the_same_on_the_other_side(client: str, provider: str, prompt: Prompt) -> None:
    view = asked_in(client, prompt)
    assert meaning(read(view)) == meaning(prompt)
    assert not [loss for loss in Translation(view).losses(provider) if loss.essential]
    told = told_in(provider, view)
    assert told.model == "one"
    assert meaning(read(told)) == meaning(prompt)


@bridged
@settings(max_examples=25, deadline=None)
@given(steps=conversations())
def test_the_bytes_of_a_conversations_beginning_never_change(client: str, provider: str, steps: tuple[tuple[Message, ...], ...]) -> None:
    before: bytes | None = None
    for end in range(1, len(steps) + 1):
        messages = tuple(message for step in steps[:end] for message in step)
        view = asked_in(client, Prompt(messages, TOOLS, max_output_tokens=100))
        draft = Translation(view).draft(provider, CARE)
        now, tools = draft.raw(MESSAGES[provider]), draft.raw("tools")
        assert now is not None
        assert tools is not None
        assert before is None or now.startswith(before)
        before = now[:-1]


# What is answered.

text = st.text(min_size=1, max_size=8)
counts = st.integers(0, 4_000)


@st.composite
def answers(draw: st.DrawFn) -> tuple[StreamEvent, ...]:
    thinking = [ThinkingDelta(draw(text)) for _ in range(draw(st.integers(0, 2)))]
    said = [TextDelta(draw(text)) for _ in range(draw(st.integers(0, 3)))]
    calls: list[StreamEvent] = []
    for index in range(draw(st.integers(0, 3))):
        arguments = json.dumps({"path": draw(text)})
        cut = draw(st.integers(0, len(arguments)))
        pieces = [piece for piece in (arguments[:cut], arguments[cut:]) if piece]
        calls += [ToolCallStarted(index, f"call_{index}", "read"), *(ToolCallDelta(index, piece) for piece in pieces)]
    thought, rest = draw(counts), draw(counts)
    cached, written, fresh = draw(counts), draw(counts), draw(st.integers(1, 4_000))
    usage = Usage(cached + written + fresh, cached, written, thought + rest, reasoning_tokens=thought)
    reason = "length" if draw(st.booleans()) else "tool_calls" if calls else "stop"
    return (*thinking, *said, *calls, UsageReported(usage), Finished(reason))


@dataclass(frozen=True)
class Told:
    """What a client has of an answer."""

    text: str
    calls: tuple[ToolCall, ...]
    usage: Usage | None
    finished: str


def told(heard: Heard) -> Told:
    calls = tuple(replace(call, arguments=json.dumps(json.loads(call.arguments))) for call in heard.calls)
    return Told(heard.text, calls, None if heard.usage is None else heard.usage.usage, heard.finished)


def told_by(events: Sequence[StreamEvent]) -> Told:
    heard = Heard()
    heard.hear(events)
    return told(heard)


def client_of(dialect: str, *, stream: bool = True, effort: str = "high") -> RequestView:
    asked = Message(Role.USER, (TextPart("Hi"),))
    return asked_in(dialect, Prompt((asked,), TOOLS, stream=stream, effort=effort, max_output_tokens=32_000))


def no_cost(_reported: UsageReported) -> str | None:
    return None


def streamed(view: RequestView, events: Sequence[StreamEvent]) -> bytes:
    """An answer as a provider of that format would stream it."""
    writer = DIALECTS[view.dialect].writer(view, "up1", AT_MS, "", no_cost)
    return b"".join(writer.write(event) for event in events) + writer.end()


def passed(view: RequestView, provider: str, stream: bytes, size: int) -> bytes:
    """What this client gets of that stream, which comes in pieces of so many bytes."""
    bridge = stream_between(Translation(view), provider, "a1", AT_MS, OWN, no_cost)
    said = b"".join(bridge.feed(stream[at : at + size]) for at in range(0, len(stream), size)) + bridge.finish()
    assert bridge.complete
    return said + bridge.tail


def heard_by(dialect: str, stream: bytes) -> Heard:
    """What a client of that format understands."""
    own = DIALECTS[dialect].stream("auto", True, no_cost)
    own.feed(stream)
    own.finish()
    assert own.complete
    return own.heard


def thinking_in(events: Sequence[StreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, ThinkingDelta))


@bridged
@settings(max_examples=25, deadline=None)
@given(events=answers(), size=st.integers(1, 60))
def test_a_streamed_answer_means_the_same_however_it_is_cut(client: str, provider: str, events: tuple[StreamEvent, ...], size: int) -> None:
    view = client_of(client)
    stream = streamed(told_in(provider, view), events)
    whole = passed(view, provider, stream, len(stream))
    assert passed(view, provider, stream, size) == whole
    assert told(heard_by(client, whole)) == told_by(events)


@bridged
@settings(max_examples=25, deadline=None)
@given(events=answers())
def test_an_answer_in_one_piece_means_the_same(client: str, provider: str, events: tuple[StreamEvent, ...]) -> None:
    view = client_of(client, stream=False)
    body = DIALECTS[provider].write_body(told_in(provider, view), events, "up1", AT_MS, "", no_cost)
    said, heard = body_between(body, Translation(view), provider, "a1", AT_MS, OWN, no_cost)
    assert told(heard) == told_by(events)
    again = DIALECTS[client].events_of(said)
    assert told_by(again) == told_by(events)
    assert thinking_in(again) == thinking_in(events)


@bridged
def test_an_error_in_a_stream_reaches_the_client_as_an_error(client: str, provider: str) -> None:
    view = client_of(client)
    writer = DIALECTS[provider].writer(told_in(provider, view), "up1", AT_MS, "", no_cost)
    bridge = stream_between(Translation(view), provider, "a1", AT_MS, OWN, no_cost)
    said = bridge.feed(writer.write(TextDelta("Hi")) + writer.write(Faulted("too busy", 529, "overloaded_error")))
    assert bridge.heard.fault is not None
    assert not bridge.complete
    own = DIALECTS[client].stream("auto", True, no_cost)
    own.feed(said)
    assert own.heard.fault is not None
    assert own.heard.fault.words == "too busy"
    assert not own.complete


@bridged
def test_a_stream_that_just_stops_is_not_told_as_whole(client: str, provider: str) -> None:
    view = client_of(client)
    writer = DIALECTS[provider].writer(told_in(provider, view), "up1", AT_MS, "", no_cost)
    bridge = stream_between(Translation(view), provider, "a1", AT_MS, OWN, no_cost)
    said = bridge.feed(writer.write(TextDelta("Hi"))) + bridge.finish()
    own = DIALECTS[client].stream("auto", True, no_cost)
    own.feed(said)
    assert not bridge.complete
    assert bridge.tail == b""
    assert not own.complete


@bridged
def test_what_is_no_answer_is_told(client: str, provider: str) -> None:
    view = client_of(client)
    with pytest.raises(Unreadable):
        body_between(b"<html>", Translation(view), provider, "a1", AT_MS, OWN, no_cost)
    with pytest.raises(Unreadable):
        stream_between(Translation(view), provider, "a1", AT_MS, OWN, no_cost).feed(b"data: <html>\n\n")


# What was thought.

SECRET = "gAAAA" + "s3cr3t" * 12
CALL = {"name": "read", "arguments": '{"path":"a"}'}
THINKING = {
    "anthropic": {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "model": "one",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": SECRET},
            {"type": "tool_use", "id": "c1", "name": "read", "input": {"path": "a"}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
    "openai": {
        "model": "one",
        "choices": [
            {
                "message": {
                    "role": "assistant",
                    "content": None,
                    "reasoning": "hm",
                    "reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": SECRET, "index": 0}],
                    "tool_calls": [{"id": "c1", "type": "function", "function": CALL}],
                },
                "finish_reason": "tool_calls",
            }
        ],
    },
    "responses": {
        "id": "r1",
        "object": "response",
        "status": "completed",
        "model": "one",
        "output": [
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": SECRET},
            {"type": "function_call", "id": "fc_1", "call_id": "c1", "status": "completed", **CALL},
        ],
    },
}
"""An answer of each format with a thought and a call."""


@bridged
def test_a_thought_comes_back_to_its_maker_and_to_nobody_else(client: str, provider: str) -> None:
    view = client_of(client, stream=False)
    body = json.dumps(THINKING[provider]).encode()
    said, heard = body_between(body, Translation(view), provider, "a1", AT_MS, OWN, no_cost)
    thoughts = tuple(heard.thoughts)
    assert thoughts
    assert all(SECRET.encode() in thought.raw for thought in thoughts)
    # The client goes on: it brings back what its own format has a place for.
    brought = Heard()
    brought.hear(DIALECTS[client].events_of(said))
    own = [ThoughtPart(thought) for thought in brought.thoughts if client != "openai"]
    call = brought.calls[0]
    messages = (
        *read(view).messages,
        Message(Role.ASSISTANT, (*own, CallPart(call.id, call.name, call.arguments))),
        Message(Role.TOOL, (ResultPart(call.id, (TextPart("w1x"),)),)),
    )
    again = asked_in(client, replace(read(view), messages=messages))

    def kept_for(key: str, place: int) -> tuple[Thought, ...]:
        return thoughts if client == "openai" and (key, place) == (heard.call_ids[0], 0) else ()

    to_own = Translation(again).draft(provider, replace(CARE, kept_for=kept_for)).body()
    assert to_own.count(SECRET.encode()) == 1
    for maker in (OWN, OTHER):
        for dialect in NAMES:
            foreign = (maker, dialect) != (OWN, provider)
            if foreign and dialect != client:
                assert SECRET.encode() not in Translation(again).draft(dialect, Care(maker, "two", 64_000)).body()
    # The provider's own reader knows it again, byte for byte.
    parts = [part for message in read(DIALECTS[provider].read_request(to_own, {})).messages for part in message.parts]
    known = [part.thought for part in parts if isinstance(part, ThoughtPart)]
    assert [(one.digest, json.loads(one.raw)) for one in known] == [(thoughts[-1].digest, json.loads(thoughts[-1].raw))]


def test_thoughts_of_others_are_dropped_and_kept_ones_are_found_by_call_or_text() -> None:
    mine, theirs, kept = (Thought("openai", b'{"reasoning":"x"}', digest) for digest in ("d1", "d2", "d3"))
    anthropic = Thought("anthropic", b"{}", "d1")
    said = TextPart("Done")
    history = tuple(
        Message(Role.ASSISTANT, parts)
        for parts in (
            (ThoughtPart(mine), ThoughtPart(theirs), ThoughtPart(anthropic), said),
            (ThoughtPart(theirs), said),
            (said, CallPart("c1", "read", "{}")),
            (CallPart("c2", "read", "{}"),),
        )
    )
    places = {("c1", 2): (kept, anthropic), (reply_digest("Done"), 1): (kept,), ("c2", 0): (kept,)}
    care = Care(OWN, "one", 1, maker_of=lambda digest: OWN if digest == "d1" else OTHER, kept_for=lambda *key: places.get(key, ()))
    found = with_own_thoughts(Prompt(history), "openai", care).messages
    assert [message.parts for message in found] == [
        (ThoughtPart(mine), said),
        (ThoughtPart(kept), said),
        (ThoughtPart(kept), *history[2].parts),
        history[3].parts,
    ]


# Tools that a format has no words for.


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
@pytest.mark.parametrize("stream", [True, False])
def test_codex_hears_calls_of_its_own_tools_by_their_own_names(provider: str, stream: bool) -> None:
    nested = {"type": "namespace", "name": "agents", "description": "", "tools": [{"type": "function", "name": "spawn", "parameters": {}}]}
    tools = [{"type": "custom", "name": "exec", "description": "Runs"}, nested]
    asked = {"model": "auto", "stream": stream, "input": [{"role": "user", "content": "Hi"}], "tools": tools}
    view = DIALECTS["responses"].read_request(json.dumps(asked).encode(), {})
    spawn = flat_name("spawn", "agents")
    upstream = told_in(provider, view)
    assert {tool.name for tool in read(upstream).tools} == {"exec", spawn}
    events: tuple[StreamEvent, ...] = (
        ToolCallStarted(0, "c0", "exec"),
        ToolCallDelta(0, '{"input": "echo \\"hi\\"\\n'),
        ToolCallDelta(0, '"}'),
        ToolCallStarted(1, "c1", spawn),
        ToolCallDelta(1, '{"task": 1}'),
        UsageReported(Usage(1, output_tokens=1)),
        Finished("tool_calls"),
    )
    if stream:
        said = passed(view, provider, streamed(upstream, events), 7)
        done = [json.loads(line[6:]) for line in said.splitlines() if line.startswith(b"data: ")][-1]["response"]
    else:
        body = DIALECTS[provider].write_body(upstream, events, "up1", AT_MS, "", no_cost)
        done = json.loads(body_between(body, Translation(view), provider, "a1", AT_MS, OWN, no_cost)[0])
    first, second = done["output"]
    assert (first["type"], first["name"], first["input"], first["call_id"]) == ("custom_tool_call", "exec", 'echo "hi"\n', "c0")
    assert (second["type"], second["name"], second["namespace"]) == ("function_call", "spawn", "agents")
    assert json.loads(second["arguments"]) == {"task": 1}
