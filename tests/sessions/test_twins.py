"""Twins, which asked the same at first, and what comes of them: each goes its own way, is gone on with twice, or is given up."""

from __future__ import annotations

import pytest

from tests.sessions.desk import Desk, Message, assistant, tool, user

SYSTEM: Message = {"role": "system", "content": "You are an agent"}
START = [SYSTEM, user("Fix it")]


@pytest.fixture(params=["openai", "anthropic", "responses"])
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(speaks=request.param)


def at(hour: int, text: str) -> Message:
    """What a human says, and what his client writes beside it."""
    return user(f"{text}\n<environment_details>\n# Current Time\n10:{hour:02}\n</environment_details>")


def test_twins_that_were_answered_the_same_are_told_by_the_hour_beside_their_words(desk: Desk) -> None:
    for hour in (1, 2):
        desk.say([SYSTEM, at(hour, "Fix it")], "Looked.")
    for session, hour in (("s2", 2), ("s1", 1)):
        talk = [SYSTEM, at(hour, "Fix it"), assistant("Looked."), at(9, "Go on")]
        assert desk.say(talk, "Found.").session == session


def test_a_twin_that_comes_to_where_the_other_one_was_goes_on_as_itself(desk: Desk) -> None:
    for _ in range(2):
        desk.say(START, "Looked.")
    talk = [*START, assistant("Looked."), user("Go on")]
    assert desk.say(talk, "Found.").session == "s1"
    assert desk.say(talk, "Mended.").session == "s2"


def test_who_asks_the_same_again_is_no_twin_that_waits_far_behind(desk: Desk) -> None:
    """One answer at a time: a session that has heard one of these two is not the one that has heard both."""
    for _ in range(2):
        desk.say(START, "Looked.")
    talk = [*START, assistant("Looked."), user("Go on")]
    desk.say(talk, "Found.")
    talk += [assistant("Found."), user("And test it")]
    first = desk.say(talk, "Tested.")
    again = desk.ask(talk)
    assert (first.session, again.session, again.identity.because) == ("s1", "s1", "it asks the same again")


def test_a_first_call_that_was_given_up_takes_nothing_from_the_one_that_asked_again(desk: Desk) -> None:
    """Its end is not known yet when the client asks again, so the two look like twins. Then an old turn is rewritten, and only the first
    request still stands as it was sent: but there the answer was given to another one."""
    gone = desk.ask(START)
    desk.say(START, "Looked.")
    desk.answer(gone, "", outcome="hang-up")
    desk.say([*START, assistant("Looked."), user("a long file")], "Found.")
    step = desk.ask([*START, assistant("Looked."), user("[this file was removed]"), assistant("Found."), user("And test it")])
    assert (gone.session, step.session) == ("s1", "s2")


def test_a_twin_whose_calls_are_counted_is_known_by_what_stands_before_them(desk: Desk) -> None:
    """An old turn is rewritten, so their requests begin with nothing that was sent before, and both were given `call_4`."""
    for file in ("one", "two"):
        talk = [*START, assistant("Looked.", "call_0"), tool("call_0", "a long file")]
        desk.say(START, "Looked.", "call_0")
        desk.say(talk, "", "call_2")
        desk.say([*talk, assistant("", "call_2"), tool("call_2", file)], "Ok.", "call_4")
    talk = [*START, assistant("Looked.", "call_0"), tool("call_0", "[this file was removed]"), assistant("", "call_2")]
    for session, file in (("s1", "one"), ("s2", "two")):
        asked = [*talk, tool("call_2", file), assistant("Ok.", "call_4"), tool("call_4", "out")]
        assert desk.ask(asked).session == session


