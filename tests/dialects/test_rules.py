"""Rules change what a model would refuse, say so, and touch nothing else."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.dialects.draft import draft_of
from stepfare.dialects.plain_schema import plain
from stepfare.dialects.rules import DIALECTS, RULES, Limits, apply, is_rule, with_headers

NO_LIMITS = Limits()


def ruled(body: dict[str, Any] | bytes, dialect: str, *names: str, limits: Limits = NO_LIMITS) -> tuple[bytes, tuple[str, ...]]:
    draft = draft_of(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert draft is not None
    words = apply(draft, dialect, names, limits)
    return draft.body(), words


def call(call_id: str, **more: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}, **more}


def tool(**function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, **function}}


IMAGE = {"type": "image_url", "image_url": {"url": "u"}}
TEXT = {"type": "text", "text": "see"}
THOUGHT = {"type": "thinking", "thinking": "t", "signature": "s"}
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
MARK = {"cache_control": {"type": "ephemeral"}}
UNSIGNED = {"google": {"thought_signature": "skip_thought_signature_validator"}}
U, A = {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}

# (rule, dialect, the fields before, the fields after; None: left out)
FIELDS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("max-tokens", "openai", {"max_completion_tokens": 5}, {"max_tokens": 5}),
    ("max-tokens", "openai", {"max_completion_tokens": 5, "max_tokens": 4}, {"max_tokens": 4}),
    ("max-completion-tokens", "openai", {"max_tokens": 5}, {"max_completion_tokens": 5}),
    ("no-temperature", "openai", {"temperature": 0, "top_p": 1, "seed": 3}, {"seed": 3}),
    ("no-temperature", "anthropic", {"temperature": 0, "top_k": 1}, {}),
    ("no-temperature", "responses", {"temperature": 0}, {}),
    ("one-sampling-value", "anthropic", {"temperature": 0, "top_p": 1}, {"temperature": 0}),
    ("no-penalties", "openai", {"presence_penalty": 0, "logprobs": True}, {}),
    ("no-stop", "openai", {"stop": ["a"]}, {}),
    ("no-stop", "anthropic", {"stop_sequences": ["a"]}, {}),
    # Tools.
    ("no-forced-tool-choice", "openai", {"tool_choice": "required"}, {"tool_choice": "auto"}),
    ("no-forced-tool-choice", "openai", {"tool_choice": {"type": "function", "function": {"name": "f"}}}, {"tool_choice": "auto"}),
    (
        "no-forced-tool-choice",
        "openai",
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [1]}}},
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [1]}}},
    ),
    ("no-forced-tool-choice", "anthropic", {"tool_choice": {"type": "any"}}, {"tool_choice": {"type": "auto"}}),
    (
        "no-forced-tool-choice",
        "anthropic",
        {"tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
    ),
    ("no-forced-tool-choice", "responses", {"tool_choice": {"type": "function", "name": "f"}}, {"tool_choice": "auto"}),
    (
        "no-forced-tool-choice",
        "responses",
        {"tool_choice": {"type": "allowed_tools", "mode": "required", "tools": []}},
        {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}},
    ),
    ("no-parallel-flag", "openai", {"parallel_tool_calls": False}, {}),
    (
        "no-parallel-flag",
        "anthropic",
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        {"tool_choice": {"type": "auto"}},
    ),
    ("no-empty-tools", "openai", {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}, {}),
    ("no-empty-tools", "openai", {"tool_choice": "auto"}, {}),
    (
        "no-server-tools",
        "responses",
        {"tools": [{"type": "web_search"}, {"type": "function", "name": "f"}]},
        {"tools": [{"type": "function", "name": "f"}]},
    ),
    (
        "no-server-tools",
        "responses",
        {
            "tools": [{"type": "web_search"}],
            "tool_choice": "auto",
            "include": ["web_search_call.action.sources", "reasoning.encrypted_content"],
        },
        {"include": ["reasoning.encrypted_content"]},
    ),
    (
        "no-server-tools",
        "anthropic",
        {
            "tools": [{"type": "web_search_20250305", "name": "web_search"}, {"name": "f"}],
            "tool_choice": {"type": "tool", "name": "web_search"},
        },
        {"tools": [{"name": "f"}], "tool_choice": {"type": "auto"}},
    ),
    ("no-strict", "openai", {"tools": [tool(strict=True), tool()]}, {"tools": [tool(), tool()]}),
    (
        "no-strict",
        "responses",
        {"tools": [{"type": "namespace", "name": "n", "tools": [{"name": "f", "strict": False}]}]},
        {"tools": [{"type": "namespace", "name": "n", "tools": [{"name": "f"}]}]},
    ),
    ("no-strict", "anthropic", {"tools": [{"name": "f", "strict": True}]}, {"tools": [{"name": "f"}]}),
    (
        "no-schema-extras",
        "openai",
        {"tools": [tool(parameters={"type": "object", "$schema": "x", "additionalProperties": False})]},
        {"tools": [tool()]},
    ),
    ("no-response-format-with-tools", "openai", {"tools": [tool()], "response_format": {"type": "json_object"}}, {"tools": [tool()]}),
    (
        "no-response-format-with-tools",
        "anthropic",
        {"tools": [{"name": "f"}], "output_config": {"effort": "low", "format": {"type": "json_schema"}}},
        {"tools": [{"name": "f"}], "output_config": {"effort": "low"}},
    ),
    (
        "no-response-format-with-tools",
        "responses",
        {"tools": [{"name": "f"}], "text": {"format": {"type": "json_schema"}}},
        {"tools": [{"name": "f"}]},
    ),
    (
        "no-json-schema",
        "openai",
        {"response_format": {"type": "json_schema", "json_schema": {}}},
        {"response_format": {"type": "json_object"}},
    ),
    # Thinking.
    (
        "thinking-always-on",
        "anthropic",
        {"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}},
        {"output_config": {"effort": "high"}},
    ),
    ("thinking-always-on", "openai", {"reasoning_effort": "none", "reasoning": {"enabled": False}, "enable_thinking": False}, {}),
    ("thinking-always-on", "responses", {"reasoning": {"effort": "none", "summary": "auto"}}, {"reasoning": {"summary": "auto"}}),
    (
        "thinking-adaptive-only",
        "anthropic",
        {"thinking": {"type": "enabled", "budget_tokens": 31999, "display": "omitted"}},
        {"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "xhigh"}},
    ),
    (
        "thinking-adaptive-only",
        "anthropic",
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "output_config": {"effort": "high"}},
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
    ),
    (
        "thinking-budget-only",
        "anthropic",
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}, "max_tokens": 32000},
        {"thinking": {"type": "enabled", "budget_tokens": 10000}, "max_tokens": 32000},
    ),
    (
        "thinking-budget-only",
        "anthropic",
        {"thinking": {"type": "adaptive"}, "max_tokens": 4000},
        {"thinking": {"type": "enabled", "budget_tokens": 3999}, "max_tokens": 4000},
    ),
    ("thinking-budget-only", "anthropic", {"thinking": {"type": "adaptive"}, "max_tokens": 100}, {"max_tokens": 100}),
    ("thinking-budget-only", "anthropic", {"output_config": {"effort": "low"}}, {}),
    ("no-thinking", "openai", {"reasoning_effort": "high", "reasoning": {}, "thinking": {"type": "enabled"}}, {}),
    (
        "no-thinking",
        "anthropic",
        {
            "thinking": {"type": "adaptive"},
            "output_config": {"effort": "low", "format": {}},
            "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}, {"type": "clear_tool_uses_20250919"}]},
        },
        {"output_config": {"format": {}}, "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}},
    ),
    ("no-thinking", "anthropic", {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}}, {}),
    ("no-thinking", "responses", {"reasoning": {"effort": "low"}, "include": ["reasoning.encrypted_content"]}, {}),
    (
        "no-effort",
        "openai",
        {"reasoning_effort": "high", "reasoning": {"effort": "low", "exclude": True}},
        {"reasoning": {"exclude": True}},
    ),
    ("no-effort", "anthropic", {"output_config": {"effort": "low"}, "thinking": {"type": "adaptive"}}, {"thinking": {"type": "adaptive"}}),
    ("no-effort", "responses", {"reasoning": {"effort": "low"}}, {}),
    ("effort:low,medium,high", "openai", {"reasoning_effort": "xhigh"}, {"reasoning_effort": "high"}),
    ("effort:low,medium,high", "anthropic", {"output_config": {"effort": "minimal"}}, {"output_config": {"effort": "low"}}),
    ("effort:high,max", "responses", {"reasoning": {"effort": "none"}}, {"reasoning": {"effort": "high"}}),
    ("effort:low,high", "openai", {"reasoning_effort": "medium"}, {"reasoning_effort": "high"}),
    ("reasoning-object", "openai", {"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
    (
        "reasoning-object",
        "openai",
        {"reasoning_effort": "low", "reasoning": {"exclude": True}},
        {"reasoning": {"exclude": True, "effort": "low"}},
    ),
    ("thinking-switch", "openai", {"reasoning_effort": "low"}, {"thinking": {"type": "enabled"}}),
    ("thinking-switch", "openai", {"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
    ("enable-thinking", "openai", {"reasoning_effort": "none"}, {"enable_thinking": False}),
    # The rest.
    ("no-stream-options", "openai", {"stream_options": {"include_usage": True}}, {}),
    ("known-fields", "openai", {"store": False, "metadata": {}, "seed": 1, "x": 2}, {"seed": 1}),
    ("known-fields", "anthropic", {"context_management": {}, "system": "s"}, {"system": "s"}),
    (
        "known-fields",
        "responses",
        {"client_metadata": {}, "prompt_cache_key": "k", "previous_response_id": "r"},
        {"previous_response_id": "r"},
    ),
    (
        "no-betas",
        "anthropic",
        {"context_management": {}, "thinking": {"type": "adaptive", "display": "omitted"}},
        {"thinking": {"type": "adaptive"}},
    ),
    ("no-betas", "anthropic", {"tools": [{"name": "f", "defer_loading": True}]}, {"tools": [{"name": "f"}]}),
    (
        "no-cache-marks",
        "anthropic",
        {"cache_control": {}, "system": [{"type": "text", "text": "a", **MARK}]},
        {"system": [{"type": "text", "text": "a"}]},
    ),
    ("no-cache-marks", "openai", {"tools": [{**tool(), **MARK}]}, {"tools": [tool()]}),
    ("drop:seed", "openai", {"seed": 1}, {}),
    ("drop:text.verbosity", "responses", {"text": {"verbosity": "low", "format": {}}}, {"text": {"format": {}}}),
    ("drop:text.verbosity", "responses", {"text": {"verbosity": "low"}}, {}),
    (
        "drop:tools.*.cache_control",
        "anthropic",
        {"tools": [{"name": "f", **MARK}, {"name": "cache_control"}]},
        {"tools": [{"name": "f"}, {"name": "cache_control"}]},
    ),
    ("rename:seed:random_seed", "openai", {"seed": 1}, {"random_seed": 1}),
    ("clamp:max_tokens:8", "openai", {"max_tokens": 9}, {"max_tokens": 8}),
    ("only:temperature,seed", "openai", {"temperature": 1, "top_p": 1}, {"temperature": 1}),
]


@pytest.mark.parametrize(("name", "dialect", "before", "after"), FIELDS, ids=[f"{case[0]}-{case[1]}" for case in FIELDS])
def test_a_rule_changes_fields(name: str, dialect: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    key = "input" if dialect == "responses" else "messages"
    made, words = ruled({"model": "m", key: [U], **before}, dialect, name)
    assert json.loads(made) == {"model": "m", key: [U], **after}
    assert words
    again, nothing = ruled(made, dialect, name)
    assert (again, nothing) == (made, ())


# (rule, dialect, messages before, messages after)
MESSAGES: list[tuple[str, str, list[Any], list[Any]]] = [
    (
        "no-prefill",
        "openai",
        [U, A],
        [U, A, {"role": "user", "content": "Continue your last message exactly where it ends. Repeat nothing of it."}],
    ),
    (
        "no-prefill",
        "anthropic",
        [U, A],
        [U, A, {"role": "user", "content": "Continue your last message exactly where it ends. Repeat nothing of it."}],
    ),
    ("developer-role", "openai", [{"role": "system", "content": "s"}, U], [{"role": "developer", "content": "s"}, U]),
    (
        "system-role",
        "responses",
        [{"role": "developer", "content": "s"}, {"type": "x", "name": "developer"}],
        [{"role": "system", "content": "s"}, {"type": "x", "name": "developer"}],
    ),
    (
        "merge-system",
        "openai",
        [{"role": "system", "content": "s"}, {"role": "developer", "content": [TEXT]}, U, {"role": "system", "content": "late"}],
        [{"role": "system", "content": "s\n\nsee"}, U, {"role": "user", "content": "<system-reminder>\nlate\n</system-reminder>"}],
    ),
    (
        "merge-system",
        "anthropic",
        [U, {"role": "system", "content": [TEXT], "output_config": {"effort": "low"}}, A],
        [U, {"role": "user", "content": "<system-reminder>\nsee\n</system-reminder>"}, A],
    ),
    (
        "merge-system",
        "responses",
        [{"role": "developer", "content": "s"}, U, {"role": "system", "content": "late"}],
        [{"role": "developer", "content": "s"}, U, {"role": "user", "content": "<system-reminder>\nlate\n</system-reminder>"}],
    ),
    ("string-content", "openai", [{"role": "user", "content": [TEXT, TEXT]}], [{"role": "user", "content": "see\nsee"}]),
    (
        "string-content",
        "openai",
        [{"role": "user", "content": [TEXT, IMAGE]}],
        [{"role": "user", "content": "see\n[image_url left out: this model reads text only]"}],
    ),
    (
        "no-empty-content",
        "openai",
        [
            {"role": "user", "content": ""},
            {"role": "assistant", "content": "", "tool_calls": [call("c")]},
            {"role": "tool", "tool_call_id": "c", "content": ""},
        ],
        [
            {"role": "user", "content": "(empty)"},
            {"role": "assistant", "content": None, "tool_calls": [call("c")]},
            {"role": "tool", "tool_call_id": "c", "content": "(empty)"},
        ],
    ),
    (
        "no-empty-content",
        "anthropic",
        [
            {"role": "user", "content": [{"type": "text", "text": ""}, TEXT]},
            {"role": "assistant", "content": [{"type": "text", "text": ""}]},
        ],
        [{"role": "user", "content": [TEXT]}, {"role": "assistant", "content": "(empty)"}],
    ),
    (
        "no-empty-content",
        "responses",
        [{"role": "user", "content": [{"type": "input_text", "text": ""}]}, {"type": "reasoning", "summary": [], "content": None}],
        [{"role": "user", "content": "(empty)"}, {"type": "reasoning", "summary": [], "content": None}],
    ),
    (
        "no-null-content",
        "openai",
        [{"role": "assistant", "tool_calls": [call("c")]}],
        [{"role": "assistant", "tool_calls": [call("c")], "content": ""}],
    ),
    (
        "no-images-in-tools",
        "openai",
        [
            {"role": "assistant", "tool_calls": [call("c"), call("d")]},
            {"role": "tool", "tool_call_id": "c", "content": [TEXT, IMAGE]},
            {"role": "tool", "tool_call_id": "d", "content": "x"},
            A,
        ],
        [
            {"role": "assistant", "tool_calls": [call("c"), call("d")]},
            {"role": "tool", "tool_call_id": "c", "content": [TEXT, {"type": "text", "text": "[An image; it follows the results.]"}]},
            {"role": "tool", "tool_call_id": "d", "content": "x"},
            {"role": "user", "content": [IMAGE]},
            A,
        ],
    ),
    (
        "no-images-in-tools",
        "anthropic",
        [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": 1}]}, TEXT]}],
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t",
                        "content": [{"type": "text", "text": "[An image; it follows the results.]"}],
                    },
                    TEXT,
                    {"type": "image", "source": 1},
                ],
            }
        ],
    ),
    (
        "no-images-in-tools",
        "responses",
        [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "image_url": "u"}]}],
        [
            {
                "type": "function_call_output",
                "call_id": "c",
                "output": [{"type": "input_text", "text": "[An image; it follows the results.]"}],
            },
            {"role": "user", "content": [{"type": "input_image", "image_url": "u"}]},
        ],
    ),
    (
        "no-user-after-tool",
        "openai",
        [{"role": "tool", "tool_call_id": "c", "content": "x"}, U],
        [{"role": "tool", "tool_call_id": "c", "content": "x"}, {"role": "assistant", "content": "I have read the results."}, U],
    ),
    (
        "known-message-fields",
        "openai",
        [{**A, "reasoning_content": "r", "refusal": None}, {"role": "assistant", "tool_calls": [call("c", index=0, extra_content=1)]}],
        [A, {"role": "assistant", "tool_calls": [call("c", extra_content=1)]}],
    ),
    (
        "no-item-ids",
        "responses",
        [{"type": "function_call", "id": "fc", "call_id": "c"}, {"type": "reasoning", "id": "rs"}],
        [{"type": "function_call", "call_id": "c"}, {"type": "reasoning", "id": "rs"}],
    ),
    (
        "no-cache-marks",
        "openai",
        [{"role": "user", "content": [{**TEXT, **MARK}]}, {"role": "user", "content": "cache_control"}],
        [{"role": "user", "content": [TEXT]}, {"role": "user", "content": "cache_control"}],
    ),
    (
        "tool-ids-9",
        "openai",
        [{"role": "assistant", "tool_calls": [call("call_1")]}],
        [{"role": "assistant", "tool_calls": [call("RksXkbv4v")]}],
    ),
    (
        "google-thought-signatures",
        "openai",
        [{"role": "assistant", "tool_calls": [call("c"), call("d")]}],
        [{"role": "assistant", "tool_calls": [call("c", extra_content=UNSIGNED), call("d")]}],
    ),
    (
        "google-thought-signatures",
        "openai",
        [
            {"role": "assistant", "tool_calls": [call("c", extra_content={"google": {"thought_signature": "own"}})]},
            {"role": "assistant", "tool_calls": [call("c", extra_content={"x": 1})]},
        ],
        [
            {"role": "assistant", "tool_calls": [call("c", extra_content={"google": {"thought_signature": "own"}})]},
            {"role": "assistant", "tool_calls": [call("c", extra_content={"x": 1, **UNSIGNED})]},
        ],
    ),
    (
        "drop-reasoning-history",
        "openai",
        [{**A, "reasoning_content": "r", "reasoning_details": []}, {**U, "name": "thinking"}],
        [A, {**U, "name": "thinking"}],
    ),
    (
        "drop-reasoning-history",
        "anthropic",
        [{"role": "assistant", "content": [THOUGHT, USE]}, {"role": "assistant", "content": [THOUGHT]}],
        [{"role": "assistant", "content": [USE]}],
    ),
    (
        "drop-reasoning-history",
        "responses",
        [{"type": "reasoning", "id": "rs"}, {"type": "function_call", "id": "fc"}],
        [{"type": "function_call", "id": "fc"}],
    ),
    (
        "thoughts-refused",
        "responses",
        [{"type": "reasoning", "id": "rs"}, {"type": "function_call", "id": "fc"}],
        [{"type": "function_call"}],
    ),
    (
        "keep-reasoning-history",
        "openai",
        [{**A, "reasoning_content": "r"}, A, {**A, "reasoning_content": ""}],
        [{**A, "reasoning_content": "r"}, {**A, "reasoning_content": "(not recorded)"}, {**A, "reasoning_content": "(not recorded)"}],
    ),
    (
        "keep-reasoning-history",
        "anthropic",
        [{"role": "assistant", "content": [THOUGHT, TEXT]}, {"role": "assistant", "content": "a"}],
        [
            {"role": "assistant", "content": [THOUGHT, TEXT]},
            {
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": "(not recorded)", "signature": ""}, {"type": "text", "text": "a"}],
            },
        ],
    ),
    (
        "no-effort",
        "anthropic",
        [{**U, "output_config": {"effort": "low"}}, {"role": "user", "content": "output_config"}],
        [U, {"role": "user", "content": "output_config"}],
    ),
    (
        "no-betas",
        "anthropic",
        [
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_reference", "tool_name": "Web"}]}],
            },
            {"role": "system", "content": "s", "output_config": {}},
        ],
        [
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "The tool Web is now loaded."}]}
                ],
            },
            {"role": "user", "content": "<system-reminder>\ns\n</system-reminder>"},
        ],
    ),
    ("drop:messages.*.name", "openai", [{**U, "seed": 1}], [{**U, "seed": 1}]),
    (
        "drop:messages.*.tool_calls.*.index",
        "openai",
        [{"role": "assistant", "tool_calls": [call("c", index=0)]}, U],
        [{"role": "assistant", "tool_calls": [call("c")]}, U],
    ),
]


@pytest.mark.parametrize(("name", "dialect", "before", "after"), MESSAGES, ids=[f"{case[0]}-{case[1]}" for case in MESSAGES])
def test_a_rule_changes_messages(name: str, dialect: str, before: list[Any], after: list[Any]) -> None:
    key = "input" if dialect == "responses" else "messages"
    made, words = ruled({"model": "m", key: before}, dialect, name)
    assert json.loads(made) == {"model": "m", key: after}
    assert bool(words) == (before != after)
    again, nothing = ruled(made, dialect, name)
    assert (again, nothing) == (made, ())


@pytest.mark.parametrize(("name", "dialect", "before", "after"), MESSAGES, ids=[f"{case[0]}-{case[1]}" for case in MESSAGES])
def test_messages_that_a_rule_leaves_keep_their_bytes(name: str, dialect: str, before: list[Any], after: list[Any]) -> None:
    key = "input" if dialect == "responses" else "messages"
    raw = json.dumps({"model": "m", key: before}, indent=2).encode()
    made, _ = ruled(raw, dialect, name)
    kept = [message for message in before if message in after]
    position = 0
    for message in kept:
        said = json.dumps(message, indent=2).replace("\n", "\n    ").encode()
        position = made.index(said, position)


CONVERSATION: list[dict[str, Any]] = [
    {"role": "system", "content": "s"},
    {"role": "user", "content": [TEXT, {**TEXT, **MARK}]},
    {"role": "assistant", "content": "", "reasoning_content": "r", "tool_calls": [call("call_1", index=0), call("call_2")]},
    {"role": "tool", "tool_call_id": "call_1", "content": [TEXT, IMAGE]},
    {"role": "tool", "tool_call_id": "call_2", "content": ""},
    {"role": "user", "content": "go on"},
    {"role": "assistant", "content": "done", "tool_calls": []},
    {"role": "system", "content": "late"},
    {"role": "user", "content": "more"},
]
STEPS = [CONVERSATION[:2], CONVERSATION[:6], CONVERSATION]
CLAUDE: list[dict[str, Any]] = [
    {"role": "user", "content": [TEXT, {"type": "text", "text": "", **MARK}]},
    {"role": "system", "content": "env", "output_config": {"effort": "low"}},
    {"role": "assistant", "content": [THOUGHT, {**USE, "id": "x.1"}]},
    {
        "role": "user",
        "content": [
            {
                "type": "tool_result",
                "tool_use_id": "x.1",
                "content": [{"type": "image", "source": 1}, {"type": "tool_reference", "tool_name": "W"}],
            }
        ],
    },
    {"role": "assistant", "content": "ok"},
    {"role": "user", "content": ""},
]
ITEMS: list[dict[str, Any]] = [
    {"role": "developer", "content": [{"type": "input_text", "text": ""}]},
    {"role": "user", "content": "go"},
    {"type": "reasoning", "id": "rs_1", "summary": []},
    {"type": "function_call", "id": "fc_1", "call_id": "x.1", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "x.1", "output": [{"type": "input_image", "image_url": "u"}]},
    {"role": "assistant", "content": "ok"},
    {"role": "system", "content": "late"},
    {"role": "user", "content": "go"},
]
HISTORIES = {"openai": STEPS, "anthropic": [CLAUDE[:2], CLAUDE[:4], CLAUDE], "responses": [ITEMS[:2], ITEMS[:5], ITEMS]}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", [*RULES, "drop:messages.*.tool_calls.*.index", "drop:input.*.status"])
def test_the_prefix_of_a_conversation_keeps_its_bytes(dialect: str, name: str) -> None:
    """What a rule made of a step's messages stands unchanged at the head of what it makes of the next step's."""
    key = "input" if dialect == "responses" else "messages"
    told = [ruled({key: step}, dialect, name)[0] for step in HISTORIES[dialect]]
    for earlier, later in pairwise(told):
        # Up to where the list ends.
        assert later.startswith(earlier[: earlier.rindex(b"]")])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_all_rules_together_leave_what_is_not_their_business(dialect: str) -> None:
    key = "input" if dialect == "responses" else "messages"
    raw = json.dumps({"model": "m", key: [{"role": "user", "content": "Fix é"}], "max_tokens": 5}, indent=1).encode()
    dull = [name for name in RULES if name not in ("max-completion-tokens", "developer-role", "known-fields")]
    assert ruled(raw, dialect, *dull) == (raw, ())


@pytest.mark.parametrize("dialect", [*DIALECTS, "other"])
@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b'{"messages": 1, "input": "x", "tools": 3, "tool_choice": 4, "thinking": 5, "reasoning": [], "include": 7, "output_config": null}',
        b'{"messages": [1, null, "x", [], {}], "input": [1, {}], "tools": [1, {}, {"function": 3}], "context_management": {"edits": 4}}',
        b'{"messages": [{"role": 3, "content": 4, "tool_calls": 5}, {"role": "assistant", "content": [1], "tool_calls": [2]}], "text": 3}',
        b'{"tools": [{"function": {"parameters": {"properties": 3, "items": 4, "anyOf": 5, "$ref": 6, "required": 7}}}], "stop": "x"}',
        b'{"max_tokens": 123456789012345678901234567890, "messages": [{"role": "user", "content": "\\ud83d"}]}',
    ],
)
def test_odd_requests_do_not_break_rules(dialect: str, raw: bytes) -> None:
    made, _ = ruled(raw, dialect, *RULES, limits=Limits(100, "k"))
    json.loads(made)


@pytest.mark.parametrize("dialect", ["completions", "embeddings"])
def test_rules_of_conversations_leave_other_requests_alone(dialect: str) -> None:
    """A provider's rules hold for all its doors; most of them speak of conversations only."""
    names = [*RULES, "effort:none,high", "rename:seed:random_seed", "drop:top_k"]
    body = {"model": "m", "prompt": "def f(", "suffix": ")", "input": "text", "max_tokens": 20}
    assert json.loads(ruled(body, dialect, *names)[0]) == body


