"""Anthropic Messages, the request half: what is read of each client's shape, what goes upstream, and errors in its own words."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.attempt import Failure
from stepfare.core.model import Capability
from stepfare.core.prompt import Thought
from stepfare.core.request import Image, Opaque, RequestView, Role, Text, Tool, ToolCall, ToolResult, Turn
from stepfare.dialects.anthropic_messages import error_event, read_request, read_turn, request_for, write_error
from stepfare.dialects.anthropic_thoughts import calls_unthought
from stepfare.dialects.base import BadRequest
from stepfare.dialects.care import Care
from stepfare.dialects.provider_errors import read_error
from stepfare.dialects.thoughts import digest_of, sealed
from tests.dialects.anthropic_cases import CAPTURED, HELLO, assistant, called, captured, dumped, gave, text, thinking, user, view

MODEL = "anthropic/claude-opus-5-5"
MARK = {"type": "ephemeral"}


def care(maker_of: Callable[[str], str] = lambda _: MODEL, *, foreign: bool = False) -> Care:
    return Care(MODEL, "claude-opus-5-5", 128_000, maker_of, foreign=foreign)


def sent(seen: RequestView, how: Care) -> bytes:
    return request_for(seen, how).body()


@pytest.mark.parametrize("name", CAPTURED)
def test_a_captured_request_is_read_whole_and_its_own_model_gets_its_bytes(name: str) -> None:
    body = captured(name)
    seen = read_request(body, {})
    asked = json.loads(body)
    beside = 1 if asked.get("system") else 0
    assert (seen.dialect, seen.model, seen.stream) == ("anthropic", asked["model"], asked["stream"])
    assert len(seen.turns) == len(seen.digests) == len(asked["messages"]) + beside
    assert [tool.name for tool in seen.tools] == [tool["name"] for tool in asked.get("tools", [])]
    assert seen.max_output_tokens == asked["max_tokens"]
    for turn, message in zip(seen.turns[beside:], asked["messages"], strict=True):
        blocks = message["content"] if isinstance(message["content"], list) else []
        assert turn.role == message["role"]
        assert [block.id for block in turn.blocks if isinstance(block, ToolCall)] == [
            one["id"] for one in blocks if one["type"] == "tool_use"
        ]
        results = [one["tool_use_id"] for one in blocks if one["type"] == "tool_result"]
        assert [block.id for block in turn.blocks if isinstance(block, ToolResult)] == results
    assert sent(seen, care()) == body.replace(dumped(asked["model"]), b'"claude-opus-5-5"', 1)


def test_the_captured_requests_are_there() -> None:
    assert len(CAPTURED) >= 18


def test_the_turns_of_a_conversation_are_read() -> None:
    seen = view(
        [
            user(text("Look"), {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR"}}),
            {"role": "system", "content": "Be quick."},
            assistant(thinking("sig"), text("I read."), called("t1", "Read", path="a.py"), {"type": "server_tool_use", "id": "s"}),
            user(gave("t1", [text("one"), text("two")], is_error=True), text("Go on")),
        ],
        system=[text("You are"), text("an agent.")],
    )
    assert list(seen.turns) == [
        Turn(Role.SYSTEM, (Text("You are"), Text("an agent."))),
        Turn(Role.USER, (Text("Look"), Image("image/png"))),
        Turn(Role.SYSTEM, (Text("Be quick."),)),
        Turn(Role.ASSISTANT, (Opaque("thinking"), Text("I read."), ToolCall("t1", "Read", '{"path":"a.py"}'), Opaque("server_tool_use"))),
        Turn(Role.USER, (ToolResult("t1", "one\ntwo", failed=True), Text("Go on"))),
    ]
    assert Capability.VISION in seen.needs


@pytest.mark.parametrize(
    ("content", "block"),
    [
        (gave("t", None), ToolResult("t", "")),
        ({"type": "tool_result", "tool_use_id": "t"}, ToolResult("t", "")),
        (gave("t", "x", is_error=None), ToolResult("t", "x")),
        (gave("t", [{"type": "tool_reference", "tool_name": "WebSearch"}]), ToolResult("t", "")),
        ("just text", Text("just text")),
        (7, Opaque("unknown")),
        ({"no": "type"}, Opaque("unknown")),
        ({"type": "tool_use"}, ToolCall("", "", "{}")),
        ({"type": "image", "source": "garbage"}, Image()),
        ({"type": "document"}, Opaque("document")),
    ],
)
def test_odd_blocks_are_read(content: object, block: object) -> None:
    assert read_turn(dumped(user(content))).blocks == (block,)


@pytest.mark.parametrize("raw", [b"7", b"null", b"[" * 100_000, b'{"role":"user","content":{"a":1}}', b'{"role":"user"}'])
def test_odd_messages_are_read(raw: bytes) -> None:
    assert read_turn(raw).role is Role.USER


def test_images_in_a_result_need_a_model_that_sees() -> None:
    seen = read_request(captured("claude-code/image"), {})
    assert Capability.VISION in seen.needs
    assert seen.turns[-1].blocks == (ToolResult("toolu_06Read", ""), Image("image/png"))
    assert Capability.VISION not in view([user(text('{"type":"image"}'))]).needs


def test_tools_and_structured_output_are_needed_where_they_are_asked_for() -> None:
    title = read_request(captured("claude-code/title"), {})
    assert title.needs == {Capability.STRUCTURED}
    assert view(output_format={"type": "json_schema", "schema": {}}).needs == {Capability.STRUCTURED}
    assert view(output_config={"effort": "low"}).needs == frozenset()
    search = read_request(captured("claude-code/web_search"), {})
    assert search.tools == (Tool("web_search"),)
    assert search.needs == {Capability.TOOLS}
    assert read_request(captured("continue/after_failing"), {}).tools[1] == Tool("Edit", ("file_path", "old_string", "new_string"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[]", "not a JSON object"),
        (b'{"messages":[]}', '"model"'),
        (b'{"model":7,"messages":[]}', '"model"'),
        (b'{"model":"auto"}', '"messages" is missing'),
        (b'{"model":"auto","messages":"x"}', '"messages" is missing'),
        (b'{"model":"auto","messages":[]}', "empty"),
        (b'{"model":"auto","stream":1,"messages":[{}]}', '"stream"'),
        (b'{"model":"auto","tools":{},"messages":[{}]}', '"tools"'),
        (b'{"model":"auto","messages":[{]}', "JSON"),
    ],
)
def test_a_request_that_cannot_be_served_is_refused_in_words(body: bytes, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        read_request(body, {})


@pytest.mark.parametrize("limit", [None, 0, -1, "9", True, 1.5])
def test_an_output_limit_that_is_none_is_no_error(limit: object) -> None:
    assert view(max_tokens=limit).max_output_tokens is None


def moved(name: str) -> bytes:
    """The same request one step later: no cache marks, single texts as strings, another effort, another billing suffix."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items() if key != "cache_control"}
        return [plain(inner) for inner in value] if isinstance(value, list) else value

    body = json.loads(captured(name).replace(b"2.1.330.", b"2.1.330.f0"))
    for message in body["messages"]:
        message["content"] = plain(message["content"])
        if isinstance(message["content"], list) and [part["type"] for part in message["content"]] == ["text"]:
            message["content"] = message["content"][0]["text"]
        if "output_config" in message:
            message["output_config"] = {"effort": "high"}
    return dumped(body)


