"""Caps as they stand, what was added to them, and the questions that are open."""

from __future__ import annotations

import pytest

from stepfare.config.check import Checked
from stepfare.config.schema import Settings
from stepfare.core.budget import Cap, Question, Scope, crossed
from stepfare.core.entry import Extended, Reserved
from stepfare.core.money import usd
from stepfare.core.session import Session
from stepfare.runtime import budgets as budgets_module
from stepfare.runtime.at_cap import command, standing
from stepfare.runtime.budgets import Budgets
from stepfare.runtime.workspaces import Workspace

USD = 1_000_000_000_000
TODAY, MONTH = 1_000_000, 500_000


def extension(
    number: int = 1, *, at_ms: int = TODAY, scope: Scope = Scope.DAY, subject: str = "", pusd: int = USD, user: str = ""
) -> Extended:
    return Extended(f"e{number}", at_ms, scope, subject, pusd, "test", user)


def question(session: str = "s1", scope: str = "day", subject: str = "", at_ms: int = TODAY) -> Question:
    return Question(session, "cline", at_ms, "no room", ((Cap(scope, USD, USD, "config.toml:1", "ask", subject=subject), USD),))


def reserved(session: str = "s1", side: str = "") -> Reserved:
    return Reserved("a1", "d1", session, 1, TODAY, "m", "frugal", "edit", "frugal", "settings", 5, "cline", side=side)


def test_an_extension_is_one_of_its_cap_and_period_and_counts_once() -> None:
    budgets = Budgets(TODAY, MONTH)
    for one in (
        extension(1, at_ms=TODAY - 1),
        extension(2),
        extension(2, pusd=9 * USD),
        extension(3, scope=Scope.SESSION, subject="s1", at_ms=1),
        extension(4, scope=Scope.MONTH, at_ms=TODAY - 1, pusd=3 * USD),
    ):
        budgets.apply(one)
    limits = {"session_usd": 1, "day_usd": 1, "month_usd": 1}
    caps = budgets.caps(Checked(Settings.model_validate({"budget": limits})), Session("s1"), Workspace(""))
    assert {cap.scope: cap.extended_pusd for cap in caps} == {"session": USD, "day": USD, "month": 3 * USD}
    others = budgets.caps(Checked(Settings.model_validate({"budget": limits})), Session("s2"), Workspace(""))
    assert {cap.scope: cap.extended_pusd for cap in others} == {"session": 0, "day": USD, "month": 3 * USD}


def test_a_day_is_extended_for_its_user_and_a_project_for_all() -> None:
    budgets = Budgets(TODAY, MONTH)
    budgets.belong_to("ann")
    for one in (
        extension(1),
        extension(2, user="ben"),
        extension(3, user="ann"),
        extension(4, scope=Scope.SESSION, subject="s1", user="ben"),
    ):
        budgets.apply(one)
    limits = {"session_usd": 1, "day_usd": 1}
    caps = budgets.caps(Checked(Settings.model_validate({"budget": limits})), Session("s1"), Workspace(""))
    assert {cap.scope: cap.extended_pusd for cap in caps} == {"session": USD, "day": 2 * USD}


@pytest.mark.parametrize(
    ("scope", "subject", "pusd"), [(Scope.DAY, "s1", 1), (Scope.SESSION, "", 1), (Scope.PROJECT, "", 1), (Scope.DAY, "", 0)]
)
def test_what_adds_nothing_to_anything_is_no_extension(scope: Scope, subject: str, pusd: int) -> None:
    with pytest.raises(AssertionError):
        extension(scope=scope, subject=subject, pusd=pusd)


def test_a_question_is_asked_once_and_answered_by_what_it_asked_for() -> None:
    budgets = Budgets(TODAY, MONTH)
    assert budgets.ask(question())
    assert not budgets.ask(question())
    assert budgets.ask(question(scope="month"))
    assert budgets.ask(question("s2", "session", "s2"))
    assert [one.session for one in budgets.questions()] == ["s2", "s1"]
    budgets.apply(extension())
    assert len(budgets.questions()) == 2
    budgets.apply(extension(2, scope=Scope.MONTH))
    assert [one.session for one in budgets.questions()] == ["s2"]


def test_who_goes_on_asks_no_more_and_a_title_beside_it_answers_nothing() -> None:
    budgets = Budgets(TODAY, MONTH)
    budgets.ask(question())
    budgets.apply(reserved(side="title"))
    assert budgets.questions()
    budgets.apply(reserved())
    assert budgets.questions() == ()


def test_a_new_day_answers_what_was_asked_of_the_old_one() -> None:
    budgets = Budgets(TODAY, MONTH)
    budgets.ask(question())
    budgets.ask(question("s2", "session", "s2"))
    budgets.begin(TODAY + 10, MONTH)
    assert [one.session for one in budgets.questions()] == ["s2"]


def test_only_so_many_questions_stay_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets_module, "QUESTIONS_MAX", 3)
    budgets = Budgets(TODAY, MONTH)
    for number in range(5):
        budgets.ask(question(f"s{number}"))
    assert [one.session for one in budgets.questions()] == ["s4", "s3", "s2"]


@pytest.mark.parametrize(
    ("limit", "used", "ceiling", "short"),
    [
        (100, 40, 60, 0),
        (100, 40, 61, 1),
        (100, 100, 1, 1),
        # What is free always has room; what nobody knows the price of has some as long as anything is left.
        (100, 150, 0, 0),
        (100, 99, None, 0),
        (100, 100, None, 1),
        (0, 0, None, 1),
    ],
)
def test_what_is_missing_for_a_call(limit: int, used: int, ceiling: int | None, short: int) -> None:
    assert Cap("day", limit, used, "x", "ask").short_pusd(ceiling) == short


def test_a_warning_falls_due_once() -> None:
    def spent(pusd: int) -> Cap:
        return Cap("day", 100, pusd + 7, "x", "ask", 0.8, reserved_pusd=7)

    due = [bool(crossed([spent(total)], 20)) for total in range(20, 121, 20)]
    assert due == [False, False, False, True, False, False]
    assert [spent(pusd).warned for pusd in (79, 80)] == [False, True]


def test_a_cap_in_a_sentence_and_as_a_command() -> None:
    one = Cap("project", 3 * USD, 2 * USD, ".stepfare.toml:4", "ask", subject="/srv/my shop", reserved_pusd=USD // 2, extended_pusd=USD)
    assert standing(one) == (
        "$1.50 of $3.00 is spent /srv/my shop today, $0.50 more is reserved for answers under way."
        " Set by .stepfare.toml:4, $1.00 of it added by you. It begins anew at midnight."
    )
    assert command(one, 5 * USD // 2) == "stepfare budget extend --usd 2.50 --project '/srv/my shop'"
    assert command(Cap("month", 1, 1, "x", "ask"), USD) == "stepfare budget extend --usd 1.00 --month"
    assert [usd(pusd) for pusd in (0, USD // 50, 80_150_000_000, 1234 * USD, 12_300_000)] == [
        "$0.00",
        "$0.02",
        "$0.08015",
        "$1,234.00",
        "$0.0000123",
    ]
