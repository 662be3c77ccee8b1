"""Anthropic Messages as a prompt: what is read of a request for other formats, and what is written of any prompt."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.prompt import (
    CallPart,
    FilePart,
    ImagePart,
    Loss,
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
from stepfare.dialects.anthropic_history import BEFORE, NO_RESULT, arguments_object
from stepfare.dialects.anthropic_messages import read_request
from stepfare.dialects.anthropic_prompt import losses, read_prompt, write_prompt
from stepfare.dialects.anthropic_schema import answer_schema, tool_schema
from stepfare.dialects.care import Care
from stepfare.dialects.thoughts import digest_of
from tests.dialects.anthropic_cases import CAPTURED, HELLO, assistant, called, captured, gave, text, user, view

CARE = Care("anthropic/claude-sonnet-5-5", "claude-sonnet-5-5", 64_000)
PNG = "iVBORw0KGgo="
SYSTEM, USER, ASSISTANT, TOOL = Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.TOOL


def prompt_of(*messages: object, **fields: object) -> Prompt:
    return read_prompt(view(list(messages) or HELLO, **fields))


def said(role: Role, *parts: Part | str) -> Message:
    return Message(role, tuple(TextPart(part) if isinstance(part, str) else part for part in parts))


def written(*messages: Message, care: Care = CARE, **fields: Any) -> dict[str, Any]:
    return json.loads(write_prompt(Prompt(messages or (said(USER, "Hello"),), **fields), care).body())


def words(body: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """The messages in short: role, and each block's text, or its kind with its id."""
    return [
        (message["role"], [one.get("text") or f"{one['type']} {one.get('id') or one.get('tool_use_id')}" for one in message["content"]])
        for message in body["messages"]
    ]


# Reading.


def test_claude_codes_first_request_is_read_in_full() -> None:
    prompt = read_prompt(read_request(captured("claude-code/first"), {}))
    system, first, scene = prompt.messages
    assert system.role is SYSTEM
    assert [part.text[:18] for part in system.parts if isinstance(part, TextPart)] == ["You are a Claude a", "You help with soft"]
    assert [part.cache_s for part in system.parts if isinstance(part, TextPart)] == [300, 300]
    assert (first.role, len(first.parts), scene.role) == (USER, 3, SYSTEM)
    assert [tool.name for tool in prompt.tools] == ["Agent", "Bash", "Edit", "Read", "ToolSearch", "Write"]
    assert prompt.tools[1].schema["required"] == ["command"]
    assert (prompt.effort, prompt.show_thoughts, prompt.stream, prompt.max_output_tokens) == ("medium", False, True, 128_000)
    assert [(loss.what, loss.essential) for loss in prompt.losses] == [("context_management", False)]


def test_a_deferred_tool_is_offered_once_it_was_named() -> None:
    prompt = read_prompt(read_request(captured("claude-code/tool_search"), {}))
    assert "WebSearch" in [tool.name for tool in prompt.tools]
    assert "DeferredToolPlaceholder" not in [tool.name for tool in prompt.tools]
    result = prompt.messages[4]
    assert result == Message(TOOL, (ResultPart("toolu_05Search", (TextPart("The tool WebSearch is now available."),)),))
    assert prompt.messages[5].role is USER


def test_tools_added_and_removed_in_the_middle_are_told_and_offered() -> None:
    tool = {"name": "Deploy", "input_schema": {"type": "object", "properties": {}}}
    prompt = prompt_of(
        *HELLO,
        {"role": "system", "content": [{"type": "tool_addition", "tool": {"type": "tool_definition", "definition": tool}}]},
        {"role": "system", "content": [{"type": "tool_addition", "tool": {"type": "tool_reference", "name": "Late"}}]},
        {"role": "system", "content": [{"type": "tool_removal", "tool": {"type": "tool_reference", "name": "Old"}}]},
        tools=[{**tool, "name": "Late", "defer_loading": True}, {**tool, "name": "Never", "defer_loading": True}],
    )
    assert [offer.name for offer in prompt.tools] == ["Late", "Deploy"]
    assert [part.text for message in prompt.messages[1:] for part in message.parts if isinstance(part, TextPart)] == [
        "The tool Deploy is now available.",
        "The tool Late is now available.",
        "The tool Old is no longer available.",
    ]


