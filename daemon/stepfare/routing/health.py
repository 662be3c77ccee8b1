"""Circuit breakers as a fold: health of a provider or a model, an outcome and the time in, health out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from stepfare.core.attempt import Failure, Fault

FAILURES_TO_OPEN = 3
"""Failures in a row after which a provider or model rests."""
REST_MS, REST_MS_MAX = 15_000, 300_000
"""First rest of a breaker; it doubles with each further failure up to the longest."""
KEY_REST_MS = 60_000
BUSY_REST_MS = 5_000
"""Rest after a rate limit that names no time."""


@dataclass(frozen=True, slots=True)
class Health:
    """`until_ms` is when a rest ends; 0 means in service. `failures` counts those in a row."""

    failures: int = 0
    until_ms: int = 0
    since_ms: int = 0
    why: str = ""

    def resting(self, now_ms: int) -> bool:
        return now_ms < self.until_ms


WELL = Health()


def subject_of(fault: Fault, *, provider: str, model: str) -> str:
    """Whose fault it was: what concerns key or connection is the provider's, the rest the model's alone. A 403 or a 404 speaks of
    one model: not for this account, or not here."""
    whole = fault.failure in (Failure.KEY, Failure.DOWN) and fault.status not in (403, 404)
    return provider if whole else model


def after_failure(health: Health, fault: Fault, now_ms: int) -> Health:
    """Health after a failure. A refused request, an overflow and a cut stream say nothing against the provider."""
    if fault.failure in (Failure.REFUSED, Failure.OVERFLOW, Failure.CUT):
        return health
    failures = health.failures + 1
    since_ms = health.since_ms if health.resting(now_ms) else now_ms
    if fault.failure is Failure.KEY:
        rest_ms = KEY_REST_MS
    elif fault.failure is Failure.BUSY:
        rest_ms = fault.retry_after_ms if fault.retry_after_ms is not None else BUSY_REST_MS
    elif failures >= FAILURES_TO_OPEN:
        rest_ms = min(REST_MS_MAX, REST_MS << min(failures - FAILURES_TO_OPEN, 8))
    else:
        return replace(health, failures=failures, why=fault.words)
    return Health(failures, now_ms + rest_ms, since_ms, fault.words)


def resting(health: Mapping[str, Health], now_ms: int, *subjects: str) -> Health | None:
    """The first of these subjects that rests now, if any."""
    for subject in subjects:
        found = health.get(subject)
        if found is not None and found.resting(now_ms):
            return found
    return None
