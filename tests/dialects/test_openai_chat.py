"""Chat completions, the request half: what is read of each client's shape, what goes upstream, and what providers' errors mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stepfare.core.attempt import Failure, Fault
from stepfare.core.model import Capability
from stepfare.core.request import Image, Opaque, RequestView, Role, Text, Tool, ToolCall, ToolResult, Turn
from stepfare.dialects.base import BadRequest
from stepfare.dialects.care import Care
from stepfare.dialects.openai_chat import error_event, read_request, read_turn, request_for, write_error
from stepfare.dialects.provider_errors import read_error

CASES = Path(__file__).resolve().parents[1] / "cases" / "requests"
CAPTURED = sorted(str(path.relative_to(CASES)) for path in CASES.rglob("*.json"))
HELLO = [{"role": "user", "content": "Hello"}]


def view(messages: object = HELLO, **fields: object) -> RequestView:
    return read_request(json.dumps({"model": "auto", "messages": messages, **fields}).encode(), {})


def sent_to(upstream: str, seen: RequestView) -> bytes:
    """For a model that had every thought of the conversation itself."""
    return request_for(seen, Care(f"lab/{upstream}", upstream, 8_000, maker_of=lambda _: f"lab/{upstream}")).body()


def without(body: bytes, *keys: str) -> dict[str, Any]:
    return {key: value for key, value in json.loads(body).items() if key not in keys}


@pytest.mark.parametrize("name", CAPTURED)
def test_a_captured_request_is_read_and_sent_on_unchanged_but_for_model_and_usage(name: str) -> None:
    body = (CASES / name).read_bytes()
    seen = read_request(body, {})
    sent = json.loads(body)
    assert seen.model == sent["model"]
    assert seen.stream is bool(sent.get("stream"))
    assert len(seen.turns) == len(seen.digests) == len(sent["messages"])
    assert [tool.name for tool in seen.tools] == [tool["function"]["name"] for tool in sent.get("tools") or []]
    assert (Capability.TOOLS in seen.needs) is bool(sent.get("tools"))
    for turn, message in zip(seen.turns, sent["messages"], strict=True):
        calls = [block.id for block in turn.blocks if isinstance(block, ToolCall)]
        assert calls == [call["id"] for call in message.get("tool_calls") or []]
        assert "unreadable" not in [block.kind for block in turn.blocks if isinstance(block, Opaque)]
    upstream = sent_to("there/the-model", seen)
    assert without(upstream, "model", "stream_options") == without(body, "model", "stream_options")
    assert json.loads(upstream)["model"] == "there/the-model"
    assert not seen.stream or json.loads(upstream)["stream_options"]["include_usage"] is True


def test_the_captured_requests_are_there() -> None:
    assert len(CAPTURED) > 20


@pytest.mark.parametrize(
    ("message", "turn"),
    [
        ({"role": "user", "content": "Hi"}, Turn(Role.USER, (Text("Hi"),))),
        ({"role": "system", "content": ""}, Turn(Role.SYSTEM, ())),
        ({"role": "developer", "content": "Rules"}, Turn(Role.SYSTEM, (Text("Rules"),))),
        ({"role": "user", "content": None}, Turn(Role.USER, ())),
        ({"role": "user"}, Turn(Role.USER, ())),
        ({"role": "somebody", "content": "Hi"}, Turn(Role.USER, (Text("Hi"),))),
        ({"role": None, "content": 7}, Turn(Role.USER, ())),
        (
            {"role": "user", "content": [{"type": "text", "text": "a"}, "b", {"type": "image_url", "image_url": {}}, {"type": "file"}, 1]},
            Turn(Role.USER, (Text("a"), Text("b"), Image(), Opaque("file"), Opaque("unknown"))),
        ),
        (
            {"role": "user", "content": [{"type": "thinking", "text": "hm"}, {"type": "text", "text": 5}, {"text": "untyped"}]},
            Turn(Role.USER, (Opaque("thinking"), Opaque("text"), Opaque("unknown"))),
        ),
        (
            {
                "role": "assistant",
                "content": None,
                "reasoning_content": "hm",
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "read", "arguments": '{"path":"a"}'}}],
            },
            Turn(Role.ASSISTANT, (ToolCall("c1", "read", '{"path":"a"}'),)),
        ),
        (
            {"role": "assistant", "content": "Look", "tool_calls": [{"id": "c", "custom": {"name": "exec", "input": "ls"}}]},
            Turn(Role.ASSISTANT, (Text("Look"), ToolCall("c", "exec", "ls"))),
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "read", "arguments": {"path": "a"}}}]},
            Turn(Role.ASSISTANT, (ToolCall("c", "read", '{"path": "a"}'),)),
        ),
        # Without an id there is none: a word in its place would make one session of all that lack it.
        (
            {"role": "assistant", "tool_calls": [{"id": None, "function": {"name": None, "arguments": None}}, {}, 7]},
            Turn(Role.ASSISTANT, (ToolCall("", "", ""),) * 3),
        ),
        ({"role": "tool", "tool_call_id": None, "content": "out"}, Turn(Role.TOOL, (ToolResult("", "out"),))),
        ({"role": "tool", "tool_call_id": "c1", "content": "out"}, Turn(Role.TOOL, (ToolResult("c1", "out"),))),
        (
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            Turn(Role.TOOL, (ToolResult("c1", "a\nb"),)),
        ),
        (
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "image_url"}]},
            Turn(Role.TOOL, (ToolResult("c1", ""), Image())),
        ),
        ({"role": "function", "name": "f", "content": "out"}, Turn(Role.TOOL, (ToolResult("", "out"),))),
        ("no message", Turn(Role.USER, (Opaque("unreadable"),))),
        (None, Turn(Role.USER, (Opaque("unreadable"),))),
    ],
)
def test_a_message_is_read_leniently(message: object, turn: Turn) -> None:
    assert read_turn(json.dumps(message).encode()) == turn


@pytest.mark.parametrize(
    "raw",
    [
        b'{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":' + b"[" * 980 + b"]" * 980 + b"}}]}",
        b'{"role":"user","content":' + b"9" * 5000 + b"}",
        b'{"role":"user","content":"\\ud83d"}',
        b'{"role":"user","content":"\xff"}',
        b"{",
        b"[" * 100_000,
    ],
)
def test_no_message_is_an_error(raw: bytes) -> None:
    for block in read_turn(raw).blocks:
        if isinstance(block, Text):
            assert block.text.encode()


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ({}, set()),
        ({"tools": []}, set()),
        ({"tools": None}, set()),
        ({"tools": [{"type": "function", "function": {"name": "read"}}]}, {Capability.TOOLS}),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, {Capability.STRUCTURED}),
        ({"response_format": {"type": "json_object"}}, set()),
        ({"response_format": None}, set()),
        # A tool's parameter of that name is no image.
        (
            {"tools": [{"type": "function", "function": {"name": "fetch", "parameters": {"properties": {"image_url": {}}}}}]},
            {Capability.TOOLS},
        ),
    ],
)
def test_what_a_request_needs_of_a_model(fields: dict[str, object], needs: set[Capability]) -> None:
    assert view(**fields).needs == needs


@pytest.mark.parametrize(
    ("message", "seen"),
    [
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]}, True),
        ({"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {}}]}, True),
        ({"role": "user", "content": 'say "image_url" twice: "image_url"'}, False),
        ({"role": "user", "content": [{"type": "text", "text": '"image_url"'}]}, False),
        ({"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"image_url":1}'}}]}, False),
    ],
)
def test_an_image_calls_for_a_model_that_sees(message: object, seen: bool) -> None:
    assert (Capability.VISION in view([message]).needs) is seen


def test_tools_keep_name_and_parameters_in_every_shape() -> None:
    tools = [
        {"type": "function", "function": {"name": "read", "parameters": {"type": "object", "properties": {"path": {}, "line": {}}}}},
        {"type": "function", "name": "flat", "parameters": {"properties": {"x": {}}}},
        {"type": "custom", "custom": {"name": "exec"}},
        {"type": "function", "function": {"name": None, "parameters": "none"}},
        "odd",
    ]
    assert view(tools=tools).tools == (Tool("read", ("path", "line")), Tool("flat", ("x",)), Tool("exec"), Tool(""), Tool(""))


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({}, None),
        ({"max_tokens": 100}, 100),
        ({"max_completion_tokens": 200, "max_tokens": 100}, 200),
        ({"max_tokens": None}, None),
        ({"max_tokens": 0}, None),
        ({"max_tokens": -5}, None),
        ({"max_tokens": True}, None),
        ({"max_tokens": "100"}, None),
    ],
)
def test_the_output_limit_is_the_clients(fields: dict[str, object], limit: int | None) -> None:
    assert view(**fields).max_output_tokens == limit


@pytest.mark.parametrize(
    ("options", "wanted", "sent"),
    [
        ("", False, {"include_usage": True}),
        ('"stream_options":null', False, {"include_usage": True}),
        ('"stream_options":{}', False, {"include_usage": True}),
        ('"stream_options":{"include_usage":false}', False, {"include_usage": True}),
        ('"stream_options":{"include_usage":null}', False, {"include_usage": True}),
        ('"stream_options":{"include_usage":1}', False, {"include_usage": True}),
        ('"stream_options":false', False, {"include_usage": True}),
        ('"stream_options":[]', False, {"include_usage": True}),
        ('"stream_options":{"include_usage":true}', True, {"include_usage": True}),
        ('"stream_options":{"other":1.50}', False, {"other": 1.5, "include_usage": True}),
        ('"stream_options":{"include_usage":true,"other":1}', True, {"include_usage": True, "other": 1}),
        ('"stream_options":null,"stream_options":{"x":1}', False, {"x": 1, "include_usage": True}),
    ],
)
def test_usage_is_always_asked_for_upstream(options: str, wanted: bool, sent: object) -> None:
    body = f'{{"model":"auto","stream":true,{options + "," if options else ""}"messages":[{{"role":"user","content":"Hi"}}]}}'.encode()
    seen = read_request(body, {})
    assert seen.wants_usage is wanted
    upstream = sent_to("m", seen)
    assert json.loads(upstream)["stream_options"] == sent
    if wanted:
        assert upstream == body.replace(b'"auto"', b'"m"')


def test_a_request_in_one_piece_asks_for_nothing_more() -> None:
    body = b'{"model": "auto", "messages":[{"role":"user","content":"Hi"}]}'
    assert sent_to('a "b"\n', read_request(body, {})) == body.replace(b'"auto"', rb'"a \"b\"\n"')


def test_every_spelling_of_the_model_key_is_replaced() -> None:
    body = rb'{"mod\u0065l":"auto","messages":[{"role":"user","content":"\"model\":\"auto\""}],"model" : "auto"}'
    sent = sent_to("m", read_request(body, {}))
    assert sent == body.replace(rb'l":"auto","mess', rb'l":"m","mess').replace(b' "auto"}', b' "m"}')


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{}", '"model" is missing'),
        (b'{"model":""}', '"model" is missing'),
        (b'{"model":7,"messages":[{}]}', '"model" is missing or not a string'),
        (b'{"model":"auto"}', '"messages" is missing'),
        (b'{"model":"auto","messages":"Hi"}', '"messages" is missing or not a list'),
        (b'{"model":"auto","messages":null}', '"messages" is missing or not a list'),
        (b'{"model":"auto","messages":[]}', '"messages" is empty'),
        (b'{"model":"auto","messages":[ ]}', '"messages" is empty'),
        (b'{"model":"auto","messages":[{}],"stream":"yes"}', '"stream" must be true or false'),
        (b'{"model":"auto","messages":[{}],"tools":{}}', '"tools" must be a list'),
        (b'{"model":"auto","messages":[' + b"[" * 1_000_000, "nested too deeply"),
        (b"not json", "not a JSON object"),
    ],
)
def test_a_request_that_cannot_be_read_is_told_in_words(body: bytes, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        read_request(body, {})


def test_a_half_character_in_one_message_does_not_change_the_digests_of_the_others() -> None:
    before = b'{"model":"auto","messages":[{"role":"user","content":"\xc3\xa9 1"},{"role":"assistant" , "content":"x"}]}'
    after = before[:-2] + b',{"role":"user","content":"\\ud83d"}]}'
    assert read_request(after, {}).digests[:2] == read_request(before, {}).digests


def test_a_retry_has_the_same_body_digest_and_any_change_another() -> None:
    assert view(temperature=0).body_digest == view(temperature=0).body_digest
    assert len({view(temperature=t).body_digest for t in (0, 1, None)}) == 3
    assert view().body_digest != view([*HELLO, *HELLO]).body_digest


def error(status: int, body: object, content_type: str = "application/json") -> Fault:
    return read_error(status, content_type, body if isinstance(body, bytes) else json.dumps(body).encode())


def openai_error(message: str, code: str | None = None, kind: str = "invalid_request_error") -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


OVERFLOWS = [
    openai_error("This model's maximum context length is 128000 tokens.", "context_length_exceeded"),
    openai_error("This model's maximum context length is 65536 tokens. However, you requested 70000 tokens"),  # DeepSeek, vLLM
    openai_error("Please reduce the length of the messages or completion.", "context_length_exceeded"),  # Groq
    openai_error("prompt is too long: 210000 tokens > 200000 maximum"),  # Anthropic's
    openai_error("This model's maximum prompt length is 131072 but the request contains 537812 tokens."),  # xAI
    openai_error("Your request exceeded model token limit: 131072"),  # Moonshot
    openai_error("Prompt exceeds max length", "1261"),  # Z.ai
    {"error": {"code": 400, "message": "the request exceeds the available context size", "type": "exceed_context_size_error"}},  # llama.cpp
    [{"error": {"code": 400, "message": "The input token count (1050000) exceeds the maximum number of tokens allowed (1048576).",
                "status": "INVALID_ARGUMENT"}}],  # Google
    {"error": {"message": "Provider returned error", "code": 400,
               "metadata": {"raw": '{"message":"Input is too long for requested model."}', "provider_name": "X"}}},  # OpenRouter
    {"error": "context the overflows. However, the model is loaded with context length of only 4096"},
]  # fmt: skip


@pytest.mark.parametrize("body", OVERFLOWS)
def test_a_prompt_too_long_is_recognised_in_the_words_of_each_provider(body: object) -> None:
    assert error(400, body).failure is Failure.OVERFLOW


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (400, openai_error("Unsupported parameter: 'temperature'", "unsupported_parameter"), Failure.REFUSED),
        (400, openai_error("string too long. Expected a string with maximum length 64", "string_above_max_length"), Failure.REFUSED),
        (400, openai_error("Incorrect API key provided: xai-***"), Failure.KEY),
        (400, [{"error": {"message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}], Failure.KEY),
        (401, openai_error("Incorrect API key provided: sk-abc***", "invalid_api_key"), Failure.KEY),
        (402, openai_error("Insufficient Balance", "invalid_request_error"), Failure.KEY),
        (402, {"error": {"message": "This request requires more credits, or fewer max_tokens.", "code": 402}}, Failure.KEY),
        (403, openai_error("Project does not have access to model"), Failure.KEY),
        (404, openai_error("The model `x` does not exist", "model_not_found"), Failure.DOWN),
        (408, b"", Failure.DOWN),
        (
            413,
            openai_error("Request too large for model `x`: tokens per minute (TPM): Limit 6000", "rate_limit_exceeded"),
            Failure.OVERFLOW,
        ),
        (413, b"<html>413 Request Entity Too Large</html>", Failure.OVERFLOW),
        (422, {"detail": [{"loc": ["body", "x"], "msg": "field required"}]}, Failure.REFUSED),
        (429, openai_error("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), Failure.KEY),
        (429, openai_error("Rate limit reached", "rate_limit_exceeded", "tokens"), Failure.BUSY),
        (
            429,
            {"error": {"message": "Provider returned error", "code": 429, "metadata": {"raw": "m is rate-limited upstream"}}},
            Failure.BUSY,
        ),
        (498, {"error": {"message": "Flex capacity exceeded"}}, Failure.BUSY),
        (500, openai_error("The server had an error", None, "server_error"), Failure.DOWN),
        (502, b"<html><h1>502 Bad Gateway</h1></html>", Failure.DOWN),
        (503, openai_error("The server is overloaded", None, "service_unavailable"), Failure.BUSY),
        (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, Failure.BUSY),
        (302, b"", Failure.DOWN),
        (200, {"error": {"message": "Internal", "code": 500}}, Failure.DOWN),
        (418, b"", Failure.REFUSED),
    ],
)
def test_a_status_and_its_body_say_what_to_do_next(status: int, body: object, failure: Failure) -> None:
    fault = error(status, body)
    assert (fault.failure, fault.status) == (failure, status)


FAR_IN = {"error": {"message": {"error": {"message": {"error": {"message": "too far in"}}}}}}


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (openai_error("no such thing"), "application/json", "it answered 400: no such thing"),
        ({"error": "model not found"}, "application/json", "it answered 400: model not found"),
        ({"message": "bad"}, "application/json", "it answered 400: bad"),
        ({"detail": "bad"}, "application/json", "it answered 400: bad"),
        ([openai_error("wrapped")], "application/json", "it answered 400: wrapped"),
        (
            {"error": {"message": "Provider returned error", "metadata": {"raw": '{"error":\n "tool names"}'}}},
            "application/json",
            'it answered 400: Provider returned error ({"error": "tool names"})',
        ),
        (b"just\n  words", "text/plain", "it answered 400: just words"),
        (b"<!DOCTYPE html><p>secret page", "application/json", "it answered 400 with application/json"),
        (b"<html>no", "text/html", "it answered 400 with text/html"),
        (b"", "", "it answered 400 with no content type"),
        (b"{}", "application/json", "it answered 400 with application/json"),
        (openai_error("x" * 5000), "application/json", "it answered 400: " + "x" * 300),
        (FAR_IN, "application/json", "it answered 400 with application/json"),
        (b'{"error":' * 100_000, "application/json", "it answered 400: " + ('{"error":' * 40)[:300]),
    ],
)  # fmt: skip
def test_an_error_is_told_in_the_providers_words_and_bounded(body: object, content_type: str, words: str) -> None:
    assert error(400, body, content_type).words == words


def test_only_an_error_in_the_clients_own_format_is_kept_to_be_shown() -> None:
    own = json.dumps(openai_error("no")).encode()
    assert error(400, own).body == own
    for body in (b"<html>no</html>", b"no", b"", b"{}", json.dumps([openai_error("no")]).encode()):
        assert error(400, body).body == b""


def test_an_error_of_ours_is_in_the_clients_own_words() -> None:
    assert json.loads(write_error(402, "the budget", "budget_reached")) == {
        "error": {"message": "the budget", "type": "invalid_request_error", "code": "budget_reached", "param": None}
    }
    event = error_event("gone", "stream_cut")
    assert event.startswith(b"data: {")
    assert event.endswith(b"}\n\n")
    assert json.loads(event[6:])["error"]["type"] == "server_error"
