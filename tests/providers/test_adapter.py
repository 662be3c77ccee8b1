"""The call to a provider as it is described, and what its answer's status and headers say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfare.core.attempt import Failure, Fault
from stepfare.providers.adapter import RETRY_AFTER_MS_MAX, call_for, with_retry_after, wrong_shape
from tests.routing.samples import candidate

NOW_MS = 1_780_000_000_000  # Thu, 28 May 2026 20:26:40 GMT


@pytest.mark.parametrize(("stream", "accept"), [(True, "text/event-stream"), (False, "application/json")])
def test_a_call_is_described_and_holds_no_secret(stream: bool, accept: str) -> None:
    one = candidate()
    one = replace(one, provider=replace(one.provider, key="env:LAB_KEY", auth="x-api-key"))
    call = call_for(one, one.provider.base_url + "/chat/completions", b"{}", {}, stream=stream)
    assert (call.method, call.url, call.body) == ("POST", "http://lab.example/v1/chat/completions", b"{}")
    assert (call.key, call.auth) == ("env:LAB_KEY", "x-api-key")
    assert call.headers == {"content-type": "application/json", "accept": accept, "accept-encoding": "identity"}


@pytest.mark.parametrize(
    ("content_type", "stream", "fits"),
    [
        ("text/event-stream", True, True),
        ("text/event-stream; charset=utf-8", True, True),
        ("Text/Event-Stream", True, True),
        ("application/json", True, True),
        ("application/x-ndjson", True, True),
        ("text/plain", True, True),
        ("", True, True),
        ("image/png", True, False),
        ("application/xml", True, False),
        ("text/html", True, False),
        ("text/html; charset=utf-8", False, False),
        ("application/xhtml+xml", False, False),
        ("application/json", False, True),
        ("", False, True),
        ("text/plain", False, True),
    ],
)
def test_an_answer_of_another_kind_is_none(content_type: str, stream: bool, fits: bool) -> None:
    found = wrong_shape(content_type, stream=stream)
    assert (found is None) is fits
    if found is not None:
        assert (found.failure, found.status) == (Failure.DOWN, 200)


@pytest.mark.parametrize(
    ("headers", "wait_ms"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2_000),
        ({"Retry-After": " 2.5 "}, 2_500),
        ({"retry-after": "0"}, 0),
        ({"retry-after-ms": "150"}, 150),
        ({"retry-after-ms": "150", "retry-after": "2"}, 150),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2_000),
        ({"retry-after": "-2"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e9"}, RETRY_AFTER_MS_MAX),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Thu, 28 May 2026 20:26:50 GMT"}, 10_000),
        ({"retry-after": "Thu, 28 May 2026 22:26:50 +0200"}, 10_000),
        ({"retry-after": "Thu, 28 May 2026 20:26:50 -0000"}, 10_000),
        ({"retry-after": "Thu, 28 May 2026 20:26:00 GMT"}, 0),
        ({"retry-after": "Thu, 28 May 2099 20:26:00 GMT"}, RETRY_AFTER_MS_MAX),
        ({"retry-after": "Thu, 28 May 99999 20:26:00 GMT"}, None),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, None),
    ],
)
def test_the_wait_that_a_provider_asks_for(headers: dict[str, str], wait_ms: int | None) -> None:
    fault = Fault(Failure.BUSY, "busy", 429)
    assert with_retry_after(fault, headers, NOW_MS) == replace(fault, retry_after_ms=wait_ms)


@given(
    st.dictionaries(
        st.sampled_from(["retry-after", "Retry-After-Ms"]),
        st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ [+-]?\d+"),
    )
)
def test_no_header_of_a_provider_is_a_bug_of_ours(headers: dict[str, str]) -> None:
    found = with_retry_after(Fault(Failure.BUSY, "busy"), headers, NOW_MS).retry_after_ms
    assert found is None or 0 <= found <= RETRY_AFTER_MS_MAX
