"""Whether a client could carry a call out: schemas as real tools have them, arguments as models write them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stepfare.core.prompt import ToolOffer
from stepfare.core.request import ToolCall
from stepfare.routing.arguments import flaw_of, is_whole

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "limit": {"type": "integer", "minimum": 1},
        "ratio": {"type": "number"},
        "deep": {"type": "boolean"},
        "mode": {"type": "string", "enum": ["fast", "slow"]},
        "kinds": {"type": ["string", "null"]},
        "note": {"type": "string", "nullable": True},
        "edits": {
            "type": "array",
            "items": {"type": "object", "properties": {"old": {"type": "string"}}, "required": ["old"], "additionalProperties": False},
        },
        "odd": {"anyOf": [{"type": "string"}, {"type": "array"}]},
        "elsewhere": {"$ref": "#/$defs/x"},
        "unheard": {"type": "tuple"},
        "free": True,
    },
    "required": ["path"],
    "additionalProperties": False,
}
OFFERS = {
    "read": ToolOffer("read", schema=SCHEMA),
    "open": ToolOffer("open", schema={"type": "object", "properties": {"path": {"type": "string"}}}),
    "bare": ToolOffer("bare"),
    "patch": ToolOffer("patch", custom=True),
}


def flaw(arguments: object, tool: str = "read") -> str:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return flaw_of(ToolCall("c", tool, text), OFFERS).removeprefix(f"its arguments for {tool} ").removeprefix("do not fit: ")


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": "a"},
        {"path": "", "limit": 3, "ratio": 1, "deep": False, "mode": "fast", "kinds": None, "note": None},
        {"path": "a", "limit": 3.0},
        {"path": "a", "edits": [{"old": "x"}, {"old": ""}]},
        {"path": "a", "odd": 3, "elsewhere": [1], "unheard": {}, "free": {"x": 1}},
        # Models write null for what they leave out.
        {"path": "a", "limit": None},
    ],
)
def test_what_fits(arguments: object) -> None:
    assert flaw(arguments) == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "path is missing"),
        ("", "path is missing"),
        ({"path": 3}, "path must be string"),
        ({"path": None}, "path must be string"),
        ({"path": "a", "limit": "3"}, "limit must be integer"),
        ({"path": "a", "limit": 3.5}, "limit must be integer"),
        ({"path": "a", "limit": True}, "limit must be integer"),
        ({"path": "a", "deep": "yes"}, "deep must be boolean"),
        ({"path": "a", "mode": "middling"}, "mode must be one of fast, slow"),
        ({"path": "a", "kinds": 3}, "kinds must be string or null"),
        ({"path": "a", "edits": {"old": "x"}}, "edits must be array"),
        ({"path": "a", "edits": [{"old": "x"}, {}]}, "edits[1].old is missing"),
        ({"path": "a", "edits": [{"old": "x", "new": "y"}]}, "edits[0].new is not known"),
        ({"path": "a", "pth": "b"}, "pth is not known"),
        ("{", "are no JSON object"),
        ("[]", "are no JSON object"),
        ('{"path": "a"', "are no JSON object"),
        ('"a"', "are no JSON object"),
    ],
)
def test_what_does_not_fit(arguments: object, words: str) -> None:
    assert flaw(arguments) == words


def test_a_tool_that_is_not_offered_cannot_be_called() -> None:
    assert flaw({}, "write") == 'it calls "write", which is none of the tools that the client offers'


def test_free_text_needs_no_json_and_unknown_keys_are_taken_where_nobody_forbids_them() -> None:
    assert flaw("*** Begin Patch", "patch") == ""
    assert flaw({"path": "a", "more": 1}, "open") == ""
    assert flaw({"any": 1}, "bare") == ""
    assert flaw("", "bare") == ""


def test_a_line_end_within_a_text_is_borne() -> None:
    assert flaw('{"path": "a\nb"}') == ""


def test_what_is_too_deep_or_too_much_is_left_alone() -> None:
    schema: dict[str, Any] = {"type": "string"}
    value: Any = 3
    for _ in range(40):
        schema, value = {"type": "array", "items": schema}, [value]
    many = {"type": "array", "items": {"type": "integer"}}
    offers = {"t": ToolOffer("t", schema={"properties": {"deep": schema, "many": many}})}
    assert flaw_of(ToolCall("c", "t", json.dumps({"deep": value})), offers) == ""
    assert flaw_of(ToolCall("c", "t", json.dumps({"many": [1] * 5_000 + ["x"]})), offers) == ""
    assert flaw_of(ToolCall("c", "t", json.dumps({"many": [1] * 500 + ["x"]})), offers) != ""


@pytest.mark.parametrize(
    ("text", "whole"),
    [("{}", True), ('{"a": {}} ', True), ('{"a": {}', False), ("", False), ("{", False), ('{"a": "}', False), ("}", False), ("[]", False)],
)
def test_arguments_are_whole_when_their_object_is_closed(text: str, whole: bool) -> None:
    assert is_whole(text) is whole
