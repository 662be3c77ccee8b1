"""A refusal in a provider's own words teaches the rule under which the request passes, and never one that loses what it says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stepfare.core.attempt import Failure, Fault
from stepfare.dialects.elements import named
from stepfare.dialects.lessons import ONCE, lesson_of
from stepfare.dialects.provider_errors import read_error
from stepfare.dialects.refusals import path_of
from stepfare.dialects.rules import RULES, is_rule

KEYS = {
    "openai": named(
        "model messages tools tool_choice stream stream_options max_tokens max_completion_tokens temperature top_p stop reasoning_effort",
        "seed parallel_tool_calls frequency_penalty store metadata enable_thinking thinking reasoning response_format user",
    ),
    "anthropic": named(
        "model messages system tools tool_choice stream max_tokens temperature top_p thinking output_config context_management metadata"
    ),
    "responses": named("model input instructions tools tool_choice stream store include reasoning text max_output_tokens temperature"),
}
CASES = [json.loads(line) for line in (Path(__file__).parent / "refusals.jsonl").read_text().splitlines()]
"""What providers really said, as people reported it: the dialect, the answer's body, and the lesson or null."""


def refused(said: object, status: int = 400) -> Fault:
    return Fault(Failure.REFUSED, f"it answered {status}", status, body=said if isinstance(said, bytes) else json.dumps(said).encode())


def openai(message: str, param: str | None = None, code: str | None = None) -> object:
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


SEED = refused(openai("Unknown parameter: 'seed'.", "seed", "unknown_parameter"))


@pytest.mark.parametrize("case", CASES, ids=[f"{case['lesson']}-{place}" for place, case in enumerate(CASES)])
def test_a_refusal_teaches_a_rule_of_its_dialect(case: dict[str, Any]) -> None:
    lesson = lesson_of(case["dialect"], refused(case["said"]), KEYS[case["dialect"]])
    assert lesson == case["lesson"]
    assert lesson is None or is_rule(lesson)
    assert lesson is None or lesson not in RULES or case["dialect"] in RULES[lesson].changes


@pytest.mark.parametrize("said", [b"<html>400</html>", b"", b'{"error": [[[[[[[[[["deep"]]]]]]]]]]}', b'"text"', b"[]", b"[" * 5000])
def test_an_answer_that_says_nothing_teaches_nothing(said: bytes) -> None:
    assert lesson_of("openai", refused(said), KEYS["openai"]) is None


def test_what_the_words_for_a_person_kept_still_teaches() -> None:
    """Where an answer is no error of the format, its body is not kept."""
    fault = Fault(Failure.REFUSED, "it answered 400: Unrecognized request argument supplied: seed", 400)
    assert lesson_of("openai", fault, KEYS["openai"]) == "drop:seed"


@pytest.mark.parametrize("lesson", sorted({case["lesson"] for case in CASES if case["lesson"]}))
def test_every_lesson_is_still_taught_by_what_is_made_of_the_answer(lesson: str) -> None:
    case = next(case for case in CASES if case["lesson"] == lesson)
    fault = read_error(422, "application/json", json.dumps(case["said"]).encode())
    assert lesson_of(case["dialect"], fault, KEYS[case["dialect"]]) == lesson


@pytest.mark.parametrize(
    "fault",
    [
        replace(SEED, failure=Failure.BUSY, status=429),
        replace(SEED, failure=Failure.OVERFLOW),
        replace(SEED, status=404),
    ],
)
def test_only_a_refused_request_teaches(fault: Fault) -> None:
    assert lesson_of("openai", fault, KEYS["openai"]) is None


def test_a_parameter_that_was_not_sent_teaches_nothing() -> None:
    assert lesson_of("openai", SEED, ["model", "messages", "seed"]) == "drop:seed"
    assert lesson_of("openai", SEED, ["model", "messages"]) is None


def test_the_limit_is_held_under_the_name_that_was_sent() -> None:
    fault = refused(openai("max_tokens is too large: 9. This model supports at most 8 completion tokens"))
    assert lesson_of("openai", fault, ["max_completion_tokens"]) == "clamp:max_completion_tokens:8"


def test_lessons_about_one_conversation_are_rules() -> None:
    assert set(RULES) >= ONCE


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ("body.messages.31.assistant.reasoning_content", "messages.*.reasoning_content"),
        ("messages[2].tool_calls[0].function.strict", "messages.*.tool_calls.*.function.strict"),
        ("tools.0.custom.defer_loading", "tools.*.defer_loading"),
        ("tools.0.custom", "tools.*.custom"),
        ("seed", "seed"),
    ],
)
def test_a_path_is_said_in_one_way(said: str, path: str) -> None:
    assert path_of(said) == path
