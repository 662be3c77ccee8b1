"""What is remembered of sessions: money, marks within bounds, and what each model's cache was seen to hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfare.core import tokens
from stepfare.core.entry import Lost, Opened, Reserved
from stepfare.core.model import CacheRule
from stepfare.core.money import Usage
from stepfare.core.session import Session, Warmth
from stepfare.sessions import index as index_module
from stepfare.sessions.index import SessionIndex
from tests.ledger import samples
from tests.sessions.desk import Desk, Message, assistant, state_of, tool, user

START = [user("Fix the test")]
LIFETIME_MS = 300_000


@pytest.fixture
def desk() -> Desk:
    return Desk()


def session(desk: Desk, name: str = "s1") -> Session:
    found = desk.index.get(name)
    assert found is not None
    return found


def test_money_moves_from_reserved_to_spent(desk: Desk) -> None:
    step = desk.ask(START)
    assert (session(desk).reserved_pusd, session(desk).spent_pusd) == (1000, 0)
    desk.answer(step)
    assert (session(desk).reserved_pusd, session(desk).spent_pusd) == (0, 100)


def test_what_was_voided_cost_nothing(desk: Desk) -> None:
    desk.void(desk.ask(START))
    assert (session(desk).reserved_pusd, session(desk).spent_pusd, session(desk).last_model) == (0, 0, "")


def test_what_was_lost_is_held_at_its_ceiling_apart(desk: Desk) -> None:
    step = desk.ask(START)
    desk.post(Lost(step.reserved.attempt, "s1", desk.now_ms, 1000))
    assert (session(desk).reserved_pusd, session(desk).spent_pusd, session(desk).lost_pusd) == (0, 0, 1000)


def test_closes_of_attempts_that_were_never_reserved_are_passed_over() -> None:
    index = SessionIndex()
    index.apply(Lost("a1", "s1", 2, 5))
    assert state_of(index) == state_of(SessionIndex())


def test_a_session_may_be_opened_after_its_first_call_and_keeps_what_that_cost() -> None:
    index = SessionIndex()
    index.apply(Reserved("a1", "d1", "s1", 1, 1, "m", "frugal", "side", "frugal", "settings", 5, "opencode", side="title"))
    index.apply(Lost("a1", "s1", 2, 5))
    before = index.get("s1")
    assert before is not None
    assert (before.opened, before.client, before.lost_pusd, before.steps) == (False, "opencode", 5, 1)
    index.apply(Opened("s1", 3, "opencode", "/ws", "/ws", "main", "Fix it"))
    index.apply(Opened("s1", 4, "opencode", "/elsewhere", "/elsewhere", "", ""))
    after = index.get("s1")
    assert after == replace(before, opened=True, workspace="/ws", project="/ws", title="Fix it")


def test_a_prompt_is_estimated_from_what_was_counted_last_and_has_grown_since(desk: Desk) -> None:
    step = desk.ask(START)
    desk.answer(step, usage=Usage(5_000, output_tokens=10))
    known = session(desk)
    assert tokens.prompt_tokens(known, step.reserved.body_bytes) == 5_000
    assert tokens.prompt_tokens(known, step.reserved.body_bytes + 3_600) == 6_000


def test_a_failed_attempt_does_not_make_its_long_prompt_look_short(desk: Desk) -> None:
    desk.answer(desk.ask(START), usage=Usage(100, output_tokens=10))
    long: list[Message] = [*START, assistant("x"), user("y" * 360_000)]
    failed = desk.void(desk.ask(long))
    assert tokens.prompt_tokens(session(desk), failed.reserved.body_bytes) > 90_000


@pytest.mark.parametrize("outcome", ["ok", "hang-up"])
def test_a_side_call_leaves_model_cache_and_length_of_the_conversation_as_they_are(desk: Desk, outcome: str) -> None:
    desk.answer(desk.ask(START, model="lab/small"), usage=Usage(5_000, output_tokens=10))
    before = session(desk)
    for model in ("lab/small", "lab/large"):
        desk.answer(desk.ask([user(f"Title for {model}?")], side="title", model=model), usage=Usage(60, output_tokens=5), outcome=outcome)
    after = session(desk)
    assert (after.last_model, after.warm, after.last_prompt_tokens) == (before.last_model, before.warm, before.last_prompt_tokens)
    assert after.last_body_bytes == before.last_body_bytes
    assert (after.steps, after.spent_pusd) == (3, 300)


def test_a_served_prompt_is_held_warm_for_the_caches_lifetime(desk: Desk) -> None:
    desk.answer(desk.ask(START), usage=Usage(5_000, output_tokens=10))
    warmth, asked_ms = session(desk).warm["lab/small"], desk.now_ms - 1_000
    assert warmth == Warmth("lab/small", 5_000, asked_ms + LIFETIME_MS, 1.0)
    assert warmth.tokens_at(asked_ms + LIFETIME_MS - 1) == 5_000
    assert warmth.tokens_at(asked_ms + LIFETIME_MS) == 0


@pytest.mark.parametrize(
    ("rule", "usage", "held"),
    [
        (CacheRule(1024, 60_000), Usage(1024), 1024),
        (CacheRule(1024, 60_000), Usage(1023), 0),
        (CacheRule(4096, 60_000), Usage(4000), 0),
        (None, Usage(5000), None),
        (None, Usage(5000, cache_read_tokens=1), 5000),  # It was not known to cache, and it does.
        (None, Usage(5000, cache_write_tokens=1), 5000),
    ],
)
def test_only_providers_that_cache_hold_anything(rule: CacheRule | None, usage: Usage, held: int | None) -> None:
    desk = Desk(SessionIndex(lambda _: rule))
    desk.answer(desk.ask(START), usage=usage)
    warmth = session(desk).warm.get("lab/small")
    assert (warmth.tokens if warmth else None) == held


def talked(desk: Desk, *reads: tuple[int, int], gap_ms: int = 0) -> list[float]:
    """Steps of one conversation with (prompt, read from cache); gives the share believed after each."""
    talk: list[Message] = list(START)
    shares: list[float] = []
    for turn, (prompt, read) in enumerate(reads):
        desk.now_ms += gap_ms
        desk.answer(desk.ask(talk), "", f"c{turn}", usage=Usage(prompt, cache_read_tokens=read))
        talk += [assistant("", f"c{turn}"), tool(f"c{turn}")]
        shares.append(session(desk).warm["lab/small"].share)
    return shares


@pytest.mark.parametrize(
    ("reads", "shares"),
    [
        ([(10_000, 0), (11_000, 10_000), (12_000, 11_000)], [1.0, 1.0, 1.0]),
        ([(10_000, 0), (11_000, 5_000), (12_000, 11_000)], [1.0, 0.5, 1.0]),
        ([(10_000, 0), (11_000, 0), (12_000, 0)], [1.0, 0.0, 0.0]),
        ([(10_000, 0), (11_000, 11_000)], [1.0, 1.0]),
        # Too short to be cached: nothing was to be expected.
        ([(500, 0), (600, 0), (5_000, 0), (6_000, 5_000)], [1.0, 1.0, 1.0, 1.0]),
        ([(1_024, 0), (2_000, 0)], [1.0, 0.0]),
        # Shortened by the client: the old prefix is not there to be read.
        ([(10_000, 0), (3_000, 0), (4_000, 3_000)], [1.0, 1.0, 1.0]),
    ],
)
def test_the_share_that_was_really_read_is_believed(desk: Desk, reads: list[tuple[int, int]], shares: list[float]) -> None:
    assert talked(desk, *reads) == shares


def test_what_has_run_out_teaches_nothing(desk: Desk) -> None:
    assert talked(desk, (10_000, 0), (11_000, 0), gap_ms=LIFETIME_MS) == [1.0, 1.0]


def test_a_half_read_prefix_is_believed_half_warm(desk: Desk) -> None:
    talked(desk, (10_000, 0), (12_000, 5_000))
    assert session(desk).warm["lab/small"].tokens_at(desk.now_ms) == 6_000


def test_each_model_has_its_own_cache_and_the_last_one_is_remembered(desk: Desk) -> None:
    desk.answer(desk.ask(START, model="lab/small"), "", "c1", usage=Usage(5_000))
    desk.answer(desk.ask([*START, assistant("", "c1"), tool("c1")], model="lab/large"), usage=Usage(6_000))
    assert {model: warmth.tokens for model, warmth in session(desk).warm.items()} == {"lab/small": 5_000, "lab/large": 6_000}
    assert session(desk).last_model == "lab/large"


def test_an_estimate_is_not_believed_as_if_it_were_measured(desk: Desk) -> None:
    desk.answer(desk.ask(START), usage=Usage(5_000))
    desk.answer(desk.ask([*START, assistant("x"), user("y")], model="lab/large"), usage=Usage(9_000), source="estimated")
    assert (session(desk).last_model, session(desk).last_prompt_tokens, set(session(desk).warm)) == ("lab/large", 5_000, {"lab/small"})


def marks_in(index: SessionIndex) -> int:
    """Everything that is kept in the maps by mark."""
    maps = state_of(index)
    return sum(len(maps[name]) for name in ("_sessions", "_trails", "_by_chain", "_by_call", "_open"))


def test_old_sessions_are_forgotten_with_all_their_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "SESSIONS_MAX", 5)
    desk = Desk()
    sizes: list[int] = []
    for number in range(20):
        talk = [user(f"Task {number}"), assistant("", f"c{number}"), tool(f"c{number}")]
        desk.say(talk[:1], "", f"c{number}")
        desk.say(talk, "Done.", "same-id")
        sizes.append(marks_in(desk.index))
    assert sizes[4:] == [sizes[4]] * 16
    assert [one.id for one in desk.index.newest_first()] == ["s20", "s19", "s18", "s17", "s16"]
    assert desk.index.with_call("c0") == ()
    assert list(desk.index.with_call("same-id")) == ["s16", "s17", "s18", "s19", "s20"]


def test_a_session_in_use_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "SESSIONS_MAX", 3)
    desk = Desk()
    for number in range(10):
        desk.say([user("In use")], headers={"x-session-id": "used"})
        desk.say([user(f"Task {number}")], "Hi")
    assert desk.index.get("used") is not None


def test_a_session_forgotten_while_it_is_answered_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "SESSIONS_MAX", 1)
    desk = Desk()
    first = desk.ask(START)
    desk.say([user("Another")], "Hi")
    desk.answer(first, "", "c1")
    assert desk.index.get(first.session) is None
    assert desk.index.with_call("c1") == ()
    assert not desk.index.in_flight(first.session)


def test_a_long_session_keeps_its_latest_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "MARKS_PER_SESSION_MAX", 3)
    monkeypatch.setattr(index_module, "UNANSWERED_MAX", 2)
    desk = Desk()
    talk: list[Message] = list(START)
    for turn in range(10):
        desk.void(desk.ask(talk, temperature=turn))
        assert desk.say(talk, "", f"c{turn}").session == "s1"
        talk += [assistant("", f"c{turn}"), tool(f"c{turn}")]
    trail = desk.index.trail("s1")
    assert trail is not None
    assert (len(trail.chains), list(trail.calls)) == (3, ["c7", "c8", "c9"])
    assert len(trail.unanswered) <= 2
    assert marks_in(desk.index) == 1 + 1 + 3 + 3
    for turn in range(5):
        failed = desk.void(desk.ask(talk, temperature=100 + turn))
        assert desk.ask(talk, temperature=100 + turn).number == failed.number


def test_the_retries_of_late_are_remembered_however_old_their_first_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "UNANSWERED_MAX", 2)
    desk = Desk()
    for temperature in (1, 2, 1, 3):
        desk.void(desk.ask(START, temperature=temperature, headers={"x-session-id": "one"}))
    assert desk.ask(START, temperature=1, headers={"x-session-id": "one"}).number == 1


def test_ids_counted_anew_keep_the_session_that_uses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "MARKS_PER_SESSION_MAX", 2)
    desk = Desk()
    for call_id in ("call_0", "x1", "call_0", "x2", "call_0"):
        desk.say(START, "", call_id, headers={"x-session-id": "one"})
    assert list(desk.index.with_call("call_0")) == ["one"]
    trail = desk.index.trail("one")
    assert trail is not None
    assert list(trail.calls) == ["x2", "call_0"]


def test_a_session_opened_twice_keeps_what_it_knows(desk: Desk) -> None:
    desk.say(START, "Done.")
    desk.post(Opened("s1", desk.now_ms, "other", "/elsewhere", "", "", "another title"))
    assert (session(desk).client, session(desk).steps) == ("cline", 1)


def test_time_never_runs_back(desk: Desk) -> None:
    step = desk.ask(START)
    late = desk.now_ms
    desk.now_ms -= 100_000
    desk.answer(step)
    assert session(desk).last_ms == late


def test_evidence_and_what_it_lifted_are_those_of_the_conversations_last_step() -> None:
    index = SessionIndex()
    index.apply(samples.opened())
    index.apply(replace(samples.reserved("a1"), evidence=1, rungs=1))
    index.apply(replace(samples.reserved("a2"), step=2, side="title"))
    session = index.get("s1")
    assert session is not None
    assert (session.evidence, session.rungs) == (1, 1)
