"""What to do after failures: who is asked next, when, and with which word it is given up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.attempt import Failure, Fault
from stepfare.core.decision import Decision
from stepfare.core.step import Tier
from stepfare.routing.failover import ATTEMPTS_MAX, BACKOFF_MS, ROUNDS, WAIT_MS_MAX, Failed, GiveUp, Try, Verdict, next_move
from tests.routing.samples import candidate, decision

A = candidate("lab/a", Tier.BALANCED, window=100_000)
B = candidate("lab/b", Tier.BALANCED, window=100_000)
WIDE = candidate("lab/wide", Tier.BALANCED, window=400_000)
ELSEWHERE = candidate("other/a", Tier.BALANCED, window=100_000)

BUSY, SLOW, CUT = (Fault(failure, failure.value) for failure in (Failure.BUSY, Failure.SLOW, Failure.CUT))
DOWN, NOBODY = Fault(Failure.DOWN, "it broke", 500), Fault(Failure.DOWN, "no connection")
KEY, DENIED = Fault(Failure.KEY, "its key", 401), Fault(Failure.KEY, "not for you", 403)
REFUSED, OVERFLOW = Fault(Failure.REFUSED, "wrong parameter", 400, body=b"{}"), Fault(Failure.OVERFLOW, "too long", 400)


def busy(wait_ms: int) -> Fault:
    return Fault(Failure.BUSY, "busy", 429, retry_after_ms=wait_ms)


def move(made: Decision, *failed: tuple[str, Fault], started: bool = False) -> object:
    """The next model with its wait, or the word with which it is given up."""
    found = next_move(made, [Failed(model, fault) for model, fault in failed], started=started)
    if isinstance(found, Try):
        return (found.ranked.candidate.model.id, found.after_ms)
    return found.verdict


@pytest.mark.parametrize(
    ("made", "failed", "then"),
    [
        (decision(A, B), [], ("lab/a", 0)),
        (decision(), [], Verdict.NO_CANDIDATE),
        # One after the other, in their order.
        (decision(A, B, WIDE), [("lab/a", DOWN)], ("lab/b", 0)),
        (decision(A, B, WIDE), [("lab/a", DOWN), ("lab/b", busy(60_000))], ("lab/wide", 0)),
        # Where nobody could be connected to, the next is one behind another door; then the same door again, after a pause.
        (decision(A, B, ELSEWHERE), [("lab/a", NOBODY)], ("other/a", 0)),
        (decision(A, B), [("lab/a", NOBODY)], ("lab/a", BACKOFF_MS)),
        (decision(A, B), [("lab/a", NOBODY), ("lab/a", NOBODY)], Verdict.EXHAUSTED),
        # Then once more, the one that can be asked again soonest.
        (decision(A), [("lab/a", DOWN)], ("lab/a", BACKOFF_MS)),
        (decision(A), [("lab/a", SLOW)], ("lab/a", BACKOFF_MS)),
        (decision(A), [("lab/a", CUT)], ("lab/a", BACKOFF_MS)),
        (decision(A), [("lab/a", busy(2_000))], ("lab/a", 2_000)),
        (decision(A), [("lab/a", busy(0))], ("lab/a", 0)),
        (decision(A, B), [("lab/a", busy(3_000)), ("lab/b", busy(1_000))], ("lab/b", 1_000)),
        (decision(A, B), [("lab/a", busy(3_000)), ("lab/b", busy(1_000)), ("lab/b", busy(1_000))], ("lab/a", 3_000)),
        (decision(A, B), [("lab/a", DOWN), ("lab/b", DOWN), ("lab/a", DOWN), ("lab/b", DOWN)], Verdict.EXHAUSTED),
        # A wait that no client bears is the client's own to decide.
        (decision(A), [("lab/a", busy(WAIT_MS_MAX + 1))], Verdict.EXHAUSTED),
        (decision(A), [("lab/a", busy(WAIT_MS_MAX))], ("lab/a", WAIT_MS_MAX)),
        # The request itself is wrong.
        (decision(A, B), [("lab/a", REFUSED)], Verdict.REFUSED),
        (decision(A, B), [("lab/a", DOWN), ("lab/b", REFUSED)], Verdict.REFUSED),
        # A key that is not taken is the provider's; one model may be closed to an account.
        (decision(A, B, ELSEWHERE), [("lab/a", KEY)], ("other/a", 0)),
        (decision(A, B), [("lab/a", KEY)], Verdict.EXHAUSTED),
        (decision(A, B), [("lab/a", DENIED)], ("lab/b", 0)),
        (decision(A, B), [("lab/a", DENIED), ("lab/b", DENIED)], Verdict.EXHAUSTED),
        # Too long: only a larger window.
        (decision(A, B, WIDE), [("lab/a", OVERFLOW)], ("lab/wide", 0)),
        (decision(A, B), [("lab/a", OVERFLOW)], Verdict.OVERFLOW),
        (decision(A, WIDE), [("lab/a", OVERFLOW), ("lab/wide", OVERFLOW)], Verdict.OVERFLOW),
        (decision(A, WIDE), [("lab/a", OVERFLOW), ("lab/wide", KEY)], Verdict.OVERFLOW),
        (decision(A, WIDE), [("lab/a", OVERFLOW), ("lab/wide", busy(1_000))], ("lab/wide", 1_000)),
        (decision(A, WIDE), [("lab/a", OVERFLOW), ("lab/wide", busy(60_000))], Verdict.EXHAUSTED),
    ],
)
def test_what_comes_next(made: Decision, failed: list[tuple[str, Fault]], then: object) -> None:
    assert move(made, *failed) == then


@pytest.mark.parametrize("fault", [BUSY, DOWN, SLOW, CUT, KEY, REFUSED, OVERFLOW])
def test_once_content_was_shown_nobody_else_may_finish_the_answer(fault: Fault) -> None:
    assert move(decision(A, B), ("lab/a", fault), started=True) is Verdict.CUT


def test_the_shortest_wait_and_every_reason_are_told_at_the_end() -> None:
    found = next_move(decision(A, B), [Failed("lab/a", busy(60_000)), Failed("lab/b", busy(30_000))], started=False)
    assert isinstance(found, GiveUp)
    assert (found.verdict, found.retry_after_ms) == (Verdict.EXHAUSTED, 30_000)
    assert found.words == "lab/a: busy; lab/b: busy"


def test_a_refusal_keeps_what_the_provider_said() -> None:
    found = next_move(decision(A), [Failed("lab/a", REFUSED)], started=False)
    assert found == GiveUp(Verdict.REFUSED, "lab/a: wrong parameter", fault=REFUSED)


def test_an_overflow_keeps_the_words_of_the_overflow() -> None:
    found = next_move(decision(A, WIDE), [Failed("lab/a", OVERFLOW), Failed("lab/wide", KEY)], started=False)
    assert found == GiveUp(Verdict.OVERFLOW, "too long", fault=OVERFLOW)


FAULTS = st.sampled_from([BUSY, DOWN, SLOW, CUT, KEY, DENIED, OVERFLOW, busy(0), busy(5_000), busy(60_000)])


@settings(max_examples=80)
@given(
    st.lists(st.sampled_from([A, B, WIDE, ELSEWHERE]), min_size=1, max_size=4, unique_by=lambda one: one.model.id),
    st.lists(FAULTS, min_size=30, max_size=30),
)
def test_every_exchange_ends(candidates: list, faults: list[Fault]) -> None:
    """Whatever fails in whatever way: a bounded number of tries, nobody more often than the rounds allow, no wait beyond what is borne."""
    made = decision(*candidates)
    failed: list[Failed] = []
    while isinstance(found := next_move(made, failed, started=False), Try):
        assert found.after_ms <= WAIT_MS_MAX
        failed.append(Failed(found.ranked.candidate.model.id, faults[len(failed)]))
    assert len(failed) <= ATTEMPTS_MAX
    assert all(sum(one.model == model.model.id for one in failed) <= ROUNDS for model in candidates)
    assert found.verdict in (Verdict.EXHAUSTED, Verdict.OVERFLOW)