def test_a_conversation_is_read_with_thoughts_calls_and_results() -> None:
    body = captured("claude-code/parallel")
    prompt = read_prompt(read_request(body, {}))
    roles = [message.role for message in prompt.messages]
    assert roles == [SYSTEM, USER, SYSTEM, ASSISTANT, TOOL, ASSISTANT, TOOL, SYSTEM]
    thought = prompt.messages[3].parts[0]
    assert isinstance(thought, ThoughtPart)
    assert thought.thought.raw in body
    assert thought.thought.text == "The test names the module; look there first."
    hidden, run, read = prompt.messages[5].parts
    assert isinstance(hidden, ThoughtPart)
    assert hidden.thought.digest == digest_of("EmwKAhgBEgyRedactedThoughtOfTheModel==")
    assert isinstance(run, CallPart)
    assert json.loads(run.arguments) == {"command": "python -m pytest -q tests/test_total.py", "description": "Run the test"}
    assert isinstance(read, CallPart)
    failed, fine = prompt.messages[6].parts
    assert isinstance(failed, ResultPart)
    assert isinstance(fine, ResultPart)
    assert (failed.id, failed.failed, fine.id, fine.failed) == (run.id, True, read.id, False)


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}, ImagePart("image/png", PNG)),
        ({"type": "image", "source": {"type": "url", "url": "https://a/b"}}, ImagePart(url="https://a/b")),
        (
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JV"}},
            FilePart("application/pdf", "JV"),
        ),
        (
            {"type": "document", "title": "T", "source": {"type": "text", "media_type": "text/plain", "data": "x"}},
            FilePart("text/plain", text="x", name="T"),
        ),
        ({"type": "document", "source": {"type": "url", "url": "https://a/b"}}, FilePart("application/pdf", url="https://a/b")),
        ({"type": "document", "source": {"type": "content", "content": [text("a"), text("b")]}}, FilePart("text/plain", text="a\nb")),
        ({"type": "search_result", "title": "T", "source": "http://s", "content": [text("found")]}, TextPart("T\nhttp://s\nfound")),
        (text("x", cache_control={"type": "ephemeral", "ttl": "1h"}), TextPart("x", 3600)),
        ({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, OtherPart("server_tool_use")),
        (
            {
                "type": "web_search_tool_result",
                "content": [{"type": "web_search_result", "title": "T", "url": "u", "encrypted_content": "E"}],
            },
            TextPart("T\nu"),
        ),
        ({"type": "code_execution_tool_result", "content": {"stdout": "1", "stderr": "", "return_code": 0}}, TextPart("1")),
        ({"type": "mcp_tool_result", "content": [text("m")]}, TextPart("m")),
        ({"type": "web_search_tool_result", "content": []}, OtherPart("web_search_tool_result")),
        ({"type": "compaction", "content": "All so far"}, TextPart("All so far")),
        ({"type": "container_upload", "file_id": "f"}, OtherPart("container_upload")),
    ],
)
def test_every_kind_of_block_is_read(block: dict[str, object], part: Part) -> None:
    assert prompt_of(user(block)).messages == (Message(USER, (part,)),)


def test_what_a_turn_says_beside_results_stands_behind_them() -> None:
    prompt = prompt_of(*HELLO, assistant(called("a", "Read")), user(text("Before"), gave("a", "x"), text("After")))
    assert prompt.messages[2:] == (said(TOOL, ResultPart("a", (TextPart("x"),))), said(USER, "Before", "After"))


def test_images_in_results_are_read() -> None:
    result = read_prompt(read_request(captured("claude-code/image"), {})).messages[-1].parts[0]
    assert isinstance(result, ResultPart)
    assert isinstance(result.parts[0], ImagePart)


