"""OpenAI's rules, of chat completions and of Responses: a body that keeps them all, and for each rule a change that breaks it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.simulator.speaking import ALL_TOOLS, CHAT_TOOLS, RESPONSE_TOOLS, SCHEMA, Json, Simulator, simulator

OLD, SOL = "gpt-4o", "gpt-6.1-sol"
PERSON: Json = {"role": "user", "content": "Run the tests"}
CALL: Json = {"id": "call_1", "type": "function", "function": {"name": "run_commands", "arguments": "{}"}}
CALLS: Json = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT: Json = {"role": "tool", "tool_call_id": "call_1", "content": "2 passed"}
CHAT: Json = {"model": OLD, "messages": [PERSON, CALLS, RESULT], "tools": CHAT_TOOLS}
CLOSED: Json = {**SCHEMA, "additionalProperties": False}


@pytest.fixture
async def openai() -> AsyncIterator[Simulator]:
    async with simulator() as opened:
        yield opened


def turns(*messages: Json) -> Json:
    return {"messages": list(messages)}


def function(**more: Any) -> Json:
    return {"tools": [{"type": "function", "function": {**CHAT_TOOLS[0]["function"], **more}}]}


def form(**more: Any) -> Json:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": CLOSED, **more}}}


REFUSED_CHAT: list[tuple[Json, str, str | None]] = [
    ({"thinking": {"type": "enabled"}}, "Unrecognized request argument supplied: thinking", None),
    (turns(), "Invalid 'messages': empty array.", "empty_array"),
    (turns({"role": "tools", "content": "x"}), "Invalid value: 'tools'. Supported values are: 'system', 'assistant'", "invalid_value"),
    (turns({**PERSON, "cache_control": {}}), "Unknown parameter: 'messages[0].cache_control'.", "unknown_parameter"),
    (turns(PERSON, {"role": "assistant", "content": "x", "reasoning_content": "y"}), "Unknown parameter: 'messages[1].reasoning_content'.",
     "unknown_parameter"),
    (turns({"role": "user", "content": None}), "Invalid value for 'content': expected a string, got null.", None),
    (turns({"role": "user", "content": [{"type": "input_text", "text": "x"}]}), "Invalid value: 'input_text'.", "invalid_value"),
    (turns({"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {}}]}),
     "Unknown parameter: 'messages[0].content[0].cache_control'.", "unknown_parameter"),
    (turns(PERSON, CALLS, PERSON), "The following tool_call_ids did not have response messages: call_1", None),
    (turns(PERSON, CALLS), "must be followed by tool messages responding to each 'tool_call_id'.", None),
    (turns(PERSON, RESULT), "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.", None),
    (turns(PERSON, {**CALLS, "tool_calls": []}), "Invalid value for 'content': expected a string, got null.", None),
    (turns(PERSON, {**CALLS, "content": "x", "tool_calls": []}), "Invalid 'messages[1].tool_calls': empty array.", "empty_array"),
    (turns(PERSON, {**CALLS, "tool_calls": [{**CALL, "id": "x" * 41}]}, RESULT),
     "Invalid 'messages[1].tool_calls[0].id': string too long. Expected a string with maximum length 40, but got a string with length 41",
     "string_above_max_length"),
    (turns(PERSON, {**CALLS, "tool_calls": [{**CALL, "function": {"name": "a.b", "arguments": ""}}]}, RESULT),
     "Invalid 'messages[1].tool_calls[0].function.name': string does not match pattern.", "invalid_value"),
    (turns(PERSON, {**CALLS, "tool_calls": [{**CALL, "extra_content": {}}]}, RESULT), "'messages[1].tool_calls[0].extra_content'",
     "unknown_parameter"),
    (function(name="functions.run"), "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.", "invalid_value"),
    (function(name="x" * 65), "Invalid 'tools[0].function.name': string too long.", "string_above_max_length"),
    (function(parameters={"properties": {}}), "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'.",
     "invalid_function_parameters"),
    (function(strict=True), "'additionalProperties' is required to be supplied and to be false.", "invalid_function_parameters"),
    (function(strict=True, parameters={**CLOSED, "required": []}), "Missing 'commands'.", "invalid_function_parameters"),
    ({"tools": CHAT_TOOLS * 129}, "Invalid 'tools': array too long.", "array_above_max_length"),
    ({"tools": [{"type": "web_search"}]}, "Invalid value: 'web_search'.", "invalid_value"),
    ({**turns(PERSON), "tools": None, "tool_choice": "required"}, "'tool_choice' is only allowed when 'tools' are specified.", None),
    ({"stream_options": {"include_usage": True}}, "The 'stream_options' parameter is only allowed when 'stream' is enabled.", None),
    (form(name="an answer"), "Invalid 'response_format.json_schema.name'", "invalid_value"),
    (form(strict=True, schema=SCHEMA), "Invalid schema for response_format 'answer'", "invalid_json_schema"),
    ({"max_tokens": 1_000_000}, "max_tokens is too large: 1000000.", "invalid_value"),
    ({"max_tokens": 1, "max_completion_tokens": 1}, "at the same time is not supported", "invalid_parameter_combination"),
    ({"temperature": 3}, "Invalid 'temperature': decimal above maximum value.", "decimal_above_max_value"),
    ({"reasoning_effort": "low"}, "Unrecognized request argument supplied: reasoning_effort", None),
    ({"model": "gpt-9"}, "The model `gpt-9` does not exist or you do not have access to it.", "model_not_found"),
    (turns({"role": "user", "content": "word " * 200_000}), "maximum context length", "context_length_exceeded"),
    ({"model": SOL}, f"Function tools with reasoning_effort are not supported for {SOL} in /v1/chat/completions.", None),
    ({"model": "gpt-5.4", "reasoning_effort": "low"}, "set reasoning_effort to 'none'", None),
]  # fmt: skip

ALONE: Json = {"tools": None, "messages": [PERSON], "model": SOL}
REFUSED_REASONING: list[tuple[Json, str, str]] = [
    ({"max_tokens": 10}, "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
     "unsupported_parameter"),
    ({"temperature": 0}, "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.",
     "unsupported_value"),
    ({"top_p": 0.5}, "Unsupported parameter: 'top_p' is not supported with this model.", "unsupported_parameter"),
    ({"stop": ["END"]}, "Unsupported parameter: 'stop' is not supported with this model.", "unsupported_parameter"),
    ({"presence_penalty": 1}, "Unsupported parameter: 'presence_penalty' is not supported with this model.", "unsupported_parameter"),
    ({"logprobs": True}, "Unsupported parameter: 'logprobs' is not supported with this model.", "unsupported_parameter"),
    ({"reasoning_effort": "extreme"}, "Invalid value: 'extreme'. Supported values are:", "invalid_value"),
]  # fmt: skip

TAKEN_CHAT: list[Json] = [
    {},
    {"model": SOL, "reasoning_effort": "none"},
    {"model": "gpt-5.4"},
    {**ALONE, "temperature": 1, "max_completion_tokens": 100, "reasoning_effort": "high", "verbosity": "low"},
    {"temperature": 0, "top_p": 0.1, "max_tokens": 100, "stop": ["END"], "prompt_cache_key": "k", "store": False, "user": "u"},
    function(strict=True, parameters=CLOSED),
    form(strict=True),
    turns({"role": "developer", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "x"}]}),
]


@pytest.mark.parametrize(("change", "words", "code"), REFUSED_CHAT, ids=[words[:50] for _, words, _ in REFUSED_CHAT])
async def test_a_broken_rule_of_chat_is_refused(openai: Simulator, change: Json, words: str, code: str | None) -> None:
    status, body = await openai.post("openai", "openai", {**CHAT, **change})
    assert status == (404 if code == "model_not_found" else 400), body
    assert words in body["error"]["message"]
    assert (body["error"]["code"], body["error"]["type"]) == (code, "invalid_request_error")


@pytest.mark.parametrize(("change", "words", "code"), REFUSED_REASONING)
async def test_models_that_reason_take_less(openai: Simulator, change: Json, words: str, code: str) -> None:
    status, body = await openai.post("openai", "openai", {**CHAT, **ALONE, **change})
    assert (status, body["error"]["code"]) == (400, code)
    assert words in body["error"]["message"]


@pytest.mark.parametrize("change", TAKEN_CHAT)
async def test_chat_that_keeps_the_rules_is_served(openai: Simulator, change: Json) -> None:
    status, body = await openai.post("openai", "openai", {**CHAT, **change})
    assert status == 200, body


async def test_a_key_is_needed(openai: Simulator) -> None:
    status, body = await openai.post("openai", "openai", CHAT, Authorization="")
    assert (status, body["error"]["type"]) == (401, "authentication_error")


SAID: Json = {"role": "user", "content": [{"type": "input_text", "text": "Run the tests"}]}
FUNCTION_CALL: Json = {"type": "function_call", "call_id": "call_1", "name": "run_commands", "arguments": "{}"}
OUTPUT: Json = {"type": "function_call_output", "call_id": "call_1", "output": "2 passed"}
CUSTOM_CALL: Json = {"type": "custom_tool_call", "call_id": "call_2", "name": "exec", "namespace": "functions", "input": "text(1)"}
CUSTOM_OUTPUT: Json = {"type": "custom_tool_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "1"}]}
FOREIGN: Json = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAABforeign=="}
RESPONSES: Json = {"model": SOL, "input": [SAID, FUNCTION_CALL, OUTPUT], "tools": RESPONSE_TOOLS, "store": False}


def items(*given: Json) -> Json:
    return {"input": list(given)}


REFUSED_RESPONSES: list[tuple[Json, int, str, str | None]] = [
    ({"messages": []}, 400, "Unknown parameter: 'messages'.", "unknown_parameter"),
    ({"max_tokens": 100}, 400, "Unknown parameter: 'max_tokens'.", "unknown_parameter"),
    ({"stream_options": {"include_usage": True}}, 400, "Unknown parameter: 'stream_options.include_usage'.", "unknown_parameter"),
    ({"input": None}, 400, "Missing required parameter: 'input'.", "missing_required_parameter"),
    ({"max_output_tokens": 15}, 400, "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16",
     "integer_below_min_value"),
    ({"temperature": 0}, 400, "Unsupported parameter: 'temperature' is not supported with this model.", "unsupported_parameter"),
    ({"reasoning": {"effort": "extreme"}}, 400, "Invalid value: 'extreme'.", "invalid_value"),
    ({"reasoning": {"budget": 1}}, 400, "Unknown parameter: 'reasoning.budget'.", "unknown_parameter"),
    ({"model": OLD, "reasoning": {"effort": "low"}}, 400, "'reasoning.effort' is not supported with this model.", "unsupported_parameter"),
    ({"previous_response_id": "resp_1"}, 400, "Previous response with id 'resp_1' not found.", "previous_response_not_found"),
    (items(SAID, {"type": "item_reference", "id": "rs_1"}), 404, "Items are not persisted when `store` is set to false.", None),
    (items(SAID, {"type": "reasoning", "id": "rs_1", "summary": []}, FUNCTION_CALL, OUTPUT), 404, "Item with id 'rs_1' not found.", None),
    (items(SAID, FOREIGN, FUNCTION_CALL, OUTPUT), 400, "The encrypted content gAAA...gn== could not be verified.",
     "invalid_encrypted_content"),
    (items(SAID, FUNCTION_CALL), 400, "No tool output found for function call call_1.", None),
    (items(SAID, OUTPUT), 400, "No tool call found for function call output with call_id call_1.", None),
    (items(SAID, CUSTOM_CALL), 400, "No tool output found for custom tool call call_2.", None),
    (items(SAID, CUSTOM_OUTPUT), 400, "No tool call found for custom tool call output", None),
    (items(SAID, {**FUNCTION_CALL, "call_id": "x" * 65}, {**OUTPUT, "call_id": "x" * 65}), 400,
     "Invalid 'input[1].call_id': string too long. Expected a string with maximum length 64, but got a string with length 65 instead.",
     "string_above_max_length"),
    (items(SAID, {**FUNCTION_CALL, "name": "a.b"}, OUTPUT), 400, "'input[1].name': string does not match pattern.", "invalid_value"),
    (items(SAID, {**FUNCTION_CALL, "id": "toolu_1"}, OUTPUT), 400,
     "Invalid 'input[1].id': 'toolu_1'. Expected an ID that begins with 'fc'.", "invalid_value"),
    (items({**SAID, "id": "item_1"}), 400, "Expected an ID that begins with 'msg'.", "invalid_value"),
    (items({**SAID, "name": "Ann"}), 400, "Unknown parameter: 'input[0].name'.", "unknown_parameter"),
    (items({"type": "tool_result"}), 400, "Invalid value: 'tool_result'. Supported values are:", "invalid_value"),
    (items({"role": "tool", "content": "x"}), 400, "Invalid value: 'tool'. Supported values are:", "invalid_value"),
    (items({"role": "user", "content": [{"type": "text", "text": "x"}]}), 400, "Invalid value: 'text'. Supported values are: 'input_text'",
     "invalid_value"),
    (items({"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}), 400,
     "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'.", "invalid_value"),
    ({"tools": CHAT_TOOLS}, 400, "Missing required parameter: 'tools[0].name'.", "missing_required_parameter"),
    ({"tools": [{**RESPONSE_TOOLS[0], "input_schema": {}}]}, 400, "Unknown parameter: 'tools[0].input_schema'.", "unknown_parameter"),
    ({"tools": [{"type": "bash", "name": "x"}]}, 400, "Invalid value: 'bash'.", "invalid_value"),
    ({"text": {"format": {"type": "json_schema", "schema": CLOSED}}}, 400, "Missing required parameter: 'text.format.name'.",
     "missing_required_parameter"),
    (items({"role": "user", "content": "word " * 800_000}), 400, "Your input exceeds the context window of this model.",
     "context_length_exceeded"),
]  # fmt: skip

TAKEN_RESPONSES: list[Json] = [
    {},
    {"input": "Run the tests", "instructions": "Be brief."},
    items(SAID, {"role": "assistant", "content": "Yes."}, SAID),
    items(
        {"type": "additional_tools", "role": "developer", "tools": [{"type": "custom", "name": "exec"}]}, SAID, CUSTOM_CALL, CUSTOM_OUTPUT
    ),
    {"tools": [{"type": "namespace", "name": "agents", "description": "x", "tools": RESPONSE_TOOLS}, {"type": "web_search"}]},
    {"include": ["reasoning.encrypted_content"], "reasoning": {"effort": "low", "summary": "auto"}, "text": {"verbosity": "low"}},
    {"model": OLD, "temperature": 0, "max_output_tokens": 16, "truncation": "auto"},
]


@pytest.mark.parametrize(("change", "status", "words", "code"), REFUSED_RESPONSES, ids=[row[2][:50] for row in REFUSED_RESPONSES])
async def test_a_broken_rule_of_responses_is_refused(openai: Simulator, change: Json, status: int, words: str, code: str | None) -> None:
    got, body = await openai.post("openai", "responses", {**RESPONSES, **change})
    assert got == status, body
    assert words in body["error"]["message"]
    assert body["error"]["code"] == code


@pytest.mark.parametrize("change", TAKEN_RESPONSES)
async def test_responses_that_keep_the_rules_are_served(openai: Simulator, change: Json) -> None:
    status, body = await openai.post("openai", "responses", {**RESPONSES, **change})
    assert (status, body.get("status")) in ((200, "completed"), (200, "incomplete")), body


def offered() -> list[Json]:
    return [{"type": "function", "name": tool["name"], "parameters": tool["input_schema"], "strict": False} for tool in ALL_TOOLS]


async def started(openai: Simulator, **more: Any) -> tuple[Json, list[Json]]:
    """A first call with its answer's items and an output for each call in it."""
    asked: Json = {"model": SOL, "input": [SAID], "tools": offered(), **more}
    status, answer = await openai.post("openai", "responses", asked)
    assert status == 200, answer
    outputs = [
        {"type": "function_call_output", "call_id": item["call_id"], "output": "x.py"}
        for item in answer["output"]
        if item["type"] == "function_call"
    ]
    assert outputs
    return asked, [SAID, *answer["output"], *outputs]


