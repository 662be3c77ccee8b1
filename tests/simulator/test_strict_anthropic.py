"""Anthropic's rules: one body that keeps them all, and for each rule a change that breaks it, with the words that it is refused with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.simulator.speaking import ALL_TOOLS, MESSAGE_TOOLS, SCHEMA, Json, Simulator, simulator

OPUS, SONNET_45 = "claude-opus-5-5", "claude-sonnet-4-5"
SYSTEM_BETA = "mid-conversation-tool-changes-2026-07-01,per-turn-control-2026-07-01"
PERSON: Json = {"role": "user", "content": "Run the tests"}
CALL: Json = {"type": "tool_use", "id": "toolu_1", "name": "run_commands", "input": {"commands": ["pytest"]}}
RESULT: Json = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "2 passed"}]}
BASE: Json = {
    "model": OPUS,
    "max_tokens": 1000,
    "system": [{"type": "text", "text": "You are an agent."}],
    "tools": MESSAGE_TOOLS,
    "messages": [PERSON, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [RESULT]}],
}
MARK: Json = {"type": "ephemeral"}
LONG_MARK: Json = {"type": "ephemeral", "ttl": "1h"}
FOREIGN: Json = {"type": "thinking", "thinking": "Hm.", "signature": "EqQBCgIYAhIM"}


def turns(*messages: Json) -> Json:
    return {"messages": list(messages)}


def said(*blocks: Json) -> Json:
    return {"role": "assistant", "content": list(blocks)}


def told(*blocks: Json) -> Json:
    return {"role": "user", "content": list(blocks)}


def texts(count: int, mark: Json) -> list[Json]:
    return [{"type": "text", "text": f"Part {number}", "cache_control": mark} for number in range(count)]


def tool(**more: Any) -> Json:
    return {"tools": [{**MESSAGE_TOOLS[0], **more}]}


REFUSED: list[tuple[Json, str]] = [
    # What must be there, and what must not
    ({"max_tokens": None}, "max_tokens: Input should be a valid integer"),
    ({"max_tokens": 200_000}, "max_tokens: 200000 > 128000, which is the maximum allowed number of output tokens for claude-opus-5-5"),
    ({"messages": []}, "messages: at least one message is required"),
    ({"reasoning_effort": "high"}, "reasoning_effort: Extra inputs are not permitted"),
    ({"context_management": {"edits": []}}, "context_management: Extra inputs are not permitted"),
    ({"metadata": {"user": "x"}}, "metadata.user: Extra inputs are not permitted"),
    (turns({**PERSON, "name": "Ann"}), "messages.0.name: Extra inputs are not permitted"),
    (turns({**PERSON, "output_config": {"effort": "low"}}), "messages.0.output_config: Extra inputs are not permitted"),
    (turns(told({"type": "text", "text": "x", "detail": "low"})), "messages.0.content.0.text.detail: Extra inputs are not permitted"),
    (turns(told({"type": "input_text", "text": "x"})), "messages.0.content.0: Input tag 'input_text' found using 'type'"),
    # Whose turn it is
    (turns(PERSON, {"role": "system", "content": "Now plan."}), "messages.1.role: Input should be 'user' or 'assistant'"),
    (turns({"role": "developer", "content": "x"}), "messages.0.role: Input should be 'user' or 'assistant'"),
    (turns(said({"type": "text", "text": "I"}), PERSON), 'messages: first message must use the "user" role'),
    (turns(PERSON, said({"type": "text", "text": "The answer is"})), "does not support assistant message prefill"),
    # Texts
    (turns(told({"type": "text", "text": ""})), "messages: text content blocks must be non-empty"),
    (turns(told({"type": "text", "text": " \n"})), "messages: text content blocks must contain non-whitespace text"),
    (turns({"role": "user", "content": ""}), "messages.0: all messages must have non-empty content"),
    ({"system": [{"type": "text", "text": ""}]}, "system: text content blocks must be non-empty"),
    # Calls and results
    (turns(PERSON, said(CALL), PERSON), "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1."),
    (turns(PERSON, said(CALL), told({"type": "text", "text": "Wait"}, RESULT)), "without `tool_result` blocks immediately after: toolu_1."),
    (turns(told(RESULT)), "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1."),
    (turns(PERSON, said(CALL), told(RESULT, RESULT)), "Found multiple `tool_result` blocks with id: toolu_1"),
    (turns(PERSON, said(CALL), told(RESULT), said(CALL), told(RESULT)), "messages: `tool_use` ids must be unique"),
    (
        turns(PERSON, said({**CALL, "id": "call:1"}), told({**RESULT, "tool_use_id": "call:1"})),
        "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
    ),
    (turns(PERSON, said({**CALL, "input": "ls"}), told(RESULT)), "messages.1.content.0.tool_use.input: Input should be a valid dictionary"),
    # Tools
    (tool(name="functions.run"), "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"),
    (tool(name="x" * 129), "tools.0.custom.name: String should match pattern"),
    ({"tools": [{"name": "run"}]}, "tools.0.custom.input_schema: Field required"),
    (tool(input_schema={"properties": {}}), "tools.0.custom.input_schema.type: Input should be 'object'"),
    (tool(input_schema={**SCHEMA, "anyOf": []}), "input_schema does not support oneOf, allOf, or anyOf at the top level"),
    (tool(parameters=SCHEMA), "tools.0.custom.parameters: Extra inputs are not permitted"),
    ({"tools": MESSAGE_TOOLS * 2}, "tools: Tool names must be unique."),
    ({"tool_choice": {"type": "any"}}, "Thinking may not be enabled when tool_choice forces tool use."),
    ({"model": SONNET_45, "tool_choice": {"type": "tool", "name": "edit"}}, "Tool 'edit' not found in provided tools"),
    ({**turns(PERSON), "tools": [], "tool_choice": {"type": "auto"}}, "tool_choice may only be specified while providing tools."),
    # Thinking
    ({"thinking": {"type": "disabled"}}, '"thinking.type.disabled" is not supported for this model. Use "thinking.type.adaptive"'),
    (
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000},
        '"thinking.type.enabled" is not supported for this model.',
    ),
    ({"model": "claude-sonnet-5-5", "thinking": {"type": "disabled"}}, 'Use "thinking.type.between_tools"'),
    ({"thinking": {"type": "between_tools"}}, '"thinking.type.between_tools" is not supported for this model.'),
    ({"model": SONNET_45, "thinking": {"type": "adaptive"}}, "adaptive thinking is not supported on this model"),
    (
        {"model": SONNET_45, "thinking": {"type": "enabled", "budget_tokens": 1000}},
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    (
        {"model": SONNET_45, "thinking": {"type": "enabled", "budget_tokens": 1024}},
        "`max_tokens` must be greater than `thinking.budget_tokens`.",
    ),
    (
        {"model": SONNET_45, "max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 2000}},
        "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.",
    ),
    ({"model": SONNET_45, "output_config": {"effort": "low"}}, "This model does not support the effort parameter."),
    ({"output_config": {"effort": "extreme"}}, "output_config.effort: Input should be"),
    (turns(PERSON, said(FOREIGN, CALL), told(RESULT)), "messages.1.content.0: Invalid `signature` in `thinking` block"),
    (
        turns(PERSON, said({"type": "redacted_thinking", "data": "EmwKAhgB"}, CALL), told(RESULT)),
        "messages.1.content.0: Invalid `data` in `redacted_thinking` block",
    ),
    # Sampling
    ({"temperature": 0}, "`temperature` is deprecated for this model."),
    ({"top_p": 0.9}, "`top_p` is deprecated for this model."),
    ({"top_k": 5}, "`top_k` is deprecated for this model."),
    ({"model": SONNET_45, "temperature": 2}, "temperature: range: 0..1"),
    ({"model": SONNET_45, "temperature": 1, "top_p": 1}, "cannot both be specified for this model"),
    ({"stop_sequences": ["\n"]}, "stop_sequences.0: each stop sequence must contain non-whitespace"),
    # Cache marks
    (turns(told(*texts(5, MARK))), "A maximum of 4 blocks with cache_control may be provided. Found 5."),
    (
        {**turns(told(*texts(1, LONG_MARK))), "system": texts(1, MARK)},
        "messages.0.content.0.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block.",
    ),
    (turns(told(*texts(1, {"type": "ephemeral", "ttl": "2h"}))), "cache_control.ephemeral.ttl: Input should be '5m' or '1h'"),
    (
        turns(PERSON, said({**FOREIGN, "cache_control": MARK}, CALL), told(RESULT)),
        "messages.1.content.0.thinking.cache_control: Extra inputs are not permitted",
    ),
    (tool(defer_loading=True, cache_control=MARK), "Tools with defer_loading cannot have cache_control set"),
    # Images and length
    (
        turns(told({"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": "eA=="}})),
        "messages.0.content.0.image.source.base64.media_type: Input should be",
    ),
    (turns({"role": "user", "content": "word " * 900_000}), "prompt is too long: 11"),
]

TAKEN: list[Json] = [
    {},
    {"system": "You are an agent."},
    {"model": SONNET_45, "tool_choice": {"type": "any"}, "temperature": 0},
    {"model": "claude-sonnet-5-5", "thinking": {"type": "between_tools"}},
    {"model": "claude-haiku-5-5", "thinking": {"type": "disabled"}},
    turns(told(*texts(2, LONG_MARK), *texts(2, MARK))),
    {
        "metadata": {"user_id": "u"},
        "stop_sequences": ["END"],
        "service_tier": "auto",
        "thinking": {"type": "adaptive", "display": "omitted"},
    },
    {"model": SONNET_45, **turns(PERSON, said({"type": "text", "text": "The answer is"}))},
    turns(PERSON, said({"type": "text", "text": "Well."}), PERSON, PERSON),
]


@pytest.fixture
async def anthropic() -> AsyncIterator[Simulator]:
    async with simulator() as opened:
        yield opened


@pytest.mark.parametrize(("change", "words"), REFUSED, ids=[words[:60] for _, words in REFUSED])
async def test_a_broken_rule_is_refused_in_anthropics_words(anthropic: Simulator, change: Json, words: str) -> None:
    status, body = await anthropic.post("anthropic", "anthropic", {**BASE, **change})
    assert status == 400, body
    assert words in body["error"]["message"]
    assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")
    assert (await anthropic.bill()) == [] or words.startswith("prompt is too long")


@pytest.mark.parametrize("change", TAKEN)
async def test_what_keeps_the_rules_is_served(anthropic: Simulator, change: Json) -> None:
    status, body = await anthropic.post("anthropic", "anthropic", {**BASE, **change})
    assert status == 200, body


@pytest.mark.parametrize(
    ("headers", "body", "status", "kind", "words"),
    [
        ({"Authorization": ""}, {}, 401, "authentication_error", "x-api-key header is required"),
        ({"anthropic-version": ""}, {}, 400, "invalid_request_error", "anthropic-version: header is required"),
        ({}, {"model": "claude-opus-9"}, 404, "not_found_error", "model: claude-opus-9"),
    ],
)
async def test_a_key_a_version_and_a_model_are_needed(
    anthropic: Simulator, headers: dict[str, str], body: Json, status: int, kind: str, words: str
) -> None:
    got, answer = await anthropic.post("anthropic", "anthropic", {**BASE, **body}, **headers)
    assert (got, answer["error"]["type"], answer["error"]["message"]) == (status, kind, words)


async def test_betas_allow_more(anthropic: Simulator) -> None:
    body = {**BASE, **turns(PERSON, {"role": "system", "content": "Now plan.", "output_config": {"effort": "low"}})}
    assert (await anthropic.post("anthropic", "anthropic", body, **{"anthropic-beta": SYSTEM_BETA}))[0] == 200
    body = {**BASE, "context_management": {"edits": []}}
    assert (await anthropic.post("anthropic", "anthropic", body, **{"anthropic-beta": "context-management-2025-06-27"}))[0] == 200
    for misplaced in (turns({"role": "system", "content": "x"}, PERSON), turns(PERSON, {"role": "system", "content": "x"}, PERSON)):
        status, answer = await anthropic.post("anthropic", "anthropic", {**BASE, **misplaced}, **{"anthropic-beta": SYSTEM_BETA})
        assert (status, "a `system` message must follow a user message" in answer["error"]["message"]) == (400, True)


async def test_counting_tokens_keeps_the_same_rules_and_costs_nothing(anthropic: Simulator) -> None:
    body = {name: value for name, value in BASE.items() if name != "max_tokens"}
    status, answer = await anthropic.post("anthropic", "count", body)
    assert (status, list(answer)) == (200, ["input_tokens"])
    _, served = await anthropic.post("anthropic", "anthropic", BASE)
    assert answer["input_tokens"] == served["usage"]["input_tokens"]
    assert (await anthropic.post("anthropic", "count", {**body, "foo": 1}))[0] == 400
    assert len(await anthropic.bill()) == 1


async def thought(anthropic: Simulator, body: Json, **headers: str) -> list[Json]:
    status, answer = await anthropic.post("anthropic", "anthropic", body, **headers)
    assert status == 200, answer
    return answer["content"]


async def test_own_thinking_is_taken_back_in_its_conversation_by_its_model_for_its_account(anthropic: Simulator) -> None:
    asked: Json = {"model": OPUS, "max_tokens": 1000, "tools": ALL_TOOLS, "messages": [{"role": "user", "content": "Explain the parser"}]}
    first = await thought(anthropic, asked)
    assert [block["type"] for block in first][:2] == ["thinking", "text"]
    results = [{"type": "tool_result", "tool_use_id": block["id"], "content": "x.py"} for block in first if block["type"] == "tool_use"]
    more = {**asked, "messages": [*asked["messages"], {"role": "assistant", "content": first}, {"role": "user", "content": results}]}
    second = await thought(anthropic, more)
    assert second[0]["type"] == "thinking"

    async def refused(change: Json, key: str = "secret") -> str:
        anthropic.key, before = key, anthropic.key
        status, answer = await anthropic.post("anthropic", "anthropic", {**more, **change})
        anthropic.key = before
        return answer["error"]["message"] if status == 400 else ""

    foreign = "messages.1.content.0: Invalid `signature` in `thinking` block"
    moved = f"{foreign}. The block is bound to a different conversation."
    assert await refused({"model": "claude-sonnet-5-5"}) == foreign
    assert await refused({}, key="another") == foreign
    assert (await refused({"system": "Another."})).startswith(moved)
    assert (await refused({"tools": MESSAGE_TOOLS})).startswith(moved)
    edited = [{"role": "user", "content": "Explain the lexer"}, *more["messages"][1:]]
    assert (await refused({"messages": edited})).startswith(moved)
    drops = {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
    assert await refused({"messages": edited, "thinking": drops}) == ""
    # What does not count as a change: marks, a string for one text, tools that are loaded on the way.
    marked = [{"role": "user", "content": [{"type": "text", "text": "Explain the parser", "cache_control": MARK}]}, *more["messages"][1:]]
    later = {"name": "later", "input_schema": SCHEMA, "defer_loading": True}
    assert await refused({"messages": marked, "tools": [*ALL_TOOLS, later]}) == ""
    # Thinking with other words in it is not what was signed.
    forged = [{**first[0], "thinking": "Other words."}, *first[1:]]
    assert await refused({"messages": [more["messages"][0], {"role": "assistant", "content": forged}, more["messages"][2]]}) == foreign


async def test_thinking_that_was_left_out_between_others_is_missed(anthropic: Simulator) -> None:
    messages: list[Json] = [{"role": "user", "content": "Explain the parser"}]
    asked: Json = {"model": OPUS, "max_tokens": 1000, "tools": ALL_TOOLS}
    for number in range(3):
        content = await thought(anthropic, {**asked, "messages": messages})
        results = [{"type": "tool_result", "tool_use_id": block["id"], "content": "nothing"} for block in content if "id" in block]
        messages += [{"role": "assistant", "content": content}, {"role": "user", "content": results or f"And {number}?"}]
    without_second = [{**turn, "content": turn["content"][1:]} if index == 3 else turn for index, turn in enumerate(messages)]
    status, answer = await anthropic.post("anthropic", "anthropic", {**asked, "messages": without_second})
    assert (status, "bound to a different conversation" in answer["error"]["message"]) == (400, True)
    without_first = [{**turn, "content": turn["content"][1:]} if index == 1 else turn for index, turn in enumerate(messages)]
    assert (await anthropic.post("anthropic", "anthropic", {**asked, "messages": without_first}))[0] == 200


async def test_redacted_thinking_comes_and_goes_the_same_way(anthropic: Simulator) -> None:
    asked: Json = {"model": OPUS, "max_tokens": 1000, "messages": [{"role": "user", "content": "Hello there"}]}
    content = await thought(anthropic, asked, **{"x-simulator-redacted": "1"})
    assert [block["type"] for block in content] == ["redacted_thinking", "text"]
    more = {**asked, "messages": [*asked["messages"], {"role": "assistant", "content": content}, PERSON]}
    assert (await anthropic.post("anthropic", "anthropic", more))[0] == 200
    status, answer = await anthropic.post("anthropic", "anthropic", {**more, "model": "claude-haiku-5-5"})
    assert (status, answer["error"]["message"]) == (400, "messages.1.content.0: Invalid `data` in `redacted_thinking` block")
