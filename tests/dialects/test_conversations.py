"""A list of messages reads the same whatever was read before it, and a conversation that grows is read where it is new."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.dialects import conversations
from stepfare.dialects.conversations import Conversations

PARTS = {"role": "user", "content": [{"type": "text", "text": "a"}]}
MARKED = {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}
MESSAGE = st.sampled_from([MARKED, {"role": "user", "content": "a"}, PARTS, {"role": "tool", "content": "],["}, 1, 12, [], "]"])
SPACES = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", ":")])


def body_of(messages: list[object], separators: tuple[str, str]) -> tuple[bytes, int, int]:
    written = json.dumps(messages, separators=separators)
    return f'{{"messages":{written},"model":"auto"}}'.encode(), 12, 12 + len(written.encode())


@settings(max_examples=150)
@given(st.lists(st.tuples(st.lists(MESSAGE, max_size=6), SPACES), min_size=1, max_size=12))
def test_what_was_read_before_changes_nothing(lists: list[tuple[list[object], tuple[str, str]]]) -> None:
    remembering = Conversations()
    for messages, separators in lists:
        body, start, end = body_of(messages, separators)
        assert remembering.read(body, start, end) == Conversations().read(body, start, end)


def test_a_conversation_that_grows_keeps_what_it_had() -> None:
    remembering = Conversations()
    first = remembering.read(*body_of([{"role": "user", "content": "a"}], (",", ":")))
    second = remembering.read(*body_of([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], (",", ":")))
    assert second.raws[0] is first.raws[0]
    assert second.digests[0] is first.digests[0]
    assert len(second.raws) == 2


def test_a_mark_that_moves_from_step_to_step_costs_the_messages_at_the_end_alone() -> None:
    remembering = Conversations()
    first = remembering.read(*body_of([PARTS, {"role": "assistant", "content": "b"}, MARKED], (",", ":")))
    second = remembering.read(*body_of([PARTS, {"role": "assistant", "content": "b"}, PARTS, PARTS, MARKED], (",", ":")))
    assert second.raws[0] is first.raws[0]
    assert second.raws[1] is first.raws[1]
    assert len(second.raws) == 5


def test_no_more_is_remembered_than_the_bound_allows(monkeypatch) -> None:
    monkeypatch.setattr(conversations, "BYTES_MAX", 200)
    remembering = Conversations()
    bodies = [body_of([{"role": "user", "content": name * 60}], (",", ":")) for name in "abcd"]
    kept = [remembering.read(*body) for body in bodies]
    again = [remembering.read(*body) for body in reversed(bodies)]
    assert again[0].raws[0] is kept[3].raws[0]
    assert again[3].raws[0] is not kept[0].raws[0]
