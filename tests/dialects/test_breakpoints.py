"""What will be sent again is marked to be cached, where nobody marked anything; nothing else changes by a byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.dialects.breakpoints import BLOCKS_SEEN_BACK, KEY, MARKS, MARKS_MAX, mark
from stepfare.dialects.draft import draft_of

EPHEMERAL = {"type": "ephemeral"}


def marked(
    body: dict[str, Any] | bytes, dialect: str = "anthropic", how: str = MARKS, cache_s: int = 300, key: str = "s1", held: int = 0
) -> bytes:
    draft = draft_of(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert draft is not None
    mark(draft, dialect, how, cache_s, key, held)
    return draft.body()


def places(value: object, path: str = "") -> list[str]:
    """Where marks stand: `messages.3.0` is the first block of the fourth message."""
    if isinstance(value, dict):
        own = [path.strip(".")] if "cache_control" in value else []
        return own + [found for key, inner in value.items() for found in places(inner, path if key == "content" else f"{path}.{key}")]
    if isinstance(value, list):
        return [found for place, inner in enumerate(value) for found in places(inner, f"{path}.{place}")]
    return []


def stripped(value: Any) -> Any:
    """Without marks, and a message's or the system's only text as a string: what the cache compares."""
    if isinstance(value, dict):
        plain = {key: stripped(inner) for key, inner in value.items() if key != "cache_control"}
        for key in ("content", "system"):
            parts = plain.get(key)
            if isinstance(parts, list) and len(parts) == 1 and parts[0].get("type") == "text":
                plain[key] = parts[0]["text"]
        return plain
    return [stripped(inner) for inner in value] if isinstance(value, list) else value


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def call(number: int) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": f"t{number}", "name": "Read", "input": {"path": "a"}}]}


def result(number: int, count: int = 1) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"t{number}", "content": "x"} for _ in range(count)]}


def claude(messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in ("Read", "Edit")]
    return {"model": "m", "max_tokens": 9, "system": "You edit.", "tools": tools, "messages": messages, **more}


def chat(messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "system", "content": "You edit."}, *messages], **more}


def chat_call(number: int) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": f"t{number}", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }


def chat_result(number: int) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": f"t{number}", "content": "x"}


CASES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("anthropic", claude([user("Fix it")]), ["messages.0.0", "system.0", "tools.1"]),
    ("anthropic", claude([user("Fix it"), call(1), result(1)]), ["messages.0.0", "messages.2.0", "system.0", "tools.1"]),
    ("anthropic", claude([user("Fix"), call(1), result(1), call(2), result(2)]), ["messages.2.0", "messages.4.0", "system.0", "tools.1"]),
    # What cannot be marked is passed over.
    (
        "anthropic",
        claude(
            [
                user("Fix"),
                {"role": "assistant", "content": [{"type": "text", "text": "Hm"}, {"type": "thinking", "thinking": "a", "signature": "b"}]},
            ]
        ),
        ["messages.0.0", "messages.1.0", "system.0", "tools.1"],
    ),
    (
        "anthropic",
        claude([user("Fix"), call(1), {"role": "user", "content": [{"type": "text", "text": ""}]}]),
        ["messages.0.0", "messages.1.0", "system.0", "tools.1"],
    ),
    ("anthropic", claude([user("Fix")], system=""), ["messages.0.0", "tools.1"]),
    (
        "anthropic",
        claude([user("Fix")], system=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
        ["messages.0.0", "system.1", "tools.1"],
    ),
    (
        "anthropic",
        claude([user("Fix")], tools=[{"name": "a", "input_schema": {}}, {"name": "b", "input_schema": {}, "defer_loading": True}]),
        ["messages.0.0", "system.0", "tools.0"],
    ),
    # A step of many blocks: the tools' mark is spared for one in the middle.
    ("anthropic", claude([user("Fix"), call(1), result(1, 30)]), ["messages.0.0", "messages.2.11", "messages.2.29", "system.0"]),
    (
        "anthropic",
        claude([user("Fix"), *[message for at in range(12) for message in (call(at), call(at))], result(1)]),
        ["messages.0.0", "messages.7.0", "messages.25.0", "system.0"],
    ),
    ("openai", chat([user("Fix")]), ["messages.0.0", "messages.1.0"]),
    (
        "openai",
        chat([user("Fix"), chat_call(1), chat_result(1), chat_call(2), chat_result(2)]),
        ["messages.0.0", "messages.3.0", "messages.5.0"],
    ),
    (
        "openai",
        chat([user("Fix"), chat_call(1), *[chat_result(at) for at in range(24)]]),
        ["messages.0.0", "messages.1.0", "messages.8.0", "messages.26.0"],
    ),
    (
        "openai",
        chat([{"role": "user", "content": [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": "u"}}]}]),
        ["messages.0.0", "messages.1.0"],
    ),
    (
        "openai",
        {"model": "m", "messages": [{"role": "developer", "content": "a"}, {"role": "system", "content": "b"}, user("c")]},
        ["messages.1.0", "messages.2.0"],
    ),
]


@pytest.mark.parametrize(("dialect", "body", "where"), CASES)
def test_what_comes_again_is_marked(dialect: str, body: dict[str, Any], where: list[str]) -> None:
    made = json.loads(marked(body, dialect))
    assert sorted(places(made)) == sorted(where)
    assert stripped(made) == stripped(body)


def test_an_hour_is_asked_for_in_anthropics_words() -> None:
    made = json.loads(marked(claude([user("Fix")]), cache_s=3600))
    assert made["messages"][0]["content"] == [{"type": "text", "text": "Fix", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    assert json.loads(marked(claude([user("Fix")])))["tools"][1]["cache_control"] == EPHEMERAL


OWN: list[dict[str, Any]] = [
    claude([user("Fix")], cache_control=EPHEMERAL),
    claude([{"role": "user", "content": [{"type": "text", "text": "Fix", "cache_control": EPHEMERAL}]}]),
    claude([user("Fix")], system=[{"type": "text", "text": "a", "cache_control": EPHEMERAL}]),
    claude([user("Fix")], tools=[{"name": "a", "input_schema": {}, "cache_control": EPHEMERAL}]),
    claude(
        [
            user("Fix"),
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "x", "cache_control": EPHEMERAL}]}
                ],
            },
        ]
    ),
]


@pytest.mark.parametrize("body", OWN)
def test_where_the_client_marks_nothing_is_added(body: dict[str, Any]) -> None:
    raw = json.dumps(body, indent=1).encode()
    assert marked(raw) == raw


def test_the_word_in_what_a_call_wrote_is_no_mark() -> None:
    written = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "W", "input": {"cache_control": 1}}]}
    made = json.loads(marked(claude([user('say "cache_control"'), written, result(1)], system='{"cache_control": 1}')))
    assert len(places(made)) == MARKS_MAX + 1  # And the word of the call.


@pytest.mark.parametrize(("dialect", "how"), [("responses", MARKS), ("anthropic", KEY), ("anthropic", ""), ("openai", "else")])
def test_what_a_format_cannot_say_is_not_said(dialect: str, how: str) -> None:
    raw = json.dumps(claude([user("Fix")])).encode()
    assert marked(raw, dialect, how) == raw


@pytest.mark.parametrize("dialect", ["openai", "responses"])
def test_a_key_is_added_where_there_is_none(dialect: str) -> None:
    assert json.loads(marked(b'{"model":"m"}', dialect, KEY)) == {"model": "m", "prompt_cache_key": "s1"}
    assert marked(b'{"prompt_cache_key": "own"}', dialect, KEY) == b'{"prompt_cache_key": "own"}'
    assert marked(b"{}", dialect, KEY, key="") == b"{}"
    assert len(json.loads(marked(b"{}", dialect, KEY, key="k" * 100))["prompt_cache_key"]) == 64


@pytest.mark.parametrize(
    "raw",
    [b"{}", b'{"messages": 3}', b'{"messages": []}', b'{"messages": [3, "a", null]}', b'{"messages": [{"role": "user", "content": [4]}]}'],
)
def test_what_is_too_odd_to_be_marked_goes_as_it_is(raw: bytes) -> None:
    assert marked(raw) == raw
    assert marked(raw, "openai") == raw


TEXT = st.sampled_from(["", " ", "Fix it", 'a "cache_control": b', "é\n"])
BLOCK = st.one_of(
    TEXT.map(lambda text: {"type": "text", "text": text}),
    st.just({"type": "thinking", "thinking": "t", "signature": "s"}),
    st.just({"type": "tool_use", "id": "t", "name": "f", "input": {}}),
    st.lists(TEXT.map(lambda text: {"type": "text", "text": text}), max_size=2).map(
        lambda parts: {"type": "tool_result", "tool_use_id": "t", "content": parts}
    ),
    st.just({"type": "image", "source": {"type": "url", "url": "u"}}),
)
CONTENT = st.one_of(TEXT, st.lists(BLOCK, max_size=3), st.lists(BLOCK, min_size=18, max_size=24))
MESSAGES = st.lists(
    st.builds(lambda role, content: {"role": role, "content": content}, st.sampled_from(["user", "assistant"]), CONTENT), max_size=8
)


@given(messages=MESSAGES, dialect=st.sampled_from(["anthropic", "openai"]))
@settings(max_examples=60, deadline=None)
def test_a_request_with_marks_says_what_it_said_without(messages: list[dict[str, Any]], dialect: str) -> None:
    body = claude(messages)
    raw = marked(body, dialect)
    made = json.loads(raw)
    assert stripped(made) == stripped(body)
    assert len(places(made)) <= MARKS_MAX
    # A second mark on one block would be a key that stands twice, which decoding hides.
    assert raw.count(b'"cache_control":{') == len(places(made))


@given(messages=MESSAGES.filter(bool), cut=st.integers(0, 8))
@settings(max_examples=60, deadline=None)
def test_bytes_before_the_last_steps_end_do_not_change(messages: list[dict[str, Any]], cut: int) -> None:
    """The bytes of a step's messages, without those that are marked now or were marked then, are those of the client."""
    earlier, later = messages[:cut], messages
    for step in (earlier, later):
        raw = marked(claude(step))
        kept = [
            message for at, message in enumerate(step) if not any(place.startswith(f"messages.{at}.") for place in places(json.loads(raw)))
        ]
        position = 0
        for message in kept:
            said = json.dumps(message).encode()
            assert said in raw[position:]
            position = raw.index(said, position) + len(said)


