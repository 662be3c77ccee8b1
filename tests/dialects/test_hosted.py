"""What a request offers of tools that its provider runs: the calls and searches to reckon with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stepfare.core.request import Hosted
from stepfare.dialects.hosted import SOURCES_DEFAULT, USES_MAX
from stepfare.dialects.table import DIALECTS

SAYS: dict[str, dict[str, Any]] = {
    "openai": {"messages": [{"role": "user", "content": "Hi"}]},
    "anthropic": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10},
    "responses": {"input": "Hi"},
}
OWN = {"type": "function", "name": "read", "function": {"name": "read", "parameters": {"properties": {"max_uses": {}}}}}
CODEX = {"type": "additional_tools", "role": "developer", "tools": [{"type": "web_search"}]}


def found(dialect: str, **more: Any) -> Hosted:
    body = {"model": "auto", **SAYS[dialect], **more}
    return DIALECTS[dialect].read_request(json.dumps(body).encode(), {}).hosted


@pytest.mark.parametrize(
    ("dialect", "more", "expected"),
    [
        ("anthropic", {}, Hosted()),
        ("anthropic", {"tools": [{"name": "read", "input_schema": {}}, {"type": "bash_20250124", "name": "bash"}]}, Hosted()),
        ("anthropic", {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}]}, Hosted(8, 8)),
        ("anthropic", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, Hosted(USES_MAX, USES_MAX)),
        ("anthropic", {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch", "max_uses": 2}]}, Hosted(2)),
        ("anthropic", {"tools": [{"type": "web_search_20250305", "max_uses": 0}]}, Hosted()),
        ("anthropic", {"tools": [{"type": "web_search_20250305", "max_uses": "many"}]}, Hosted(USES_MAX, USES_MAX)),
        (
            "anthropic",
            {"tools": [{"type": "web_search_20250305", "max_uses": 3}, {"type": "code_execution_20250522", "max_uses": 4}]},
            Hosted(7, 3),
        ),
        ("responses", {"tools": [OWN]}, Hosted()),
        ("responses", {"tools": [{"type": "web_search", "external_web_access": False}]}, Hosted(USES_MAX, USES_MAX)),
        ("responses", {"tools": [{"type": "web_search_preview"}, {"type": "code_interpreter"}]}, Hosted(2 * USES_MAX, USES_MAX)),
        ("responses", {"tools": [{"type": "web_search"}, {"type": "mcp"}], "max_tool_calls": 3}, Hosted(3, 3)),
        ("responses", {"max_tool_calls": 3}, Hosted()),
        ("responses", {"input": [CODEX, {"role": "user", "content": "Hi"}]}, Hosted(USES_MAX, USES_MAX)),
        ("openai", {"tools": [OWN]}, Hosted()),
        ("openai", {"web_search_options": {"search_context_size": "low"}}, Hosted(USES_MAX, USES_MAX)),
        ("openai", {"plugins": [{"id": "web"}]}, Hosted(1, 1)),
        ("openai", {"plugins": [{"id": "web", "max_results": 12}, {"id": "file-parser"}]}, Hosted(1, 3)),
        ("openai", {"plugins": [{"id": "web", "enabled": False}]}, Hosted()),
        ("openai", {"model": "openrouter/z-ai/glm-5.3:online"}, Hosted(1, 1)),
        ("openai", {"tools": [{"type": "openrouter:web_search", "parameters": {"max_results": 10}}]}, Hosted(USES_MAX, 2 * USES_MAX)),
        ("openai", {"tools": [{"type": "openrouter:web_search", "parameters": {"max_uses": 2}}]}, Hosted(2, 2)),
        ("openai", {"tools": [{"google_search": {}}]}, Hosted(USES_MAX, USES_MAX)),
        ("openai", {"extra_body": {"google": {"tools": [{"googleSearch": {}}]}}}, Hosted(USES_MAX, USES_MAX)),
        ("openai", {"search_parameters": {"mode": "auto"}}, Hosted(1, SOURCES_DEFAULT)),
        ("openai", {"search_parameters": {"mode": "on", "max_search_results": 5}}, Hosted(1, 5)),
        ("openai", {"search_parameters": {"mode": "off"}}, Hosted()),
        ("openai", {"tools": [7, None, {"type": 7}, {"type": "function"}]}, Hosted()),
    ],
)
def test_calls_and_searches_that_a_request_allows(dialect: str, more: dict[str, Any], expected: Hosted) -> None:
    assert found(dialect, **more) == expected
