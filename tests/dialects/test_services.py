"""What a request asks to be served as is read from the client's own bytes."""

from __future__ import annotations

import json

import pytest

from stepfare.dialects.openai_chat import read_request
from stepfare.dialects.services import asked_service

BODY = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("asked", "service"),
    [
        ({}, ""),
        ({"service_tier": "auto"}, ""),
        ({"service_tier": "default"}, ""),
        ({"service_tier": None}, ""),
        ({"service_tier": 7}, ""),
        ({"service_tier": "x" * 100}, ""),
        ({"service_tier": "priority"}, "priority"),
        ({"service_tier": "Flex"}, "flex"),
        ({"service_tier": "auto", "speed": "fast"}, "fast"),
        ({"speed": "standard", "service_tier": "standard_only"}, ""),
    ],
)
def test_only_what_is_not_the_usual_service_is_named(asked: dict[str, object], service: str) -> None:
    assert asked_service(read_request(json.dumps({**BODY, **asked}).encode(), {})) == service