@pytest.mark.parametrize("name", CAPTURED)
def test_a_turn_is_recognised_without_its_marks(name: str) -> None:
    assert read_request(moved(name), {}).digests == read_request(captured(name), {}).digests


def test_a_message_without_output_config_is_the_same_message() -> None:
    scene: dict[str, object] = {"role": "system", "content": "Scene"}
    assert view([*HELLO, scene]).digests == view([*HELLO, {**scene, "output_config": {"effort": "low"}}]).digests
    assert view([*HELLO, scene]).digests != view([*HELLO, {**scene, "content": "Other"}]).digests


def test_another_text_is_another_turn() -> None:
    first = view(system=[text("x-anthropic-billing-header: cc_version=2.1.330.a09; cc_entrypoint=cli;"), text("One")])
    other = view(system=[text("x-anthropic-billing-header: cc_version=2.1.330.a09; cc_entrypoint=cli;"), text("Two")])
    again = view(system=[text("x-anthropic-billing-header: cc_version=2.1.330.b7c; cc_entrypoint=cli;"), text("One")])
    assert first.digests[0] != other.digests[0]
    assert first.digests == again.digests


THOUGHTFUL = [
    *HELLO,
    assistant(thinking("mine", "Héllo"), text("One"), called("t1", "Read")),
    user(gave("t1", "x")),
    assistant(thinking("theirs"), {"type": "redacted_thinking", "data": "theirs too"}, text("Two")),
    user(text("Go on")),
    assistant({"type": "redacted_thinking", "data": "mine too"}),
    user(text("And on")),
    assistant(thinking("theirs")),
    user(text("To the end")),
]
OWN = {digest_of("mine"): MODEL, digest_of("mine too"): MODEL, digest_of("theirs"): "openai/gpt-6.1-sol"}