def test_the_output_limit_is_always_held_to_the_models() -> None:
    limits = Limits(100)
    assert ruled({"max_tokens": 101, "max_completion_tokens": 7}, "openai", limits=limits) == (
        b'{"max_tokens": 100, "max_completion_tokens": 7}',
        ("max_tokens 101 lowered to 100",),
    )
    assert ruled({"max_output_tokens": 101}, "responses", limits=limits)[0] == b'{"max_output_tokens": 100}'
    assert ruled({"max_tokens": 101}, "openai", "max-completion-tokens", limits=limits)[0] == b'{"max_completion_tokens":100}'
    assert ruled({"max_tokens": 101}, "openai") == (b'{"max_tokens": 101}', ())


def test_a_thinking_budget_stays_below_the_limit() -> None:
    body = {"max_tokens": 64000, "thinking": {"type": "enabled", "budget_tokens": 31999}}
    made, words = ruled(body, "anthropic", limits=Limits(8192))
    assert json.loads(made) == {"max_tokens": 8192, "thinking": {"type": "enabled", "budget_tokens": 8191}}
    assert words == ("max_tokens 64000 lowered to 8192; thinking.budget_tokens 31999 lowered to 8191",)
    assert json.loads(ruled(body, "anthropic", limits=Limits(1000))[0]) == {"max_tokens": 1000}


