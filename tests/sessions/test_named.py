"""What clients say of their sessions, in headers and in bodies."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from stepfare.core.request import RequestView
from stepfare.dialects.table import DIALECTS
from stepfare.sessions.named import BODY_FIELD_BYTES_MAX, Named, named
from tests.sessions.speaking import body_of, user

HELLO = [user("Hello")]
UUID = "5f0c2a9e-6b1d-4d7e-9a35-0d6f1f6a2b11"
BILLING = "x-anthropic-billing-header: cc_version=2.1.330.a09; cc_entrypoint=sdk-cli;"


def asked(dialect: str, headers: Mapping[str, str] | None = None, **fields: object) -> RequestView:
    return DIALECTS[dialect].read_request(body_of(dialect, HELLO, **fields), headers or {})


def of_user(**told: object) -> dict[str, object]:
    return {"user_id": json.dumps({"device_id": "0" * 64, "account_uuid": "", **told})}


def of_turn(**told: object) -> dict[str, object]:
    return {"x-codex-installation-id": "6f1c", "x-codex-turn-metadata": json.dumps({"request_kind": "turn", **told})}


@pytest.mark.parametrize(
    "header",
    [
        *("session_id", "x-kilocode-taskid", "x-roo-task-id", "x-zoo-session-id", "x-client-session-id"),
        *("x-openwebui-chat-id", "x-coder-chat-id"),
    ],
)
def test_each_client_has_a_header_of_its_own(header: str) -> None:
    assert named(asked("openai", {header: UUID})) == Named(UUID)
    assert named(asked("openai", {header: UUID, "x-stepfare-session": "mine"})) == Named("mine")


@pytest.mark.parametrize(
    ("metadata", "session"),
    [
        (of_user(session_id=UUID), UUID),
        ({"user_id": f"user_{'0a' * 32}_account__session_{UUID}"}, UUID),
        (of_user(session_id="../../etc"), "x58656856ff19798a"),
        (of_user(session_id=7), ""),
        (of_user(), ""),
        ({"user_id": "someone@example.org"}, ""),
        ({"user_id": UUID}, ""),
        ({"user_id": "{broken"}, ""),
        ({"user_id": "[" * 10_000}, ""),
        ({"user_id": None}, ""),
        ([], ""),
        ("x", ""),
        (of_user(session_id=UUID, more="x" * BODY_FIELD_BYTES_MAX), ""),
    ],
)
def test_claude_codes_session_is_read_in_the_body_where_its_header_is_gone(metadata: object, session: str) -> None:
    assert named(asked("anthropic", metadata=metadata)) == Named(session)
    assert named(asked("anthropic", {"x-claude-code-session-id": "h"}, metadata=metadata)) == Named("h")
    assert named(asked("openai", metadata=metadata)) == Named()


def test_a_subagent_without_its_header_has_a_parent_and_no_name() -> None:
    system = [{"type": "text", "text": f"{BILLING} cc_is_subagent=true;"}, {"type": "text", "text": "You search files."}]
    assert named(asked("anthropic", system=system, metadata=of_user(session_id=UUID))) == Named("", UUID)
    plain = [{"type": "text", "text": BILLING}, {"type": "text", "text": "What does cc_is_subagent=true mean?"}]
    assert named(asked("anthropic", system=plain, metadata=of_user(session_id=UUID))) == Named(UUID)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (of_turn(session_id="s", thread_id="s"), Named("s")),
        (of_turn(session_id="s", thread_id="t", parent_thread_id="s"), Named("t", "s")),
        (of_turn(session_id="s", thread_id="s", parent_thread_id="s"), Named("s")),
        (of_turn(session_id="s"), Named("s")),
        (of_turn(), Named()),
        ({"x-codex-turn-metadata": "{broken"}, Named()),
        ({"x-codex-turn-metadata": 3}, Named()),
        (None, Named()),
    ],
)
def test_codexs_thread_is_read_in_the_body_where_its_headers_are_gone(told: object, expected: Named) -> None:
    assert named(asked("responses", client_metadata=told)) == expected
    headers = {"session-id": "h", "thread-id": "h2", "x-codex-parent-thread-id": "h"}
    assert named(asked("responses", headers, client_metadata=told)) == Named("h2", "h")


def test_a_key_for_a_cache_names_no_session() -> None:
    assert named(asked("responses", prompt_cache_key="all-of-us", user="me", metadata={"user_id": "me"})) == Named()