def test_a_fork_is_not_the_twin_that_said_the_same_with_another_counted_call(desk: Desk) -> None:
    desk.say(START, "", "call_0")
    desk.say([*START, assistant("", "call_0"), tool("call_0", "two")], "Ok.", "call_2")
    talk = [*START, assistant("Looked.", "call_0"), tool("call_0", "one")]
    desk.say(START, "Looked.", "call_0")
    desk.say(talk, "", "call_2")
    talk += [assistant("", "call_2"), tool("call_2", "out")]
    desk.say(talk, "Ok.", "call_4")
    talk += [assistant("Ok.", "call_4"), tool("call_4", "out")]
    desk.say(talk, "Done.")
    main = desk.say([*talk, assistant("Done."), user("And test it")], "Tested.")
    fork = desk.ask([*talk, user("Another way, please")])
    assert (main.session, fork.session, fork.identity.parent) == ("s2", "s3", "s2")


def test_a_fork_is_not_the_twin_that_was_given_the_same_counted_call_with_other_words(desk: Desk) -> None:
    desk.say(START, "Ok.", "call_0")
    talk = [*START, assistant("Looked.", "call_0"), tool("call_0", "one")]
    desk.say(START, "Looked.", "call_0")
    desk.say(talk, "Found.", "call_2")
    talk += [assistant("Found.", "call_2"), tool("call_2", "two")]
    desk.say(talk, "Done.")
    desk.say([*talk, assistant("Done."), user("And test it")], "Tested.")
    fork = desk.ask([*talk, user("Another way, please")])
    assert (fork.session, fork.identity.parent) == ("s3", "s2")


def test_a_summary_takes_the_place_of_a_history_once(desk: Desk) -> None:
    """Who goes back to an earlier point behind it is another session, as with any history."""
    desk.say(START, "Looked.")
    desk.say([*START, assistant("Looked."), user("Please sum up")], "It was looked at.", side="compaction")
    talk = [SYSTEM, assistant("It was looked at."), user("Go on")]
    assert desk.say(talk, "Found.", "call_9f3b").session == "s1"
    talk += [assistant("Found.", "call_9f3b"), tool("call_9f3b", "out")]
    desk.say(talk, "Mended.")
    main = desk.say([*talk, assistant("Mended."), user("And test it")], "Tested.")
    fork = desk.ask([*talk, user("Another way, please")])
    assert (main.session, fork.session, fork.identity.parent) == ("s1", "s2", "s1")


def test_a_twin_that_waits_at_its_first_answer_takes_nothing_from_the_one_that_went_on(desk: Desk) -> None:
    """Both were answered the same. What was answered behind that the one that waits has never heard."""
    for _ in range(2):
        desk.say(START, "Looked.")
    desk.say([*START, assistant("Looked."), user("a long file")], "Found.")
    talk = [*START, assistant("Looked."), user("[this file was removed]"), assistant("Found.")]
    assert desk.say([*talk, user("And test it")], "Tested.").session == "s1"
    desk.say([*talk, user("And test it"), assistant("Tested."), user("Thanks")], "Welcome.")
    fork = desk.ask([*talk, user("Another way, please")])
    assert (fork.session, fork.identity.parent) == ("s3", "s1")


def test_who_had_an_answer_elsewhere_goes_on_though_others_were_answered_the_same_here(desk: Desk) -> None:
    """The client asks another provider for a while. What sessions of other tasks were told says nothing of this one."""
    desk.say([SYSTEM, user("Another task")], "Done.")
    desk.say(START, "Looked.")
    talk = [*START, assistant("Looked."), user("Go on"), assistant("Done."), user("And test it")]
    assert desk.say(talk, "Tested.").session == "s2"


def test_a_fork_whose_beginning_was_cut_is_not_the_twin_that_was_told_the_same_beside_another_call(desk: Desk) -> None:
    for file, name in (("one", "a"), ("two", "b")):
        talk = [*START, assistant("Looked.", f"call_{name}1x"), tool(f"call_{name}1x", file)]
        desk.say(START, "Looked.", f"call_{name}1x")
        desk.say(talk, f"Found {file}.")
        talk += [assistant(f"Found {file}."), user("Go on")]
        desk.say(talk, "Ok.", f"call_{name}2x")
    talk += [assistant("Ok.", "call_b2x")]
    desk.say([*talk, tool("call_b2x", "out")], "Done.")
    fork = desk.ask([*START, *talk[4:], tool("call_b2x", "out"), user("Another way, please")])
    assert (fork.session, fork.identity.parent) == ("s3", "s2")
