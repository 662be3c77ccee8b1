"""The rules of Google, DeepSeek, Mistral, xAI and OpenRouter, each in its own words and its own shape of an error."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.simulator.speaking import CHAT_TOOLS, MESSAGE_TOOLS, SCHEMA, Json, Simulator, simulator

MODELS = {
    "google": "gemini-4-argon",
    "deepseek": "deepseek-v4-pro",
    "mistral": "mistral-large-4",
    "xai": "grok-4.7",
    "openrouter": "anthropic/claude-opus-5.5",
}
DUMMY: Json = {"google": {"thought_signature": "skip_thought_signature_validator"}}
PERSON: Json = {"role": "user", "content": "Run the tests"}


def call(call_id: str = "abcDEF123", **more: Any) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": "run_commands", "arguments": "{}"}, **more}


def calls(*made: Json, **more: Any) -> Json:
    return {"role": "assistant", "content": "", "tool_calls": list(made or (call(),)), **more}


def result(call_id: str = "abcDEF123") -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": "2 passed"}


def turns(*messages: Json) -> Json:
    return {"messages": list(messages)}


def function(**more: Any) -> Json:
    return {"tools": [{"type": "function", "function": {**CHAT_TOOLS[0]["function"], **more}}]}


def schema(**more: Any) -> Json:
    return function(parameters={**SCHEMA, **more})


BASES: dict[str, Json] = {
    "google": turns(PERSON, calls(call(extra_content=DUMMY)), result()),
    "deepseek": turns(PERSON, calls(reasoning_content=""), result()),
    "mistral": turns(PERSON, calls(), result()),
    "xai": turns(PERSON, calls(), result()),
    "openrouter": turns(PERSON, calls(), result()),
}
REASONED: Json = {"role": "assistant", "content": "Yes."}
ORDER = "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."

REFUSED: list[tuple[str, Json, int, str]] = [
    ("google", {"store": False}, 400, 'Invalid JSON payload received. Unknown name "store": Cannot find field.'),
    ("google", {"prompt_cache_key": "k"}, 400, 'Unknown name "prompt_cache_key": Cannot find field.'),
    ("google", turns({**REASONED, "reasoning_content": "x"}, PERSON), 400, "Unknown name \"reasoning_content\" at 'messages[0]'"),
    ("google", turns({"role": "system", "content": "x"}), 400, "contents is not specified"),
    ("google", turns(PERSON, calls(call(extra_content=DUMMY)), PERSON), 400, "number of function response parts is equal to the number"),
    ("google", turns(PERSON, result()), 400, "function response turn comes immediately after a function call turn."),
    ("google", schema(additionalProperties=False), 400,
     "Unknown name \"additionalProperties\" at 'tools[0].function_declarations[0].parameters': Cannot find field."),
    ("google", schema(**{"$schema": "http://json-schema.org/draft-07/schema#"}), 400, 'Unknown name "$schema" at'),
    ("google", schema(properties={"a": {"type": "string", "const": "x"}}), 400,
     "'tools[0].function_declarations[0].parameters.properties[0].value'"),
    ("google", schema(properties={"a": {"type": ["string", "null"]}}), 400, "Proto field is not repeating, cannot start list."),
    ("google", schema(properties={"a": {"type": "integer", "enum": [1]}}), 400, "(TYPE_STRING), 1"),
    ("google", function(name="1st"), 400, "Invalid function name. Must start with a letter or an underscore."),
    ("google", {"reasoning_effort": "xhigh"}, 400, "Invalid reasoning_effort: xhigh."),
    ("google", {"reasoning_effort": "none"}, 400, "This model only works in thinking mode."),
    ("google", turns(PERSON, calls(), result()), 400, "Function call is missing a thought_signature in functionCall parts."),
    ("google", turns(PERSON, calls(call(extra_content={"google": {"thought_signature": "c2lnbmF0dXJl"}})), result()), 400,
     "Corrupted thought signature."),
    ("google", {"model": "gemini-9"}, 404, "models/gemini-9 is not found"),
    ("deepseek", turns(PERSON, calls(), result()), 400, "The `reasoning_content` in the thinking mode must be passed back to the API."),
    ("deepseek", {"tool_choice": "required"}, 400, "Thinking mode does not support this tool_choice"),
    ("deepseek", {"tool_choice": {"type": "function", "function": {"name": "x"}}}, 400, "does not support this tool_choice"),
    ("deepseek", turns({"role": "developer", "content": "x"}, PERSON), 400, "messages[0].role: unknown variant `developer`"),
    ("deepseek", turns({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]}), 400,
     "unknown variant `image_url`, expected `text`"),
    ("deepseek", turns(PERSON, calls(reasoning_content="x"), PERSON), 400, f"{ORDER} (insufficient tool messages"),
    ("deepseek", turns(PERSON, result()), 400, "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'"),
    ("deepseek", function(name="a.b"), 400, "Invalid 'tools[0].function.name': string does not match pattern."),
    ("deepseek", {"max_tokens": 1_000_000}, 400, "the valid range of max_tokens is [1, 393216]"),
    ("deepseek", turns(PERSON, {"role": "assistant", "content": None}, PERSON), 400, "content or tool_calls must be set"),
    ("deepseek", {"model": "deepseek-v9"}, 400, "Model Not Exist"),
    ("mistral", {"max_completion_tokens": 10}, 422, '"loc": ["body", "max_completion_tokens"], "msg": "Extra inputs are not permitted"'),
    ("mistral", {"user": "u"}, 422, '"loc": ["body", "user"]'),
    ("mistral", {"stream": True, "stream_options": {"include_usage": True}}, 422, '"loc": ["body", "stream_options", "include_usage"]'),
    ("mistral", turns(PERSON, {**REASONED, "reasoning_content": "x"}, PERSON), 422,
     '"loc": ["body", "messages", 1, "assistant", "reasoning_content"]'),
    ("mistral", turns({**PERSON, "cache_control": {}}), 422, '"loc": ["body", "messages", 0, "user", "cache_control"]'),
    ("mistral", turns({"role": "developer", "content": "x"}, PERSON), 422, "union_tag_invalid"),
    ("mistral", turns(PERSON, calls(call("call_1")), result("call_1")), 400,
     "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9."),
    ("mistral", turns(PERSON, calls(), result(), PERSON), 400, "Unexpected role 'user' after role 'tool'"),
    ("mistral", turns(PERSON, REASONED, result()), 400, "Unexpected tool call id abcDEF123 in tool results"),
    ("mistral", turns(PERSON, calls(), PERSON), 400, "Not the same number of function calls and responses"),
    ("mistral", turns(PERSON, {"role": "assistant", "content": ""}, PERSON), 400, "must have either content or tool_calls, but not none."),
    ("mistral", turns(PERSON, REASONED), 400, "Expected last role User or Tool (or Assistant with prefix True)"),
    ("mistral", function(name="a.b"), 400, "Function name was a.b but must be"),
    ("xai", {"stop": ["END"]}, 400, "Model grok-4.7 does not support parameter stop."),
    ("xai", {"presence_penalty": 0}, 400, "Model grok-4.7 does not support parameter presencePenalty."),
    ("xai", {"frequency_penalty": 0}, 400, "does not support parameter frequencyPenalty."),
    ("xai", turns({"role": "user", "content": ""}), 400, "Each message must have at least one content element."),
    ("xai", {"model": "grok-9"}, 404, "The model grok-9 does not exist"),
    ("openrouter", {"model": "openai/gpt-9"}, 400, "openai/gpt-9 is not a valid model ID"),
    ("openrouter", turns(PERSON, calls(), PERSON), 400, "`tool_use` ids were found without `tool_result` blocks immediately after"),
    ("openrouter", turns(PERSON, calls(reasoning_details=[
        {"type": "reasoning.text", "text": "x", "signature": "Zm9yZWlnbg==", "format": "anthropic-claude-v1"}
    ]), result()), 400, "Invalid `signature` in `thinking` block"),
    ("openrouter", {"model": "openai/gpt-6.1-sol", **turns(PERSON, calls(reasoning_details=[
        {"type": "reasoning.encrypted", "data": "Zm9yZWlnbg==", "format": "openai-responses-v1"}
    ]), result())}, 400, "could not be verified."),
    ("openrouter", turns(*[{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}] * 5), 400,
     "A maximum of 4 blocks with cache_control may be provided. Found 5."),
    ("openrouter", function(name="a.b"), 400, "tools.0.custom.name: String should match pattern"),
]  # fmt: skip

TAKEN: list[tuple[str, Json]] = [
    *((family, {}) for family in MODELS),
    ("google", {"model": "gemini-2.5-pro", **turns(PERSON, calls(), result())}),
    # Calls of an earlier turn, and the second of two side by side, need no signature.
    ("google", turns(PERSON, calls(), result(), PERSON)),
    ("google", turns(PERSON, calls(call(extra_content=DUMMY), call("other0001")), result(), result("other0001"))),
    ("google", {"stream": True, "stream_options": {"include_usage": True}, "reasoning_effort": "low", "max_tokens": 100}),
    ("deepseek", {"thinking": {"type": "disabled"}, "tool_choice": "required", **turns(PERSON, calls(), result())}),
    ("deepseek", {"store": False, "whatever": 1}),
    ("mistral", turns(PERSON, calls(), result(), REASONED, PERSON)),
    ("mistral", {"random_seed": 7, "prompt_cache_key": "k", "parallel_tool_calls": False}),
    ("xai", {"whatever": 1, "temperature": 0}),
    ("xai", {"model": "grok-4-fast-non-reasoning", "stop": ["END"]}),
    ("openrouter", {"whatever": 1, "reasoning": {"effort": "low"}, "provider": {"order": ["Anthropic"]}}),
    # What another maker thought is left out on the way.
    (
        "openrouter",
        turns(PERSON, calls(reasoning_details=[{"type": "reasoning.text", "text": "x", "format": "google-gemini-v1"}]), result()),
    ),
]


@pytest.fixture
async def opened() -> AsyncIterator[Simulator]:
    async with simulator() as running:
        yield running


def body_for(family: str, change: Json) -> Json:
    return {"model": MODELS[family], "tools": CHAT_TOOLS, **BASES[family], **change}


@pytest.mark.parametrize(("family", "change", "status", "words"), REFUSED, ids=[f"{row[0]}: {row[3][:45]}" for row in REFUSED])
async def test_a_broken_rule_is_refused(opened: Simulator, family: str, change: Json, status: int, words: str) -> None:
    got, body = await opened.post(family, "openai", body_for(family, change))
    assert got == status, body
    assert words in json.dumps(body, ensure_ascii=False).replace('\\"', '"')
    match family:
        case "google":
            assert (body[0]["error"]["code"], body[0]["error"]["status"]) == (status, "NOT_FOUND" if status == 404 else "INVALID_ARGUMENT")
        case "deepseek":
            assert (body["error"]["type"], body["error"]["code"]) == ("invalid_request_error", "invalid_request_error")
        case "mistral":
            assert (body["object"], body["type"]) == ("error", "invalid_request_error")
        case "xai":
            assert set(body) == {"code", "error"}
        case _:
            assert body["error"]["code"] == status


@pytest.mark.parametrize(("family", "change"), TAKEN)
async def test_what_keeps_the_rules_is_served(opened: Simulator, family: str, change: Json) -> None:
    status, body = await opened.post(family, "openai", body_for(family, change))
    assert status == 200, body


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "The `content[].thinking` in the thinking mode must be passed back to the API."),
        ({"messages": [PERSON, {"role": "assistant", "content": []}]}, ""),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": "y"}]}]},
            "unexpected `tool_use_id`",
        ),
        ({"tool_choice": {"type": "any"}, "messages": [PERSON]}, "does not support this tool_choice"),
        ({"thinking": {"type": "disabled"}}, ""),
    ],
)
@pytest.mark.parametrize("path", ["messages", "../anthropic/v1/messages"])
async def test_deepseek_has_a_door_for_messages(opened: Simulator, change: Json, words: str, path: str) -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "run_commands", "input": {}}
    told = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "y"}]}
    base = {"model": "deepseek-flash", "max_tokens": 100, "tools": MESSAGE_TOOLS}
    messages = [PERSON, {"role": "assistant", "content": [use]}, told]
    status, body = await opened.post("deepseek", path, {**base, "messages": messages, "unknown": 1, **change})
    assert (status == 400) == bool(words), body
    assert words in json.dumps(body)


async def test_google_takes_its_own_signature_back(opened: Simulator) -> None:
    from tests.simulator.clients import Continue

    tools = [
        {"type": "function", "function": {**tool["function"], "parameters": plain(tool["function"]["parameters"])}}
        for tool in Continue.tools
    ]
    asked: Json = {"model": MODELS["google"], "tools": tools, "messages": [{"role": "user", "content": "Explain the parser"}]}
    _, answer = await opened.post("google", "openai", asked)
    message = answer["choices"][0]["message"]
    assert [("extra_content" in made) for made in message["tool_calls"]][:1] == [True]
    results = [result(made["id"]) for made in message["tool_calls"]]
    more = {**asked, "messages": [*asked["messages"], message, *results]}
    assert (await opened.post("google", "openai", more))[0] == 200
    status, body = await opened.post("google", "openai", {**more, "model": "gemini-3.8-flash"})
    assert (status, body[0]["error"]["message"]) == (400, "Corrupted thought signature.")


def plain(given: Any) -> Any:
    """A schema without what Google does not know."""
    if isinstance(given, dict):
        return {name: plain(value) for name, value in given.items() if name not in ("additionalProperties", "$schema")}
    return given


async def test_openrouter_takes_its_own_reasoning_back(opened: Simulator) -> None:
    asked: Json = {"model": MODELS["openrouter"], "messages": [PERSON]}
    _, answer = await opened.post("openrouter", "openai", asked)
    message = answer["choices"][0]["message"]
    assert message["reasoning"]
    more = {**asked, "messages": [PERSON, message, PERSON]}
    assert (await opened.post("openrouter", "openai", more))[0] == 200
    status, body = await opened.post("openrouter", "openai", {**more, "model": "anthropic/claude-sonnet-5.5"})
    assert (status, body["error"]["metadata"]["provider_name"]) == (400, "anthropic")


@pytest.mark.parametrize("family", ["local", "ollama", "groq", "zai"])
async def test_the_rest_are_lenient(opened: Simulator, family: str) -> None:
    model = {"groq": "openai/gpt-oss-120b", "zai": "GLM-4.5"}.get(family, "qwen3:8b")
    status, body = await opened.post(family, "openai", {"model": model, "whatever": 1, **turns(PERSON, REASONED, result("x"))})
    assert status == 200, body


@pytest.mark.parametrize(
    ("family", "path", "status"), [("nobody", "openai", 404), ("google", "anthropic", 404), ("mistral", "responses", 404)]
)
async def test_who_is_not_played_and_what_is_not_spoken_is_said(opened: Simulator, family: str, path: str, status: int) -> None:
    got, body = await opened.post(family, path, {"model": "x", "messages": [PERSON]})
    assert got == status
    assert family in json.dumps(body)
