"""Ids of tool calls in a form that a provider accepts: the same for a call and its result, and for every step."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.dialects.call_ids import FORTY, NINE, SIXTY_FOUR, IdForm, fitted, fitter
from stepfare.dialects.draft import draft_of

FORMS = [NINE, FORTY, SIXTY_FOUR]


def made(body: dict[str, Any] | bytes, dialect: str, form: IdForm) -> bytes:
    draft = draft_of(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert draft is not None
    changed = fitter(dialect, form)(draft)
    raw = draft.body()
    assert changed or raw == (body if isinstance(body, bytes) else json.dumps(body).encode())
    return raw


@given(call_id=st.text(max_size=80), form=st.sampled_from(FORMS))
@settings(max_examples=60, deadline=None)
def test_any_id_becomes_one_that_is_accepted(call_id: str, form: IdForm) -> None:
    new = fitted(call_id, form)
    assert form.pattern.fullmatch(new)
    assert fitted(new, form) == new
    assert fitted(call_id, form) == new


@pytest.mark.parametrize(
    ("call_id", "form", "new"),
    [
        ("a1B2c3D4e", NINE, "a1B2c3D4e"),
        ("toolu_01", SIXTY_FOUR, "toolu_01"),
        ("c" * 40, FORTY, "c" * 40),
    ],
)
def test_an_acceptable_id_stays(call_id: str, form: IdForm, new: str) -> None:
    assert fitted(call_id, form) == new


def test_ids_that_begin_alike_stay_apart() -> None:
    assert len({fitted(f"call_{'x' * 60}{number}", form) for number in range(50) for form in (NINE, FORTY)}) == 100


BODIES: list[tuple[str, dict[str, Any]]] = [
    (
        "openai",
        {
            "messages": [
                {"role": "user", "content": 'a "tool_call_id" and "tool_calls"'},
                {"role": "assistant", "tool_calls": [{"id": "ID", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "ID", "content": "x"},
            ]
        },
    ),
    (
        "anthropic",
        {
            "messages": [
                {"role": "user", "content": "tool_use"},
                {
                    "role": "assistant",
                    "content": [{"type": "text", "text": "ID"}, {"type": "tool_use", "id": "ID", "name": "f", "input": {"id": "ID."}}],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "ID", "content": "x"}]},
            ]
        },
    ),
    (
        "responses",
        {
            "input": [
                {"type": "message", "id": "msg_1", "role": "user", "content": "call_id"},
                {"type": "function_call", "id": "fc_1", "call_id": "ID", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "ID", "output": "x"},
                {"type": "custom_tool_call", "call_id": "ID", "name": "f", "input": ""},
                {"type": "custom_tool_call_output", "call_id": "ID", "output": "x"},
            ]
        },
    ),
]


@pytest.mark.parametrize(("dialect", "body"), BODIES)
@pytest.mark.parametrize("form", FORMS)
def test_calls_and_results_change_together(dialect: str, body: dict[str, Any], form: IdForm) -> None:
    old = "functions.edit:0" + "x" * 60
    before = json.dumps(body).replace('id": "ID"', f'id": "{old}"').encode()
    after = made(before, dialect, form)
    assert after == before.replace(old.encode(), fitted(old, form).encode())


@pytest.mark.parametrize(("dialect", "body"), BODIES)
def test_acceptable_ids_keep_every_byte(dialect: str, body: dict[str, Any]) -> None:
    raw = json.dumps(body, indent=1).replace('"ID"', '"aB3456789"').replace("a", "\\u0061", 1).encode()
    assert made(raw, dialect, NINE) == raw


@pytest.mark.parametrize(
    "raw",
    [
        b'{"messages": 3}',
        b'{"messages": [3, {"tool_calls": 3}, {"tool_calls": [3, {"id": 3}]}, {"tool_call_id": null}]}',
        b'{"messages": [{"role": "user", "content": [3, {"type": "tool_use"}, {"type": "tool_result", "tool_use_id": 5}]}]}',
        b'{"input": "call_id"}',
        b'{"input": [{"call_id": 7}]}',
    ],
)
@pytest.mark.parametrize("dialect", ["openai", "anthropic", "responses", "other"])
def test_what_holds_no_id_keeps_every_byte(raw: bytes, dialect: str) -> None:
    assert made(raw, dialect, NINE) == raw


def test_ids_that_the_provider_gave_to_its_own_tools_stay() -> None:
    block = {"type": "server_tool_use", "id": "srvtoolu.1", "name": "web_search", "input": {"tool_use": 1}}
    body = {
        "messages": [
            {"role": "assistant", "content": [block, {"type": "web_search_tool_result", "tool_use_id": "srvtoolu.1", "content": []}]}
        ]
    }
    assert json.loads(made(body, "anthropic", SIXTY_FOUR)) == body