@pytest.mark.parametrize(
    ("name", "dialect", "key"),
    [("cache-key", "openai", "prompt_cache_key"), ("cache-key", "responses", "prompt_cache_key"), ("session-id", "openai", "session_id")],
)
def test_a_session_is_named_in_the_body(name: str, dialect: str, key: str) -> None:
    assert ruled({}, dialect, name, limits=Limits(cache_key="s1"))[0] == f'{{"{key}":"s1"}}'.encode()
    assert ruled({key: "own"}, dialect, name, limits=Limits(cache_key="s1")) == (f'{{"{key}": "own"}}'.encode(), ())
    assert ruled({}, dialect, name) == (b"{}", ())


def test_a_session_is_named_in_a_header() -> None:
    names = ["grok-conversation", "no-temperature", "unheard-of"]
    assert with_headers({"a": "b"}, names, "s1") == {"a": "b", "x-grok-conv-id": "s1"}
    assert with_headers({"x-grok-conv-id": "own"}, names, "s1") == {"x-grok-conv-id": "own"}
    assert with_headers({}, names) == {}
    assert with_headers({"anthropic-beta": "x", "anthropic-version": "y"}, ["no-betas"]) == {"anthropic-version": "y"}


@pytest.mark.parametrize(
    "name",
    [
        "drop:model",
        "drop:messages",
        "drop:messages.*.content",
        "drop:tools.*.name",
        "drop:system",
        "drop:stream",
        "drop:",
        "drop:a..b",
        "drop:messages.*",
        "drop:tools.*.function.parameters",
        "rename:model:x",
        "rename:a",
        "rename:a:b:c",
        "clamp:model:3",
        "clamp:max_tokens:x",
        "effort:hard",
        "unheard-of",
    ],
)
def test_no_rule_loses_what_a_request_says(name: str) -> None:
    raw = json.dumps(
        {"model": "m", "messages": [{**U, "tool_calls": []}], "tools": [tool()], "system": "s", "stream": True, "max_tokens": 5, "a": 1}
    ).encode()
    for dialect in DIALECTS:
        assert ruled(raw, dialect, name) == (raw, ())
    assert not is_rule(name)


