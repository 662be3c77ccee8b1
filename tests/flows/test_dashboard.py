"""The dashboard through the whole daemon: who may come in, what a visit may do, and that what its page is told is what the books say."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from yarl import URL

from stepfare.control import protocol
from stepfare.control.client import lives
from stepfare.core.entry import Reserved, Settled
from stepfare.ledger.export import Table, export, export_decisions
from stepfare.runtime.clock import World
from stepfare.server.dashboard import downloads
from stepfare.server.dashboard.files import page_files
from stepfare.server.dashboard_links import COOKIE, LINK_MS, VISIT_MS
from tests.fakes.clock import FakeClock
from tests.fakes.provider import stream
from tests.flows.conftest import Running, Start, ask

CAPS = "[budget]\nday_usd = 5\nsession_usd = 2\n"


@dataclass
class Browser:
    """A browser that was led to the page: the address of its visit, and its cookies."""

    running: Running
    place: str
    cookie: str

    @property
    def origin(self) -> str:
        return self.running.url

    async def asks(
        self, path: str, method: str = "GET", body: object = None, headers: Mapping[str, str] | None = None, cookie: str | None = None
    ) -> tuple[int, Any]:
        sent = {"cookie": f"{COOKIE}={self.cookie if cookie is None else cookie}", **(headers or {})}
        async with self.running.client.request(method, f"{self.running.url}{self.place}api/{path}", json=body, headers=sent) as answer:
            return answer.status, await answer.json()

    async def changes(self, path: str, method: str = "PUT", body: object = None) -> tuple[int, Any]:
        return await self.asks(path, method, body, {"origin": self.origin, "x-stepfare-page": "1"})


async def link(running: Running) -> str:
    status, made = await running.control("POST", "dashboard-links")
    assert status == 200
    return protocol.DashboardLink.model_validate(made).url


async def opened(running: Running) -> Browser:
    url = await link(running)
    async with running.client.get(url, allow_redirects=False) as answer:
        page = await answer.text()
        assert answer.status == 200
        cookie = answer.cookies[COOKIE]
    running.client.cookie_jar.clear()
    found = re.search(r'http-equiv="refresh" content="0; url=(/dashboard/[\w-]+/)"', page)
    assert found is not None
    assert cookie["path"] == found[1]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert int(cookie["max-age"]) == VISIT_MS // 1000
    return Browser(running, found[1], cookie.value)


async def served(running: Running, session: str = "mine") -> None:
    async with running.chat(ask(), x_stepfare_session=session) as answer:
        await answer.text()


async def test_a_link_leads_to_the_page_once_and_says_what_to_do_the_second_time(start: Start) -> None:
    running = await start(stream())
    url = await link(running)
    for status, words in ((200, "To the dashboard"), (401, "each opens the dashboard once, within a minute")):
        async with running.client.get(url) as answer:
            assert answer.status == status
            assert words in await answer.text()
            assert answer.headers["cache-control"] == "no-store"


async def test_a_link_that_is_a_minute_old_is_refused(start: Start, clock: FakeClock) -> None:
    running = await start(stream(), world=World(now_ms=clock))
    url = await link(running)
    clock.advance(LINK_MS + 1)
    async with running.client.get(url) as answer:
        assert answer.status == 401
        assert "<code>stepfare dashboard</code>" in await answer.text()
        assert COOKIE not in answer.cookies


async def test_only_the_control_token_makes_links(start: Start) -> None:
    running = await start(stream())
    for token in ("", "wrong", running.house.local_token):
        headers = {"authorization": f"Bearer {token}"}
        async with running.client.post(f"{running.url}/control/v1/dashboard-links", headers=headers) as answer:
            assert answer.status == 401


async def test_without_a_visit_there_is_a_page_that_says_how_to_get_one_and_no_data(start: Start) -> None:
    running = await start(stream())
    browser = await opened(running)
    for path in ("/", "/?key=guess", browser.place, "/dashboard/elsewhere/"):
        async with running.client.get(running.url + path) as answer:
            assert answer.status == 401
            assert answer.content_type == "text/html"
            assert "<code>stepfare dashboard</code>" in await answer.text()
    for path in ("overview", "sessions", "report", "events", "strips", "budgets", "decisions/last"):
        for cookie in ("", "wrong"):
            status, told = await browser.asks(path, cookie=cookie)
            assert (status, told["error"]) == (401, "visit")
            assert "stepfare dashboard" in told["words"]


async def test_a_visit_ends_with_the_daemon_and_after_some_hours(start: Start, clock: FakeClock) -> None:
    running = await start(stream(), world=World(now_ms=clock))
    browser = await opened(running)
    again = Browser(await start(stream(), home=running.home.parent / "another"), browser.place, browser.cookie)
    assert (await again.asks("overview"))[0] == 401
    assert (await browser.asks("overview"))[0] == 200
    clock.advance(VISIT_MS + 1)
    assert (await browser.asks("overview"))[0] == 401


async def test_pages_of_others_and_other_hosts_are_refused_before_anything_else(start: Start) -> None:
    running = await start(stream())
    browser = await opened(running)
    url = await link(running)
    port = urlsplit(running.url).port
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"host": f"evil.example:{port}"}):
        assert (await browser.asks("overview", headers=headers))[0] == 403
        async with running.client.get(url, headers=headers) as answer:
            assert answer.status == 403
    async with running.client.get(url) as answer:
        assert answer.status == 200, "a refused request does not use a link up"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-stepfare-page": "1"},
        {"origin": "{origin}"},
        {"origin": "{origin}", "x-stepfare-page": "1", "content-type": "text/plain"},
        {"origin": "http://127.0.0.1:1", "x-stepfare-page": "1"},
    ],
)
async def test_nothing_is_changed_but_by_the_page_itself(start: Start, headers: dict[str, str]) -> None:
    running = await start(stream(), more=CAPS)
    browser = await opened(running)
    sent = {name: value.format(origin=running.url) for name, value in headers.items()}
    data = b'{"pusd": 1000000000000}'
    async with running.client.put(
        f"{running.url}{browser.place}api/budgets/day", data=data, headers={"cookie": f"{COOKIE}={browser.cookie}", **sent}
    ) as answer:
        assert answer.status in (403, 415)
    _, budgets = await running.control("GET", "budgets")
    assert budgets["extensions"] == []


async def test_a_visit_extends_budgets_and_pins_sessions_and_opens_no_other_door(start: Start) -> None:
    running = await start(stream(), more=CAPS)
    await served(running)
    browser = await opened(running)
    more = {"pusd": 10**12, "id": "p-1", "by": "dashboard"}
    assert (await browser.changes("budgets/day", body=more))[0] == 200
    status, told = await browser.changes("budgets/day", body=more)
    assert status == 200
    day = next(cap for cap in protocol.Budgets.model_validate(told).caps if cap.scope == "day")
    assert (day.cap_pusd, day.extended_pusd) == (6 * 10**12, 10**12)
    assert (await browser.changes("sessions/mine/pin", body={"tier": "premium"}))[0] == 200
    assert (await browser.asks("sessions/mine"))[1]["session"]["pin"] == "premium"
    for method, path in (("POST", "decide"), ("POST", "reload"), ("PUT", "sessions/mine/title"), ("POST", "dashboard-links")):
        assert (await browser.changes(path, method, {}))[0] == 404


async def test_what_the_page_is_told_is_what_the_books_say(start: Start) -> None:
    running = await start(stream(), stream(), stream(), more=CAPS)
    for session in ("one", "two", "one"):
        await served(running, session)
    browser = await opened(running)
    entries = [row.entry async for batch in running.house.store.entries() for row in batch]
    closed = [entry for entry in entries if isinstance(entry, Settled)]
    whole = sum(entry.cost_pusd or 0 for entry in closed)
    of_one = sum(entry.cost_pusd or 0 for entry in closed if entry.session == "one")
    assert whole > of_one > 0

    _, overview = await browser.asks("overview")
    assert overview["today"]["spent_pusd"] == whole
    assert overview["today"]["cache_read_tokens"] == sum(entry.usage.cache_read_tokens for entry in closed)
    assert {one["id"]: one["totals"]["spent_pusd"] for one in overview["sessions"]} == {"one": of_one, "two": whole - of_one}
    _, report = await browser.asks("report?by=day,tier")
    assert sum(row["totals"]["spent_pusd"] for row in report["rows"]) == report["whole"]["totals"]["spent_pusd"] == whole
    _, budgets = await browser.asks("budgets")
    assert [cap["spent_pusd"] for cap in budgets["caps"] if cap["scope"] == "day"] == [whole]
    _, detail = await browser.asks("sessions/one")
    assert sum(step["cost_pusd"] for step in detail["steps"]) == of_one
    _, told = await browser.asks("strips?session=one&session=two&session=none")
    strips = {strip.session: strip.notches for strip in protocol.Strips.model_validate(told).strips}
    glances = [notch.model_dump() for notch in strips["one"]]
    assert glances == [{name: step[name] for name in protocol.Notch.model_fields} for step in detail["steps"]]
    assert (len(strips["two"]), strips["none"]) == (1, [])


async def test_of_a_session_only_the_later_steps_are_told_where_those_are_asked_for(start: Start) -> None:
    running = await start(stream(), stream(), stream())
    for _ in range(3):
        await served(running)
    browser = await opened(running)
    _, whole = await browser.asks("sessions/mine")
    for after in (0, 2, 3, 9):
        _, told = await browser.asks(f"sessions/mine?after={after}")
        assert told["session"]["totals"] == whole["session"]["totals"]
        assert told["steps"] == whole["steps"][after:]


ENDLESS = "import os\nprint(os.getpid())\nwhile True: print('x' * 60)"
BROKEN = "print('x' * 200_000, flush=True); raise SystemExit(1)"


async def downloading(browser: Browser) -> aiohttp.ClientResponse:
    headers = {"cookie": f"{COOKIE}={browser.cookie}"}
    return await browser.running.client.get(f"{browser.running.url}{browser.place}api/books/ledger.csv", headers=headers)


async def test_a_download_that_is_given_up_leaves_nothing_running(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "COMMAND", (sys.executable, "-c", ENDLESS))
    browser = await opened(await start(stream()))
    answers = [await downloading(browser) for _ in range(downloads.AT_ONCE_MAX)]
    assert (await browser.asks("books/ledger.csv"))[1]["error"] == "busy"
    pids = [int(await answer.content.readline()) for answer in answers]
    for answer in answers:
        answer.close()
    async with asyncio.timeout(30):
        while any(lives(pid) for pid in pids):  # noqa: ASYNC110 - nothing tells of the end of a process that is another's child
            await asyncio.sleep(0.01)
    again = await downloading(browser)
    assert again.status == 200
    again.close()


async def test_half_a_ledger_does_not_look_whole(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "COMMAND", (sys.executable, "-c", BROKEN))
    browser = await opened(await start(stream()))
    answer = await downloading(browser)
    assert answer.status == 200
    with pytest.raises(aiohttp.ClientPayloadError):
        await answer.read()


async def test_books_that_cannot_be_read_are_no_download(start: Start) -> None:
    running = await start(stream())
    await served(running)
    browser = await opened(running)
    running.house.environ = {**running.house.environ, "STEPFARE_HOME": str(running.home / "nowhere")}
    status, told = await browser.asks("books/ledger.csv")
    assert (status, told["error"]) == (503, "ledger")
    assert "ledger" in told["words"]


async def test_the_books_are_downloaded_whole_as_the_command_line_exports_them(start: Start) -> None:
    running = await start(stream(), stream(), stream())
    for session in ("one", "two", "one"):
        await served(running, session)
    browser = await opened(running)
    entries = [row.entry async for batch in running.house.store.entries() for row in batch]
    decisions = [await running.house.store.decision(one.decision) for one in entries if isinstance(one, Reserved)]
    assert len(decisions) == 3
    forms: tuple[Table, ...] = ("csv", "json")
    for form in forms:
        wanted = {"ledger": export(entries, form), "decisions": export_decisions((one for one in decisions if one), form)}
        for what, pieces in wanted.items():
            cookie = {"cookie": f"{COOKIE}={browser.cookie}"}
            async with running.client.get(f"{running.url}{browser.place}api/books/{what}.{form}", headers=cookie) as answer:
                assert answer.status == 200, await answer.text()
                assert answer.headers["content-disposition"] == f'attachment; filename="stepfare-{what}.{form}"'
                assert await answer.text() == "".join(pieces)
    assert (await browser.asks("books/ledger.txt"))[0] == 404
    assert (await browser.asks("books/ledger.csv", cookie="wrong"))[0] == 401


async def test_every_page_forbids_what_it_does_not_need(start: Start) -> None:
    running = await start(stream())
    browser = await opened(running)
    cookie = {"cookie": f"{COOKIE}={browser.cookie}"}
    for path in ("/", browser.place, f"{browser.place}api/overview", "/dashboard/files/app.js", f"{browser.place}api/no-such-thing"):
        async with running.client.get(running.url + path, headers=cookie) as answer:
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert "trusted-types 'none'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "access-control-allow-origin" not in answer.headers


async def test_files_are_sent_with_a_tag_and_not_again_while_they_are_the_same(start: Start) -> None:
    running = await start(stream())
    for name, file in page_files().items():
        async with running.client.get(f"{running.url}/dashboard/files/{name}") as answer:
            assert await answer.read() == file.body
            assert answer.content_type == file.content_type
            tag = answer.headers["etag"]
        async with running.client.get(f"{running.url}/dashboard/files/{name}", headers={"if-none-match": tag}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
    for name in ("nothing.js", "../files.py", "..%2ffiles.py", "%2e%2e/routes.py", "vendor/uPlot.LICENSE", "vendor"):
        async with running.client.get(URL(f"{running.url}/dashboard/files/{name}", encoded=True)) as answer:
            assert answer.status == 404