def test_thoughts_of_another_model_are_left_out_and_own_ones_stay() -> None:
    upstream = json.loads(sent(view(THOUGHTFUL), care(lambda digest: OWN.get(digest, ""))))
    assert upstream["messages"] == [
        *THOUGHTFUL[:3],
        assistant(text("Two")),
        *THOUGHTFUL[4:7],
        # The assistant's message that held nothing else is gone.
        THOUGHTFUL[8],
    ]


def test_messages_that_need_no_change_keep_their_very_bytes() -> None:
    kept = b'{ "role":"assistant", "content":[ {"type":"thinking", "thinking":"\\u0041", "signature":"mine"} , {"type":"text","text":"1"}]}'
    gone = b'{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"theirs"}]}'
    first = b'{"role":"user","content":"caf\\u00e9"}'
    body = b'{"model":"auto", "messages": [\n ' + first + b" ,\n " + kept + b",\n " + gone + b",\n " + first + b'\n], "max_tokens":9}'
    seen = read_request(body, {})
    expected = body.replace(b'"auto"', b'"claude-opus-5-5"')
    assert sent(seen, care()) == expected
    assert sent(seen, care(lambda digest: OWN.get(digest, ""))) == expected.replace(b",\n " + gone, b"")
    nobody = sent(seen, care(lambda _: ""))
    assert json.loads(nobody)["messages"] == [
        {"role": "user", "content": "café"},
        assistant(text("1")),
        {"role": "user", "content": "café"},
    ]


def test_a_first_message_of_foreign_thoughts_goes_with_its_comma() -> None:
    upstream = json.loads(sent(view([assistant(thinking("theirs")), *HELLO]), care(lambda _: "")))
    assert upstream["messages"] == HELLO


def test_an_answer_behind_a_system_text_leaves_its_place() -> None:
    said = [*HELLO, {"role": "system", "content": "Scene"}, assistant(thinking("theirs")), user(text("Go on"))]
    upstream = json.loads(sent(view(said), care(lambda _: "")))
    assert [message["role"] for message in upstream["messages"]] == ["user", "system", "assistant", "user"]
    assert upstream["messages"][2] == assistant(text("(no answer)"))


@pytest.mark.parametrize(
    ("messages", "unthought"),
    [
        ([*HELLO], False),
        ([*HELLO, assistant(called("a", "f")), user(gave("a", "x"))], True),
        ([*HELLO, assistant(called("a", "f")), user(gave("a", "x")), {"role": "system", "content": "note"}], True),
        ([*HELLO, assistant(thinking("s"), called("a", "f")), user(gave("a", "x"))], False),
        # One turn: what was thought at its beginning counts for all of its calls.
        (
            [*HELLO, assistant(thinking("s"), called("a", "f")), user(gave("a", "x")), assistant(called("b", "f")), user(gave("b", "x"))],
            False,
        ),
        ([*HELLO, assistant(thinking("s")), *HELLO, assistant(called("b", "f")), user(gave("b", "x"))], True),
        ([*HELLO, assistant(called("a", "f")), user(gave("a", "x")), assistant(text("Done")), user(text("More"))], False),
        ({"no": "list"}, False),
    ],
)
def test_an_open_turn_without_thoughts_is_told(messages: object, unthought: bool) -> None:
    assert calls_unthought(dumped(messages)) is unthought


