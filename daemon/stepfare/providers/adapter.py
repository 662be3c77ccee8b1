"""Describes the call to a provider and judges what came back; makes no call and knows no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from stepfare.core.attempt import Failure, Fault, HttpCall
from stepfare.core.model import Candidate

RETRY_AFTER_MS_MAX = 3_600_000


def call_for(candidate: Candidate, url: str, body: bytes, said: Mapping[str, str], *, stream: bool) -> HttpCall:
    """The HTTP call that asks this candidate at this address. `said` are headers of the wire format, and those of the client that go on."""
    headers = {
        **said,
        "content-type": "application/json",
        "accept": "text/event-stream" if stream else "application/json",
        # Compressed events could not be read as they come.
        "accept-encoding": "identity",
    }
    provider = candidate.provider
    return HttpCall("POST", url, headers, body, provider.key, provider.auth)


def call_again(call: HttpCall, body: bytes, *, stream: bool) -> HttpCall:
    """The same call with another body."""
    return replace(call, body=body, headers={**call.headers, "accept": "text/event-stream" if stream else "application/json"})


def wrong_shape(content_type: str, *, stream: bool) -> Fault | None:
    """What speaks against an answer of status 200 by its content type alone; None where nothing does."""
    kind = content_type.partition(";")[0].strip().lower()
    if "html" in kind:
        return Fault(Failure.DOWN, "it answered 200 with a web page instead of a model's answer; is base_url right?", 200)
    if stream and kind not in (
        "text/event-stream",
        "application/x-ndjson",
        "application/json",
        "",
        "text/plain",
        "application/octet-stream",
    ):
        return Fault(Failure.DOWN, f"it answered 200 with {kind} where a stream was asked for", 200)
    return None


def with_retry_after(fault: Fault, headers: Mapping[str, str], now_ms: int) -> Fault:
    """The fault with the wait that the provider asks for: `retry-after-ms`, or `retry-after` in seconds or as a date."""
    wait_ms = _wait_ms(headers, now_ms)
    return fault if wait_ms is None else replace(fault, retry_after_ms=min(wait_ms, RETRY_AFTER_MS_MAX))


def _wait_ms(headers: Mapping[str, str], now_ms: int) -> int | None:
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    for name, unit_ms in (("retry-after-ms", 1.0), ("retry-after", 1000.0)):
        value = lower.get(name, "")
        try:
            amount = float(value)
        except ValueError:
            continue
        if 0 <= amount < float("inf"):
            return round(amount * unit_ms)
    try:
        until = parsedate_to_datetime(lower.get("retry-after", ""))
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0, round(until.timestamp() * 1000) - now_ms) if until > datetime(2000, 1, 1, tzinfo=UTC) else None
