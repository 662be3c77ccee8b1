"""Caps as they stand, what was added to them, and the questions that are open."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from stepfare.core.budget import Cap, Extension, Question, Scope, crossed
from stepfare.core.entry import Reserved
from stepfare.runtime import budgets as budgets_module
from stepfare.runtime.at_cap import command, standing, usd
from stepfare.runtime.budgets import Budgets
from stepfare.runtime.extensions import Extensions

USD = 1_000_000_000_000
TODAY, MONTH = 1_000_000, 500_000


def extension(number: int = 1, *, at_ms: int = TODAY, scope: Scope = Scope.DAY, subject: str = "", pusd: int = USD) -> Extension:
    return Extension(f"e{number}", at_ms, scope, subject, pusd, "test")


def question(session: str = "s1", scope: str = "day", subject: str = "", at_ms: int = TODAY) -> Question:
    return Question(session, "cline", at_ms, "no room", ((Cap(scope, USD, USD, "config.toml:1", "ask", subject=subject), USD),))


def reserved(session: str = "s1", side: str = "") -> Reserved:
    return Reserved("a1", "d1", session, 1, TODAY, "m", "frugal", "edit", "frugal", "settings", 5, "cline", side=side)


def test_extensions_are_kept_in_a_private_file_that_only_grows(tmp_path: Path) -> None:
    path = tmp_path / "new" / "extensions.jsonl"
    made = Extensions()
    made.load(path)
    assert made.add(extension(1))
    assert not made.add(extension(1, pusd=9 * USD))
    assert made.add(extension(2, scope=Scope.SESSION, subject="s1"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = Extensions()
    again.load(path)
    assert (again.pusd(Scope.DAY, ""), again.pusd(Scope.SESSION, "s1"), again.pusd(Scope.SESSION, "s2")) == (USD, USD, 0)
    assert [one.id for one in again.since(0)] == ["e1", "e2"]


def test_an_extension_of_a_day_is_one_of_that_day() -> None:
    made = Extensions()
    made.add(extension(at_ms=TODAY - 1))
    assert (made.pusd(Scope.DAY, "", TODAY), made.pusd(Scope.DAY, "", MONTH)) == (0, USD)


def test_a_line_that_a_crash_cut_short_adds_nothing_and_swallows_nothing(tmp_path: Path) -> None:
    path = tmp_path / "extensions.jsonl"
    first = Extensions(path)
    first.add(extension(1))
    with path.open("ab") as file:
        file.write(b'{"id":"e2","at_')
    second = Extensions()
    second.load(path)
    second.add(extension(3))
    third = Extensions()
    third.load(path)
    assert [one.id for one in third.since(0)] == ["e1", "e3"]


def test_what_cannot_be_kept_is_not_added(tmp_path: Path) -> None:
    made = Extensions(tmp_path)  # a folder
    with pytest.raises(OSError, match="directory"):
        made.add(extension())
    assert made.pusd(Scope.DAY, "") == 0


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
    budgets.extend(extension())
    assert len(budgets.questions()) == 2
    budgets.extend(extension(2, scope=Scope.MONTH))
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
