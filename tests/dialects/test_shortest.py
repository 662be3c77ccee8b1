"""The same call with the shortest answer: nothing before the end of the prompt changes, and no answer is made that nobody reads."""

from __future__ import annotations

import json

import pytest

from stepfare.dialects.shortest import shortest

THINKING = {"type": "enabled", "budget_tokens": 2_000}


@pytest.mark.parametrize(
    ("dialect", "given", "fields", "streams"),
    [
        ("anthropic", {"max_tokens": 8_000, "stream": True}, {"max_tokens": 1, "stream": False}, False),
        (
            "anthropic",
            {"max_tokens": 8_000, "thinking": {"type": "adaptive"}},
            {"max_tokens": 1, "thinking": {"type": "adaptive"}, "stream": False},
            False,
        ),
        ("anthropic", {"max_tokens": 8_000, "thinking": THINKING}, {"max_tokens": 2_001, "thinking": THINKING, "stream": True}, True),
        (
            "openai",
            {"max_completion_tokens": 9, "stream": True, "stream_options": {"include_usage": True}},
            {"max_completion_tokens": 1, "stream": False},
            False,
        ),
        ("openai", {"stream": True}, {"max_tokens": 1, "stream": False}, False),
        ("responses", {"max_output_tokens": 900, "stream": True}, {"max_output_tokens": 16, "stream": False}, False),
        ("responses", {}, {"max_output_tokens": 16, "stream": False}, False),
    ],
)
def test_only_the_length_of_the_answer_and_how_it_comes_change(dialect: str, given: dict, fields: dict, streams: bool) -> None:
    prompt = {"model": "m", "system": "s", "messages": [{"role": "user", "content": "a  b"}], "tools": [{"name": "t"}]}
    short = shortest(dialect, json.dumps({**prompt, **given}).encode())
    assert short is not None
    assert json.loads(short.body) == {**prompt, **fields}
    assert short.streams is streams
    assert b'{"role": "user", "content": "a  b"}' in short.body


def test_a_body_that_is_none_has_no_shorter_answer() -> None:
    assert shortest("openai", b"[1]") is None
