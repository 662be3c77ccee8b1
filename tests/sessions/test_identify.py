"""Whose step a request is: every way in which real clients repeat, cut, fork and interrupt their conversations."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.sessions import conversation
from stepfare.sessions.identify import SIDE_CALL_WINDOW_MS
from stepfare.sessions.index import SessionIndex
from tests.sessions.desk import Desk, Message, assistant, state_of, tool, user
from tests.sessions.speaking import THOUGHTS

SYSTEM: Message = {"role": "system", "content": "You are an agent"}
START = [SYSTEM, user("Fix the test")]


SPOKEN = ("openai", "anthropic", "responses")


@pytest.fixture(params=SPOKEN)
def desk(request: pytest.FixtureRequest) -> Desk:
    """Agents ask in each of the three formats."""
    return Desk(speaks=request.param)


def test_a_conversation_is_one_session_by_its_tool_calls(desk: Desk) -> None:
    messages = list(START)
    steps = [desk.say(messages, "", "c1")]
    for turn in range(2, 6):
        messages += [assistant("", f"c{turn - 1}"), tool(f"c{turn - 1}", f"out {turn}")]
        steps.append(desk.say(messages, "", f"c{turn}"))
    assert [(step.session, step.number) for step in steps] == [("s1", number) for number in range(1, 6)]


def test_a_conversation_without_calls_is_one_session_by_its_turns(desk: Desk) -> None:
    messages = list(START)
    steps = [desk.say(messages, "answer 1")]
    for turn in range(2, 6):
        messages += [assistant(f"answer {turn - 1}"), user(f"result {turn}")]
        steps.append(desk.say(messages, f"answer {turn}"))
    assert [(step.session, step.number) for step in steps] == [("s1", number) for number in range(1, 6)]


def test_an_agent_that_hangs_up_once_it_has_its_call_is_known_by_it(desk: Desk) -> None:
    desk.answer(desk.ask(START), "", "call_9f3b", outcome="hang-up")
    step = desk.ask([user("rewritten"), assistant("", "call_9f3b"), tool("call_9f3b")], workspace="")
    assert (step.session, step.number) == ("s1", 2)


def test_a_human_who_speaks_again_goes_on_in_the_same_session(desk: Desk) -> None:
    messages = [*START, assistant("", "c1"), tool("c1")]
    desk.say(START, "", "c1")
    desk.say(messages, "Done.")
    for words in ("And now?", "Why?", "Thanks"):
        messages += [assistant("Done."), user(words)]
        assert desk.say(messages, "Done.").session == "s1"


@pytest.mark.parametrize("speaks", SPOKEN)
@pytest.mark.parametrize("with_ids", [True, False])
@pytest.mark.parametrize("same_replies", [True, False])
@settings(max_examples=15)
@given(order=st.lists(st.sampled_from([0, 1]), min_size=12, max_size=12))
def test_twins_are_two_sessions_to_the_end(speaks: str, with_ids: bool, same_replies: bool, order: list[int]) -> None:
    """Two tasks with the same first words, whose steps come in any order. Without ids and with equal replies they differ only by
    what their tools said."""
    desk = Desk(speaks=speaks)
    talks = [list(START), list(START)]
    sessions: list[list[str]] = [[], []]
    # Both have asked before either goes on, else the first question of the second is all that tells them apart.
    for who in (0, 1, *order):
        turn = len(sessions[who]) + 1
        said = f"reply {turn}" if same_replies else f"reply {turn} to {who}"
        calls = [f"c-{who}-{turn}"] if with_ids else []
        step = desk.say(talks[who], said, *calls)
        sessions[who].append(step.session)
        talks[who].append(assistant(said, *calls))
        talks[who].append(tool(calls[0], f"out {turn} of {who}") if calls else user(f"out {turn} of {who}"))
    one, other = sessions
    assert len(set(one)) == len(set(other)) == 1 or (same_replies and not with_ids and crossed(one, other))
    assert set(one) | set(other) == {"s1", "s2"}
    assert {len(one), len(other)} == {session.steps for session in desk.index.newest_first()}


def crossed(one: list[str], other: list[str]) -> bool:
    """Histories that are equal to the byte cannot be told apart: they may swap sessions once, at the first difference, and then stay."""
    return len(set(one[1:])) <= 1 and len(set(other[1:])) <= 1


def test_the_same_first_words_while_the_first_is_being_answered_are_another_task(desk: Desk) -> None:
    first, second = desk.ask(START), desk.ask(START)
    assert (first.session, second.session) == ("s1", "s2")
    desk.answer(second, "", "c2")
    desk.answer(first, "", "c1")
    assert desk.ask([*START, assistant("", "c1"), tool("c1")]).session == "s1"
    assert desk.ask([*START, assistant("", "c2"), tool("c2")]).session == "s2"


def test_the_same_first_words_after_an_answer_are_another_task(desk: Desk) -> None:
    desk.say(START, "Done.")
    step = desk.ask(START)
    assert (step.session, step.identity.parent) == ("s2", "")


def test_ids_that_models_count_anew_do_not_mix_sessions(desk: Desk) -> None:
    """Some models name their calls `functions.read:0`, or `call_0`, in each conversation."""
    talks = {name: [SYSTEM, user(f"Task {name}")] for name in "abc"}
    sessions: dict[str, set[str]] = {name: set() for name in talks}
    for turn in range(4):
        for name, messages in talks.items():
            sessions[name].add(desk.say(messages, "", f"call_{turn}").session)
            messages += [assistant("", f"call_{turn}"), tool(f"call_{turn}", f"out of {name}")]
    assert sessions == {"a": {"s1"}, "b": {"s2"}, "c": {"s3"}}


@pytest.mark.parametrize("start", [START, [*START, assistant("Look", "c0"), tool("c0")], [*START, assistant("Look"), user("out")]])
@pytest.mark.parametrize("end", ["busy", "hang-up", "cut"])
def test_a_retry_with_the_same_body_is_the_same_step(desk: Desk, start: list[Message], end: str) -> None:
    desk.say(START, "Look", "c0") if len(start) > 2 else None
    first = desk.ask(start)
    desk.void(first) if end == "busy" else desk.answer(first, "Half an", outcome=end)
    again = desk.ask(start)
    assert (again.session, again.number) == (first.session, first.number)
    desk.void(again)
    third = desk.answer(desk.ask(start), "Whole")
    assert (third.session, third.number) == (first.session, first.number)


def test_the_same_body_after_an_answer_is_a_new_step(desk: Desk) -> None:
    talk = [*START, assistant("Look"), user("out")]
    desk.say(START, "Look")
    first, second = desk.say(talk, "One"), desk.say(talk, "Two")
    assert [(step.session, step.number) for step in (first, second)] == [("s1", 2), ("s1", 3)]
    assert desk.ask([*talk, assistant("Two"), user("go on")]).session == "s1"


def test_the_same_body_while_it_is_being_answered_is_a_new_step(desk: Desk) -> None:
    headers = {"x-session-id": "ses_1"}
    steps = [desk.ask(START, headers=headers), desk.ask(START, headers=headers)]
    assert [(step.session, step.number) for step in steps] == [("ses_1", 1), ("ses_1", 2)]


def test_a_retry_finds_its_step_although_others_came_between(desk: Desk) -> None:
    headers = {"x-session-id": "ses_1"}
    main = desk.ask(START, headers=headers)
    title = desk.ask([user("Make a title")], headers=headers, side="title")
    desk.answer(main, "Half", outcome="hang-up")
    desk.answer(title, "A title")
    again = desk.ask(START, headers=headers)
    assert (main.number, title.number, again.number) == (1, 2, 1)
    assert again.identity.because == "it repeats a call that was not answered"


def test_a_retry_of_one_of_two_calls_at_once_is_a_retry(desk: Desk) -> None:
    headers = {"x-session-id": "ses_1"}
    one, other = desk.ask(START, headers=headers), desk.ask([user("Subtask")], headers=headers)
    desk.void(one)
    assert desk.ask(START, headers=headers).number == one.number
    desk.void(other)
    assert desk.ask([user("Subtask")], headers=headers).number == other.number


def test_a_retry_of_a_side_call_is_the_same_step(desk: Desk) -> None:
    desk.say(START, "", "c1")
    title = [user("Reply with a title")]
    first = desk.void(desk.ask(title, side="title"))
    assert desk.ask(title, side="title").number == first.number == 2


def test_another_body_after_a_failure_is_a_new_step_of_the_session(desk: Desk) -> None:
    first = desk.void(desk.ask(START))
    second = desk.ask(START, temperature=1)
    assert (second.session, second.number) == (first.session, 2)


def test_a_fork_is_a_session_of_its_own_with_its_parent(desk: Desk) -> None:
    talk = list(START)
    for turn in range(1, 6):
        desk.say(talk, "", f"c{turn}")
        talk += [assistant("", f"c{turn}"), tool(f"c{turn}")]
    fork = [*START, assistant("", "c1"), tool("c1"), user("No, another way")]
    step = desk.say(fork, "As you like")
    assert (step.session, step.identity.parent) == ("s2", "s1")
    # Its own answers have no calls: the old ones in its history must not fork it again and again.
    for words in ("more", "and more", "the end"):
        fork += [assistant("As you like"), user(words)]
        assert desk.say(fork, "As you like").session == "s2"
    assert desk.ask(talk).session == "s1"


def test_a_fork_whose_beginning_was_rewritten_has_its_parent_by_its_calls(desk: Desk) -> None:
    talk = list(START)
    for turn in range(1, 6):
        desk.say(talk, "", f"call_9f{turn}b")
        talk += [assistant("", f"call_9f{turn}b"), tool(f"call_9f{turn}b")]
    step = desk.ask([user("Summary"), assistant("", "call_9f1b"), tool("call_9f1b"), user("No, another way")])
    assert (step.session, step.identity.parent) == ("s2", "s1")


def test_a_fork_without_ids_has_its_parent_too(desk: Desk) -> None:
    talk = list(START)
    for turn in range(1, 5):
        desk.say(talk, f"answer {turn}")
        talk += [assistant(f"answer {turn}"), user(f"then {turn}")]
    fork = [*START, assistant("answer 1"), user("No, another way")]
    step = desk.say(fork, "Fine")
    assert (step.session, step.identity.parent) == ("s2", "s1")
    assert desk.ask([*fork, assistant("Fine"), user("go on")]).session == "s2"
    assert desk.ask(talk).session == "s1"


def test_a_request_that_goes_back_to_the_very_words_of_an_earlier_one_is_a_fork(desk: Desk) -> None:
    talk = list(START)
    for turn in range(1, 5):
        desk.say(talk, f"answer {turn}")
        talk += [assistant(f"answer {turn}"), user(f"then {turn}")]
    step = desk.ask(talk[:4])
    assert (step.session, step.identity.parent) == ("s2", "s1")


def test_a_last_result_that_was_cut_after_a_refusal_stays_in_the_session(desk: Desk) -> None:
    desk.say(START, "", "c1")
    desk.void(desk.ask([*START, assistant("", "c1"), tool("c1", "all of it")]), "context-length")
    assert desk.ask([*START, assistant("", "c1"), tool("c1", "half")]).session == "s1"


def test_an_edit_of_what_was_answered_goes_back(desk: Desk) -> None:
    """Whether both ways will be gone on is not known yet: the first keeps its session, whatever becomes of it."""
    talk = [*START, assistant("", "c1"), tool("c1", "one")]
    desk.say(START, "", "c1")
    desk.say(talk, "", "c2")
    step = desk.ask([*START, assistant("", "c1"), tool("c1", "another")])
    assert (step.session, step.identity.parent) == ("s2", "s1")
    assert desk.ask([*talk, assistant("", "c2"), tool("c2")]).session == "s1"


apart = pytest.mark.parametrize("speaks", ["anthropic", "responses"])
"""The formats in which an answer may be several blocks or items."""


@apart
def test_twins_are_told_apart_by_answers_in_several_pieces(speaks: str) -> None:
    desk = Desk(speaks=speaks)
    one, other = desk.ask(START), desk.ask(START)
    desk.answer(other, "I look.It is other.")
    desk.answer(one, "I look.It is one.")
    # The second goes on first, else it would be the only one that is left to go on.
    assert desk.ask([*START, assistant("I look.|It is other."), user("go on")]).session == other.session
    assert desk.ask([*START, assistant("I look.|It is one."), user("go on")]).session == one.session


@apart
def test_a_rewritten_history_is_known_by_an_answer_in_several_pieces(speaks: str) -> None:
    desk = Desk(speaks=speaks)
    desk.say(START, "I look.It is so.", workspace="/one")
    talk = [user("What did we do so far?"), assistant("I look.|It is so."), user("go on")]
    step = desk.ask(talk, workspace="")
    assert (step.session, step.identity.because) == ("s1", "it holds this session's last answer; its history was rewritten by the client")


@apart
def test_an_answer_with_many_calls_is_found_behind_their_results(speaks: str) -> None:
    desk = Desk(speaks=speaks)
    desk.say(START, "I look.", workspace="/one")
    calls = [f"c{number}" for number in range(6)]
    talk = [user("What did we do so far?"), assistant("I look.", *calls), *(tool(call) for call in calls), user("go on")]
    assert desk.ask(talk, workspace="").session == "s1"


@apart
@pytest.mark.parametrize("calls", [(), ("c",)])
@pytest.mark.parametrize("from_turn", [1, 3])
def test_thoughts_that_a_client_drops_make_no_other_session(speaks: str, calls: tuple[str, ...], from_turn: int) -> None:
    desk = Desk(speaks=speaks)
    talk = list(START)
    for turn in range(1, 6):
        thoughtless = [{**message, THOUGHTS: False} for message in talk] if turn > from_turn else talk
        ids = [f"{call}{turn}" for call in calls]
        assert desk.say(thoughtless, f"answer {turn}", *ids).session == "s1"
        talk += [assistant(f"answer {turn}", *ids), *(tool(call, f"out {turn}") for call in ids)]
        if not ids:
            talk.append(user(f"out {turn}"))


def test_a_session_named_in_the_body_is_one_to_the_end() -> None:
    desk = Desk(speaks="anthropic")
    metadata = {"user_id": json.dumps({"session_id": "uuid"})}
    main = desk.say(START, "", "c1", metadata=metadata)
    title = desk.say([user("<session>x</session>")], "A title", side="title", metadata=metadata)
    again = desk.say([user("This session is being continued from a previous conversation")], "", "c2", metadata=metadata)
    assert [step.session for step in (main, title, again)] == ["uuid"] * 3


def test_subagents_whose_header_is_gone_are_sessions_of_their_own_with_their_parent() -> None:
    desk = Desk(speaks="anthropic")
    metadata = {"user_id": json.dumps({"session_id": "uuid"})}
    search: Message = {"role": "system", "content": "x-anthropic-billing-header: cc_version=2.1.330.b41; cc_is_subagent=true;"}
    desk.say(START, "", "c1", metadata=metadata)
    one = [search, user("Find callers")]
    step = desk.say(one, "", "c2", metadata=metadata)
    assert (step.session, step.identity.parent) == ("s1", "uuid")
    other = desk.say([search, user("Find tests")], "", "c3", metadata=metadata)
    assert (other.session, other.identity.parent) == ("s2", "uuid")
    assert desk.say([*one, assistant("", "c2"), tool("c2")], "Two", metadata=metadata).session == "s1"
    # One that was rewritten is not the session that it shares its name with.
    unknown = desk.ask([search, user("summary"), assistant("so far"), user("go on")], metadata=metadata)
    assert (unknown.session, unknown.identity.parent) == ("s3", "uuid")


TITLE = [user("Given the following... please reply with a title")]


def test_a_side_call_goes_with_the_clients_latest_session_and_leaves_its_conversation_alone(desk: Desk) -> None:
    talk = list(START)
    for turn in range(1, 4):
        assert desk.say(talk, f"answer {turn}").session == "s1"
        assert desk.say(TITLE, "A title", side="title").session == "s1"
        talk += [assistant(f"answer {turn}"), user(f"out {turn}")]
    desk.say([user("Another task")], "Hi", client="continue")
    assert desk.ask(TITLE, side="title").session == "s1"
    assert desk.ask(TITLE, side="title", client="continue").session == "s2"


def test_a_side_call_does_not_hide_where_the_conversation_stands(desk: Desk) -> None:
    desk.say(START, "answer 1")
    desk.say(TITLE, "A title", side="title")
    # The client repeats the answer otherwise than it was given: only its place tells whose it is.
    assert desk.ask([*START, assistant("answer 1, shortened"), user("out 1")]).session == "s1"


def test_the_same_title_request_in_another_session_goes_with_that_one(desk: Desk) -> None:
    desk.say(START, "one")
    assert desk.say(TITLE, "A title", side="title").session == "s1"
    desk.say(START, "two")
    assert desk.say(TITLE, "A title", side="title").session == "s2"


def test_a_summary_asked_for_within_the_conversation_does_not_break_it(desk: Desk) -> None:
    talk = [*START, assistant("answer 1"), user("out 1")]
    desk.say(START, "answer 1")
    desk.say(talk, "answer 2")
    summary = [*talk, assistant("answer 2"), user("Please provide a concise summary")]
    assert desk.say(summary, "It was so", side="compaction").session == "s1"
    # The client goes on as if nothing had been asked.
    assert desk.ask([*talk, assistant("answer 2"), user("out 2")]).session == "s1"


def test_a_side_call_long_after_is_a_session_of_its_own(desk: Desk) -> None:
    desk.say(START, "one")
    desk.now_ms += SIDE_CALL_WINDOW_MS
    assert desk.ask(TITLE, side="title").session == "s2"


def test_a_side_call_in_another_workspace_is_not_of_this_session(desk: Desk) -> None:
    desk.say(START, "one", workspace="/one")
    assert desk.ask(TITLE, side="title", workspace="/two").session == "s2"
    assert desk.ask(TITLE, side="title", workspace="").session == "s2"


def test_a_history_cut_in_the_middle_stays_in_its_session(desk: Desk) -> None:
    talk = list(START)
    for turn in range(1, 5):
        desk.say(talk, f"answer {turn}")
        talk += [assistant(f"answer {turn}"), user(f"out {turn}")]
    cut = [*START, assistant("[NOTE] Some previous conversation history with the user has been removed"), *talk[-3:]]
    step = desk.ask(cut)
    assert (step.session, step.number, step.identity.parent) == ("s1", 5, "")


def test_a_history_cut_with_calls_stays_in_its_session(desk: Desk) -> None:
    talk = list(START)
    for turn in range(1, 5):
        desk.say(talk, "", f"call_9f{turn}b")
        talk += [assistant("", f"call_9f{turn}b"), tool(f"call_9f{turn}b")]
    assert desk.ask([user("Earlier context was compacted"), *talk[-2:]]).session == "s1"


def test_a_summary_in_the_place_of_the_history_stays_in_the_latest_session_of_that_place(desk: Desk) -> None:
    desk.say(START, "answer 1")
    talk = [user("What did we do so far?"), assistant("A summary"), user("Go on")]
    step = desk.ask(talk)
    assert (step.session, step.identity.because) == ("s1", "its history was rewritten by the client")
    assert Desk().ask(talk).session == "s1"  # The first of its own where nothing was before.
    assert desk.ask([user("a"), assistant("b"), user("c")], workspace="/elsewhere").session == "s2"
    assert desk.ask([user("x"), assistant("y"), user("z")], workspace="").session == "s3"


def test_the_same_answer_in_another_workspace_is_no_sign(desk: Desk) -> None:
    desk.say(START, "Done.", workspace="/one")
    talk = [user("Other"), assistant("Done."), user("Go on")]
    assert desk.ask(talk, workspace="/two").session == "s2"
    assert desk.ask([user("Third"), *talk[1:]], workspace="/one", client="continue").session == "s3"


@pytest.mark.parametrize(
    ("headers", "session", "parent"),
    [
        ({"x-session-id": "ses_1"}, "ses_1", ""),
        ({"x-session-affinity": "ses_1"}, "ses_1", ""),
        ({"x-stepfare-session": "mine", "x-session-id": "ses_1"}, "mine", ""),
        ({"x-session-id": "ses_2", "x-parent-session-id": "ses_1"}, "ses_2", "ses_1"),
        ({"session-id": "p", "thread-id": "t", "x-codex-parent-thread-id": "p"}, "t", "p"),
        ({"x-claude-code-session-id": "uuid"}, "uuid", ""),
        ({"x-claude-code-session-id": "uuid", "x-claude-code-agent-id": "a1"}, "a1", "uuid"),
        (
            {"x-claude-code-session-id": "uuid", "x-claude-code-agent-id": "a2", "x-claude-code-parent-agent-id": "a1"},
            "a2",
            "a1",
        ),
        ({"x-claude-code-agent-id": "a1"}, "a1", ""),
        ({"x-session-id": ""}, "s1", ""),
    ],
)
def test_a_client_that_names_its_session_is_believed(desk: Desk, headers: dict[str, str], session: str, parent: str) -> None:
    step = desk.say(START, "", "c1", headers=headers)
    assert (step.session, step.identity.parent) == (session, parent)
    if headers.get("x-session-id") != "":
        assert desk.say([user("Something else")], headers=headers).number == 2


@pytest.mark.parametrize("name", ["a b", "../../etc", "x" * 65, "é", "-rf", "a\tb", "<script>"])
def test_an_odd_name_of_a_session_is_kept_as_its_digest(desk: Desk, name: str) -> None:
    session = desk.ask(START, headers={"x-session-id": name}).session
    assert session.isalnum()
    assert session.startswith("x")
    assert desk.ask(START, headers={"x-session-id": name}).session == session
    assert desk.ask(START, headers={"x-session-id": name + "."}).session != session


@pytest.mark.parametrize(("searched", "session"), [(2, "s2"), (3, "s1")])
def test_only_the_end_of_a_conversation_is_searched_for_calls(monkeypatch: pytest.MonkeyPatch, searched: int, session: str) -> None:
    desk = Desk()
    monkeypatch.setattr(conversation, "TURNS_SEARCHED_MAX", searched)
    desk.say(START, "", "call_9f3b")
    talk = [user("rewritten"), assistant("", "call_9f3b"), tool("call_9f3b"), user("a"), user("b")]
    assert desk.ask(talk, workspace="").session == session


def test_a_conversation_may_begin_with_a_call(desk: Desk) -> None:
    desk.say(START, "", "c1")
    assert desk.ask([assistant("", "c1"), tool("c2")], workspace="").session == "s1"


ACTIONS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["answer", "call", "hang-up", "void", "retry", "side", "fork", "leave open"])), max_size=25
)


@settings(max_examples=60)
@given(ACTIONS, st.sampled_from(SPOKEN))
def test_a_fold_of_the_journal_knows_what_live_use_knew(actions: list[tuple[int, str]], speaks: str) -> None:
    desk = Desk(speaks=speaks)
    talks: list[list[Message]] = [[SYSTEM, user(f"Task {who % 2}")] for who in range(4)]
    for turn, (who, action) in enumerate(actions):
        talk = talks[who]
        match action:
            case "answer":
                desk.say(talk, f"said {turn}")
                talk += [assistant(f"said {turn}"), user(f"out {turn}")]
            case "call":
                desk.say(talk, "", f"c{turn}")
                talk += [assistant("", f"c{turn}"), tool(f"c{turn}")]
            case "hang-up":
                desk.answer(desk.ask(talk), "half", outcome="hang-up")
            case "void" | "retry":
                desk.void(desk.ask(talk))
            case "side":
                desk.say(TITLE, "title", side="title")
            case "fork":
                del talk[2:]
            case _:
                desk.ask(talk)
        session = next(iter(desk.index.newest_first()), None)
        assert session is None or session.reserved_pusd >= 0
    folded = SessionIndex()
    for entry in desk.entries:
        folded.apply(entry)
        folded.apply(entry)  # Posting twice changes nothing.
    assert state_of(folded) == state_of(desk.index)
