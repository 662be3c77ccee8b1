"""What a request says of itself as a conversation, in each of the three formats."""

from __future__ import annotations

import pytest

from stepfare.core.digest import reply_digest
from stepfare.dialects.table import DIALECTS
from stepfare.sessions.conversation import Conversation, same_words
from tests.sessions.speaking import Message, assistant, body_of, tool, user

SYSTEM: Message = {"role": "system", "content": "You are an agent"}
TALK = [
    SYSTEM,
    user("Fix it"),
    assistant("I look.|Let me see.", "c1"),
    tool("c1"),
    assistant("", "c2"),
    tool("c2"),
    assistant("Done."),
    user("Why?"),
]


@pytest.fixture(params=["openai", "anthropic", "responses"])
def speaks(request: pytest.FixtureRequest) -> str:
    return request.param


def talk_of(speaks: str, messages: list[Message]) -> Conversation:
    return Conversation(DIALECTS[speaks].read_request(body_of(speaks, messages), {}))


def place_of(talk: Conversation, words: str) -> int:
    return next(place for place, turn in enumerate(talk.view.turns) if words in turn.text)


def test_answers_are_told_from_the_last_one_back(speaks: str) -> None:
    talk = talk_of(speaks, TALK)
    said = "I look.|Let me see." if speaks == "openai" else "I look.Let me see."
    assert [digest for _, digest in talk.answers] == [reply_digest("Done."), reply_digest(said)]


def test_an_answer_in_several_pieces_is_one(speaks: str) -> None:
    talk = talk_of(speaks, TALK)
    assert talk.answers_from(0) == 3
    assert talk.answers_from(place_of(talk, "Why?")) == 0


def test_calls_are_told_from_the_last_one_back(speaks: str) -> None:
    assert [call_id for _, call_id in talk_of(speaks, TALK).calls()] == ["c2", "c2", "c1", "c1"]


def test_what_was_asked_before_an_answer_is_known_from_any_of_its_turns(speaks: str) -> None:
    talk = talk_of(speaks, TALK)
    first = talk_of(speaks, TALK[:2]).tail
    assert first
    result = next(place for place, call_id in talk.calls() if call_id == "c1")
    for place in range(place_of(talk, "I look."), result + 1):
        assert talk.tail_before_answer(place) == first


def test_what_a_client_writes_beside_the_words_is_told_apart_from_them(speaks: str) -> None:
    tails = [talk_of(speaks, [SYSTEM, user(f"Fix it<environment_details>at 10:0{hour}</environment_details>")]).tail for hour in (1, 2)]
    assert tails[0] != tails[1]
    assert same_words(*tails)
    assert not same_words(tails[0], talk_of(speaks, [SYSTEM, user("Mend it")]).tail)
