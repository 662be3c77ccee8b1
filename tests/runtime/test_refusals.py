"""Which status a client is told when its step gets no answer: what mends nothing by waiting is not retried, what does names a wait."""

from __future__ import annotations

import pytest

from stepfare.core.attempt import Failure, Fault
from stepfare.core.decision import Decision, Floor, Rejection
from stepfare.core.step import Tier
from stepfare.routing.failover import Failed, GiveUp, Verdict
from stepfare.runtime.refusals import refusal_of, unbooked
from tests.routing.samples import decision, step

NO = {
    "below-floor": Rejection("lab/small", "below-floor", "it is frugal, the floor is balanced"),
    "denied": Rejection("lab/a", "denied", "the project's file denies it"),
    "not-chosen": Rejection("lab/b", "not-chosen", "config.toml lists other models"),
    "capability": Rejection("lab/c", "capability", "it lacks vision"),
    "context": Rejection("lab/d", "context", "the prompt has about 500,000 tokens, its window 200,000"),
    "health": Rejection("lab/e", "health", "it rests for 30 s more: it answered 429"),
    "budget": Rejection("lab/f", "budget", "the day budget of $1.0 (config.toml) has $0.99 used"),
}


def refused(*reasons: str):
    made = Decision(
        "d1", "s1", step(), Floor(Tier.BALANCED, "settings", "profile balanced"), (), tuple(NO[one] for one in reasons), (), 1, 1
    )
    return refusal_of(GiveUp(Verdict.NO_CANDIDATE, "no model can serve this step"), made, made.floor, [])


@pytest.mark.parametrize(
    ("reasons", "status", "code"),
    [
        ((), 400, "no_candidate"),
        (("below-floor",), 400, "no_candidate"),
        (("denied", "not-chosen"), 400, "no_candidate"),
        (("capability",), 400, "no_candidate"),
        (("below-floor", "context"), 400, "context_length_exceeded"),
        (("capability", "context"), 400, "context_length_exceeded"),
        (("below-floor", "health"), 503, "all_resting"),
        (("capability", "health"), 503, "all_resting"),
        (("context", "health"), 503, "all_resting"),
        (("budget",), 402, "budget_reached"),
        (("budget", "health"), 402, "budget_reached"),
        (("budget", "capability", "below-floor"), 402, "budget_reached"),
    ],
)
def test_without_a_candidate_the_last_hurdle_is_told(reasons: tuple[str, ...], status: int, code: str) -> None:
    found = refused(*reasons)
    assert (found.status, found.code) == (status, code)
    assert ("retry-after" in found.headers) is (status == 503)
    assert found.words.startswith(
        ("stepfare found no model for this step (edit, floor balanced: profile balanced).", "prompt is too long: ")
    )


def test_only_hurdles_that_can_be_cleared_are_listed_where_there_are_any() -> None:
    words = refused("below-floor", "denied", "capability", "budget").words
    assert "lab/c: it lacks vision; lab/f: the day budget of $1.0 (config.toml) has $0.99 used" in words
    assert "lab/small" not in words
    assert "lab/small: it is frugal" in refused("below-floor").words
    assert "No provider has a key." in refused().words
    assert "`stepfare budget extend` goes on" in words


def test_a_long_list_of_models_is_cut() -> None:
    many = tuple(Rejection(f"lab/m{number}", "capability", "it lacks vision") for number in range(100))
    made = Decision("d1", "s1", step(), Floor(Tier.BALANCED, "settings", "x"), (), many, (), 1, 1)
    words = refusal_of(GiveUp(Verdict.NO_CANDIDATE, ""), made, made.floor, []).words
    assert words.count("it lacks vision") == 8


def exhausted(*faults: Fault, retry_after_ms: int | None = None):
    failed = [Failed(f"lab/m{number}", fault) for number, fault in enumerate(faults)]
    return refusal_of(GiveUp(Verdict.EXHAUSTED, "each said no", retry_after_ms, faults[-1]), decision(), decision().floor, failed)


BUSY, DOWN, KEY, GONE = (
    Fault(Failure.BUSY, "429", 429),
    Fault(Failure.DOWN, "502", 502),
    Fault(Failure.KEY, "401", 401),
    Fault(Failure.DOWN, "404", 404),
)


@pytest.mark.parametrize(
    ("faults", "wait_ms", "status", "code", "retry_after"),
    [
        ((BUSY,), 60_000, 429, "rate_limited", "60"),
        ((BUSY, BUSY), 1_200, 429, "rate_limited", "2"),
        ((BUSY,), 0, 429, "rate_limited", "1"),
        ((BUSY,), None, 429, "rate_limited", "15"),
        ((BUSY, DOWN), 60_000, 503, "upstream_exhausted", "60"),
        ((DOWN,), None, 503, "upstream_exhausted", "15"),
        ((KEY, DOWN), None, 503, "upstream_exhausted", "15"),
        ((KEY,), None, 400, "provider_key", None),
        ((KEY, KEY), None, 400, "provider_key", None),
        ((GONE,), None, 400, "model_not_found", None),
        ((GONE, DOWN), None, 503, "upstream_exhausted", "15"),
    ],
)
def test_when_everybody_failed_only_a_wait_that_helps_is_named(
    faults: tuple[Fault, ...], wait_ms: int | None, status: int, code: str, retry_after: str | None
) -> None:
    found = exhausted(*faults, retry_after_ms=wait_ms)
    assert (found.status, found.code, found.headers.get("retry-after")) == (status, code, retry_after)
    assert found.words.startswith(f"stepfare tried {len(faults)} time(s) and no provider answered. each said no")


LONG = b'{"error":{"code":"context_length_exceeded"}}'


@pytest.mark.parametrize(
    ("verdict", "fault", "status", "code", "body"),
    [
        (Verdict.REFUSED, Fault(Failure.REFUSED, "no", 400, body=b'{"error":{}}'), 400, "refused_by_provider", b'{"error":{}}'),
        (Verdict.REFUSED, Fault(Failure.REFUSED, "no", 422), 422, "refused_by_provider", b""),
        (Verdict.OVERFLOW, Fault(Failure.OVERFLOW, "no", 400, body=LONG), 400, "context_length_exceeded", LONG),
        # Words that no client knows are told in ours.
        (Verdict.OVERFLOW, Fault(Failure.OVERFLOW, "no", 400, body=b"{}"), 400, "context_length_exceeded", b""),
        (Verdict.OVERFLOW, Fault(Failure.OVERFLOW, "no"), 400, "context_length_exceeded", b""),
        (Verdict.REFUSED, None, 400, "refused_by_provider", b""),
    ],
)
def test_a_refusal_is_told_with_the_providers_status_and_words(
    verdict: Verdict, fault: Fault | None, status: int, code: str, body: bytes
) -> None:
    found = refusal_of(GiveUp(verdict, "lab/a: no", fault=fault), decision(), decision().floor, [])
    assert (found.status, found.code, found.words, found.body, found.headers) == (status, code, "lab/a: no", body, {})


def test_a_cut_stream_and_books_that_cannot_be_written() -> None:
    cut = refusal_of(GiveUp(Verdict.CUT, "its connection broke"), decision(), decision().floor, [])
    assert (cut.status, cut.code, cut.words) == (502, "stream_cut", "its connection broke")
    full = unbooked("The disk is full.")
    assert (full.status, full.code, full.headers) == (503, "ledger_unavailable", {"retry-after": "15"})
    assert full.words == "stepfare cannot write its ledger, so nothing was sent: The disk is full."