def test_every_step_finds_the_mark_of_the_step_before() -> None:
    """Anthropic looks for what was cached at the marks and a few blocks before them."""
    conversation = [user("Fix"), *[message for at in range(6) for message in (call(at), result(at, 1 + 11 * (at % 3)))]]
    ended: list[tuple[int, int]] = []
    for steps in range(1, len(conversation) + 1, 2):
        made = json.loads(marked(claude(conversation[:steps])))
        now = [tuple(int(part) for part in place.split(".")[1:]) for place in places(made["messages"], "m")]
        assert not ended or ended[-1] in now
        ended.append(max(now))  # pyright: ignore[reportArgumentType]
    assert ended[-1] == (len(conversation) - 1, 22)
    assert BLOCKS_SEEN_BACK < 23


LONG = [user("Fix"), *[message for at in range(15) for message in (call(at), result(at))]]
"""Thirty-one messages of a block each."""
CHAT_LONG = [user("Fix"), *[message for at in range(15) for message in (chat_call(at), chat_result(at))]]


@pytest.mark.parametrize(
    ("dialect", "body", "held", "where"),
    [
        # Beyond what is seen from the end: that place is marked instead of the last step's end, which this model never saw.
        ("anthropic", claude(LONG), 3, ["messages.2.0", "messages.30.0", "system.0", "tools.1"]),
        ("anthropic", claude(LONG), 10, ["messages.9.0", "messages.30.0", "system.0", "tools.1"]),
        ("openai", chat(CHAT_LONG), 4, ["messages.0.0", "messages.3.0", "messages.31.0"]),
        # It is seen from there.
        ("anthropic", claude(LONG), 11, ["messages.28.0", "messages.30.0", "system.0", "tools.1"]),
        # Nobody knows, or what it was asked with is no longer there.
        ("anthropic", claude(LONG), 0, ["messages.28.0", "messages.30.0", "system.0", "tools.1"]),
        ("anthropic", claude(LONG), 50, ["messages.28.0", "messages.30.0", "system.0", "tools.1"]),
    ],
)
def test_where_a_model_was_last_asked_is_marked_when_it_comes_back(dialect: str, body: dict[str, Any], held: int, where: list[str]) -> None:
    made = json.loads(marked(body, dialect, held=held))
    assert sorted(places(made)) == sorted(where)
    assert stripped(made) == stripped(body)


