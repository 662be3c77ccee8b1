"""Who may come in: programs of this machine's user, not web pages, and only with the right token."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from stepfare.server.guard import admitted, foreign, token_of


@pytest.mark.parametrize(
    ("asked", "host", "ours"),
    [
        ("127.0.0.1:4884", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("localhost:4884", "127.0.0.1", True),
        ("LocalHost:4884", "127.0.0.1", True),
        ("[::1]:4884", "127.0.0.1", True),
        ("[::1]", "127.0.0.1", True),
        ("192.168.1.5:4884", "192.168.1.5", True),
        ("[fd00::1]:4884", "fd00::1", True),
        ("box.lan:4884", "Box.lan", True),
        ("", "127.0.0.1", False),
        ("evil.example", "127.0.0.1", False),
        ("evil.example:4884", "127.0.0.1", False),
        ("127.0.0.1.evil.example:4884", "127.0.0.1", False),
        ("localhost.evil.example", "127.0.0.1", False),
        ("127.0.0.1@evil.example", "127.0.0.1", False),
        ("192.168.1.5:4884", "127.0.0.1", False),
        ("127.0.0.1:4884:4884", "127.0.0.1", False),
        ("::1", "127.0.0.1", False),
        ("127.0.0.1:", "127.0.0.1", False),
        ("127.0.0.1 ", "127.0.0.1", False),
    ],
)
def test_only_hosts_of_this_machine_are_answered_for(asked: str, host: str, ours: bool) -> None:
    words = foreign(CIMultiDict(Host=asked), host)
    assert (words is None) is ours
    if words is not None:
        assert "use 127.0.0.1 or localhost" in words
        assert len(words) < 250


def test_a_host_of_any_length_is_told_in_a_few_words() -> None:
    words = foreign(CIMultiDict(Host="x" * 10_000), "127.0.0.1")
    assert words is not None
    assert len(words) < 250


def test_names_that_the_user_gave_are_answered_for() -> None:
    assert foreign({"host": "Stepfare.team:80"}, "0.0.0.0", ("stepfare.team",)) is None
    assert foreign({"host": "other.team"}, "0.0.0.0", ("stepfare.team",)) is not None
    assert foreign({"host": "stepfare.team", "origin": "https://stepfare.team"}, "0.0.0.0", ("stepfare.team",)) is None
    assert foreign({"host": "stepfare.team", "origin": "https://evil.example"}, "0.0.0.0", ("stepfare.team",)) is not None


def test_a_request_without_a_host_is_refused() -> None:
    assert foreign(CIMultiDict(), "127.0.0.1") is not None


@pytest.mark.parametrize(
    ("origin", "ours"),
    [
        ("http://127.0.0.1:4884", True),
        ("HTTP://127.0.0.1:4884", True),
        ("null", False),
        ("", False),
        ("http://localhost:4884", False),  # The same machine, yet another origin.
        ("http://127.0.0.1:3000", False),  # Another program of this machine, as a web page sees it.
        ("http://127.0.0.1", False),
        ("http://evil.example", False),
        ("http://127.0.0.1:4884.evil.example", False),
        ("http://127.0.0.1:4884@evil.example", False),
        ("vscode-webview://abc", False),
        ("file://", False),
    ],
)
def test_web_pages_of_other_origins_are_refused(origin: str, ours: bool) -> None:
    words = foreign(CIMultiDict(Host="127.0.0.1:4884", Origin=origin), "127.0.0.1")
    assert (words is None) is ours


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({"Authorization": "Bearer t"}, "t"),
        ({"authorization": "bearer  t "}, "t"),
        ({"X-Api-Key": " t "}, "t"),
        ({"Authorization": "Bearer t", "x-api-key": "other"}, "t"),
        ({"Authorization": "Bearer ", "x-api-key": "t"}, "t"),
        ({"Authorization": "Bearer", "x-api-key": "t"}, "t"),
        ({"Authorization": "Basic dDp0", "x-api-key": "t"}, "t"),
        ({"Authorization": "Basic dDp0"}, ""),
        ({"Authorization": "t"}, ""),
        ({}, ""),
    ],
)
def test_a_token_may_come_by_either_header(headers: dict[str, str], token: str) -> None:
    assert token_of(CIMultiDict(headers)) == token


@pytest.mark.parametrize(
    ("sent", "right"),
    [("secret", True), ("", False), ("secre", False), ("secret ", False), ("SECRET", False), ("secret\udcff", False), ("sécret", False)],
)
def test_only_the_whole_token_admits(sent: str, right: bool) -> None:
    assert admitted(sent, "secret") is right


@pytest.mark.parametrize(
    ("asked", "origin", "let_in"),
    [
        ("192.168.1.5:4884", None, True),
        ("[fe80::1]:4884", None, True),
        ("192.168.1.5:4884", "http://192.168.1.5:4884", True),
        ("192.168.1.5:4884", "http://192.168.1.6:4884", False),
        ("evil.example:4884", None, False),
    ],
)
def test_who_listens_everywhere_is_asked_by_address_and_never_by_a_strange_name(asked: str, origin: str | None, let_in: bool) -> None:
    headers = {"host": asked} | ({} if origin is None else {"origin": origin})
    assert (foreign(headers, "0.0.0.0") is None) is let_in
    assert foreign({"host": asked}, "127.0.0.1") is not None