def test_a_request_for_nothing_but_a_servers_tool_needs_that_server() -> None:
    search = read_prompt(read_request(captured("claude-code/web_search"), {}))
    assert [(loss.what, loss.essential) for loss in search.losses] == [("tool web_search", True)]
    assert search.tool_choice == ""
    cline = read_prompt(read_request(captured("cline/first"), {}))
    assert [(loss.what, loss.essential) for loss in cline.losses] == [("tool web_search", False)]
    assert (cline.tool_choice, cline.show_thoughts, cline.effort) == ("auto", False, "")


@pytest.mark.parametrize(
    ("fields", "what", "essential"),
    [
        ({"mcp_servers": [{"type": "url"}]}, "mcp_servers", True),
        ({"container": "c"}, "container", True),
        ({"inference_geo": "us"}, "inference_geo", True),
        ({"context_management": {"edits": []}}, "context_management", False),
        ({"top_k": 5}, "top_k", False),
        ({"output_config": {"task_budget": {"total": 1}}}, "task_budget", False),
    ],
)
def test_what_no_other_format_can_say_is_a_loss(fields: dict[str, object], what: str, essential: bool) -> None:
    assert [(loss.what, loss.essential) for loss in prompt_of(**fields).losses] == [(what, essential)]


@pytest.mark.parametrize("fields", [{"mcp_servers": []}, {"container": None}, {"inference_geo": "global"}, {"metadata": {"user_id": "x"}}])
def test_what_asks_for_nothing_is_no_loss(fields: dict[str, object]) -> None:
    assert prompt_of(**fields).losses == ()


def test_a_file_that_its_provider_keeps_is_an_essential_loss() -> None:
    prompt = prompt_of(user({"type": "image", "source": {"type": "file", "file_id": "f"}}))
    assert [(loss.what, loss.essential) for loss in prompt.losses] == [("file", True)]


