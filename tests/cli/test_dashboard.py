"""`stepfare dashboard`: the link, and the browser where there is a screen."""

from __future__ import annotations

import json
import webbrowser

import pytest

from stepfare.control.protocol import DashboardLink
from tests.cli.conftest import Run
from tests.control.fake_daemon import FakeDaemon

LINK = DashboardLink(url="http://127.0.0.1:4884/?key=k", lasts_ms=60_000)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the browser was told to open."""
    told: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: not told.append(url))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return told


def test_without_a_screen_the_link_is_printed_alone_on_stdout(run: Run, fake: FakeDaemon, opened: list[str]) -> None:
    fake.answer("dashboard-links", LINK, method="POST")
    ran = run("dashboard")
    assert (ran.code, ran.out, opened) == (0, LINK.url + "\n", [])
    assert ran.err == "Open it in a browser of this machine, once, within 60 s.\n"


def test_with_a_screen_the_browser_opens_it(run: Run, fake: FakeDaemon, opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fake.answer("dashboard-links", LINK, method="POST")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    ran = run("dashboard")
    assert (ran.out, opened) == (LINK.url + "\n", [LINK.url])
    assert "opened in your browser" in ran.err
    assert run("dashboard", "--no-browser").err.startswith("Open it in a browser")
    assert json.loads(run("dashboard", "--json").out) == LINK.model_dump()
    assert opened == [LINK.url]


def test_without_a_daemon_it_says_how_to_start_one(run: Run) -> None:
    ran = run("dashboard")
    assert ran.code == 3
    assert "stepfare serve" in ran.err
