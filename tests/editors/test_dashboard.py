"""The dashboard in a real browser: it shows what the ledger says, follows what happens, and does what a person can do there."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stepfare.cli.render import words
from stepfare.cli.render.spend import cost, spent
from stepfare.control import protocol
from stepfare.core.money import PUSD_PER_USD
from stepfare.server.dashboard.files import FOLDER
from tests.e2e.desk import Desk, desk_with_daemon
from tests.editors import installs
from tests.editors.conftest import needed
from tests.editors.vscode.person import Person, person

pytestmark = pytest.mark.editors

CAPS = "[budget]\nday_usd = 1\nsession_usd = 0.5\n"
HOSTILE = "<img src=x onerror=document.title='taken'> &amp; mend the parser"
TITLE_CHARS = 60
NARROW, WIDE = 360, 1280
NOW_MS = 1_780_000_000_000


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_with_daemon(tmp_path, CAPS) as desk:
        yield desk


@pytest.fixture
def someone(tmp_path: Path) -> Iterator[Person]:
    for make in (installs.node, installs.playwright, installs.chromium):
        needed(make)
    with person(tmp_path / "pictures") as one:
        yield one


def step(desk: Desk, session: str, text: str = HOSTILE) -> dict:
    """One real step of an agent."""
    body = {"model": "auto", "messages": [{"role": "user", "content": text}]}
    headers = {"authorization": f"Bearer {desk.token}", "content-type": "application/json", "x-stepfare-session": session}
    request = urllib.request.Request(f"{desk.address}/v1/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def link(desk: Desk) -> str:
    return desk.message(protocol.DashboardLink, "dashboard").url


def booked(desk: Desk, session: str | None = None) -> str:
    """What the ledger says was spent, in the words of the command line."""
    costs = [one["cost_pusd"] for one in desk.ledger() if one["phase"] == "settled" and session in (None, one["session"])]
    assert costs
    total = sum(cost for cost in costs if isinstance(cost, int))
    assert total > 0
    return words.money(total)


def fits(someone: Person, selector: str) -> bool:
    """Whether nothing of it has to be scrolled to sideways."""
    needed, given = (someone.property(selector, name) for name in ("scrollWidth", "clientWidth"))
    return isinstance(needed, int) and isinstance(given, int) and needed <= given


def exactly(text: str) -> str:
    return f"^{re.escape(text)}$"


def test_a_step_is_on_the_page_at_once_with_its_reasons_and_the_ledgers_number(desk: Desk, someone: Person) -> None:
    step(desk, "first")
    url = link(desk)
    someone.goes_to(url)
    someone.sees("#state.live")
    someone.sees("#today-spent", exactly(booked(desk)))
    assert someone.property("html", "title") == ""
    step(desk, "second", "Explain what this is for")
    someone.sees("#today-spent", exactly(booked(desk)))
    someone.sees("#sessions .title", "Explain what this is for")

    # By keyboard: to the second session of the list, its steps, the reasons of one of them, and back.
    for keys in ("j", "j", "Enter"):
        someone.presses(keys)
    someone.sees("#session-spent", exactly(booked(desk, "first")))
    assert someone.sees("#detail h2") == HOSTILE[:TITLE_CHARS].strip()
    someone.presses("j")
    someone.presses("Enter")
    decision = desk.explain("first:1")
    someone.sees("#detail h2", exactly(str(decision.chosen)))
    arithmetic = someone.texts("#detail .arithmetic .number")
    assert len(arithmetic) == 2 * sum(len(one.arithmetic) for one in decision.candidates)
    assert someone.texts("#detail .candidates .money") == [words.money(one.expected_pusd) for one in decision.candidates]
    someone.presses("Escape")
    someone.sees("#session-spent")
    someone.presses("Escape")
    someone.sees_no_more("#detail:not([hidden])")
    assert someone.property("#sessions a[data-session=first]", "offsetParent") is not None
    someone.presses("?")
    someone.sees("#help[open]", "filter sessions")
    someone.presses("Escape")
    someone.presses("/")
    someone.types("explain")
    someone.sees_no_more("#sessions a[data-session=first]")

    assert someone.texts("#sessions img, #detail img") == []
    assert not [said for said in someone.console() if "Content Security Policy" in said or "Error" in said]
    someone.goes_to(url)
    someone.sees("main", "each opens the dashboard once")


def test_a_page_of_another_site_may_lead_to_the_dashboard_but_never_look_in(desk: Desk, someone: Person, tmp_path: Path) -> None:
    """An editor in a browser is such a page; to the browser `localhost` and `127.0.0.1` are two sites."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    url = link(desk)
    (folder / "index.html").write_text(f'<a href="{url}">the dashboard</a>')
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        elsewhere = f"http://localhost:{server.server_port}/"
        someone.goes_to(elsewhere)
        someone.clicks("a")
        someone.sees("#state.live")
        place = str(someone.property("html", "baseURI"))
        (folder / "index.html").write_text(f'<a href="{place}">the visit</a><iframe src="{place}"></iframe>')
        someone.goes_to(elsewhere)
        someone.clicks("a")
        someone.sees("main", "The dashboard opens with a link")
        server.shutdown()