@pytest.mark.parametrize(
    ("fields", "effort", "shown"),
    [
        ({}, "", False),
        ({"output_config": {"effort": "low"}}, "low", False),
        ({"thinking": {"type": "adaptive"}}, "", True),
        ({"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "xhigh"}}, "xhigh", False),
        ({"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "max"}}, "max", True),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low", True),
        ({"thinking": {"type": "enabled", "budget_tokens": 10_000}}, "medium", True),
        ({"thinking": {"type": "enabled", "budget_tokens": 31_999}}, "high", True),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, "none", False),
        ({"output_config": {"effort": "odd"}}, "", False),
    ],
)
def test_how_hard_to_think_is_read(fields: dict[str, object], effort: str, shown: bool) -> None:
    prompt = prompt_of(**fields)
    assert (prompt.effort, prompt.show_thoughts) == (effort, shown)


def test_a_turns_own_effort_counts_before_the_requests() -> None:
    prompt = prompt_of(*HELLO, {"role": "system", "content": "x", "output_config": {"effort": "high"}}, output_config={"effort": "low"})
    assert prompt.effort == "high"


@pytest.mark.parametrize(
    ("choice", "read", "parallel"),
    [
        ({"type": "auto"}, "auto", None),
        ({"type": "any"}, "required", None),
        ({"type": "none"}, "none", None),
        ({"type": "tool", "name": "Read"}, "tool:Read", None),
        ({"type": "tool", "name": "Gone"}, "", None),
        ({"type": "auto", "disable_parallel_tool_use": True}, "auto", False),
        ({"type": "any", "disable_parallel_tool_use": False}, "required", True),
        (None, "", None),
    ],
)
def test_the_choice_of_tools_is_read(choice: object, read: str, parallel: bool | None) -> None:
    prompt = prompt_of(tools=[{"name": "Read", "input_schema": {}}], tool_choice=choice)
    assert (prompt.tool_choice, prompt.parallel) == (read, parallel)


def test_the_rest_of_a_request_is_read() -> None:
    prompt = prompt_of(temperature=0, top_p=0.5, stop_sequences=["a", 3, "b"], system="Be kind", max_tokens=7)
    assert (prompt.temperature, prompt.top_p, prompt.stop, prompt.max_output_tokens) == (0.0, 0.5, ("a", "b"), 7)
    assert prompt.messages[0] == said(SYSTEM, "Be kind")
    title = read_prompt(read_request(captured("claude-code/title"), {}))
    assert title.form is not None
    assert title.form.schema is not None
    assert title.form.schema["required"] == ["title"]


@pytest.mark.parametrize("content", [7, {"a": 1}, None, [7, None, {}, [], {"type": "tool_result", "content": [7, [], {"type": "video"}]}]])
def test_odd_content_is_read_for_what_it_is(content: object) -> None:
    prompt = prompt_of({"role": "user", "content": content}, {"no": "role"}, [], 3)
    assert all(isinstance(message, Message) for message in prompt.messages)


# Writing.


def test_leading_system_texts_stand_apart_and_later_ones_in_place() -> None:
    body = written(said(SYSTEM, "A"), said(SYSTEM, "B"), said(USER, "1"), said(SYSTEM, "C"), said(ASSISTANT, "2"), said(USER, "3"))
    assert body["system"] == [text("A"), text("B")]
    assert words(body) == [("user", ["1", "<system-reminder>\nC\n</system-reminder>"]), ("assistant", ["2"]), ("user", ["3"])]


def test_results_come_first_and_follow_their_calls() -> None:
    body = written(
        said(USER, "go"),
        said(ASSISTANT, "I look.", CallPart("a", "read", '{"p":1}'), CallPart("b", "list", "")),
        said(SYSTEM, "note"),
        said(TOOL, ResultPart("b", (TextPart("B"), ImagePart("image/png", PNG)))),
        said(TOOL, ResultPart("a", (), failed=True)),
        said(USER, "now"),
    )
    assert words(body) == [
        ("user", ["go"]),
        ("assistant", ["I look.", "tool_use a", "tool_use b"]),
        ("user", ["tool_result b", "tool_result a", "<system-reminder>\nnote\n</system-reminder>", "now"]),
    ]
    b, a = body["messages"][2]["content"][:2]
    assert b["content"] == [text("B"), {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}]
    assert (a["is_error"], a["content"]) == (True, [text("(no output)")])
    assert body["messages"][1]["content"][1:] == [called("a", "read", p=1), called("b", "list")]


def test_a_call_without_result_gets_one_and_a_result_without_call_becomes_text() -> None:
    body = written(
        said(USER, "go"),
        said(TOOL, ResultPart("lost", (TextPart("old"),))),
        said(ASSISTANT, CallPart("a", "read", "{}"), CallPart("b", "read", "{}")),
        said(TOOL, ResultPart("b", (TextPart("B"),))),
        said(ASSISTANT, CallPart("c", "read", "{}")),
    )
    assert words(body) == [
        ("user", ["Result of an earlier tool call:", "old", "go"]),
        ("assistant", ["tool_use a", "tool_use b"]),
        ("user", ["tool_result b", "tool_result a"]),
        ("assistant", ["tool_use c"]),
        ("user", ["tool_result c"]),
    ]
    assert body["messages"][2]["content"][1] == {"type": "tool_result", "tool_use_id": "a", "content": [text(NO_RESULT)], "is_error": True}


def test_a_conversation_that_begins_with_the_assistant_gets_a_beginning() -> None:
    assert words(written(said(ASSISTANT, "Hi"), said(USER, "Yes"))) == [("user", [BEFORE]), ("assistant", ["Hi"]), ("user", ["Yes"])]
    assert words(written(said(SYSTEM, "Only this"))) == [("user", [BEFORE])]


def test_empty_texts_go_and_neighbours_of_one_role_are_one() -> None:
    body = written(said(USER, "1", " \n"), said(ASSISTANT, ""), said(USER, "2"), said(ASSISTANT, "3"), said(ASSISTANT, "4"), said(USER))
    assert words(body) == [("user", ["1", "2"]), ("assistant", ["3", "4"])]


def test_an_answer_to_be_continued_ends_without_white_space() -> None:
    assert words(written(said(USER, "1"), said(ASSISTANT, "The answer is \n"))) == [("user", ["1"]), ("assistant", ["The answer is"])]
    assert words(written(said(USER, "1"), said(ASSISTANT, "Yes \n"), said(USER, "2")))[1] == ("assistant", ["Yes \n"])


def test_ids_are_made_acceptable_and_each_stands_once() -> None:
    body = written(
        said(USER, "go"),
        said(ASSISTANT, CallPart("functions.bash:0", "bash", "{}"), CallPart("", "bash", "{}")),
        said(TOOL, ResultPart("functions.bash:0", (TextPart("x"),)), ResultPart("", (TextPart("y"),))),
        said(ASSISTANT, CallPart("functions.bash:0", "bash", "{}")),
        said(TOOL, ResultPart("functions.bash:0", (TextPart("z"),))),
    )
    ids = [block["id"] for message in body["messages"] for block in message["content"] if block["type"] == "tool_use"]
    results = [block["tool_use_id"] for message in body["messages"] for block in message["content"] if block["type"] == "tool_result"]
    assert ids == results
    assert len(set(ids)) == 3
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", one) for one in ids)


def test_own_thoughts_stand_first_and_byte_for_byte() -> None:
    raw = b'{"type":"thinking", "thinking":"\\u0041","signature":"s"}'
    thought = ThoughtPart(Thought("anthropic", raw, digest_of("s")))
    draft = write_prompt(Prompt((said(USER, "go"), said(ASSISTANT, "Yes.", thought), said(USER, "on"))), CARE)
    assert b'"content":[' + raw + b',{"type":"text","text":"Yes."}]' in draft.body()
    apart = write_prompt(Prompt((said(USER, "go"), said(ASSISTANT, thought), said(ASSISTANT, "Yes."), said(USER, "on"))), CARE)
    assert apart.body() == draft.body()
    alone = written(said(USER, "go"), said(ASSISTANT, thought), said(USER, "on"))
    assert words(alone) == [("user", ["go", "on"])]


def test_tools_are_named_flat_and_free_text_becomes_a_property() -> None:
    tools = (
        ToolOffer("spawn", "Starts.", {"type": "object", "properties": {"a": {}}}, namespace="agents", cache_s=3600),
        ToolOffer("patch", custom=True),
        ToolOffer("bare"),
        ToolOffer("choice", schema={"anyOf": [{"type": "object"}], "properties": {}}),
        ToolOffer("exact", schema={"type": "object", "additionalProperties": False}, strict=True),
    )
    call = CallPart("p", "patch", "*** Begin", custom=True)
    spawn = CallPart("s", "spawn", '{"a":1}', namespace="agents")
    body = written(said(USER, "go"), said(ASSISTANT, call, spawn), tools=tools, tool_choice="tool:spawn", parallel=False)
    first, patch, bare, choice, exact = body["tools"]
    assert (first["name"], first["description"], first["cache_control"]) == ("agents__spawn", "Starts.", {"type": "ephemeral", "ttl": "1h"})
    assert patch["input_schema"]["required"] == ["input"]
    assert bare == {"name": "bare", "input_schema": {"type": "object"}}
    assert choice["input_schema"]["type"] == "object"
    assert "anyOf" not in choice["input_schema"]
    assert exact["strict"] is True
    assert body["tool_choice"] == {"type": "tool", "name": "agents__spawn", "disable_parallel_tool_use": True}
    uses = body["messages"][1]["content"]
    assert [use["input"] for use in uses] == [{"input": "*** Begin"}, {"a": 1}]
    assert uses[1]["name"] == "agents__spawn"


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        ("", {}),
        ("  ", {}),
        ('{"a":1}', {"a": 1}),
        ('{"a":', {"input": '{"a":'}),
        ("[1]", {"input": "[1]"}),
        ("null", {"input": "null"}),
        ('{"a":"\\ud83d"}', {"a": "�"}),
    ],
)
def test_arguments_become_an_object(arguments: str, read: object) -> None:
    assert arguments_object(arguments) == read


