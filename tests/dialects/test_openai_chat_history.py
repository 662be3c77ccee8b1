"""Whose thoughts a chat model is sent: its own byte for byte, nobody else's, and those again that its client dropped."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.digest import reply_digest
from stepfare.core.prompt import Thought
from stepfare.core.request import RequestView
from stepfare.dialects.care import Care
from stepfare.dialects.heard import Heard
from stepfare.dialects.openai_chat import read_request, request_for
from stepfare.dialects.openai_chat_answer import ChatListener, ChatStream, events_of, read_body
from stepfare.dialects.openai_chat_history import answers_in
from stepfare.dialects.openai_chat_thoughts import KEPT_CHARS_MAX, thought_of
from stepfare.dialects.thoughts import digest_of

OWN, OTHER = "lab/one", "lab/two"
GOOGLE = {"google": {"thought_signature": "Sig=="}}
DETAILS = [
    {"type": "reasoning.text", "text": "hm", "signature": "s1", "index": 0},
    {"type": "reasoning.encrypted", "data": "e1", "index": 1},
]


def call(call_id: str, **fields: object) -> dict[str, object]:
    return {"id": call_id, "type": "function", "function": {"name": "read", "arguments": "{}"}, **fields}


def view(*messages: object, separators: tuple[str, str] = (",", ":")) -> RequestView:
    return read_request(json.dumps({"model": "auto", "messages": messages}, separators=separators).encode(), {})


def care(*own: str, kept: dict[str, tuple[Thought, ...]] | None = None, places: dict[str, int] | None = None, model: str = OWN) -> Care:
    """`kept` by key, found at any place but where `places` names another one."""
    makers = dict.fromkeys(own, OWN)

    def kept_for(key: str, place: int) -> tuple[Thought, ...]:
        return (kept or {}).get(key, ()) if (places or {}).get(key, place) == place else ()

    return Care(model, "up", 1000, maker_of=lambda digest: makers.get(digest, OTHER), kept_for=kept_for)


def sent(seen: RequestView, to: Care) -> list[dict[str, Any]]:
    return json.loads(request_for(seen, to).body())["messages"]


HI = {"role": "user", "content": "Hi"}
HOLDERS: dict[str, tuple[dict[str, object], str]] = {
    "a text": ({"reasoning_content": "hm"}, "hm"),
    "a text under another name": ({"reasoning": " hm\n"}, "hm"),
    "both": ({"reasoning": "hm", "reasoning_content": "hm"}, "hm"),
    "details": ({"reasoning": "hm", "reasoning_details": DETAILS}, "s1"),
    "an encrypted item": ({"reasoning_details": DETAILS[1:]}, "e1"),
    "details without a signature": ({"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]}, "hm"),
    "a signed message": ({"extra_content": GOOGLE}, "Sig=="),
    "a signed call": ({"tool_calls": [call("c1", extra_content=GOOGLE), call("c2")]}, "Sig=="),
}


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_thought_goes_to_its_maker_alone(holder: str, separators: tuple[str, str]) -> None:
    fields, secret = HOLDERS[holder]
    plain = {"role": "assistant", "content": "Look", "tool_calls": [call("c1"), call("c2")]}
    seen = view(HI, plain | fields, HI, plain, separators=separators)
    thought = thought_of(plain | fields)
    assert thought is not None
    assert thought.digest == digest_of(secret)
    own = request_for(seen, care(thought.digest)).body()
    assert own == seen.raw.replace(b'"auto"', b'"up"')
    foreign = request_for(seen, care())
    expected = json.dumps([HI, plain, HI, plain], separators=separators).encode()
    assert foreign.raw("messages") == expected


def test_what_is_no_thought_stays() -> None:
    odd = {"role": "assistant", "content": "x", "extra_content": {"google": {"thought": True}}, "metadata": {"reasoning": "why"}}
    quoting = {"role": "user", "content": 'it sent "reasoning_content"', "reasoning_content": "the client's own"}
    seen = view(odd, quoting, {"role": "tool", "tool_call_id": "c", "content": "x", "reasoning": "y"}, 7, None)
    assert request_for(seen, care()).body() == seen.raw.replace(b'"auto"', b'"up"')


@pytest.mark.parametrize(
    "empty", [{"reasoning_content": ""}, {"reasoning_content": None}, {"reasoning_details": []}, {"reasoning": {"a": 1}}]
)
def test_a_field_without_a_thought_is_taken_out_too(empty: dict[str, object]) -> None:
    answer = {"role": "assistant", "content": "x"}
    assert sent(view(HI, answer | empty), care("any")) == [HI, answer]


def test_what_the_client_dropped_is_put_back_for_its_maker() -> None:
    texts = Thought("openai", b'{"reasoning_content":"h\\u00e4"}', "d1")
    signed = Thought("openai", b'{"tool_calls":[{"index":1,"id":"c2","extra_content":{"google":{"thought_signature":"S"}}}]}', "d2")
    other = Thought("anthropic", b'{"type":"thinking"}', "d3")
    calls = {"role": "assistant", "content": None, "tool_calls": [call("c1"), call("c2")]}
    said = {"role": "assistant", "content": [{"type": "text", "text": "Done. "}]}
    seen = view(HI, calls, {"role": "tool", "tool_call_id": "c1", "content": "c1"}, said)
    kept = {"c1": (texts, other, signed), reply_digest("Done."): (texts,)}
    body = request_for(seen, care(kept=kept)).body()
    assert b'"reasoning_content":"h\\u00e4"' in body
    messages = json.loads(body)["messages"]
    extra = {"google": {"thought_signature": "S"}}
    assert messages[1] == calls | {"reasoning_content": "hä", "tool_calls": [call("c1"), call("c2", extra_content=extra)]}
    assert messages[3] == said | {"reasoning_content": "hä"}
    assert [messages[0], messages[2]] == [HI, {"role": "tool", "tool_call_id": "c1", "content": "c1"}]


def test_a_thought_is_found_where_it_was_had_only() -> None:
    answer = {"role": "assistant", "content": None, "tool_calls": [call("c1")]}
    silent = {"role": "assistant", "content": ""}
    kept, at = {"c1": (Thought("openai", b'{"reasoning":"hm"}', "d1"),)}, {"c1": 1}
    to = care(kept=kept, places=at)
    assert sent(view(HI, {"role": "assistant", "content": "x"}, silent, answer), to)[3] == answer | {"reasoning": "hm"}
    assert sent(view(HI, silent, answer), to)[2] == answer
    assert answers_in(view(HI, {"role": "assistant", "content": "x"}, silent, answer)) == 2


def test_another_models_thought_makes_room_for_the_kept_one_and_an_own_one_stays() -> None:
    answer = {"role": "assistant", "content": "x", "reasoning_content": "theirs", "tool_calls": [call("c1")]}
    kept = {"c1": (Thought("openai", b'{"reasoning":"mine"}', "d1"),)}
    without = {key: value for key, value in answer.items() if key != "reasoning_content"}
    assert sent(view(answer), care(kept=kept)) == [without | {"reasoning": "mine"}]
    assert sent(view(answer), care(digest_of("theirs"), kept=kept)) == [answer]


def heard_of(*deltas: dict[str, object]) -> Heard:
    heard, listener = Heard(), ChatListener()
    for delta in deltas:
        reason = delta.pop("finish_reason", None)
        heard.hear(listener.listen("", {"choices": [{"delta": delta, "finish_reason": reason}]}))
    return heard


STREAMS: dict[str, tuple[list[dict[str, object]], dict[str, object]]] = {
    "a text, then a call": (
        [{"reasoning_content": "h"}, {"reasoning_content": "m"}, {"tool_calls": [{"index": 0, **call("c1")}]}],
        {"reasoning_content": "hm"},
    ),
    "thinking goes on after the call": (
        [{"reasoning_content": "h"}, {"tool_calls": [{"index": 0, **call("c1")}]}, {"reasoning_content": "m"}],
        {"reasoning_content": "hm"},
    ),
    "details in pieces": (
        [
            {"reasoning": "h", "reasoning_details": [{"type": "reasoning.text", "text": "h", "index": 0, "signature": None}]},
            {"reasoning": "m", "reasoning_details": [{"type": "reasoning.text", "text": "m", "index": 0}]},
            {"reasoning_details": [{"type": "reasoning.text", "signature": "s1", "index": 0}]},
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": "e1", "index": 0}]},
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": "e2", "index": 0}]},
            {"tool_calls": [{"index": 0, **call("c1")}]},
        ],
        {
            "reasoning": "hm",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "hm", "index": 0, "signature": "s1"},
                {"type": "reasoning.encrypted", "data": "e1", "index": 0},
                {"type": "reasoning.encrypted", "data": "e2", "index": 0},
            ],
        },
    ),
    "signed calls that all have the index 0": (
        [
            {"tool_calls": [{"index": 0, **call("c1"), "extra_content": GOOGLE}]},
            {"tool_calls": [{"index": 0, **call("c2")}]},
        ],
        {"tool_calls": [call("c1", extra_content=GOOGLE), call("c2")]},
    ),
    "a signed text": ([{"content": "x", "extra_content": GOOGLE}], {"extra_content": GOOGLE}),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("echoes", [True, False])
def test_what_was_heard_is_recognised_in_the_next_request_or_put_back(name: str, echoes: bool) -> None:
    deltas, fields = STREAMS[name]
    heard = heard_of(*(dict(delta) for delta in deltas), {"finish_reason": "stop"})
    plain = {"role": "assistant", "content": "x", "tool_calls": [call("c1"), call("c2")]}
    if name == "a signed text":
        plain.pop("tool_calls")
    brought = plain | fields if echoes else plain
    key = heard.call_ids[0] if heard.call_ids else heard.reply_digest
    to = care(*(thought.digest for thought in heard.thoughts), kept={key: tuple(heard.thoughts)})
    assert sent(view(HI, brought), to) == [HI, plain | fields]
    assert sent(view(HI, brought), care(model="lab/three")) == [HI, plain]


def test_a_whole_answer_makes_the_same_thought_as_its_stream() -> None:
    deltas, fields = STREAMS["details in pieces"]
    streamed = heard_of(*(dict(delta) for delta in deltas), {"finish_reason": "tool_calls"})
    message = {"role": "assistant", "content": None, **fields, "tool_calls": [call("c1")]}
    body = json.dumps({"model": "up", "choices": [{"message": message, "finish_reason": "tool_calls"}]}).encode()
    whole = Heard()
    whole.hear(events_of(body))
    assert whole.thoughts[-1].digest == streamed.thoughts[-1].digest
    assert json.loads(whole.thoughts[-1].raw) == json.loads(streamed.thoughts[-1].raw) == fields


def test_a_thought_is_complete_before_what_follows_it() -> None:
    listener = ChatListener()
    deltas = [{"reasoning_content": "hm"}, {"content": "x"}, {"content": "y"}, {"tool_calls": [{"index": 0, **call("c1")}]}]
    events = [event for delta in deltas for event in listener.listen("", {"choices": [{"delta": delta}]})]
    assert [type(event).__name__ for event in events[:5]] == ["ThinkingDelta", "ThoughtMade", "TextDelta", "TextDelta", "ToolCallStarted"]
    end = list(listener.listen("", {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}))
    assert [type(event).__name__ for event in end] == ["Finished"]


def test_a_thought_beyond_the_bound_is_shown_and_not_kept() -> None:
    piece = "x" * (KEPT_CHARS_MAX // 4)
    deltas: list[dict[str, object]] = [{"reasoning_content": piece} for _ in range(5)]
    heard = heard_of(*deltas, {"finish_reason": "stop"})
    assert (heard.thoughts, heard.output_chars) == ([], 5 * len(piece))


def chunk(delta: str) -> bytes:
    return b'data: {"id":"1",  "model":"up","choices":[{"index":0,"delta":' + delta.encode() + b',"finish_reason":null}]}\n\n'


@pytest.mark.parametrize(
    ("delta", "seen"),
    [
        ('{"reasoning": "h\\u00e4" }', '{"reasoning": "h\\u00e4" ,"reasoning_content":"h\\u00e4"}'),
        ('{"content":"","reasoning":"a","reasoning_content":null}', '{"content":"","reasoning":"a","reasoning_content":"a"}'),
        ('{"reasoning":"a","reasoning_content":"b"}', None),
        ('{"reasoning":null}', None),
        ('{"reasoning":""}', None),
        ('{"content":"say \\"reasoning\\""}', None),
        ('{"content":"x","nested":{"reasoning":"a"}}', None),
    ],
)
def test_clients_see_reasoning_under_the_name_that_they_read(delta: str, seen: str | None) -> None:
    stream = ChatStream("auto", show_usage=True, cost_text=lambda _: None)
    assert stream.feed(chunk(delta)) == chunk(seen or delta).replace(b'"up"', b'"auto"')
    body = chunk(delta).removeprefix(b"data: ").strip().replace(b'"delta"', b'"message"')
    whole = chunk(seen or delta).removeprefix(b"data: ").strip().replace(b'"delta"', b'"message"').replace(b'"up"', b'"auto"')
    assert read_body(body, "auto", lambda _: None)[0] == whole


MESSAGES = st.sampled_from(
    [
        HI,
        {"role": "assistant", "content": "x", "reasoning_content": "mine"},
        {"role": "assistant", "content": "x", "reasoning_content": "theirs"},
        {"role": "assistant", "content": None, "tool_calls": [call("c1")]},
        {"role": "assistant", "content": None, "tool_calls": [call("c2", extra_content=GOOGLE)], "reasoning": "theirs"},
        {"role": "tool", "tool_call_id": "c1", "content": '"reasoning_content"'},
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(MESSAGES, min_size=1, max_size=8), st.integers(1, 8))
def test_the_bytes_of_a_beginning_never_change(messages: list[object], count: int) -> None:
    to = care(digest_of("mine"), kept={"c1": (Thought("openai", b'{"reasoning":"kept"}', "d1"),)})
    before, after = (request_for(view(*those), to).raw("messages") for those in (messages[:count], messages))
    assert before is not None
    assert after is not None
    assert after.startswith(before[:-1])
