"""A client that changes what it has sent is seen, and what it changed is named, without a word of the prompt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.request import RequestView
from stepfare.dialects import anthropic_messages, openai_chat
from stepfare.sessions import footprints
from stepfare.sessions.drift import Drift
from stepfare.sessions.footprints import BYTES_MAX, Footprints
from stepfare.sessions.lines import LINES_MAX, changed_lines, packed
from tests.sessions.desk import Message, assistant, tool, user

SECRET = "xyzzy"
SYSTEM = f"You edit files.\nToday is 2026-11-21, 10:15.\nBe brief, {SECRET}.\nRun 3: c0ffee00-0000-4000-8000-000000000001"
TASK, LOOK, SEEN, ANSWER = user(f"Fix {SECRET}"), assistant("", "c1"), tool("c1", f"{SECRET} " * 500), assistant("Done")
MORE = user("And now")


def view(messages: Sequence[Message], *, system: str = SYSTEM, tools: Sequence[Any] = (), **more: Any) -> RequestView:
    head = [{"role": "system", "content": system}] if system else []
    body = {"model": "auto", "tools": list(tools), "messages": [*head, *messages], **more}
    return openai_chat.read_request(json.dumps(body).encode(), {})


def offered(name: str, text: str = "", **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": text, "parameters": {}}, **more}


def drift(*steps: RequestView, tokens: int = 0) -> Drift | None:
    """What is told of the last step, after those before it were told nothing."""
    followed = Footprints()
    for step in steps[:-1]:
        assert followed.follow("s1", step) is None
    return followed.follow("s1", steps[-1], last_tokens=tokens)


def told(*steps: RequestView) -> tuple[str, str, int, bool]:
    found = drift(*steps)
    assert found is not None
    assert SECRET not in found.what
    return found.place, found.what, found.turn, found.blamed


GROWING = [[TASK], [TASK, LOOK, SEEN], [TASK, LOOK, SEEN, ANSWER, MORE]]


def test_a_conversation_that_grows_does_not_drift() -> None:
    assert drift(*(view(step) for step in GROWING)) is None
    assert drift(view([TASK]), view([TASK])) is None
    assert drift(view([TASK, LOOK, SEEN]), view([TASK])) is None


@pytest.mark.parametrize(
    ("system", "what"),
    [
        (SYSTEM.replace("10:15", "10:16"), "the client changed its instructions at line 2 (a time)"),
        (SYSTEM.replace("00001", "00002"), "the client changed its instructions at line 4 (a uuid)"),
        (SYSTEM.replace("Run 3", "Run 12"), "the client changed its instructions at line 4 (a uuid)"),
        (SYSTEM.replace("Be brief", "Be long"), "the client changed its instructions at line 3 (its text)"),
        (
            SYSTEM.replace("You", "They").replace("Run", "Walk"),
            "the client changed its instructions at 2 lines from line 1 to 4 (its text in the first)",
        ),
        (SYSTEM + "\nmore\nand more", "the client changed its instructions at line 5, where 2 lines came"),
        ("\n".join(SYSTEM.split("\n")[1:]), "the client changed its instructions at line 1, where a line went"),
        (SYSTEM.replace("Be brief", "a\nb"), "the client changed its instructions at line 3, where 2 lines came for 1"),
        ("", "the client changed its instructions at line 1, where 4 lines went"),
    ],
)
def test_a_changing_line_of_the_instructions_is_pointed_at(system: str, what: str) -> None:
    assert told(view(GROWING[1]), view(GROWING[2], system=system)) == ("system", what, 0, True)


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (["read", "edit"], ["read", "edit", "web"], "the client changed its tools: web came"),
        (["read", "edit"], ["read"], "the client changed its tools: edit went"),
        (["read", "edit"], ["edit", "read"], "the client changed the order of its tools"),
        (["read", "edit"], ["a", "b", "c", "d", "e", "f"], "the client changed its tools: a, b, c, d and 2 more came, read and edit went"),
        ([], ["read"], "the client changed its tools: read came"),
    ],
)
def test_tools_that_come_and_go_are_named(before: list[str], after: list[str], what: str) -> None:
    first = view([TASK], tools=[offered(name) for name in before])
    assert told(first, view(GROWING[1], tools=[offered(name) for name in after])) == ("tools", what, -1, True)


def test_a_tool_that_changed_is_named() -> None:
    steps = [view([TASK], tools=[offered("read"), offered("edit", text)]) for text in ("then", "now")]
    assert told(*steps) == ("tools", "the client changed its tools: edit changed", -1, True)


def test_marks_and_tools_that_wait_to_be_loaded_change_nothing() -> None:
    first = view([TASK], tools=[offered("read")])
    second = view(GROWING[1], tools=[offered("read", cache_control={"type": "ephemeral"}), offered("web", defer_loading=True)])
    assert drift(first, second) is None


OTHER = user("Something else")
LONG = [TASK, LOOK, SEEN, ANSWER, MORE, assistant("", "c2"), tool("c2", "seen " * 400)]


@pytest.mark.parametrize(
    ("before", "after", "place", "what", "turn"),
    [
        ([TASK, LOOK, SEEN], [OTHER, LOOK, SEEN, ANSWER, MORE], "message", "the client changed its 1st message (user, under 1 kB)", 1),
        (
            [TASK, LOOK, SEEN, ANSWER, MORE],
            [TASK, LOOK, tool("c1", "[cleared]" * 200), ANSWER, MORE, ANSWER],
            "message",
            "the client changed its 3rd message (tool result, 2 kB)",
            3,
        ),
        ([TASK], [OTHER, LOOK, TASK], "inserted", "the client put 2 messages (the first: user, under 1 kB) before its 1st", 1),
        (
            [TASK, LOOK, SEEN],
            [TASK, OTHER, LOOK, SEEN, ANSWER],
            "inserted",
            "the client put a message (user, under 1 kB) before its 2nd",
            2,
        ),
        (
            [TASK, LOOK, SEEN, ANSWER, MORE],
            [TASK, LOOK, SEEN, MORE, ANSWER, OTHER],
            "order",
            "the client changed the order of its messages from the 4th on",
            4,
        ),
        (
            [TASK, LOOK, SEEN, ANSWER, MORE],
            [TASK, LOOK, SEEN, MORE, LOOK],
            "removed",
            "the client took a message out of its conversation, from the 4th on",
            4,
        ),
        (LONG, [TASK, *LONG[4:], ANSWER], "truncation", "the client cut 3 messages out of its conversation, from the 2nd on", 2),
        (LONG, [*LONG[4:], ANSWER], "truncation", "the client cut 4 messages out of its conversation, from the 1st on", 1),
        (
            LONG,
            [TASK, user("[cut]"), *LONG[4:], ANSWER],
            "truncation",
            "the client cut 2 messages out of its conversation, from the 2nd on",
            2,
        ),
        ([TASK, LOOK], [TASK, ANSWER, MORE, OTHER], "message", "the client changed its 2nd message (assistant, under 1 kB)", 2),
        (
            [TASK, LOOK, SEEN],
            [TASK, ANSWER, MORE, OTHER, tool("c1", "x" * 4000)],
            "message",
            "the client changed 2 messages from its 2nd on (assistant, under 1 kB)",
            2,
        ),
    ],
)
def test_what_happened_to_messages_is_said(before: list[Message], after: list[Message], place: str, what: str, turn: int) -> None:
    assert told(view(before), view(after)) == (place, what, turn, True)


@pytest.mark.parametrize(
    ("before", "after", "place", "what"),
    [
        (LONG, [*LONG[:4], OTHER], "back", "the conversation goes back to before its 5th message"),
        (LONG, [OTHER], "anew", "the client began anew"),
    ],
)
def test_what_is_meant_is_not_blamed(before: list[Message], after: list[Message], place: str, what: str) -> None:
    assert told(view(before), view(after))[:2] == (place, what)
    assert told(view(before), view(after))[3] is False


def test_a_summary_that_was_asked_for_is_not_blamed() -> None:
    followed = Footprints()
    assert followed.follow("s1", view(LONG)) is None
    assert followed.follow("s1", view([*LONG, user("Summarise")]), side="compaction") is None
    found = followed.follow("s1", view([user("A summary"), MORE]), last_tokens=9)
    assert found is not None
    assert (found.place, found.what, found.blamed) == ("compaction", "the client put a summary in the place of its history", False)
    # Afterwards the shorter conversation is the one that goes on.
    assert followed.follow("s1", view([user("A summary"), MORE, ANSWER, MORE])) is None
    changed = followed.follow("s1", view([user("Another"), MORE, ANSWER, MORE]))
    assert changed is not None
    assert changed.blamed


def test_calls_beside_the_conversation_are_not_followed() -> None:
    followed = Footprints()
    assert followed.follow("s1", view(GROWING[0])) is None
    assert followed.follow("s1", view([user("A title")], system="You name"), side="title") is None
    assert followed.follow("s1", view(GROWING[1])) is None


@pytest.mark.parametrize("system", [SYSTEM, "You explore."])
def test_a_subagents_conversation_stands_beside_the_main_one(system: str) -> None:
    followed = Footprints()
    assert followed.follow("s1", view(LONG)) is None
    beside = followed.follow("s1", view([user("Find it")], system=system))
    assert beside is None or not beside.blamed
    assert followed.follow("s1", view([user("Find it"), ANSWER, MORE], system=system)) is None
    assert followed.follow("s1", view([*LONG, ANSWER, MORE])) is None


def test_sessions_are_apart() -> None:
    followed = Footprints()
    assert followed.follow("s1", view([TASK, LOOK, SEEN])) is None
    assert followed.follow("s2", view([OTHER, LOOK, SEEN])) is None


def test_what_is_lost_is_estimated_from_the_place() -> None:
    lost = []
    for at in range(len(LONG)):
        changed = [*LONG[:at], user("changed"), *LONG[at + 1 :]]
        found = drift(view(LONG), view([*changed, ANSWER, MORE]), tokens=1000)
        assert found is not None
        lost.append(found.lost_tokens)
    assert all(earlier > later - 30 for earlier, later in pairwise(lost))
    assert lost[0] > 900
    assert 250 < lost[5] < 550
    found = drift(view([TASK], tools=[offered("a")]), view([TASK], tools=[offered("b")]), tokens=1000)
    assert found is not None
    assert found.lost_tokens == 1000


def test_what_is_lost_is_estimated_by_length_where_nobody_counted() -> None:
    found = drift(view(LONG), view([OTHER, *LONG[1:]]))
    assert found is not None
    assert 0.8 < found.lost_tokens * 4 / len(view(LONG).raw) <= 1


def test_moving_cache_marks_are_no_drift() -> None:
    marked = {"role": "user", "content": [{"type": "text", "text": "Fix", "cache_control": {"type": "ephemeral"}}]}
    said = {"role": "assistant", "content": [{"type": "text", "text": "ok"}]}

    def request(*messages: dict[str, Any], system: str = "You edit.") -> RequestView:
        body = {"model": "m", "max_tokens": 5, "system": system, "messages": messages}
        return anthropic_messages.read_request(json.dumps(body, separators=(",", ":")).encode(), {})

    assert drift(request(marked), request({"role": "user", "content": "Fix"}, said, marked)) is None
    changed = drift(request(marked), request(marked, said, marked, system="You edit. 2026-11-22"))
    assert changed is not None
    assert (changed.place, changed.what) == ("system", "the client changed its instructions at line 1 (its text)")


def test_memory_is_bounded_in_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    followed = Footprints(sessions_max=2)
    for session in ("s1", "s2", "s1", "s3"):
        assert followed.follow(session, view([TASK])) is None
    assert followed.follow("s1", view([OTHER])) is not None
    # The second was forgotten, so that nothing is known of its change.
    assert followed.follow("s2", view([OTHER])) is None


def test_memory_is_bounded_in_bytes() -> None:
    followed = Footprints(bytes_max=6_000)
    for number in range(20):
        assert followed.follow(f"s{number}", view([TASK, LOOK, SEEN])) is None
        assert followed._bytes <= 6_000  # pyright: ignore[reportPrivateUsage]
    assert followed.follow("s19", view([OTHER, LOOK, SEEN])) is not None
    assert followed.follow("s0", view([OTHER, LOOK, SEEN])) is None


def test_conversations_of_a_session_are_bounded() -> None:
    followed = Footprints()
    for number in range(footprints.CONVERSATIONS_MAX + 3):
        assert followed.follow("s1", view([user(f"task {number}")], system=f"agent {number}")) is None
    kept = followed._sessions["s1"].conversations  # pyright: ignore[reportPrivateUsage]
    assert len(kept) == footprints.CONVERSATIONS_MAX
    assert followed._bytes == sum(footprints._size(one) for one in kept)  # pyright: ignore[reportPrivateUsage]
    assert followed._bytes < BYTES_MAX  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("tools", [b"3", b'"x"', b"[3]", b'[{"name": 123456789012345678901234567890}]'])
def test_odd_tools_are_followed_as_far_as_they_can_be_read(tools: bytes) -> None:
    followed = Footprints()
    for raw in (b"[]", tools, b"null"):
        seen = view([TASK])
        body = seen.raw.replace(b'"tools": []', b'"tools": ' + raw)
        try:
            followed.follow("s1", openai_chat.read_request(body, {}))
        except openai_chat.BadRequest:
            continue


TEXTS = st.sampled_from(["a", "b", "2026-11-21 10:15", "2026-11-22 11:16", ""])


@given(old=st.lists(TEXTS, max_size=6), new=st.lists(TEXTS, max_size=6))
@settings(max_examples=60, deadline=None)
def test_lines_differ_where_texts_do(old: list[str], new: list[str]) -> None:
    same = "\n".join(old) == "\n".join(new)
    assert (changed_lines(packed(["\n".join(old)]), packed(["\n".join(new)])) == "") is same


def test_a_long_text_is_packed_in_bounds() -> None:
    long = "\n".join(str(line) for line in range(LINES_MAX + 50))
    assert changed_lines(packed([long]), packed([long + "!"])) == f"at line {LINES_MAX} (its text)"
    assert len(packed([long])) == len(packed([long + "\nmore"]))


@given(steps=st.lists(st.lists(st.sampled_from([TASK, LOOK, SEEN, ANSWER, MORE, OTHER]), min_size=1, max_size=6), min_size=2, max_size=4))
@settings(max_examples=60, deadline=None)
def test_every_change_is_told_and_nothing_else(steps: list[list[Message]]) -> None:
    followed = Footprints()
    last: list[Message] = []
    for step in steps:
        found = followed.follow("s1", view(step))
        if step[: len(last)] == last or last[: len(step)] == step:
            assert found is None
        if found is not None:
            assert found.place != "tools"
            assert 0 <= found.lost_tokens <= max(len(view(one).raw) for one in steps)
            assert SECRET not in found.what
        last = step