def test_numbers_of_any_length_are_written() -> None:
    body = written(said(USER, "go"), said(ASSISTANT, CallPart("a", "f", f'{{"n":{10**30}}}')))
    assert body["messages"][1]["content"][0]["input"] == {"n": 10**30}


def test_calls_without_tools_on_offer_name_theirs_and_allow_none() -> None:
    body = written(said(USER, "go"), said(ASSISTANT, CallPart("a", "read", "{}"), CallPart("b", "read", "{}")), said(USER, "Sum it up"))
    assert [tool["name"] for tool in body["tools"]] == ["read"]
    assert body["tool_choice"] == {"type": "none"}
    assert "tools" not in written()


@pytest.mark.parametrize(
    ("choice", "parallel", "said_as"),
    [
        ("", None, None),
        ("auto", True, {"type": "auto"}),
        ("", False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("none", False, {"type": "none"}),
        ("required", None, {"type": "any"}),
        ("tool:gone", None, None),
    ],
)
def test_the_choice_of_tools_is_written(choice: str, parallel: bool | None, said_as: object) -> None:
    assert written(tools=(ToolOffer("f"),), tool_choice=choice, parallel=parallel).get("tool_choice") == said_as
    assert "tool_choice" not in written(tool_choice=choice, parallel=parallel)


@pytest.mark.parametrize(
    ("effort", "thinks", "config"),
    [
        ("", None, None),
        ("none", {"type": "disabled"}, None),
        ("minimal", {"type": "adaptive", "display": "summarized"}, {"effort": "low"}),
        ("medium", {"type": "adaptive", "display": "summarized"}, {"effort": "medium"}),
        ("xhigh", {"type": "adaptive", "display": "summarized"}, {"effort": "xhigh"}),
        ("max", {"type": "adaptive", "display": "summarized"}, {"effort": "max"}),
    ],
)
def test_how_hard_to_think_is_written(effort: str, thinks: object, config: object) -> None:
    body = written(effort=effort)
    assert (body.get("thinking"), body.get("output_config")) == (thinks, config)


def test_a_model_that_thinks_is_given_no_temperature_and_none_that_must_call_thinks() -> None:
    assert "temperature" not in written(effort="high", temperature=0.2, top_p=0.3)
    forced = written(effort="high", tools=(ToolOffer("f"),), tool_choice="required", temperature=0.2)
    assert "thinking" not in forced
    assert forced["temperature"] == 0.2
    assert written(effort="high", show_thoughts=False)["thinking"]["display"] == "omitted"


def test_limits_and_sampling_are_held_to_what_the_model_takes() -> None:
    body = written(max_output_tokens=10**6, temperature=1.7, top_p=0.5, stop=("END", " \n", ""), stream=True)
    assert (body["max_tokens"], body["temperature"], body["stop_sequences"], body["stream"]) == (64_000, 1.0, ["END"], True)
    assert "top_p" not in body
    assert written()["max_tokens"] == 64_000
    assert written(max_output_tokens=5, top_p=0.5)["max_tokens"] == 5
    assert written(top_p=0.5)["top_p"] == 0.5
    assert written(temperature=0.0)["temperature"] == 0.0


def test_an_answers_form_is_a_schema_or_a_word_in_the_system_text() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}
    form = written(form=OutputForm("x", schema))["output_config"]["format"]
    assert form["type"] == "json_schema"
    assert form["schema"]["additionalProperties"] is False
    assert form["schema"]["properties"]["n"] == {"type": "integer", "description": '{"minimum": 1}'}
    assert "JSON" in written(form=OutputForm())["system"][0]["text"]