def test_anthropics_limit_is_never_left_out() -> None:
    assert ruled({"max_tokens": 5}, "anthropic", "drop:max_tokens", "only:temperature") == (b'{"max_tokens": 5}', ())
    assert ruled({"max_tokens": 5}, "openai", "drop:max_tokens")[0] == b"{}"


@pytest.mark.parametrize("name", RULES)
def test_every_rule_says_what_it_is_for(name: str) -> None:
    rule = RULES[name]
    assert is_rule(name)
    assert rule.words
    assert not rule.words.endswith(".")
    assert set(rule.changes) <= set(DIALECTS)
    assert rule.changes or rule.adds_header


SCHEMAS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"type": "object", "properties": {"format": {"type": "string", "format": "uri"}}},
        {"type": "object", "properties": {"format": {"type": "string"}}},
    ),
    ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
    ({"type": ["string", "integer"]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
    ({"const": "a"}, {"enum": ["a"]}),
    ({"oneOf": [{"type": "string", "x-a": 1}]}, {"anyOf": [{"type": "string"}]}),
    ({"type": "integer", "enum": [1, 2]}, {"type": "integer"}),
    ({"type": "array"}, {"type": "array", "items": {}}),
    ({"type": "object", "properties": {"a": {}}, "required": ["a", "b"]}, {"type": "object", "properties": {"a": {}}, "required": ["a"]}),
    (
        {"$defs": {"p": {"type": "string", "$comment": "x"}}, "properties": {"a": {"$ref": "#/$defs/p", "description": "d"}}},
        {"properties": {"a": {"type": "string", "description": "d"}}},
    ),
    (
        {"allOf": [{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}, "required": ["b"]}]},
        {"properties": {"a": {}, "b": {}}, "required": ["a", "b"]},
    ),
]