async def test_own_encrypted_reasoning_is_taken_back_by_its_model_for_its_organisation(openai: Simulator) -> None:
    asked, given = await started(openai, include=["reasoning.encrypted_content"], store=False)
    assert given[1]["encrypted_content"].startswith("gAAAA")
    assert (await openai.post("openai", "responses", {**asked, "input": given}))[0] == 200
    status, body = await openai.post("openai", "responses", {**asked, "input": given, "model": "gpt-6.1-terra"})
    assert (status, body["error"]["code"]) == (400, "invalid_encrypted_content")
    openai.key = "another"
    status, body = await openai.post("openai", "responses", {**asked, "input": given})
    assert (status, body["error"]["code"]) == (400, "invalid_encrypted_content")


async def test_reasoning_is_not_taken_without_what_it_led_to(openai: Simulator) -> None:
    asked, given = await started(openai, include=["reasoning.encrypted_content"], store=False)
    status, body = await openai.post("openai", "responses", {**asked, "input": [*given[:2], SAID]})
    assert status == 400
    assert body["error"]["message"] == f"Item '{given[1]['id']}' of type 'reasoning' was provided without its required following item."


async def test_stored_items_are_not_taken_without_the_reasoning_before_them(openai: Simulator) -> None:
    asked, given = await started(openai)
    assert (await openai.post("openai", "responses", {**asked, "input": given}))[0] == 200
    status, body = await openai.post("openai", "responses", {**asked, "input": [given[0], *given[2:]]})
    assert (status, f"without its required 'reasoning' item: '{given[1]['id']}'" in body["error"]["message"]) == (400, True)
    nameless = [{name: value for name, value in item.items() if name != "id"} for item in given[2:]]
    assert (await openai.post("openai", "responses", {**asked, "input": [given[0], *nameless]}))[0] == 200


async def test_unstored_items_need_no_reasoning_before_them(openai: Simulator) -> None:
    asked, given = await started(openai, store=False)
    status, body = await openai.post("openai", "responses", {**asked, "input": [given[0], *given[2:]]})
    assert status == 200, body