def test_schemas_that_go_deep_are_written() -> None:
    schema: dict[str, object] = {"type": "object"}
    for _ in range(200):
        schema = {"type": "object", "properties": {"x": schema}}
    assert answer_schema(schema)["additionalProperties"] is False
    refers = {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "oneOf": [{"type": "string", "format": "odd"}]}}}
    assert answer_schema(refers) == {
        "$ref": "#/$defs/A",
        "$defs": {
            "A": {"type": "object", "anyOf": [{"type": "string", "description": '{"format": "odd"}'}], "additionalProperties": False}
        },
    }
    assert tool_schema({}) == {"type": "object"}


def marked(value: object) -> list[object]:
    """The cache marks in a body, in order."""
    if isinstance(value, dict):
        inner = [mark for key in ("tools", "system", "messages", "content") if key in value for mark in marked(value[key])]
        return [*inner, *([value["cache_control"]] if "cache_control" in value else [])]
    return [mark for one in value for mark in marked(one)] if isinstance(value, list) else []


def test_cache_marks_are_kept_as_far_as_the_api_takes_them() -> None:
    marks = [said(USER, TextPart(str(place), 3600 if place < 2 else 300)) for place in range(6)]
    body = written(said(SYSTEM, TextPart("S", 3600)), *marks, tools=(ToolOffer("f", cache_s=300),))
    assert marked(body) == [{"type": "ephemeral"}] * 4
    assert "cache_control" in body["tools"][0]
    assert [block["text"] for block in body["messages"][0]["content"] if "cache_control" in block] == ["3", "4", "5"]
    long = written(said(SYSTEM, TextPart("S", 3600)), said(USER, ResultPart("x", (), cache_s=300), TextPart("T", 3600)))
    assert marked(long) == [{"type": "ephemeral", "ttl": "1h"}, {"type": "ephemeral", "ttl": "1h"}]
    results = said(TOOL, ResultPart("a", (TextPart("x"),), cache_s=300))
    assert marked(written(said(USER, "go"), said(ASSISTANT, CallPart("a", "f", "{}", cache_s=300)), results)) == [{"type": "ephemeral"}] * 2


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (ImagePart("image/jpg", "abcd"), {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "abcd"}}),
        (ImagePart("image/jpeg", PNG), {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}),
        (
            ImagePart(url=f"data:image/png;base64,{PNG}"),
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        ),
        (ImagePart(url="https://a/b"), {"type": "image", "source": {"type": "url", "url": "https://a/b"}}),
        (ImagePart("image/svg+xml", "PHN2"), text("[image image/svg+xml]")),
        (
            FilePart("application/pdf", "JVBE", name="a.pdf"),
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}, "title": "a.pdf"},
        ),
        (FilePart("text/csv", "YSxi"), {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b"}}),
        (FilePart(text="x"), {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}),
        (FilePart("application/zip", "UEsD", name="a.zip"), text("[file a.zip]")),
    ],
)
def test_images_and_files_are_written(part: Part, block: object) -> None:
    assert written(said(USER, part))["messages"][0]["content"] == [block]


