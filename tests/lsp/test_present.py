"""What is said of spend, decisions and models, as one line each."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from stepfare.control.client import Daemon
from stepfare.control.protocol import (
    PROTOCOL,
    Bucket,
    Budget,
    Candidate,
    Cap,
    DaemonFile,
    Decision,
    Family,
    Floor,
    Overview,
    PriceRow,
    Session,
    Sessions,
    Totals,
)
from stepfare_lsp import present
from stepfare_lsp.link import Connecting, Offline, Online
from stepfare_lsp.markdown import plain, saved
from stepfare_lsp.present import clean
from stepfare_lsp.spend import newest_session, spend_of
from stepfare_lsp.wire import Spend

USD = 10**12
UNASKED = Daemon(DaemonFile(protocol=PROTOCOL, version="1", pid=1, port=1, started_ms=0, local_token="", control_token=""))
"""One that nobody asks anything."""


def session(name: str = "s_1", **more: object) -> Session:
    totals = Totals(
        steps=3, spent_pusd=42 * USD // 100, by_tier={"frugal": Bucket(steps=2), "balanced": Bucket(steps=1)}, always_balanced_pusd=USD
    )
    return Session.model_validate({"id": name, "started_ms": 1, "last_ms": 2, "totals": totals, "workspace": "/p", **more})


def overview(*sessions: Session, mode: str = "live", **today: int) -> Overview:
    return Overview.model_validate(
        {
            "version": "1",
            "seq": 0,
            "started_ms": 0,
            "mode": mode,
            "today": today,
            "sessions": sessions,
            "providers": [],
            "problems": [],
        }
    )


def online(*sessions: Session, mode: str = "live", **today: int) -> Online:
    return Online(UNASKED, overview(*sessions, mode=mode, **today))


@pytest.mark.parametrize(
    ("pusd", "coins", "money"),
    [
        (0, "$0.00", "$0.00"),
        (1, "<$0.01", "$0.000000000001000"),
        (678_000_000, "<$0.01", "$0.0006780"),
        (42 * USD // 100, "$0.42", "$0.4200"),
        (USD, "$1.00", "$1.00"),
        (1_234 * USD + USD // 2, "$1,234.50", "$1,234.50"),
    ],
)
def test_money_is_short_in_a_bar_and_exact_enough_in_a_line(pusd: int, coins: str, money: str) -> None:
    assert present.coins(pusd) == coins
    assert present.money(pusd) == money


def test_a_session_is_told_with_tiers_and_against_always_balanced() -> None:
    assert present.session_line(session(title="fix\nthe \x1b[1mtest")) == (
        '"fix the [1mtest": $0.4200 in 3 steps (frugal 2, balanced 1); $0.5800 less than always balanced'
    )
    capped = session(budget=Budget(session_pusd=2 * USD))
    assert present.session_line(capped, "simulator").endswith("; cap $2.00; play money")


def test_what_has_no_price_is_never_nothing() -> None:
    assert present.spent(Totals(steps=2, unpriced_steps=2)) == "unpriced"
    assert present.spent(Totals(steps=2, unpriced_steps=1, spent_pusd=USD)) == "$1.00 and 1 step without a known price"
    assert present.price_words(None) == "unpriced"
    assert present.price_words(PriceRow(input=12_500, cache_read=0, cache_write=0, cache_write_1h=0, output=3_000_000)) == (
        "$0.0125 in, $3.00 out per million tokens"
    )


def test_what_the_family_cost_stands_beside_the_session_and_in_its_line() -> None:
    """The line of a status bar calls the family one session; whoever looks closer sees both."""
    totals = Totals(steps=5, spent_pusd=2 * USD)
    family = Family(sessions=["s_1", "s_2", "s_3"], totals=totals, severity="warning")
    one = session(family=family)
    assert "; $2.00 together with 2 other sessions of its task; $0.5800 less than always balanced" in present.session_line(one)
    told = spend_of(online(one), ["/p"], "balanced")
    assert told is not None
    assert (told.text, told.spent_pusd, told.severity) == ("$2.00 . balanced", 2 * USD, "warning")
    assert told.tooltip.split("\n\n")[1:3] == ["$0.4200 in 3 steps", "$2.00 together with 2 other sessions of its task"]


def test_what_would_have_cost_the_same_is_not_compared() -> None:
    same = Totals(steps=1, spent_pusd=USD, always_balanced_pusd=USD, always_premium_pusd=3 * USD)
    assert present.session_line(session(totals=same)) == '"s_1": $1.00 in 1 step'
    assert present.today_line(overview(steps=1, spent_pusd=USD, always_balanced_pusd=USD)) == "Today: $1.00 in 1 step"
    assert saved(same) == "$2.00 less than always premium"


def test_today_says_what_was_lost_and_what_was_dearer() -> None:
    told = present.today_line(overview(steps=1, spent_pusd=2 * USD, always_balanced_pusd=USD, lost_pusd=USD))
    assert told == "Today: $2.00 in 1 step; $1.00 more than always balanced; $1.00 at most lost sight of in a crash"


def test_sessions_are_named_up_to_three() -> None:
    assert present.sessions_line(Sessions(sessions=[]), "here") == "No sessions here yet."
    told = present.sessions_line(Sessions(sessions=[session(f"s_{n}") for n in range(5)]), "here")
    assert told == '5 sessions here: "s_0" $0.42; "s_1" $0.42; "s_2" $0.42; and 2 more'


def test_a_decision_is_told_with_its_floor_and_reasons() -> None:
    decision = Decision(
        id="d_1",
        session="s_1",
        kind="edit",
        floor=Floor(tier="balanced", source="profile", words=""),
        candidates=[Candidate(model="a/b", tier="balanced", expected_pusd=1)],
        rejections=[],
        chosen="a/b",
        because=["an edit is coming", "cheapest that can"],
    )
    assert present.decision_line(decision) == "edit step, floor balanced: a/b (balanced). an edit is coming; cheapest that can"
    assert "no model" in present.decision_line(decision.model_copy(update={"chosen": None}))


def test_the_newest_session_is_that_of_the_open_folders() -> None:
    sessions = [session("s_other", workspace="/q"), session("s_below", workspace="/p/sub"), session("s_old")]
    assert newest_session(sessions, ["/p"]) == sessions[1]
    assert newest_session(sessions, []) == sessions[0]
    assert newest_session(sessions, ["/r"]) is None


def test_the_line_has_spend_and_tier() -> None:
    told = spend_of(online(session(title="fix\nthe test"), spent_pusd=USD), ["/p"], "balanced")
    assert told is not None
    assert told == Spend(
        text="$0.42 . balanced",
        session="s_1",
        title="fix the test",
        workspace="/p",
        spent_pusd=42 * USD // 100,
        today_pusd=USD,
        tier="balanced",
        mode="live",
        tooltip=told.tooltip,
        version="1",
    )
    assert told.tooltip.split("\n\n") == [
        "**fix the test**",
        "$0.4200 in 3 steps",
        "- frugal: 2 steps, $0.00\n- balanced: 1 step, $0.00",
        "$0.5800 less than always balanced",
        "Today: $1.00 in 0 steps",
    ]
    assert spend_of(Connecting(), []) is None


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (Offline("why"), "stepfare is off"),
        (online(spent_pusd=3 * USD), "$3.00 today"),
        (online(mode="simulator"), "$0.00 today . play money"),
        (online(session(), mode="simulator"), "$0.42 . play money"),
    ],
)
def test_the_line_is_honest_without_a_session_a_daemon_or_a_model(state: Offline | Online, text: str) -> None:
    told = spend_of(state, ["/p"])
    assert told is not None
    assert told.text == text


def cap(left_pusd: int, *, warned: bool = False) -> Cap:
    return Cap(scope="session", cap_pusd=USD, spent_pusd=USD - left_pusd, reserved_pusd=0, left_pusd=left_pusd, warned=warned)


@pytest.mark.parametrize(
    ("caps", "severity"),
    [([], "info"), ([cap(USD)], "info"), ([cap(USD), cap(1, warned=True)], "warning"), ([cap(1, warned=True), cap(0)], "error")],
)
def test_the_line_is_coloured_near_a_cap_only(caps: list[Cap], severity: str) -> None:
    told = spend_of(online(session(budget=Budget(caps=caps)), spent_pusd=USD), ["/p"])
    assert told is not None
    assert told.severity == severity


@pytest.mark.parametrize(
    "text",
    [
        "![x](https://example.org/x.png)",
        "[run](command:stepfare.pinSession)",
        "see https://example.org or www.example.org",
        "<img src=x onerror=y> <b>bold</b>",
        "ann@example.org",
        "**bold** _it_ `code` # head\n\n- item",
        "a & b &copy; $1.00 | c",
    ],
)
def test_a_title_means_nothing_to_markdown(text: str) -> None:
    tokens = MarkdownIt("commonmark").parse(plain(text))
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    inline = tokens[1].children or []
    assert {token.type for token in inline} <= {"text", "text_special"}
    assert "".join(token.content for token in inline) == clean(text)
    assert not re.search(r"(?<!\\)://|www\.|@", plain(text))
