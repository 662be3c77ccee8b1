"""Chat completions as a prompt and back: what each shape of a client means, and what is written for others so that OpenAI reads it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.prompt import (
    CallPart,
    FilePart,
    ImagePart,
    Message,
    OtherPart,
    OutputForm,
    Part,
    Prompt,
    ResultPart,
    TextPart,
    Thought,
    ThoughtPart,
    ToolOffer,
)
from stepfare.core.request import Role
from stepfare.dialects.care import Care
from stepfare.dialects.openai_chat import read_request
from stepfare.dialects.openai_chat_prompt import read_prompt
from stepfare.dialects.openai_chat_request import NO_RESULT, losses, write_prompt
from stepfare.dialects.toolnames import FREE_TEXT_SCHEMA, flat_name

CASES = Path(__file__).resolve().parents[1] / "cases" / "requests"
CAPTURED = sorted(str(path.relative_to(CASES)) for path in CASES.rglob("*.json"))
CARE = Care("lab/there", "there", 8_000)
PNG = "data:image/png;base64,aGk="
HI = {"role": "user", "content": "Hi"}
ASKED = Message(Role.USER, (TextPart("Hi"),))


def prompt(*messages: object, **fields: object) -> Prompt:
    return read_prompt(read_request(json.dumps({"model": "auto", "messages": messages or (HI,), **fields}).encode(), {}))


def parts(message: object) -> tuple[Part, ...]:
    return prompt(message).messages[0].parts


def body(*messages: Message, care: Care = CARE, **fields: Any) -> dict[str, Any]:
    return json.loads(write_prompt(Prompt(messages or (ASKED,), **fields), care).body())


def said(*messages: Message) -> list[dict[str, Any]]:
    return body(*messages)["messages"]


def content(*given: object) -> dict[str, object]:
    return {"role": "user", "content": list(given)}


@pytest.mark.parametrize(
    ("message", "role", "expected"),
    [
        ({"role": "system", "content": "Rules"}, Role.SYSTEM, (TextPart("Rules"),)),
        ({"role": "developer", "content": [{"type": "text", "text": "Rules"}]}, Role.SYSTEM, (TextPart("Rules"),)),
        (HI, Role.USER, (TextPart("Hi"),)),
        ({"role": "user", "content": ""}, Role.USER, ()),
        ({"role": "user", "content": None}, Role.USER, ()),
        (
            content("a", {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}}),
            Role.USER,
            (TextPart("a"), TextPart("b", 300)),
        ),
        (
            content({"type": "text", "text": "b", "cache_control": {"type": "ephemeral", "ttl": "1h"}}),
            Role.USER,
            (TextPart("b", 3600),),
        ),
        (
            content({"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}),
            Role.USER,
            (ImagePart("image/png", "aGk=", "", "low"),),
        ),
        (content({"type": "image_url", "image_url": "http://x/y.png"}), Role.USER, (ImagePart(url="http://x/y.png"),)),
        (
            content({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}}),
            Role.USER,
            (FilePart("application/pdf", "aGk=", name="a.pdf"),),
        ),
        (content({"type": "file", "file": {"file_data": "aGk="}}), Role.USER, (FilePart("application/pdf", "aGk="),)),
        (content({"type": "file", "file": {"file_data": "https://x/y.pdf"}}), Role.USER, (FilePart(url="https://x/y.pdf"),)),
        ({"role": "assistant", "content": [{"type": "refusal", "refusal": "No"}]}, Role.ASSISTANT, (TextPart("No"),)),
        ({"role": "assistant", "content": None, "refusal": "No"}, Role.ASSISTANT, (TextPart("No"),)),
        (
            {"role": "assistant", "content": "x", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"a":1}'}}]},
            Role.ASSISTANT,
            (TextPart("x"), CallPart("c", "f", '{"a":1}')),
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "exec", "input": "ls"}}]},
            Role.ASSISTANT,
            (CallPart("c", "exec", "ls", custom=True),),
        ),
        ({"role": "assistant", "function_call": {"name": "f", "arguments": {"a": 1}}}, Role.ASSISTANT, (CallPart("", "f", '{"a":1}'),)),
        ({"role": "tool", "tool_call_id": "c", "content": "out"}, Role.TOOL, (ResultPart("c", (TextPart("out"),)),)),
        (
            {"role": "tool", "tool_call_id": "c", "content": [{"type": "image_url", "image_url": {"url": PNG}}, {"type": "odd"}]},
            Role.TOOL,
            (ResultPart("c", (ImagePart("image/png", "aGk="),)),),
        ),
        ({"role": "function", "name": "f", "content": "out"}, Role.TOOL, (ResultPart("", (TextPart("out"),)),)),
        ({"role": "who", "content": [7]}, Role.USER, (OtherPart("unknown"),)),
        ("no message", Role.USER, (OtherPart("unreadable"),)),
    ],
)
def test_a_message_is_read(message: object, role: Role, expected: tuple[Part, ...]) -> None:
    assert prompt(message).messages == (Message(role, expected),)


def test_a_thought_is_read_as_its_maker_must_get_it_back() -> None:
    found = parts({"role": "assistant", "reasoning": "hm", "reasoning_details": [{"data": "e"}], "content": "x", "name": "y"})
    assert isinstance(found[0], ThoughtPart)
    thought = found[0].thought
    assert (thought.dialect, thought.text) == ("openai", "hm")
    assert thought.raw == b'{"reasoning":"hm","reasoning_details":[{"data":"e"}]}'


def test_the_result_of_a_custom_tool_is_known_as_one() -> None:
    calls = {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "exec", "input": "ls"}}]}
    seen = prompt(calls, {"role": "tool", "tool_call_id": "c", "content": "a"})
    assert seen.messages[1].parts == (ResultPart("c", (TextPart("a"),), custom=True),)


def test_tools_and_how_they_are_chosen() -> None:
    tools = [
        {"type": "function", "function": {"name": "read", "description": "Reads", "parameters": {"type": "object"}, "strict": True}},
        {"type": "custom", "custom": {"name": "exec", "description": "Runs"}, "cache_control": {"type": "ephemeral"}},
        {"type": "web_search", "name": "search"},
    ]
    seen = prompt(tools=tools, tool_choice={"type": "function", "function": {"name": "read"}}, parallel_tool_calls=False)
    read, execute = ToolOffer("read", "Reads", {"type": "object"}, strict=True), ToolOffer("exec", "Runs", custom=True, cache_s=300)
    assert seen.tools == (read, execute)
    assert (seen.tool_choice, seen.parallel) == ("tool:read", False)
    assert [loss.words for loss in seen.losses] == ["the provider's own tool web_search"]
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "custom", "custom": {"name": "exec"}}]}}
    seen = prompt(tools=tools, tool_choice=allowed)
    assert (seen.tools, seen.tool_choice) == ((execute,), "required")


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("any", "required"),
        ({"type": "custom", "custom": {"name": "exec"}}, "tool:exec"),
        ({"type": "auto"}, "auto"),
        ({"type": "function"}, ""),
        ("odd", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_a_choice_is_read_in_every_shape(choice: object, read: str) -> None:
    assert prompt(tool_choice=choice).tool_choice == read


@pytest.mark.parametrize(
    ("fields", "effort", "shown"),
    [
        ({}, "", True),
        ({"reasoning_effort": "high"}, "high", True),
        ({"reasoning_effort": "enormous"}, "", True),
        ({"reasoning": {"effort": "xhigh", "exclude": True}}, "xhigh", False),
        ({"reasoning": {"max_tokens": 2000}}, "low", True),
        ({"reasoning": {"max_tokens": 8000}}, "medium", True),
        ({"reasoning": {"max_tokens": 32000}}, "high", True),
        ({"reasoning": {"max_tokens": 0}}, "none", True),
        ({"reasoning": {"enabled": True}}, "medium", True),
        ({"reasoning": {"enabled": False}}, "none", True),
        ({"thinking": {"type": "disabled"}}, "none", True),
        ({"enable_thinking": True}, "medium", True),
        ({"include_reasoning": False}, "", False),
    ],
)
def test_effort_is_read_as_providers_let_clients_say_it(fields: dict[str, object], effort: str, shown: bool) -> None:
    seen = prompt(**fields)
    assert (seen.effort, seen.show_thoughts) == (effort, shown)


def test_the_other_fields_are_read() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}, "strict": True}}
    seen = prompt(
        max_tokens=9, temperature=0, top_p=0.5, stop="x", response_format=form, prompt_cache_key="k", service_tier="priority", stream=True
    )
    assert seen == Prompt(
        (ASKED,),
        stream=True,
        max_output_tokens=9,
        temperature=0.0,
        top_p=0.5,
        stop=("x",),
        form=OutputForm("a", {"type": "object"}, True),
        cache_key="k",
        service="priority",
    )
    assert prompt(max_completion_tokens=3, max_tokens=9).max_output_tokens == 3
    assert prompt(stop=["a", "", 7, "b"], service_tier="auto").stop == ("a", "b")
    assert prompt(response_format={"type": "json_object"}).form == OutputForm()
    assert prompt(response_format={"type": "text"}, service_tier="default") == prompt()


@pytest.mark.parametrize(
    ("message", "fields", "what", "essential"),
    [
        (HI, {"n": 2}, "n", True),
        (HI, {"n": 1}, "", False),
        (HI, {"modalities": ["text", "audio"]}, "modalities", True),
        (HI, {"modalities": ["text"]}, "", False),
        (HI, {"logprobs": True}, "logprobs", False),
        (HI, {"logprobs": False, "seed": None, "presence_penalty": 0}, "", False),
        (HI, {"web_search_options": {"a": 1}}, "web_search_options", False),
        (HI, {"prediction": {"type": "content", "content": "x"}}, "prediction", False),
        (content({"type": "input_audio", "input_audio": {}}), {}, "audio", True),
        (content({"type": "video_url", "video_url": {}}), {}, "video", True),
        (content({"type": "file", "file": {"file_id": "f"}}), {}, "file", True),
        (content({"type": "hologram"}), {}, "part hologram", False),
        ({"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}]}, {}, "", False),
    ],
)
def test_what_no_other_format_says_is_a_loss(message: object, fields: dict[str, object], what: str, essential: bool) -> None:
    found = prompt(message, **fields).losses
    assert [(loss.what, loss.essential) for loss in found] == ([(what, essential)] if what else [])


@pytest.mark.parametrize("name", CAPTURED)
def test_a_captured_request_comes_back_as_it_was(name: str) -> None:
    raw = (CASES / name).read_bytes()
    seen = read_prompt(read_request(raw, {}))
    assert seen.losses == losses(seen) == ()
    written = json.loads(write_prompt(seen, replace(CARE, max_output_tokens=64_000)).body())
    sent = json.loads(raw)
    assert written.get("tools") == sent.get("tools")
    again = read_prompt(read_request(json.dumps(written | {"model": "auto"}).encode(), {}))
    meant = [replace(message, parts=tuple(part for part in message.parts if part != TextPart(""))) for message in seen.messages]
    assert _plain(again.messages) == _plain(meant)
    assert replace(again, messages=(), stream=seen.stream) == replace(seen, messages=())


def _plain(messages: object) -> str:
    """Texts of the assistant and of results may be joined: what they say in all stays."""
    return json.dumps(messages, default=_fields).replace("\\n", "")


def _fields(part: Any) -> object:
    if isinstance(part, Message):
        texts = "".join(one.text for one in part.parts if isinstance(one, TextPart))
        return [part.role, texts, [one for one in part.parts if not isinstance(one, TextPart)]]
    if isinstance(part, ResultPart):
        return [part.id, "".join(one.text for one in part.parts if isinstance(one, TextPart))]
    return repr(part)


def test_messages_are_written_as_openai_reads_them() -> None:
    assert said(
        Message(Role.SYSTEM, (TextPart("a", 300), TextPart("b"))),
        Message(Role.USER, (TextPart("Hi", 300),)),
        Message(Role.ASSISTANT, (TextPart("x"), CallPart("c1", "read", '{"a":1}'))),
        Message(Role.TOOL, (ResultPart("c1", (TextPart("1"), TextPart("2"))),)),
        Message(Role.USER, (TextPart("See"), ImagePart("image/png", "aGk=", detail="low"))),
    ) == [
        {"role": "system", "content": "a\n\nb"},
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": "x",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "read", "arguments": '{"a":1}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "1\n2"},
        {"role": "user", "content": [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}]},
    ]


def calls(*ids: str) -> Message:
    return Message(Role.ASSISTANT, tuple(CallPart(one, "read", "{}") for one in ids))


def result(call_id: str, *given: TextPart | ImagePart | FilePart, failed: bool = False) -> Message:
    return Message(Role.TOOL, (ResultPart(call_id, given or (TextPart(f"of {call_id}"),), failed),))


def outline(*messages: Message) -> list[tuple[str, str]]:
    return [(one["role"], one.get("tool_call_id") or str(one["content"])) for one in said(*messages)]


def test_results_stand_right_after_their_calls() -> None:
    later = Message(Role.USER, (TextPart("meanwhile"),))
    assert outline(ASKED, calls("a", "b"), result("b"), later, result("a"), calls("c"), result("c")) == [
        ("user", "Hi"),
        ("assistant", "None"),
        ("tool", "a"),
        ("tool", "b"),
        ("user", "meanwhile"),
        ("assistant", "None"),
        ("tool", "c"),
    ]


def test_a_call_without_a_result_and_a_result_without_a_call_are_mended() -> None:
    orphan = ("user", "Result of an earlier tool call:\nof z")
    assert outline(result("z"), ASKED, calls("a")) == [orphan, ("user", "Hi"), ("assistant", "None"), ("tool", "a")]
    assert said(calls("a"), ASKED)[1] == {"role": "tool", "tool_call_id": "a", "content": NO_RESULT}
    assert outline(calls("a"), result("z"), result("a"), result("a")) == [
        ("assistant", "None"),
        ("tool", "a"),
        orphan,
        ("user", "Result of an earlier tool call:\nof a"),
    ]


def test_images_of_results_follow_the_whole_group() -> None:
    image, file = ImagePart("image/png", "aGk="), FilePart("application/pdf", "aGk=")
    messages = said(calls("a", "b"), result("a", TextPart("seen"), image), result("b", file), ASKED)
    assert [(one["role"], one["content"]) for one in messages[1:3]] == [("tool", "seen\n(image below)"), ("tool", "(file below)")]
    assert messages[3]["role"] == "user"
    assert [part["type"] for part in messages[3]["content"]] == ["image_url", "file"]
    assert messages[3]["content"][1]["file"] == {"filename": "file.pdf", "file_data": "data:application/pdf;base64,aGk="}
    assert messages[4] == HI


@pytest.mark.parametrize(
    ("text", "written"),
    [("gone", "Error: gone"), ("", "Error: "), ("Error: gone", "Error: gone"), ("the command failed", "the command failed")],
)
def test_a_failed_result_says_so_once(text: str, written: str) -> None:
    assert said(calls("a"), result("a", TextPart(text), failed=True))[1]["content"] == written
    assert said(calls("a"), result("a", TextPart(text)))[1]["content"] == text


def test_calls_without_an_id_get_one_and_keep_their_results() -> None:
    messages = said(ASKED, calls("", ""), result("", TextPart("1")), result("", TextPart("2")))
    ids = [call["id"] for call in messages[1]["tool_calls"]]
    assert len(set(ids)) == 2
    assert [(one["tool_call_id"], one["content"]) for one in messages[2:]] == [(ids[0], "1"), (ids[1], "2")]


@pytest.mark.parametrize(
    ("given", "written"),
    [('{"a": 1}', '{"a": 1}'), ("", "{}"), ('{"a": ', '{"input": "{\\"a\\": "}'), ("[1]", '{"input": "[1]"}'), ("ls", '{"input": "ls"}')],
)
def test_arguments_are_always_an_object(given: str, written: str) -> None:
    message = Message(Role.ASSISTANT, (CallPart("a", "read", given),))
    assert said(message)[0]["tool_calls"][0]["function"]["arguments"] == written


def test_tools_are_functions_with_names_that_openai_takes() -> None:
    tools = (
        ToolOffer("spawn agent", "Starts", namespace="agents"),
        ToolOffer("exec", custom=True, strict=True),
        ToolOffer("read", schema={"type": "object", "properties": {"a": {}}}, strict=False, cache_s=300),
    )
    call = Message(Role.ASSISTANT, (CallPart("a", "exec", "ls", custom=True), CallPart("b", "spawn agent", "{}", "agents")))
    sent = body(ASKED, call, tools=tools, tool_choice="tool:spawn agent", parallel=True)
    name = flat_name("spawn agent", "agents")
    assert [tool["function"] for tool in sent["tools"]] == [
        {"name": name, "description": "Starts", "parameters": {"type": "object", "properties": {}}},
        {"name": "exec", "parameters": dict(FREE_TEXT_SCHEMA)},
        {"name": "read", "parameters": {"type": "object", "properties": {"a": {}}}, "strict": False},
    ]
    assert (sent["tool_choice"], sent["parallel_tool_calls"]) == ({"type": "function", "function": {"name": name}}, True)
    assert [one["function"] for one in sent["messages"][1]["tool_calls"]] == [
        {"name": "exec", "arguments": '{"input": "ls"}'},
        {"name": name, "arguments": "{}"},
    ]
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(body(tool_choice="auto", parallel=True))


def test_the_fields_of_a_body_are_openais_own() -> None:
    sent = body(
        stream=True,
        max_output_tokens=64_000,
        temperature=0.0,
        top_p=0.5,
        stop=("a", "b", "c", "d", "e"),
        effort="max",
        form=OutputForm("my form", {"type": "object"}, True),
        cache_key="k",
        service="flex",
    )
    assert sent == {
        "model": "there",
        "messages": [HI],
        "response_format": {"type": "json_schema", "json_schema": {"name": "my_form", "schema": {"type": "object"}, "strict": True}},
        "max_completion_tokens": 8_000,
        "temperature": 0.0,
        "top_p": 0.5,
        "stop": ["a", "b", "c", "d"],
        "reasoning_effort": "xhigh",
        "prompt_cache_key": "k",
        "service_tier": "flex",
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert body() == {"model": "there", "messages": [HI]}
    assert body(form=OutputForm())["response_format"] == {"type": "json_object"}
    assert body(max_output_tokens=5, care=Care("a/b", "b", 0))["max_completion_tokens"] == 5


def test_an_own_thought_is_spliced_in_as_it_came() -> None:
    thought = Thought("openai", b'{"reasoning_content":"h\\u00e4"}', "d1")
    message = Message(Role.ASSISTANT, (ThoughtPart(thought), TextPart("x")))
    raw = write_prompt(Prompt((message,)), CARE).raw("messages")
    assert raw == b'[{"role":"assistant","content":"x","reasoning_content":"h\\u00e4"}]'


def test_what_chat_cannot_say_is_told() -> None:
    document = result("a", FilePart("application/pdf", url="https://x/y.pdf"))
    asked = Message(Role.USER, (OtherPart("hologram"), TextPart("Hi")))
    found = losses(Prompt((asked, calls("a"), document), stop=("a", "b", "c", "d", "e")))
    assert {(loss.what, loss.essential) for loss in found} == {("stop", False), ("hologram", False), ("file", True)}
    assert losses(Prompt((ASKED, calls("a"), result("a"), Message(Role.USER, (FilePart(text="x"),))), stop=("a",))) == ()


def test_empty_messages_are_left_out() -> None:
    empty = [Message(Role.USER, ()), Message(Role.ASSISTANT, (TextPart(""),)), Message(Role.SYSTEM, (OtherPart("x"),))]
    assert said(ASKED, *empty) == [HI]


GROUPS = st.sampled_from(
    [
        (ASKED,),
        (Message(Role.SYSTEM, (TextPart("Mind"),)),),
        (calls("a", "b"), result("b"), result("a")),
        (calls("c"), result("c", ImagePart("image/png", "aGk="))),
        (calls("d"), ASKED, result("d")),
        (result("z"),),
        (Message(Role.ASSISTANT, (TextPart("Done"), TextPart("."))),),
        (Message(Role.USER, ()),),
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(GROUPS, min_size=1, max_size=6), st.integers(1, 6))
def test_the_bytes_of_a_beginning_never_change(groups: list[tuple[Message, ...]], count: int) -> None:
    short, long = (tuple(message for group in those for message in group) for those in (groups[:count], groups))
    before, after = (write_prompt(Prompt(those), CARE).raw("messages") for those in (short, long))
    assert before is not None
    assert after is not None
    assert after.startswith(before[:-1])