def test_what_this_format_cannot_say_is_a_loss() -> None:
    prompt = Prompt(
        (
            said(SYSTEM, "x"),
            said(USER, OtherPart("input_audio"), OtherPart("odd"), ImagePart("image/svg+xml", "PHN2"), FilePart("application/zip", "UEsD")),
            said(ASSISTANT, ImagePart("image/png", PNG)),
            said(TOOL, ResultPart("a", (ImagePart("image/tiff", "II"),))),
        ),
        form=OutputForm(),
        service="priority",
        temperature=0.1,
        top_p=0.1,
    )
    assert [(loss.what, loss.essential) for loss in losses(prompt)] == [
        ("input_audio", True),
        ("odd", False),
        ("image", True),
        ("file", True),
        ("file", False),
        ("image", True),
        ("response_format", False),
        ("service_tier", False),
        ("top_p", False),
    ]
    assert losses(Prompt((said(USER, "x"),))) == ()
    assert all(isinstance(loss, Loss) and loss.words for loss in losses(prompt))


@pytest.mark.parametrize("name", CAPTURED)
def test_what_was_read_is_written_again(name: str) -> None:
    """Reading and writing keeps all that is said: nothing of texts, calls, results and tools is lost on the way."""
    prompt = read_prompt(read_request(captured(name), {}))
    body = write_prompt(prompt, CARE).body()
    again = read_prompt(read_request(body, {}))

    def told(one: Prompt) -> list[object]:
        parts = [part for message in one.messages for part in message.parts]
        texts = [re.sub(r"</?system-reminder>|\n", "", part.text) for part in parts if isinstance(part, TextPart)]
        results = [(part.id, part.failed, len(part.parts)) for part in parts if isinstance(part, ResultPart)]
        calls = [(part.id, part.name, json.loads(part.arguments)) for part in parts if isinstance(part, CallPart)]
        thoughts = [part.thought for part in parts if isinstance(part, ThoughtPart)]
        return [texts, results, calls, thoughts, [(tool.name, tool.schema) for tool in one.tools], one.stream, one.effort]

    assert told(again) == told(prompt)
    roles = [message["role"] for message in json.loads(body)["messages"]]
    assert roles == (["user", "assistant"] * len(roles))[: len(roles)]