def test_a_thought_that_we_sealed_is_opened_for_its_maker_only() -> None:
    raw = b'{"type":"thinking", "thinking":"deep","signature":"original"}'
    seal = sealed(Thought("anthropic", raw, digest_of("original")), MODEL)
    other = sealed(Thought("responses", b'{"type":"reasoning"}', "d"), MODEL)
    seen = view([*HELLO, assistant(thinking(seal), {"type": "redacted_thinking", "data": other}, text("Yes")), user(text("Go on"))])
    assert raw + b',{"type":"text"' in sent(seen, care(lambda _: ""))
    assert b"redacted" not in sent(seen, care(lambda _: ""))
    another = request_for(seen, Care("anthropic/claude-haiku-5-5", "claude-haiku-5-5", 1000, lambda _: "anthropic/claude-haiku-5-5"))
    assert json.loads(another.body())["messages"][1] == assistant(text("Yes"))


def test_a_text_that_speaks_of_thinking_is_no_thought() -> None:
    said = [
        *HELLO,
        assistant(text('{"type":"thinking","thinking":"x"}'), called("t", "Write", body={"type": "thinking"})),
        user(gave("t", "ok")),
    ]
    assert json.loads(sent(view(said), care(lambda _: "")))["messages"] == said


def test_the_billing_line_goes_to_its_own_provider_only() -> None:
    body = captured("claude-code/first")
    seen = read_request(body, {})
    assert b"x-anthropic-billing-header" in sent(seen, care())
    foreign = json.loads(sent(seen, care(foreign=True)))
    assert foreign["system"] == json.loads(body)["system"][1:]
    assert {**foreign, "system": []} == {**json.loads(body), "system": []}
    alone = view(system="x-anthropic-billing-header: cc_version=2.1.330.a09;")
    assert "system" not in json.loads(sent(alone, care(foreign=True)))
    plain = view(system="Say x-anthropic-billing-header: please")
    assert json.loads(sent(plain, care(foreign=True)))["system"] == "Say x-anthropic-billing-header: please"


SPACES = st.sampled_from([b"", b" ", b"\n", b"\t "])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)


@given(st.dictionaries(st.text(min_size=1, max_size=6), VALUES, max_size=4), SPACES, SPACES)
@settings(max_examples=40, deadline=None)
def test_every_byte_but_the_model_is_the_clients(fields: dict[str, object], before: bytes, between: bytes) -> None:
    extra = b"".join(b"," + between + json.dumps("x" + key).encode() + b":" + json.dumps(value).encode() for key, value in fields.items())
    messages = dumped(THOUGHTFUL).replace(b",{", b"," + between + b"{")
    body = b"{" + before + b'"model"' + before + b":" + b'"auto"' + extra + b',"messages":' + messages + before + b"}"
    assert sent(read_request(body, {}), care()) == body.replace(b'"auto"', b'"claude-opus-5-5"', 1)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (418, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (529, "overloaded_error"),
    ],
)
def test_an_error_is_said_in_the_clients_words(status: int, kind: str) -> None:
    error = json.loads(write_error(status, "It is so.", "code"))
    assert error == {"type": "error", "error": {"type": kind, "message": "It is so."}, "request_id": None}


def test_an_error_event_has_its_name() -> None:
    assert error_event("gone", "cut").startswith(b'event: error\ndata: {"type": "error"')
    assert error_event("gone", "cut").endswith(b"\n\n")


@pytest.mark.parametrize(
    ("status", "kind", "words", "failure"),
    [
        (400, "invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum", Failure.OVERFLOW),
        (400, "invalid_request_error", "messages.1.role: Input should be 'user' or 'assistant'", Failure.REFUSED),
        (401, "authentication_error", "invalid x-api-key", Failure.KEY),
        (413, "request_too_large", "Request exceeds the maximum size", Failure.OVERFLOW),
        (429, "rate_limit_error", "This request would exceed your rate limit", Failure.BUSY),
        (500, "api_error", "Internal server error", Failure.DOWN),
        (529, "overloaded_error", "Overloaded", Failure.BUSY),
    ],
)
def test_the_errors_of_its_provider_are_understood(status: int, kind: str, words: str, failure: Failure) -> None:
    body = dumped({"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_1"})
    fault = read_error(status, "application/json", body)
    assert (fault.failure, fault.body) == (failure, body)
    assert words in fault.words
