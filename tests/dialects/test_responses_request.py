"""Responses, the request half: what is read of each client's shape, what goes upstream, and whose thoughts go along."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.model import Capability
from stepfare.core.prompt import Thought
from stepfare.core.request import Image, Opaque, RequestView, Role, Text, Tool, ToolCall, ToolResult, Turn
from stepfare.dialects.base import BadRequest
from stepfare.dialects.care import Care
from stepfare.dialects.responses_items import digest, has_parts, read_turn
from stepfare.dialects.responses_request import error_event, items_of, read_request, request_for, write_error
from stepfare.dialects.sse import data_of
from stepfare.dialects.thoughts import digest_of, sealed

CASES = Path(__file__).resolve().parents[1] / "cases" / "responses"
NAMES = sorted(path.stem for path in CASES.glob("*.json"))
HELLO = [{"role": "user", "content": "Hello"}]
OURS = "lab/thinker"


def view(items: object = HELLO, **fields: object) -> RequestView:
    return read_request(json.dumps({"model": "auto", "input": items, **fields}).encode(), {})


def case(name: str) -> bytes:
    return (CASES / f"{name}.json").read_bytes()


def nobody(_digest: str) -> str:
    return ""


def sent(seen: RequestView, maker_of: Callable[[str], str] = nobody) -> bytes:
    return request_for(seen, Care(OURS, "thinker", 8_000, maker_of)).body()


@pytest.mark.parametrize("name", NAMES)
def test_a_request_of_each_client_is_read_and_sent_on_unchanged_but_for_model(name: str) -> None:
    body = case(name)
    whole = json.loads(body)
    seen = read_request(body, {"session-id": "s"})
    asked = whole["input"] if isinstance(whole["input"], list) else [{"role": "user", "content": whole["input"]}]
    assert seen.model == whole["model"]
    assert seen.stream is bool(whole.get("stream"))
    assert len(seen.turns) == len(seen.digests) == len(asked) + ("instructions" in whole)
    assert [json.loads(raw) for raw in items_of(seen)] == asked
    calls = [block.id for turn in seen.turns for block in turn.blocks if isinstance(block, ToolCall)]
    assert calls == [item["call_id"] for item in asked if item.get("type") in ("function_call", "custom_tool_call")]
    assert seen.headers == {"session-id": "s"}
    # One model made all that was thought: then its bytes come back to it as they were.
    assert sent(seen, lambda _: OURS) == body.replace(json.dumps(whole["model"]).encode(), b'"thinker"', 1)


def test_the_requests_are_there() -> None:
    assert len(NAMES) > 10


def test_codex_offers_tools_in_its_input_and_in_namespaces() -> None:
    assert [tool.name for tool in read_request(case("codex_default"), {}).tools] == ["exec", "wait", "spawn_agent", "wait_agent"]
    classic = [tool.name for tool in read_request(case("codex_classic"), {}).tools]
    assert classic[:2] == ["exec_command", "write_stdin"]
    assert classic[-4:] == ["spawn_agent", "send_input", "wait_agent", "close_agent"]
    assert read_request(case("codex_compaction"), {}).tools == ()


@pytest.mark.parametrize(
    ("item", "turn"),
    [
        ({"role": "user", "content": "Hi"}, Turn(Role.USER, (Text("Hi"),))),
        ({"role": "developer", "content": "Rules"}, Turn(Role.SYSTEM, (Text("Rules"),))),
        ({"type": "message", "role": "system", "content": [{"type": "input_text", "text": "a"}]}, Turn(Role.SYSTEM, (Text("a"),))),
        (
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "no"}],
            },
            Turn(Role.ASSISTANT, (Text("a"), Text("no"))),
        ),
        (
            {"role": "user", "content": [{"type": "input_image", "image_url": "x"}, {"type": "input_file"}, "b", 7]},
            Turn(Role.USER, (Image(), Opaque("input_file"), Text("b"), Opaque("unknown"))),
        ),
        (
            {"type": "function_call", "call_id": "c", "name": "read", "arguments": "{}", "id": "fc_1"},
            Turn(Role.ASSISTANT, (ToolCall("c", "read", "{}"),)),
        ),
        (
            {"type": "custom_tool_call", "call_id": "c", "name": "exec", "input": "ls", "namespace": "functions"},
            Turn(Role.ASSISTANT, (ToolCall("c", "exec", "ls"),)),
        ),
        (
            {"type": "local_shell_call", "call_id": "c", "action": {"command": ["ls"]}},
            Turn(Role.ASSISTANT, (ToolCall("c", "local_shell", '{"command": ["ls"]}'),)),
        ),
        ({"type": "function_call_output", "call_id": "c", "output": "out"}, Turn(Role.TOOL, (ToolResult("c", "out"),))),
        ({"type": "function_call_output", "call_id": "c", "output": None}, Turn(Role.TOOL, (ToolResult("c", ""),))),
        (
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "a"}, {"type": "input_image"}]},
            Turn(Role.TOOL, (ToolResult("c", "a"), Image())),
        ),
        (
            {"type": "custom_tool_call_output", "call_id": "c", "output": [{"type": "input_text", "text": t} for t in "ab"]},
            Turn(Role.TOOL, (ToolResult("c", "a\nb"),)),
        ),
        (
            {"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "a", "stderr": "b", "outcome": {"type": "exit"}}]},
            Turn(Role.TOOL, (ToolResult("c", "a\nb"),)),
        ),
        ({"type": "local_shell_call_output", "id": "c", "output": "out"}, Turn(Role.TOOL, (ToolResult("c", "out"),))),
        (
            {"type": "apply_patch_call_output", "call_id": "c", "status": "failed", "output": "no"},
            Turn(Role.TOOL, (ToolResult("c", "no", failed=True),)),
        ),
        ({"type": "reasoning", "summary": [], "encrypted_content": "x"}, Turn(Role.ASSISTANT, (Opaque("reasoning"),))),
        ({"type": "additional_tools", "role": "developer", "tools": []}, Turn(Role.SYSTEM, (Opaque("additional_tools"),))),
        ({"type": "web_search_call", "id": "ws"}, Turn(Role.ASSISTANT, (Opaque("web_search_call"),))),
        ({"type": "compaction", "encrypted_content": "x"}, Turn(Role.USER, (Opaque("compaction"),))),
        ({"type": "agent_message", "content": []}, Turn(Role.USER, (Opaque("agent_message"),))),
        ({"id": "msg_1"}, Turn(Role.USER, (Opaque("item_reference"),))),
        ({}, Turn(Role.USER, (Opaque("unknown"),))),
        ("no item", Turn(Role.USER, (Opaque("unreadable"),))),
        (None, Turn(Role.USER, (Opaque("unreadable"),))),
    ],
)
def test_an_item_is_read_leniently(item: object, turn: Turn) -> None:
    assert read_turn(json.dumps(item).encode()) == turn


def test_instructions_are_the_first_turn_and_a_text_is_a_users() -> None:
    seen = view("Hi", instructions="Be brief.")
    assert list(seen.turns) == [Turn(Role.SYSTEM, (Text("Be brief."),)), Turn(Role.USER, (Text("Hi"),))]
    assert view(instructions=None).digests == view(instructions="").digests == view().digests


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ({}, set()),
        ({"tools": []}, set()),
        ({"tools": [{"type": "web_search"}]}, set()),
        ({"tools": [{"type": "function", "name": "read"}]}, {Capability.TOOLS}),
        ({"tools": [{"type": "local_shell"}]}, {Capability.TOOLS}),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, {Capability.STRUCTURED}),
        ({"text": {"format": {"type": "json_object"}}}, set()),
        ({"text": "odd"}, set()),
        # A tool's parameter of that name is no image.
        ({"tools": [{"type": "function", "name": "f", "parameters": {"properties": {"input_image": {}}}}]}, {Capability.TOOLS}),
    ],
)
def test_what_a_request_needs_of_a_model(fields: dict[str, object], needs: set[Capability]) -> None:
    assert view(**fields).needs == needs


@pytest.mark.parametrize(
    ("item", "seen"),
    [
        ({"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}, True),
        ({"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image"}]}, True),
        ({"type": "function_call_output", "call_id": "c", "output": '"input_image"'}, False),
        ({"role": "user", "content": 'say "input_image"'}, False),
    ],
)
def test_an_image_calls_for_a_model_that_sees(item: object, seen: bool) -> None:
    assert (Capability.VISION in view([item]).needs) is seen


def test_tools_keep_name_and_parameters_in_every_shape() -> None:
    tools = [
        {"type": "function", "name": "read", "parameters": {"properties": {"path": {}, "line": {}}}},
        {"type": "custom", "name": "exec", "format": {"type": "text"}},
        {"type": "namespace", "name": "ns", "tools": [{"type": "function", "name": "a"}, {"type": "custom", "name": "b"}]},
        {"type": "namespace", "name": "empty", "tools": None},
        {"type": "image_generation"},
        "odd",
    ]
    assert view(tools=tools).tools == (Tool("read", ("path", "line")), Tool("exec"), Tool("a"), Tool("b"), Tool(""))


@pytest.mark.parametrize(("limit", "seen"), [(None, None), (100, 100), (0, None), (-5, None), (True, None), ("100", None)])
def test_the_output_limit_is_the_clients(limit: object, seen: int | None) -> None:
    assert view(max_output_tokens=limit).max_output_tokens == seen


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{}", '"model" is missing'),
        (b'{"model":7,"input":"x"}', '"model" is missing or not a string'),
        (b'{"model":"auto"}', '"input" is missing'),
        (b'{"model":"auto","input":null}', '"input" is missing'),
        (b'{"model":"auto","input":{}}', "neither a text nor a list"),
        (b'{"model":"auto","input":[]}', '"input" is empty'),
        (b'{"model":"auto","input":"x","stream":1}', '"stream" must be true or false'),
        (b'{"model":"auto","input":"x","tools":{}}', '"tools" must be a list'),
        (b'{"model":"auto","input":[' + b"[" * 1_000_000, "nested too deeply"),
        (b"not json", "not a JSON object"),
    ],
)
def test_a_request_that_cannot_be_read_is_told_in_words(body: bytes, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        read_request(body, {})


def test_a_prompt_that_is_stored_with_the_provider_needs_no_input() -> None:
    body = b'{"model":"auto","prompt":{"id":"pmpt_1"}}'
    assert sent(read_request(body, {})) == body.replace(b"auto", b"thinker")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"type": "message", "role": "assistant", "content": [], "id": "msg_0000"}, {"id": "msg_7"}, True),
        ({"type": "message", "role": "assistant", "content": [], "status": "completed"}, {"status": None}, True),
        ({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "id": "fc_1"}, {"id": "fc_2"}, True),
        ({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "id": "fc_1"}, {"call_id": "d"}, False),
        ({"type": "item_reference", "id": "msg_1"}, {"id": "msg_2"}, False),
        ({"type": "reasoning", "id": "rs_1", "summary": []}, {"id": "rs_2"}, False),
        ({"type": "apply_patch_call_output", "call_id": "c", "status": "failed"}, {"status": "completed"}, False),
        ({"role": "user", "content": [{"type": "input_text", "text": "a"}]}, {"content": [{"type": "input_text", "text": "b"}]}, False),
    ],
)
def test_what_a_client_invents_anew_does_not_change_a_digest(one: dict[str, object], other: dict[str, object], same: bool) -> None:
    first, second = (view([item]).digests for item in (one, {**one, **other}))
    assert (first == second) is same


def test_a_cache_mark_that_moves_does_not_change_a_digest() -> None:
    part = {"type": "input_text", "text": "a", "id": None}
    marked = {**part, "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert view([{"role": "user", "content": [part, part]}]).digests == view([{"role": "user", "content": [part, marked]}]).digests


def test_a_retry_has_the_same_body_digest_and_any_change_another() -> None:
    assert view(temperature=0).body_digest == view(temperature=0).body_digest
    assert len({view(temperature=t).body_digest for t in (0, 1, None)}) == 3
    assert view().body_digest != view([*HELLO, *HELLO]).body_digest
    assert view("a").body_digest != view("b").body_digest


def reasoning(secret: str | None, **more: object) -> dict[str, object]:
    return {"type": "reasoning", "id": "rs_1", "summary": [], **({} if secret is None else {"encrypted_content": secret}), **more}


CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}


def kept(items: list[object], maker_of: Callable[[str], str] = nobody, **fields: object) -> list[Any]:
    return json.loads(sent(view(items, **fields), maker_of))["input"]


def test_own_thoughts_go_along_and_those_of_others_do_not() -> None:
    makers = {digest_of("mine"): OURS, digest_of("theirs"): "lab/other"}
    items = [reasoning("mine"), CALL, reasoning("theirs"), CALL, reasoning("of whom?"), {"role": "user", "content": "Go on"}]
    assert kept(items, lambda key: makers.get(key, "")) == [items[0], CALL, CALL, items[-1]]


def test_a_thought_that_we_sealed_comes_back_as_its_maker_wrote_it() -> None:
    raw = b'{"type":"reasoning","id":"rs_9","summary":[],"encrypted_content":"x"}'
    mine, theirs, elsewhere = (
        reasoning(sealed(Thought(dialect, raw, ""), maker))
        for dialect, maker in (("responses", OURS), ("responses", "lab/other"), ("anthropic", OURS))
    )
    assert kept([mine, theirs, elsewhere, CALL]) == [json.loads(raw), CALL]


def test_what_was_said_after_a_thought_that_is_left_out_has_no_id_any_more_where_answers_are_stored() -> None:
    call: dict[str, object] = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "read", "arguments": "{}"}
    said: dict[str, object] = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}
    output = {"type": "function_call_output", "id": "fco_1", "call_id": "c1", "output": ""}
    user = {"type": "message", "id": "in_1", "role": "user", "content": "On."}
    items = [reasoning("foreign"), said, call, output, call, user, said, reasoning("own"), call]
    mine = {digest_of("own"): OURS}

    def loose(item: dict[str, object]) -> dict[str, object]:
        return {key: value for key, value in item.items() if key != "id"}

    def maker(digest: str) -> str:
        return mine.get(digest, "")

    untied = [loose(said), loose(call), output, loose(call), user, said, reasoning("own"), call]
    assert kept(items, maker, store=True) == untied
    assert kept(items, maker) == untied
    assert kept(items, maker, store=False) == items[1:]


@pytest.mark.parametrize(
    ("store", "maker", "stays"),
    [(False, "", False), (False, OURS, True), (False, "lab/other", False), (True, "", True), (True, "lab/other", False), (None, "", True)],
)
def test_a_thought_that_is_but_a_name_stays_where_it_can_be_looked_up(store: bool | None, maker: str, stays: bool) -> None:
    makers = {digest_of("rs_1"): maker}
    fields = {} if store is None else {"store": store}
    assert len(kept([reasoning(None), CALL], lambda key: makers.get(key, ""), **fields)) == 1 + stays


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["mine", "theirs", None]), min_size=1, max_size=8), st.sampled_from([",", " , ", ",\n  "]), st.booleans())
def test_whatever_is_dropped_every_other_byte_stays(secrets: list[str | None], comma: str, spaced: bool) -> None:
    """None is a message; its odd spacing must survive, for the provider's cache compares bytes."""
    raws = ['{ "role" : "user","content":"\\u00e9"}' if one is None else json.dumps(reasoning(one)) for one in secrets]
    head, tail = ("[\n ", " ]") if spaced else ("[", "]")
    body = '{"model":"auto" , "input":%s, "x": 1.50}' % (head + comma.join(raws) + tail)
    upstream = sent(read_request(body.encode(), {}), lambda key: OURS if key == digest_of("mine") else "").decode()
    left = [raw for raw, one in zip(raws, secrets, strict=True) if one != "theirs"]
    if len(left) == len(raws):
        assert upstream == body.replace("auto", "thinker")
        return
    assert upstream.startswith('{"model":"thinker" , "input":[')
    assert upstream.endswith(tail + ', "x": 1.50}')
    assert comma.join(left) in upstream
    assert len(json.loads(upstream)["input"]) == len(left)


@pytest.mark.parametrize(
    "raw", [b'{"type":"reasoning","x":' + b"[" * 900 + b"]" * 900 + b"}", b'{"reasoning":"\\ud800"}', b'"reasoning"', b"[]"]
)
def test_odd_items_are_sent_on_as_they_are(raw: bytes) -> None:
    body = b'{"model":"auto","input":[' + raw + b"]}"
    assert sent(read_request(body, {})) == body.replace(b"auto", b"thinker")
    assert len(digest(raw, has_parts(raw))) == 16


def test_errors_are_told_as_clients_read_them() -> None:
    error = json.loads(write_error(400, "The budget is reached.", "insufficient_quota"))["error"]
    assert error == {"message": "The budget is reached.", "type": "insufficient_quota", "code": "insufficient_quota", "param": None}
    frame = error_event("gone", "cut")
    assert frame.startswith(b"event: response.failed\n")
    data = json.loads(data_of(frame) or b"")
    assert (data["type"], data["sequence_number"]) == ("response.failed", 0)
    assert data["response"]["status"] == "failed"
    assert data["response"]["error"] == {"code": "cut", "message": "gone"}