# The law of prefixes.

WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6).filter(str.strip)
RESULTS = st.lists(WORDS.map(TextPart), max_size=2).map(tuple)


@st.composite
def steps(draw: st.DrawFn) -> list[Message]:
    """A conversation as an agent grows it: an answer with calls, their results, now and then a word of the user or the system."""
    messages = [said(SYSTEM, draw(WORDS)), said(USER, draw(WORDS))]
    for turn in range(draw(st.integers(1, 6))):
        calls = [
            CallPart(
                draw(st.sampled_from(["", "same", f"functions.f:{turn}", f"t{turn}_{place}"])),
                "f",
                draw(st.sampled_from(["{}", '{"a":1}', "{"])),
            )
            for place in range(draw(st.integers(0, 3)))
        ]
        spoken: list[Part] = [TextPart(draw(WORDS))] if draw(st.booleans()) or not calls else []
        thought = Thought("anthropic", b'{"type":"thinking","thinking":"","signature":"%d"}' % turn, digest_of(str(turn)))
        messages.append(said(ASSISTANT, *([ThoughtPart(thought)] if draw(st.booleans()) else []), *spoken, *calls))
        messages += [said(TOOL, ResultPart(call.id, draw(RESULTS), draw(st.booleans()))) for call in calls if draw(st.integers(0, 5))]
        if not calls or draw(st.booleans()):
            messages.append(said(draw(st.sampled_from([USER, SYSTEM])), draw(WORDS)))
    return messages


@given(steps())
@settings(max_examples=60, deadline=None)
def test_the_bytes_of_a_conversations_beginning_never_change(messages: list[Message]) -> None:
    whole = write_prompt(Prompt(tuple(messages)), CARE).raw("messages")
    assert whole is not None
    for place, message in enumerate(messages):
        # All that stands before an answer was a request once; two answers in a row are one.
        if message.role is ASSISTANT and messages[place - 1].role is not ASSISTANT:
            asked = write_prompt(Prompt(tuple(messages[:place])), CARE).raw("messages")
            assert asked is not None
            assert whole.startswith(asked[:-1])


@given(steps())
@settings(max_examples=60, deadline=None)
def test_what_is_written_keeps_the_rules_of_the_api(messages: list[Message]) -> None:
    body = written(*messages)
    roles = [message["role"] for message in body["messages"]]
    assert roles == (["user", "assistant"] * len(roles))[: len(roles)]
    asked: list[str] = []
    seen: list[str] = []
    for message in body["messages"]:
        results = [block["tool_use_id"] for block in message["content"] if block["type"] == "tool_result"]
        assert sorted(results) == sorted(asked)
        assert all(block["type"] == "tool_result" for block in message["content"][: len(results)])
        asked = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
        seen += asked
        assert all(block["text"].strip() for block in message["content"] if block["type"] == "text")
    assert len(seen) == len(set(seen))
    assert not asked