@pytest.mark.parametrize(("schema", "made"), SCHEMAS)
def test_a_schema_is_said_in_plain_words(schema: dict[str, Any], made: dict[str, Any]) -> None:
    assert plain(schema) == made
    assert plain(made) == made


def test_a_schema_that_refers_to_itself_ends() -> None:
    tree = {"type": "object", "properties": {"child": {"$ref": "#/$defs/tree"}}}
    made = plain({"$defs": {"tree": tree, "loop": {"$ref": "#/$defs/loop"}}, **tree, "items": {"$ref": "#/$defs/loop"}})
    assert b"$ref" not in json.dumps(made).encode()


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "a", "tool", "assistant", "text"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "tool_calls", "id", "function", "thinking", "reasoning_content"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)


@given(
    body=st.dictionaries(
        st.sampled_from(
            [
                "messages",
                "input",
                "tools",
                "tool_choice",
                "reasoning",
                "thinking",
                "output_config",
                "response_format",
                "max_tokens",
                "include",
            ]
        ),
        VALUES,
    ),
    dialect=st.sampled_from(DIALECTS),
)
@settings(max_examples=60, deadline=None)
def test_rules_say_what_they_changed_and_change_it_once(body: dict[str, Any], dialect: str) -> None:
    raw = json.dumps(body).encode()
    for name in RULES:
        made, words = ruled(raw, dialect, name)
        assert (made != raw) == bool(words)
        assert ruled(made, dialect, name)[0] == made
