"""Who rests and for how long: a fold over outcomes, each with its time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfare.core.attempt import Failure, Fault
from stepfare.routing.health import (
    BUSY_REST_MS,
    FAILURES_TO_OPEN,
    KEY_REST_MS,
    REST_MS,
    REST_MS_MAX,
    WELL,
    Health,
    after_failure,
    resting,
    subject_of,
)

DOWN = Fault(Failure.DOWN, "it answered 500", 500)


def after(*faults: Fault, at_ms: int = 0) -> Health:
    health = WELL
    for fault in faults:
        health = after_failure(health, fault, at_ms)
    return health


@pytest.mark.parametrize(
    ("fault", "rest_ms"),
    [
        (Fault(Failure.BUSY, "429", 429), BUSY_REST_MS),
        (Fault(Failure.BUSY, "429", 429, retry_after_ms=30_000), 30_000),
        (Fault(Failure.BUSY, "429", 429, retry_after_ms=0), 0),
        (Fault(Failure.KEY, "401", 401), KEY_REST_MS),
        (DOWN, 0),
        (Fault(Failure.SLOW, "silent"), 0),
    ],
)
def test_a_first_failure_rests_for_what_it_asks(fault: Fault, rest_ms: int) -> None:
    health = after(fault, at_ms=1000)
    assert (health.failures, health.why) == (1, fault.words)
    assert health.resting(1000) is (rest_ms > 0)
    assert health.resting(1000 + rest_ms - 1) or not rest_ms
    assert not health.resting(1000 + rest_ms)


@pytest.mark.parametrize("failure", [Failure.REFUSED, Failure.OVERFLOW, Failure.CUT])
def test_what_says_nothing_against_a_provider_changes_nothing(failure: Failure) -> None:
    health = after(DOWN)
    assert after_failure(health, Fault(failure, "no"), 5) is health
    assert after_failure(WELL, Fault(failure, "no"), 5) is WELL


def test_three_failures_in_a_row_open_the_breaker_and_each_further_one_doubles_the_rest() -> None:
    rests: list[int] = []
    health, now_ms = WELL, 0
    for _ in range(FAILURES_TO_OPEN + 8):
        health = after_failure(health, DOWN, now_ms)
        rests.append(max(0, health.until_ms - now_ms))
        now_ms = max(now_ms, health.until_ms)
    assert rests[: FAILURES_TO_OPEN - 1] == [0] * (FAILURES_TO_OPEN - 1)
    opened = rests[FAILURES_TO_OPEN - 1 :]
    assert opened[:5] == [REST_MS, 2 * REST_MS, 4 * REST_MS, 8 * REST_MS, 16 * REST_MS]
    assert opened[5:] == [REST_MS_MAX] * len(opened[5:])


def test_since_is_when_the_rest_began() -> None:
    health = after(*[DOWN] * FAILURES_TO_OPEN, at_ms=100)
    assert health.since_ms == 100
    assert after_failure(health, DOWN, 200).since_ms == 100
    assert after_failure(health, DOWN, health.until_ms).since_ms == health.until_ms


@pytest.mark.parametrize(
    ("fault", "subject"),
    [
        (Fault(Failure.KEY, "", 401), "lab"),
        (Fault(Failure.KEY, "", 402), "lab"),
        (Fault(Failure.KEY, "the environment variable LAB_KEY is not set"), "lab"),
        (Fault(Failure.KEY, "", 403), "lab/small"),
        (Fault(Failure.DOWN, "no connection"), "lab"),
        (Fault(Failure.DOWN, "", 500), "lab"),
        (Fault(Failure.DOWN, "", 404), "lab/small"),
        (Fault(Failure.BUSY, "", 429), "lab/small"),
        (Fault(Failure.SLOW, ""), "lab/small"),
    ],
)
def test_whose_fault_it_was(fault: Fault, subject: str) -> None:
    assert subject_of(fault, provider="lab", model="lab/small") == subject


def test_the_first_who_rests_is_told() -> None:
    health = {"lab": Health(), "lab/small": Health(1, 100, 0, "busy")}
    assert resting(health, 99, "lab", "lab/small") == Health(1, 100, 0, "busy")
    assert resting(health, 100, "lab", "lab/small") is None
    assert resting(health, 0, "other") is None


FAULTS = st.builds(
    Fault, st.sampled_from(Failure), st.just("no"), st.sampled_from([0, 401, 404, 429, 500]), st.none() | st.integers(0, 10**7)
)


@given(st.lists(st.tuples(FAULTS, st.integers(0, 10**6)), max_size=30))
def test_no_history_of_failures_rests_longer_than_the_longest_wait(history: list[tuple[Fault, int]]) -> None:
    health, now_ms, latest_ms = WELL, 0, 0
    for fault, pause_ms in history:
        now_ms += pause_ms
        health = after_failure(health, fault, now_ms)
        latest_ms = max(latest_ms, now_ms + max(REST_MS_MAX, fault.retry_after_ms or 0))
        assert health.until_ms <= latest_ms
        assert health.failures <= len(history)