def test_a_click_adds_to_a_budget_and_an_agent_that_waited_goes_on(desk: Desk, someone: Person) -> None:
    step(desk, "mine")
    someone.goes_to(link(desk))
    someone.clicks("#budgets form:has([data-scope=day]) button")
    someone.sees("#notice.ok", re.escape("Added $0.5000 to the day budget"))
    caps = desk.message(protocol.Budgets, "budget").caps
    assert [cap.extended_pusd for cap in caps if cap.scope == "day"] == [PUSD_PER_USD // 2]
    someone.sees("#budgets .quiet", "added")

    # A dear step finds no room under the session's cap, and its agent waits.
    spent_before = len(desk.ledger())
    body = {"model": "premium", "max_tokens": 60_000, "messages": [{"role": "user", "content": "Plan it. " * 20_000}]}
    headers = {"authorization": f"Bearer {desk.token}", "content-type": "application/json", "x-stepfare-session": "mine"}

    def asked() -> str:
        request = urllib.request.Request(f"{desk.address}/v1/chat/completions", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["choices"][0]["message"]["content"]

    assert "budget" in asked()
    assert not [one for one in desk.ledger()[spent_before:] if one["phase"] == "settled"]
    someone.sees("#asks", "waits")
    (question,) = desk.message(protocol.Budgets, "budget").questions
    assert len(question.proposals) > 1, "all that stands in its way is added to by one click"
    someone.clicks("#asks form button")
    someone.sees("#notice.ok", " and ".join(re.escape(f"{words.money(one.pusd)} to the {one.scope} budget") for one in question.proposals))
    assert "[stepfare simulator]" in asked()
    someone.sees_no_more("#asks:not([hidden])")


def test_a_session_is_pinned_by_a_click_and_the_page_says_when_its_visit_has_ended(desk: Desk, someone: Person) -> None:
    step(desk, "mine")
    someone.goes_to(link(desk))
    someone.clicks("#sessions a[data-session=mine]")
    someone.clicks("#detail button", "always premium")
    someone.sees('#detail button[data-tier=premium][aria-pressed="true"]')
    assert desk.session("mine").session.pin == "premium"
    desk.stepfare("stop")
    someone.sees("#notice", "does not answer")
    desk.stepfare("serve", "--detach", "--port", desk.address.rpartition(":")[2])
    someone.sees("#state", "ended")
    someone.sees("#notice", "run `stepfare dashboard`")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_readable_on_a_telephone_and_a_screen_in_both_schemes(desk: Desk, someone: Person, scheme: str) -> None:
    for session in ("one", "two"):
        step(desk, session)
    for width in (NARROW, WIDE):
        someone.looks(width, 900, scheme)
        someone.goes_to(link(desk))
        someone.sees("#state.live")
        someone.sees("#chart canvas")
        assert fits(someone, "html")
        assert someone.picture(f"{scheme}-{width}").stat().st_size > 10_000
        someone.clicks("#sessions a[data-session=one]")
        someone.sees("#session-spent")
        assert fits(someone, "#detail")
        someone.picture(f"{scheme}-{width}-session")
        someone.clicks("#detail .steps a")
        someone.sees("#detail h3", "Candidates")
        assert fits(someone, "#detail")
        someone.picture(f"{scheme}-{width}-decision")
    luminous = sum(int(part) for part in re.findall(r"\d+", someone.style("body", "backgroundColor"))[:3]) > 3 * 128
    assert luminous is (scheme == "light")
    assert someone.refused() == []


SCRIPT = """
import { readFileSync } from "node:fs"
const words = await import(process.argv[1])
const value = (it) => (typeof it === "object" && it !== null && "pusd" in it ? BigInt(it.pusd) : it)
const cases = JSON.parse(readFileSync(0, "utf8"), (_, it) => value(it))
console.log(JSON.stringify(cases.map(([name, ...given]) => words[name](...given))))
"""


def test_every_value_is_worded_as_on_the_command_line(tmp_path: Path) -> None:
    node = needed(installs.node) / "node"
    module = tmp_path / "words.mjs"
    shutil.copyfile(FOLDER / "words.js", module)
    dice = random.Random(6)
    cases: list[list[object]] = []
    wanted: list[object] = []

    def check(name: str, expected: object, *given: object) -> None:
        cases.append([name, *given])
        wanted.append(expected)

    def big(pusd: int) -> dict[str, str]:
        return {"pusd": str(pusd)}

    edges = [10**power * factor + more for power in range(20) for factor in (1, 5, 25, 99995) for more in (-1, 0, 1)]
    sums = sorted({0, *edges, *(dice.randrange(10 ** dice.randrange(1, 20)) for _ in range(1_000))})
    for pusd in sums:
        check("money", words.money(pusd), big(pusd))
        check("money", words.money(-pusd), big(-pusd))
        largest = dice.choice(sums)
        check("moneyLike", words.money_like(pusd, largest), big(pusd), big(largest))
        part = pusd % (largest + 1)
        check("share", words.share(part, largest), big(part), big(largest))
        check("count", words.count(pusd % 10**12), pusd % 10**12)
    check("money", words.money(None), None)
    for pusd_per_token in (
        0,
        1,
        10,
        12_500,
        100_000,
        125_000,
        3_000_000,
        75_000_000,
        123_456_789,
        *(dice.randrange(10**9) for _ in range(200)),
    ):
        check("rate", words.rate(pusd_per_token), pusd_per_token)
    for part, whole in ((0, 0), (0, 5), (5, 5), (1, 200), (1, 1_000), (999, 1_000), (1, 8), (3, 8), (5, 8), (6, 5), (25, 1000), (35, 1000)):
        check("share", words.share(part, whole), part, whole)
    for thousandth in range(0, 1_001, 5):
        check("chance", words.chance(thousandth / 1_000), thousandth / 1_000)
    for span_ms in (0, 1, 999, 1_000, 9_999, 10_000, 59_999, 60_000, 3_599_999, 3_600_000, 86_399_999, 86_400_000, 10**10):
        check("lasting", words.lasting(span_ms), span_ms)
        check("ago", words.ago(NOW_MS - span_ms, NOW_MS), NOW_MS - span_ms, NOW_MS)
    check("ago", words.ago(NOW_MS + 5, NOW_MS), NOW_MS + 5, NOW_MS)
    for number in (0, 1, 2, 1_000, 1_234_567):
        check("counted", words.counted(number, "step"), number, "step")
    for text in ("", "plain", " a\tb\r\nc ", "turned \u202e around", "zero\u200bwidth", "\x1b[31mred", "line\u2028end", "über <b>"):
        check("clean", words.clean(text), text)
    for totals in (
        protocol.Totals(),
        protocol.Totals(steps=2, spent_pusd=5 * 10**11, input_tokens=5),
        protocol.Totals(steps=2, unpriced_steps=2, input_tokens=5),
        protocol.Totals(steps=2, unpriced_steps=1, spent_pusd=7, input_tokens=5),
        protocol.Totals(steps=2, input_tokens=5),
    ):
        told = {**totals.model_dump(), "spent_pusd": big(totals.spent_pusd)}
        check("spent", spent(totals), told)
    for cost_pusd, source, usage, outcome in (
        (5, "usage-priced", True, "ok"),
        (5, "estimated", True, "hang-up"),
        (0, "free", True, "ok"),
        (0, "usage-priced", True, "ok"),
        (None, "", True, "ok"),
        (None, None, False, "open"),
        (None, None, False, "lost"),
        (None, None, False, "busy"),
    ):
        one = protocol.Step(
            decision="d",
            session="s",
            at_ms=0,
            kind="edit",
            predicted="edit",
            floor="frugal",
            floor_source="",
            attempts=[protocol.Attempt(id="a", model="m", outcome=outcome)],
            usage=protocol.StepUsage() if usage else None,
            cost_pusd=cost_pusd,
            cost_source=source,
        )
        said = cost(one)
        told = {**one.model_dump(), "cost_pusd": None if cost_pusd is None else big(cost_pusd)}
        check("cost", said if isinstance(said, str) else said.text, told)

    done = subprocess.run(
        [str(node), "--input-type=module", "-e", SCRIPT, module.as_uri()],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert [(case, said) for case, said, want in zip(cases, got, wanted, strict=True) if said != want] == []
    assert len(got) > 5_000
