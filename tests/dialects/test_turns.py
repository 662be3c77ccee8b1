"""A message is recognised again whatever marks a client moves, and a long conversation decodes only what is looked at."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.request import Role, Text, Turn
from stepfare.dialects.turns import LazyTurns, TurnMemory, body_digest, digest, has_parts

MARK = {"cache_control": {"type": "ephemeral"}}
TEXT = st.text(max_size=30) | st.sampled_from(
    ["é → 😀", 'a "quoted" \\ text', "\x1b[31mred\x00\x7f", '{"cache_control": {}}', '"content":[{']
)


def compact(message: object) -> bytes:
    """As clients in JavaScript write it."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def spaced(message: object) -> bytes:
    """As older clients in Python write it."""
    return json.dumps(message).encode()


def digest_of(raw: bytes) -> bytes:
    return digest(raw, parts=has_parts(raw))


def text_part(text: str, **more: object) -> dict[str, object]:
    return {"type": "text", "text": text, **more}


@settings(max_examples=60)
@given(TEXT, st.sampled_from(["user", "assistant", "system"]))
def test_a_text_is_the_same_as_a_string_and_as_one_part_with_or_without_a_mark(text: str, role: str) -> None:
    forms = [
        {"role": role, "content": text},
        {"role": role, "content": [text_part(text)]},
        {"role": role, "content": [text_part(text, **MARK)]},
        {"role": role, "content": text, **MARK},
    ]
    assert len({digest_of(compact(form)) for form in forms}) == 1


@settings(max_examples=60)
@given(st.lists(TEXT, min_size=2, max_size=4), st.sampled_from([compact, spaced]), st.data())
def test_a_mark_on_any_of_several_parts_changes_nothing(texts: list[str], write, data: st.DataObject) -> None:
    marked = data.draw(st.integers(0, len(texts) - 1))
    plain = {"role": "user", "content": [text_part(text) for text in texts]}
    other = {"role": "user", "content": [text_part(text, **(MARK if place == marked else {})) for place, text in enumerate(texts)]}
    assert digest_of(write(plain)) == digest_of(write(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"role": "user", "content": "a"}, {"role": "user", "content": "b"}),
        ({"role": "user", "content": "a"}, {"role": "assistant", "content": "a"}),
        ({"role": "user", "content": [text_part("a"), text_part("b")]}, {"role": "user", "content": [text_part("ab")]}),
        ({"role": "tool", "tool_call_id": "1", "content": "a"}, {"role": "tool", "tool_call_id": "2", "content": "a"}),
        ({"role": "user", "content": '"cache_control"'}, {"role": "user", "content": ""}),
        ({"role": "user", "content": [{"type": "image_url"}]}, {"role": "user", "content": [{"type": "input_audio"}]}),
        ({"role": "user", "content": [text_part("a" * 400 + "1")]}, {"role": "user", "content": [text_part("a" * 400 + "2")]}),
    ],
)
def test_different_messages_stay_different(one: object, other: object) -> None:
    assert digest_of(compact(one)) != digest_of(compact(other))


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        (b'{"role":"user","content":[]}', True),
        (b'{"content" :\n [ {"type":"text"}]}', True),
        (b'{"role":"user","content":"\\"content\\":["}', False),
        (b'{"role":"user","content":null,"tool_calls":[{}]}', False),
        (b'{"role":"user"}', False),
        (b'["content"]', False),
    ],
)
def test_whether_a_content_is_a_list_is_seen_without_decoding(raw: bytes, parts: bool) -> None:
    assert has_parts(raw) is parts


@pytest.mark.parametrize(
    "raw",
    [
        b'{"role":"user","content":[' + b'{"a":' * 900 + b"1" + b"}" * 900 + b'],"cache_control":{}}',
        b'{"content":[' + b"9" * 5000 + b"]}",
        b'{"content":[1e999]}',
        b'{"content":["\\ud800"]}',
        b'{"content":["\xff"]}',
        b'{"content":[{"type":"text","text":["cache_control"]}],"x":123456789012345678901234567890}',
        b'["content":[',
        b"",
    ],
)
def test_odd_messages_have_a_digest_too(raw: bytes) -> None:
    assert len(digest(raw, parts=True)) == 16
    assert digest(raw, parts=True) == digest(raw, parts=True)


@pytest.mark.parametrize("length", [10, 2_000])
def test_a_mark_before_or_after_a_long_text_changes_nothing(length: int) -> None:
    text = {"role": "user", "content": "x" * length}
    assert len({digest_of(compact(form)) for form in (text, {**text, **MARK}, {**MARK, **text})}) == 1


def test_equal_bodies_have_equal_digests_and_others_do_not() -> None:
    messages = [digest_of(b'{"role":"user"}'), digest_of(b'{"role":"tool"}')]
    bodies = {
        body_digest(b'{"messages":', messages, b"}"),
        body_digest(b'{"messages":', messages[::-1], b"}"),
        body_digest(b'{"messages":', messages[:1], b"}"),
        body_digest(b'{"messages":', messages, b',"temperature":0}'),
        body_digest(b'{"model":"x","messages":', messages, b"}"),
    }
    assert len(bodies) == 5
    assert body_digest(b'{"messages":', list(messages), b"}") in bodies


def test_turns_are_decoded_once_and_only_where_they_are_looked_at() -> None:
    seen: list[bytes] = []

    def read(raw: bytes) -> Turn:
        seen.append(raw)
        return Turn(Role.USER, (Text(raw.decode()),))

    turns = LazyTurns([b"a", b"b", b"c", b"d"], read, [b"1", b"2", b"3", b"4"], TurnMemory())
    assert len(turns) == 4
    assert turns[-1].text == "d"
    assert turns[-1] is turns[3]
    assert seen == [b"d"]
    assert [turn.text for turn in turns[1:3]] == ["b", "c"]
    assert seen == [b"d", b"b", b"c"]
    assert [turn.text for turn in turns] == ["a", "b", "c", "d"]
    assert [turn.text for turn in reversed(turns)] == ["d", "c", "b", "a"]
    assert len(seen) == 4


def test_the_next_step_decodes_what_is_new_only() -> None:
    seen: list[bytes] = []

    def read(raw: bytes) -> Turn:
        seen.append(raw)
        return Turn(Role.USER, (Text(raw.decode()),))

    memory = TurnMemory()
    for raws in ([b"a", b"b"], [b"a", b"b", b"c"]):
        turns = LazyTurns(raws, read, raws, memory)
        assert [turn.text for turn in turns] == [raw.decode() for raw in raws]
    assert seen == [b"a", b"b", b"c"]


def test_the_memory_of_turns_keeps_to_its_bound_and_forgets_the_oldest() -> None:
    memory = TurnMemory(bytes_max=10)
    for name in (b"a", b"b", b"c"):
        memory.remember(name, Turn(Role.USER, (Text(name.decode()),)), 4)
    assert memory.recall(b"a") is None
    assert [turn.text for name in (b"b", b"c") if (turn := memory.recall(name))] == ["b", "c"]


@pytest.mark.parametrize("index", [4, -5])
def test_there_is_no_turn_beyond_the_ends(index: int) -> None:
    with pytest.raises(IndexError):
        LazyTurns([b"x"] * 4, lambda _: Turn(Role.USER, ()), [b"1"] * 4, TurnMemory())[index]