def own_marks(*at: int, sign: dict[str, str] = EPHEMERAL, heads: int = 2) -> dict[str, Any]:
    """As Claude Code marks: instructions, and the end of the conversation."""
    messages = json.loads(json.dumps(LONG))
    for place in at:
        messages[place]["content"][-1]["cache_control"] = sign
    return claude(messages, system=[{"type": "text", "text": f"part {part}", "cache_control": sign} for part in range(heads)])


@pytest.mark.parametrize(
    ("body", "held", "added"),
    [
        (own_marks(30), 3, ["messages.2.0"]),
        (own_marks(30), 1, ["messages.0.0"]),
        (own_marks(30), 15, []),
        (own_marks(30), 0, []),
        (own_marks(2, 30, heads=1), 3, []),
        (own_marks(28, 30), 3, []),
    ],
    ids=["far back", "a text", "near", "unknown", "marked already", "four are taken"],
)
def test_a_clients_own_marks_get_one_more_where_theirs_find_nothing(body: dict[str, Any], held: int, added: list[str]) -> None:
    made = json.loads(marked(body, held=held))
    assert sorted(places(made)) == sorted([*places(body), *added])
    assert stripped(made) == stripped(body)


def test_the_mark_besides_lives_as_long_as_the_clients_next_one() -> None:
    hour = {"type": "ephemeral", "ttl": "1h"}
    made = json.loads(marked(own_marks(30, sign=hour), held=3))
    assert made["messages"][2]["content"][0]["cache_control"] == hour
