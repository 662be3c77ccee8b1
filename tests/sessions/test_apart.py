"""Sessions that nearly look like one another, and sessions that hardly look like themselves: a case for each way to mistake them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sessions.desk import Desk, Message, assistant, tool, user

SYSTEM: Message = {"role": "system", "content": "You are an agent"}


def system(text: str) -> Message:
    return {"role": "system", "content": text}


@pytest.fixture(params=["openai", "anthropic", "responses"])
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(speaks=request.param)


def test_a_counted_id_joins_no_conversation_that_was_met_in_its_middle(desk: Desk) -> None:
    desk.say([SYSTEM, user("One task")], "", "call_0")
    met = desk.ask([SYSTEM, user("Another task"), assistant("", "call_0"), tool("call_0", "out")])
    assert (met.session, met.identity.parent) == ("s2", "")


def test_the_same_last_answer_joins_no_conversation_that_began_otherwise(desk: Desk) -> None:
    desk.say([SYSTEM, user("One task")], "Done.")
    assert desk.ask([SYSTEM, user("Another task"), assistant("Done."), user("Thanks")]).session == "s2"


def test_a_conversation_met_in_its_middle_is_not_the_latest_of_its_folder(desk: Desk) -> None:
    desk.say([SYSTEM, user("One task")], "Done.")
    assert desk.ask([SYSTEM, user("Another task"), assistant("I looked."), user("Go on")]).session == "s2"


def test_the_same_task_in_another_folder_is_another_session(desk: Desk) -> None:
    task = [SYSTEM, user("Fix it")]
    one = desk.void(desk.ask(task, workspace="/one"))
    other = desk.say(task, "Looked.", workspace="/two")
    again = desk.say(task, "Looked.", workspace="/one")
    assert (one.session, other.session, again.session, again.number) == ("s1", "s2", "s1", 1)
    talk = [*task, assistant("Looked."), user("Go on")]
    assert desk.ask(talk, workspace="/two").session == "s2"
    assert desk.ask(talk, workspace="/one").session == "s1"


def test_a_system_text_that_changes_breaks_no_conversation(desk: Desk) -> None:
    """Plan mode becomes act mode, and a resumed session has another clock and git state in it."""
    talk = [user("Fix it")]
    for step, clock in enumerate(("# Plan Mode", "acting", "Today is 2026-11-28", "Today is 2026-11-29")):
        # Its answers are not repeated as they were given: its turns alone say whose it is.
        assert desk.say([system(clock), *talk], f"answer {step}").session == "s1"
        talk += [assistant(f"answer {step}, shortened"), user(f"go on {step}")]


def test_reminders_that_are_written_into_old_turns_break_no_conversation(desk: Desk) -> None:
    talk: list[str] = ["Fix it"]
    for step in range(4):
        turns: list[Message] = [SYSTEM]
        for place, text in enumerate(talk):
            reminder = f"<system-reminder>{step} files changed since</system-reminder>" if place == 0 else ""
            details = f"<environment_details>\n# Current Time\n10:0{step}\n</environment_details>" if place % 2 == 0 else ""
            turns.append(user(f"{reminder}{text}\n{details}") if place % 2 == 0 else assistant(text))
        assert desk.say(turns, f"answer {step}").session == "s1"
        talk += [f"answer {step}, shortened", f"go on {step}"]


def test_a_message_of_reminders_alone_may_come_and_go(desk: Desk) -> None:
    reminder = user("<system-reminder>The user has opened a file</system-reminder>")
    desk.say([SYSTEM, user("Fix it")], "answer 1")
    desk.say([SYSTEM, user("Fix it"), assistant("1, shortened"), user("go on"), reminder], "answer 2")
    talk = [SYSTEM, user("Fix it"), assistant("1, shortened"), user("go on"), assistant("2, shortened"), user("and on")]
    assert desk.ask(talk).session == "s1"


def test_a_quoted_envelope_is_no_reason_to_mix_tasks(desk: Desk) -> None:
    """What a human says beside an envelope still counts."""
    for place, words in enumerate(("one", "two"), start=1):
        talk = [SYSTEM, user(f"<environment_details>at 10:00</environment_details>Look at {words}")]
        assert desk.say(talk, "Looked.").session == f"s{place}"


# aider: its whole prompt is made anew at each step, with its examples, map and files around what was said.


def aider(*said: Message, files: str = "shop/total.py", asks: str) -> list[Message]:
    return [
        system("Act as an expert software developer.\n\n# *SEARCH/REPLACE block* Rules:"),
        user("Change get_factorial() to use math.factorial"),
        assistant("To make this change we need to modify `mathweb/flask/app.py`"),
        user("I switched to a new code base. Please don't consider the above files or try to edit them any longer."),
        assistant("Ok."),
        user(f"Here are summaries of some files present in my git repository.\n\n{files}"),
        assistant("Ok, I won't try and edit those files without asking first."),
        *said,
        user(f"I have *added these files to the chat* so you can go ahead and edit them.\n\n{files}"),
        assistant("Ok, any changes I propose will be to those files."),
        user(asks),
        system("# *SEARCH/REPLACE block* Rules:\n\nEvery *SEARCH/REPLACE block* must use this format."),
    ]


def test_aider_is_one_session_though_nothing_of_its_prompt_stays_in_place() -> None:
    desk = Desk()
    said: list[Message] = []
    for step in range(5):
        asks = f"mend part {step}"
        found = desk.say(aider(*said, files=f"state {step}", asks=asks), f"I mended {step}.", client="aider", workspace="")
        assert (found.session, found.number) == ("s1", step + 1)
        said += [user(asks), assistant(f"I mended {step}.")]


def test_twins_of_aider_are_two_sessions() -> None:
    desk = Desk()
    first = aider(asks="mend it")
    one, other = desk.ask(first, client="aider", workspace=""), desk.ask(first, client="aider", workspace="")
    desk.answer(one, "I mended it so.")
    desk.answer(other, "I mended it otherwise.")
    third = desk.say(first, "Mended.", client="aider", workspace="")
    assert (one.session, other.session, third.session, third.identity.parent) == ("s1", "s2", "s3", "")
    for session, reply in (("s2", "I mended it otherwise."), ("s1", "I mended it so."), ("s3", "Mended.")):
        talk = aider(user("mend it"), assistant(reply), files="mended", asks="and test it")
        assert desk.ask(talk, client="aider", workspace="").session == session


def test_twins_of_aider_that_were_answered_the_same_are_told_by_their_last_turn() -> None:
    desk = Desk()
    for task in ("mend one", "mend two"):
        desk.say(aider(asks=task), "Ok, mended.", client="aider", workspace="")
    for session, task in (("s1", "mend one"), ("s2", "mend two")):
        talk = aider(user(task), assistant("Ok, mended."), asks="and test it")
        assert desk.ask(talk, client="aider", workspace="").session == session


def test_a_commit_message_goes_with_the_session_whose_answer_it_quotes() -> None:
    desk = Desk()
    for task in ("one", "two"):
        desk.say(aider(asks=task), f"I mended {task}.\n\nIt was wrong.", client="aider", workspace="")
    for session, task in (("s1", "one"), ("s2", "two")):
        asked = f"\nUSER: {task}\n\nASSISTANT: I mended {task}.\n\nIt was wrong.\n\ndiff --git a/x b/x"
        commit = [system("concise, one-line Git commit messages"), user(asked)]
        assert desk.say(commit, "fix: it", client="aider", workspace="", side="commit message").session == session


def test_a_title_goes_with_the_session_whose_words_it_quotes(desk: Desk) -> None:
    ask = "Given the following... please reply with a title for the chat.\n\n"
    desk.say([SYSTEM, user("First things")], "I did the first.\n\nAll of them.")
    desk.say([SYSTEM, user("Second things")], "I did the second.")
    assert desk.ask([user(ask + "I did the first.\n\nAll of them.")], side="title").session == "s1"
    assert desk.ask([user(ask + "First things")], side="title").session == "s1"
    assert desk.ask([user(ask + "Second things")], side="title").session == "s2"


def test_a_title_goes_with_the_session_that_has_not_asked_on_since_its_answer(desk: Desk) -> None:
    for task in ("One", "Two"):
        desk.say([SYSTEM, user(task)], "Done.")
    desk.ask([SYSTEM, user("Two"), assistant("Done."), user("Go on")])
    assert desk.ask([user("Given the following... please reply with a title.\n\nDone.")], side="title").session == "s1"


def test_a_summary_in_the_place_of_the_history_tells_its_session(desk: Desk) -> None:
    """As Continue does it: the summary alone, as if the model had said it first."""
    for task in ("One", "Two"):
        talk = [SYSTEM, user(task)]
        desk.say(talk, f"Did {task}.")
        desk.say([*talk, assistant(f"Did {task}."), user("Please provide a concise summary")], f"Summary of {task}.", side="compaction")
    for session, task in (("s1", "One"), ("s2", "Two")):
        assert desk.ask([SYSTEM, assistant(f"Summary of {task}."), user("Go on")]).session == session


def test_a_summary_that_the_client_wraps_tells_its_session_too(desk: Desk) -> None:
    for task in ("One", "Two"):
        desk.say([SYSTEM, user(task)], f"Did {task}.")
        desk.say([user("summarize"), assistant(f"Did {task}."), user("now")], f"Summary of {task}.", side="compaction")
    for session, task in (("s1", "One"), ("s2", "Two")):
        talk = [SYSTEM, user(f"<state_snapshot>Summary of {task}.</state_snapshot>"), assistant("Got it."), user("Go on")]
        assert desk.ask(talk).session == session


def test_a_conversation_of_which_only_a_notice_is_left_is_the_one_that_was_refused(desk: Desk) -> None:
    """Classic Cline, when its first turns alone are too long: not even the task is left."""
    desk.void(desk.ask([SYSTEM, user("One")]), "context-length")
    desk.say([SYSTEM, user("Two")], "Did it.")
    step = desk.ask([SYSTEM, user("[Continue assisting the user!]")])
    assert (step.session, step.identity.because) == ("s1", "its history was rewritten by the client")


def test_a_subagent_is_a_session_of_its_own_under_the_one_that_sent_it(desk: Desk) -> None:
    desk.answer(desk.ask([SYSTEM, user("Find what is slow")]), "", "call_1", tasks=("You find callers", "Find all callers of total"))
    child = desk.say([system("You find callers"), user("Find all callers of total")], "", "call_2", workspace="")
    twin = desk.ask([system("You find callers"), user("Find all callers of total")], workspace="")
    assert [(step.session, step.identity.parent) for step in (child, twin)] == [("s2", "s1"), ("s3", "s1")]
    main = desk.ask([SYSTEM, user("Find what is slow"), assistant("", "call_1"), tool("call_1", "two callers")])
    assert (main.session, main.identity.parent) == ("s1", "")


def test_a_conversation_that_is_gone_on_with_twice_is_two_sessions(desk: Desk) -> None:
    talk = [SYSTEM, user("Fix it"), assistant("", "c1"), tool("c1", "out")]
    desk.say(talk[:2], "", "c1")
    desk.say(talk, "Fixed.")
    one = desk.say([*talk, assistant("Fixed."), user("And test it")], "Tested.")
    other = desk.say([*talk, assistant("Fixed."), user("No, undo it")], "Undone.")
    assert [(step.session, step.identity.parent) for step in (one, other)] == [("s1", ""), ("s2", "s1")]
    talks = {"s1": ("And test it", "Tested."), "s2": ("No, undo it", "Undone.")}
    for session, (asks, said) in talks.items():
        assert desk.ask([*talk, assistant("Fixed."), user(asks), assistant(said), user("Thanks")]).session == session


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="<>[]#\"'"), min_size=1, max_size=30).map(str.strip).filter(bool)
SAYS = ("Done.", "Ok", "Looked at it.", "")


@settings(max_examples=120, deadline=None)
@given(
    speaks=st.sampled_from(["openai", "anthropic", "responses"]),
    first=st.lists(WORDS, min_size=2, max_size=4, unique=True),
    moves=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["say", "call", "void", "cut", "drop", "system", "forget"]), st.sampled_from(SAYS)),
        max_size=24,
    ),
    workspace=st.sampled_from(["/ws", ""]),
)
def test_sessions_with_other_first_words_never_merge(
    speaks: str, first: list[str], moves: list[tuple[int, str, str]], workspace: str
) -> None:
    """Whatever clients cut, drop, rewrite and repeat, and though models number their calls anew and say the same things."""
    desk = Desk(speaks=speaks)
    talks = [[SYSTEM, user(words)] for words in first]
    owners: dict[str, int] = {}
    for number, (who, move, says) in enumerate(moves):
        who %= len(first)
        talk = talks[who]
        asked = list(talk)
        match move:
            case "cut":
                asked = [*talk[:2], *talk[2:][-3:]]
            case "drop":
                asked = [message for message in talk if message["role"] != "system"]
            case "system":
                asked = [system(f"clock {number}"), *talk[1:]]
            case _:
                pass
        step = desk.ask(asked, workspace=workspace)
        assert owners.setdefault(step.session, who) == who, (first[who], first[owners[step.session]])
        if move == "void":
            desk.void(step)
        elif move == "forget":
            desk.answer(step, says)
            desk.index.forget(step.session)  # As after a restart long after: it is met in its middle.
            del owners[step.session]
        else:
            call = [f"call_{len(talk)}"] if move == "call" or not says else []
            desk.answer(step, says, *call)
            talk += [assistant(says, *call), *([tool(call[0], f"out {number % 2}")] if call else [user(f"go on {number % 2}")])]
