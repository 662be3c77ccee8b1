"""The tools that a request offers, with their schemas, in every format."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stepfare.core.prompt import ToolOffer
from stepfare.core.request import RequestView
from stepfare.dialects.table import DIALECTS
from stepfare.dialects.tool_offers import KEPT_MAX, offers_in

SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}


def view(dialect: str, **fields: Any) -> RequestView:
    said: dict[str, Any] = {"input": "Hi"} if dialect == "responses" else {"messages": [{"role": "user", "content": "Hi"}]}
    return DIALECTS[dialect].read_request(json.dumps({"model": "auto", **said, **fields}).encode(), {})


def offers(dialect: str, **fields: Any) -> dict[str, ToolOffer]:
    return dict(offers_in(DIALECTS[dialect].offered_in(view(dialect, **fields))))


READ = ToolOffer("read", schema=SCHEMA)


@pytest.mark.parametrize(
    ("dialect", "fields", "found"),
    [
        ("openai", {"tools": [{"type": "function", "function": {"name": "read", "parameters": SCHEMA}}]}, [READ]),
        ("openai", {"tools": [{"type": "custom", "custom": {"name": "patch"}}]}, [ToolOffer("patch", custom=True)]),
        ("openai", {}, []),
        ("openai", {"tools": []}, []),
        ("anthropic", {"tools": [{"name": "read", "input_schema": SCHEMA}]}, [READ]),
        ("anthropic", {"tools": [{"type": "custom", "name": "read", "input_schema": SCHEMA}]}, [READ]),
        ("anthropic", {"tools": [{"type": "bash_20250124", "name": "bash"}]}, [ToolOffer("bash")]),
        ("responses", {"tools": [{"type": "function", "name": "read", "parameters": SCHEMA}]}, [READ]),
        ("responses", {"tools": [{"type": "custom", "name": "patch", "format": {"type": "text"}}]}, [ToolOffer("patch", custom=True)]),
        ("responses", {"tools": [{"type": "local_shell"}]}, [ToolOffer("local_shell")]),
        (
            "responses",
            {"tools": [{"type": "namespace", "name": "files", "tools": [{"type": "function", "name": "read", "parameters": SCHEMA}]}]},
            [READ],
        ),
        (
            "responses",
            {
                "input": [
                    {"type": "additional_tools", "tools": [{"type": "function", "name": "read", "parameters": SCHEMA}]},
                    {"role": "user", "content": "Hi"},
                ]
            },
            [READ],
        ),
    ],
)
def test_what_a_request_offers(dialect: str, fields: dict[str, Any], found: list[ToolOffer]) -> None:
    assert list(offers(dialect, **fields).values()) == found


@pytest.mark.parametrize("dialect", ["openai", "anthropic", "responses"])
def test_every_tool_that_routing_knows_of_is_offered_with_its_schema(dialect: str) -> None:
    tools = {
        "openai": [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("a", "b")],
        "anthropic": [{"name": name, "input_schema": SCHEMA} for name in ("a", "b")],
        "responses": [{"type": "function", "name": name, "parameters": SCHEMA} for name in ("a", "b")],
    }[dialect]
    asked = view(dialect, tools=tools)
    assert {tool.name for tool in asked.tools} == set(offers(dialect, tools=tools))


def test_the_same_tools_are_read_once() -> None:
    tools = [{"name": "read", "input_schema": SCHEMA}]
    first, second = (offers_in(DIALECTS["anthropic"].offered_in(view("anthropic", tools=tools))) for _ in range(2))
    assert first is second
    for number in range(KEPT_MAX + 1):
        offers("anthropic", tools=[{"name": f"tool{number}", "input_schema": SCHEMA}])
    assert offers_in(DIALECTS["anthropic"].offered_in(view("anthropic", tools=tools))) is not first


@pytest.mark.parametrize(
    ("dialect", "fields", "one"),
    [
        ("openai", {"parallel_tool_calls": False}, True),
        ("openai", {"parallel_tool_calls": True}, False),
        ("openai", {}, False),
        ("responses", {"parallel_tool_calls": False}, True),
        ("responses", {"parallel_tool_calls": None}, False),
        ("anthropic", {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, True),
        ("anthropic", {"tool_choice": {"type": "auto"}}, False),
        ("anthropic", {"parallel_tool_calls": False}, False),
    ],
)
def test_whether_the_client_takes_one_call_a_turn(dialect: str, fields: dict[str, Any], one: bool) -> None:
    assert DIALECTS[dialect].one_call(view(dialect, **fields)) is one
