"""Tokens of a conversation: a step counts only what is new."""

from __future__ import annotations

import json

from stepfare.core.request import RequestView
from stepfare.counting.counts import IMAGE_TOKENS, TURN_TOKENS, Counts
from stepfare.dialects.openai_chat import read_request


def view(*messages: object, **more: object) -> RequestView:
    return read_request(json.dumps({"model": "auto", "messages": messages, **more}).encode(), {})


class Words:
    """Counts words, and remembers what it was asked to count."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, text: str) -> int:
        self.asked.append(text)
        return len(text.split())


USER = {"role": "user", "content": "fix the test"}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "read", "arguments": '{"path": "a"}'}}],
}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "one two three four"}


def counted(counts: Counts, seen: RequestView, count: Words) -> int:
    counts.add(counts.missing(seen), count)
    known, new = counts.tally(seen)
    assert new == 0
    return known


def test_texts_calls_results_and_tools_are_counted() -> None:
    words = Words()
    assert counted(Counts(), view(USER, CALL, RESULT, tools=[{"type": "function"}]), words) == 3 * TURN_TOKENS + 3 + 3 + 4 + 2
    assert words.asked == ["fix the test", "read", '{"path": "a"}', "one two three four", '[{"type": "function"}]']


def test_a_later_step_counts_what_is_new_alone() -> None:
    counts, words = Counts(), Words()
    tools = [{"type": "function"}]
    first = counted(counts, view(USER, tools=tools), words)
    words.asked.clear()
    seen = view(USER, CALL, RESULT, tools=tools)
    assert [len(piece.texts) for piece in counts.missing(seen)] == [2, 1]
    assert counted(counts, seen, words) == first + 2 * TURN_TOKENS + 3 + 4
    assert words.asked == ["read", '{"path": "a"}', "one two three four"]


def test_what_was_never_counted_is_estimated_by_its_length() -> None:
    counts = Counts()
    known = counted(counts, view(USER), Words())
    assert counts.tally(view(USER, {"role": "user", "content": "x" * 36})) == (known, TURN_TOKENS + 10)


def test_an_image_counts_as_an_image_whatever_its_bytes() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    assert counted(Counts(), view({"role": "user", "content": [image]}), Words()) == TURN_TOKENS + IMAGE_TOKENS


def test_the_counts_longest_known_are_forgotten_first() -> None:
    counts = Counts(counts_max=2)
    counts.add(counts.missing(view(USER, CALL, RESULT)), Words())
    assert [piece.texts for piece in counts.missing(view(USER, CALL, RESULT))] == [("fix the test",)]
