"""Chat completions, the answer half: what is heard, and what of the provider's bytes the client sees."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.money import Usage
from stepfare.core.request import ToolCall
from stepfare.dialects.base import Unreadable, UsageReported
from stepfare.dialects.heard import Heard
from stepfare.dialects.openai_chat_answer import ChatStream, CostText, read_body

USAGE = {"prompt_tokens": 2000, "completion_tokens": 100, "total_tokens": 2100}
DONE = b"data: [DONE]\n\n"


def priced(_: UsageReported) -> str | None:
    return "0.0041"


def unpriced(_: UsageReported) -> str | None:
    return None


def event(data: object) -> bytes:
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode()) + b"\n\n"


def chunk(delta: Mapping[str, object] | None = None, finish: str | None = None, **more: object) -> bytes:
    choices = [{"index": 0, "delta": delta or {}, "finish_reason": finish}] if delta is not None or finish else []
    return event({"id": "c1", "object": "chat.completion.chunk", "model": "served", "choices": choices, **more})


def call(index: int | None, **fields: object) -> dict[str, object]:
    function = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    return {**({} if index is None else {"index": index}), **fields, "function": function}


def played(chunks: Iterable[bytes], *, show_usage: bool = True, cost: CostText = priced) -> tuple[bytes, ChatStream]:
    stream = ChatStream("auto", show_usage=show_usage, cost_text=cost)
    shown = b"".join(stream.feed(piece) for piece in chunks)
    return shown + stream.finish(), stream


def heard(*chunks: bytes) -> Heard:
    return played(chunks)[1].heard


WHOLE = [
    b": PROCESSING\n\n",
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning_content": "Let me think. "}),
    chunk({"content": "Résumé → "}),
    chunk({"content": 'of "model": "x"'}),
    chunk({"tool_calls": [call(0, id="a", type="function", name="read", arguments="")]}),
    chunk({"tool_calls": [call(1, id="b", type="function", name="edit", arguments='{"p')]}),
    chunk({"tool_calls": [call(0, arguments='{"path":'), call(1, arguments='ath":1}')]}),
    chunk({"tool_calls": [call(0, arguments='"a"}')]}),
    chunk({}, "tool_calls"),
    chunk(usage=USAGE),
    DONE,
]


def test_a_stream_is_heard_in_full() -> None:
    _, stream = played(WHOLE)
    found = stream.heard
    assert found.text == 'Résumé → of "model": "x"'
    assert found.calls == (ToolCall("a", "read", '{"path":"a"}'), ToolCall("b", "edit", '{"path":1}'))
    assert found.usage == UsageReported(Usage(2000, output_tokens=100))
    assert (found.finished, found.fault, stream.complete) == ("tool_calls", None, True)
    assert found.output_chars == 14 + len(found.text) + len("read" + "edit" + '{"path":"a"}' + '{"path":1}')


def test_only_model_and_usage_differ_from_the_providers_bytes() -> None:
    shown, stream = played(WHOLE)
    expected = b"".join(WHOLE[:-1]).replace(b'"model": "served"', b'"model": "auto"')
    assert shown == expected.replace(b'"total_tokens": 2100}', b'"total_tokens": 2100,"cost":0.0041}')
    assert stream.tail == DONE


def test_the_end_mark_is_kept_back() -> None:
    shown, stream = played([chunk({"content": "x"}, "stop"), DONE])
    assert b"[DONE]" not in shown
    assert stream.tail == DONE


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@settings(max_examples=40)
@given(cuts=st.lists(st.integers(0, 5000), max_size=12))
def test_the_client_sees_the_same_bytes_however_the_providers_are_cut(line_end: bytes, cuts: list[int]) -> None:
    stream = b"".join(WHOLE).replace(b"\n", line_end)
    marks = [0, *sorted(cut % len(stream) for cut in cuts), len(stream)]
    cut_up, one = played(stream[start:end] for start, end in pairwise(marks))
    whole, other = played([stream])
    assert cut_up == whole
    assert (one.heard.text, one.heard.calls, one.heard.usage) == (other.heard.text, other.heard.calls, other.heard.usage)
    assert one.tail.strip() == b"data: [DONE]"


@pytest.mark.parametrize(
    "done",
    [b"data: [DONE]\n\n", b"data:[DONE]\n\n", b"data: [DONE] \r\n\r\n", b"data: [DONE]\n", b"data: [DONE]", b"data: [DONE]\r\n", DONE * 2],
)
def test_every_form_of_the_end_mark_ends_in_a_blank_line(done: bytes) -> None:
    shown, stream = played([chunk({"content": "x"}), done])
    assert stream.complete
    assert b"DONE" not in shown
    assert stream.tail.endswith((b"\n\n", b"\r\n\r\n"))


def test_a_last_frame_without_its_blank_line_gets_one() -> None:
    shown, stream = played([chunk({"content": "x"}), chunk({}, "stop").rstrip(b"\n")])
    assert shown.endswith(b"}\n\n")
    assert stream.complete


@pytest.mark.parametrize(
    ("chunks", "complete"),
    [
        ([chunk({"content": "x"})], False),
        ([chunk({"content": "x"}, "stop")], True),
        ([chunk({"content": "x"}), DONE], True),
        ([], False),
        ([b": only comments\n\n"], False),
    ],
)
def test_a_stream_is_complete_when_it_says_so(chunks: list[bytes], complete: bool) -> None:
    assert played(chunks)[1].complete is complete


USAGE_CHUNK = chunk(usage=USAGE)
WITH_CHOICES = chunk({"content": "x"}, usage={**USAGE, "completion_tokens": 1, "total_tokens": 2001})


@pytest.mark.parametrize(
    ("sent", "show_usage", "shown"),
    [
        ([USAGE_CHUNK], True, 1),
        ([USAGE_CHUNK], False, 0),
        ([event({"model": "served", "usage": USAGE})], False, 0),
        ([chunk({"content": "x"}, usage=None)], False, 1),
        # In every chunk, together with content: the content must pass.
        ([WITH_CHOICES, WITH_CHOICES, USAGE_CHUNK], False, 2),
        ([WITH_CHOICES, WITH_CHOICES, USAGE_CHUNK], True, 3),
        ([chunk({"content": "x"}, "stop", usage=USAGE)], False, 1),
    ],
)
def test_usage_is_shown_to_whom_asked_for_it(sent: list[bytes], show_usage: bool, shown: int) -> None:
    seen, _ = played(sent, show_usage=show_usage)
    assert seen.count(b"data: ") == shown


def test_the_last_of_several_reports_counts_and_each_shown_one_has_its_cost() -> None:
    seen, stream = played([WITH_CHOICES, USAGE_CHUNK])
    assert stream.heard.usage == UsageReported(Usage(2000, output_tokens=100))
    assert seen.count(b'"cost":0.0041') == 2


def test_an_unpriced_model_shows_no_cost() -> None:
    assert b"cost" not in played([USAGE_CHUNK], cost=unpriced)[0]


def test_a_cost_of_the_providers_own_is_replaced_by_ours() -> None:
    seen, stream = played([chunk(usage={**USAGE, "cost": 0.95})])
    assert json.loads(seen[6:])["usage"]["cost"] == 0.0041
    assert stream.heard.usage is not None
    assert stream.heard.usage.billed_pusd == 950_000_000_000


def test_groqs_own_place_for_usage_is_read() -> None:
    assert heard(chunk({}, "stop", x_groq={"id": "r", "usage": USAGE})).usage == UsageReported(Usage(2000, output_tokens=100))


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b'{"model":"served","choices":[]}', b'{"model":"auto","choices":[]}'),
        (b'{ "model" :\t"ser\\"ved" , "choices":[]}', b'{ "model" :\t"auto" , "choices":[]}'),
        (b'{"choices":[],"provider":{"model":"inner"},"model":"served"}', b'{"choices":[],"provider":{"model":"inner"},"model":"auto"}'),
        (b'{"provider":{"model":"inner"},"choices":[]}', b'{"provider":{"model":"inner"},"choices":[]}'),
        (b'{"id":"model","model":"served"}', b'{"id":"model","model":"auto"}'),
        (b'{"mod\\u0065l":"served","choices":[]}', b'{"mod\\u0065l":"auto","choices":[]}'),
        (b'{"choices":[]}', b'{"choices":[]}'),
        (b'{"n":1.50,"big":123456789012345678901234567890,"model":"m"}', b'{"n":1.50,"big":123456789012345678901234567890,"model":"auto"}'),
        (b"[1,2]", b"[1,2]"),
        (b'"text"', b'"text"'),
        (b"7", b"7"),
    ],
)
def test_only_the_top_level_model_is_renamed(data: bytes, shown: bytes) -> None:
    assert played([event(data)])[0] == event(shown)


def test_a_chunk_in_several_data_lines_stays_one_event() -> None:
    frame = (
        b'event: x\r\ndata: {"model":"served",\r\ndata:  "choices":[{"delta":{"content":"x"}}],\r\ndata: "usage":'
        + json.dumps(USAGE).encode()
        + b"}\r\n\r\n"
    )
    seen, stream = played([frame])
    assert stream.heard.text == "x"
    first, *lines = seen.removesuffix(b"\n\n").split(b"\n")
    assert first == b"event: x"
    assert all(line.startswith(b"data: ") for line in lines)
    assert json.loads(b"".join(line[6:] for line in lines))["model"] == "auto"


def test_other_lines_of_a_changed_frame_stay() -> None:
    frame = b"id: 7\n" + chunk(usage=USAGE)
    assert played([frame])[0].startswith(b"id: 7\ndata: {")


@pytest.mark.parametrize(
    "frame",
    [b": comment\n\n", b"event: ping\n\n", b"data: \n\n", b"data:\n\n", b"\n\n", b"retry: 3000\n\n"],
)
def test_signs_of_life_pass_and_are_no_content(frame: bytes) -> None:
    seen, stream = played([frame])
    assert seen == frame
    assert not stream.heard.started


@pytest.mark.parametrize("frame", [b"data: not json\n\n", b"data: {\n\n", b"data: NaN\n\n", b"data: " + b"[" * 100_000 + b"\n\n"])
def test_what_is_no_json_is_unreadable(frame: bytes) -> None:
    with pytest.raises(Unreadable, match="an event of the stream is not JSON"):
        played([frame])


def test_half_characters_and_broken_bytes_pass_as_they_are() -> None:
    halves = [event(b'{"model":"served","choices":[{"delta":{"content":"' + half + b'"}}]}') for half in (b"\\ud83d", b"\\ude00", b"\xff")]
    seen, stream = played([*halves, USAGE_CHUNK[:-3] + b',"note":"\xff"}\n\n'])
    assert (seen.count(b'"auto"'), seen.count(b'"served"')) == (4, 0)
    assert seen.count(b"\\ud83d") == 1
    assert stream.heard.text.encode()
    assert stream.heard.usage is not None


@pytest.mark.parametrize(
    ("delta", "text", "chars"),
    [
        ({"content": "x"}, "x", 1),
        ({"content": None, "refusal": "no"}, "no", 2),
        ({"reasoning": "hm"}, "", 2),
        ({"reasoning_content": "hm", "reasoning": "hm"}, "", 2),
        ({"content": None, "reasoning_content": None, "tool_calls": None}, "", 0),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "ab", 2),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, "x", {}]}, "", 2),
        ({"content": [{"type": "thinking", "thinking": "hm"}]}, "", 2),
        (
            {"content": [{"type": "text", "text": 5}, {"type": "text", "text": ""}, {"type": "thinking", "thinking": [5, {"text": 5}]}]},
            "",
            0,
        ),
        ({"content": 7, "tool_calls": "none"}, "", 0),
        ({"tool_calls": [7, {"index": "0"}, {"function": None}]}, "", 0),
    ],
)
def test_content_is_heard_in_every_shape(delta: dict[str, object], text: str, chars: int) -> None:
    found = heard(chunk(delta))
    assert (found.text, found.output_chars) == (text, chars)


A, B = ToolCall("a", "read", "{}"), ToolCall("b", "read", "[]")


@pytest.mark.parametrize(
    ("calls", "found"),
    [
        ([call(0, id="a", name="read", arguments="{}")], [A]),
        ([call(None, id="a", name="read", arguments="{}"), call(None, id="b", name="read", arguments="[]")], [A, B]),
        ([call(0, id="a", name="read", arguments="{}"), call(0, id="b", name="read", arguments="[]")], [A, B]),
        ([call(0, id=None, name="read", arguments=None)], [ToolCall("", "read", "")]),
        ([call(0, id="a", name="read", arguments={"p": 1})], [ToolCall("a", "read", '{"p": 1}')]),
        ([{"index": 0, "id": "a", "custom": {"name": "exec", "input": "ls"}}], [ToolCall("a", "exec", "ls")]),
    ],
)
def test_tool_calls_are_heard_in_every_shape(calls: list[object], found: list[ToolCall]) -> None:
    assert list(heard(chunk({"tool_calls": calls})).calls) == found


@pytest.mark.parametrize(
    ("frame", "words", "status", "code"),
    [
        (event({"error": {"message": "overloaded", "code": 503}}), "overloaded", 503, "503"),
        (event({"error": {"message": "slow down", "type": "rate_limit", "code": "429"}}), "slow down", 429, "429"),
        (event({"error": {"message": "no", "type": "server_error", "code": None}}), "no", 0, "server_error"),
        (event({"error": "broken"}), "broken", 0, ""),
        (event({"error": {}, "object": "error", "message": "old vllm", "code": 400}), "old vllm", 400, "400"),
        (b"event: error\n" + event({"message": "named event", "code": "x"}), "named event", 0, "x"),
        (b"event: error\n" + event({"error": {"message": "inside"}}), "inside", 0, ""),
        (event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}), "Overloaded", 0, "overloaded_error"),
        (
            event(
                {"id": "gen", "error": {"code": 502, "message": "gone"}, "choices": [{"delta": {"content": ""}, "finish_reason": "error"}]}
            ),
            "gone",
            502,
            "502",
        ),
        (event({"choices": [{"delta": {}, "error": {"message": "in the choice", "code": 500}}]}), "in the choice", 500, "500"),
        (chunk({}, "error"), "it ended its answer with an error and gave no reason", 0, ""),
        (event({"error": {"message": "x" * 5000}}), "x" * 300, 0, ""),
        (event({"error": {"code": True}}), "no reason given", 0, "True"),
    ],
)
def test_an_error_inside_a_stream_is_heard(frame: bytes, words: str, status: int, code: str) -> None:
    fault = heard(frame).fault
    assert fault is not None
    assert (fault.words, fault.status, fault.code) == (words, status, code)


@pytest.mark.parametrize("frame", [event({"error": None}), chunk({"content": "x"}, error=None), event({"error": {}}), event({"error": ""})])
def test_an_empty_error_is_none(frame: bytes) -> None:
    assert heard(frame).fault is None


ANSWER = {
    "id": "c1",
    "object": "chat.completion",
    "model": "served",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": USAGE,
    "unheard_of": {"model": "inner", "n": 1.5},
}


def test_a_whole_answer_keeps_every_byte_but_model_and_cost() -> None:
    body = json.dumps(ANSWER, indent=1).encode()
    shown, found = read_body(body, "auto", priced)
    expected = body.replace(b'"served"', b'"auto"').replace(b"2100\n }", b'2100\n ,"cost":0.0041}')
    assert shown == expected
    assert (found.text, found.finished) == ("Hi", "stop")
    assert found.usage == UsageReported(Usage(2000, output_tokens=100))


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"usage": None}, {**ANSWER, "model": "auto", "usage": None}),
        ({"usage": {}}, {**ANSWER, "model": "auto", "usage": {}}),
        ({"choices": []}, {**ANSWER, "model": "auto", "choices": [], "usage": {**USAGE, "cost": 0.0041}}),
    ],
)
def test_a_whole_answer_may_lack_what_it_likes(change: dict[str, object], shown: object) -> None:
    assert json.loads(read_body(json.dumps({**ANSWER, **change}).encode(), "auto", priced)[0]) == shown


def test_tool_calls_of_a_whole_answer_are_heard() -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [call(None, id="a", name="read", arguments="{}"), call(None, id="b")]}
    body = json.dumps({"choices": [{"message": message, "finish_reason": "tool_calls"}]}).encode()
    shown, found = read_body(body, "auto", priced)
    assert shown == body
    assert found.call_ids == ("a", "b")


@pytest.mark.parametrize(
    "body", [b'{"error":{"message":"overloaded","code":503}}', b'{"error":{"message":"overloaded","code":503},"choices":[]}']
)
def test_an_error_in_a_whole_answer_is_heard(body: bytes) -> None:
    fault = read_body(body, "auto", priced)[1].fault
    assert fault is not None
    assert (fault.words, fault.status) == ("overloaded", 503)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"[]",
        b'"choices"',
        b"{}",
        b'{"choices":{}}',
        b'{"choices":[],"x":' + b"9" * 5000 + b"}",
        b'{"choices":[' + b"[" * 100_000,
        b'{"choices":[NaN]}',
        b"data: {}\n\n",
    ],
)
def test_what_is_no_answer_is_unreadable_and_never_the_clients_fault(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_body(body, "auto", priced)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
KEYS = st.sampled_from(["content", "function", "id", "name", "index", "usage"])
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=8)


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(["model", "choices", "usage", "error", "x_groq", "object"]), JSON), JSON, JSON)
def test_no_shape_of_a_chunk_is_a_bug_of_ours(fields: dict[str, object], delta: object, calls: object) -> None:
    frames = [
        event(fields),
        event({"choices": [{"delta": delta}]}),
        event({"choices": [{"delta": {"tool_calls": calls, "content": delta}}]}),
    ]
    seen, _ = played(frames, show_usage=False)
    assert seen.count(b"data: ") <= 3
