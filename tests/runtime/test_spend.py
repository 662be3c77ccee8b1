"""What caps are held against: folds that forget when their period is over and can be told the journal of a week; and a session's pace."""

from __future__ import annotations

import pytest

from stepfare.core.entry import Entry, Lost, Opened, Reserved, Settled, Voided
from stepfare.core.money import Usage
from stepfare.ledger.totals import Spending
from stepfare.runtime import spend as spend_module
from stepfare.runtime.spend import HOUR_MS, MINUTE_MS, PACE_MS, PACE_MS_MIN, Pace, Payer, PeriodSpend

TODAY, YESTERDAY = 1_000_000, 900_000


def opened(session: str = "s1", project: str = "/p") -> Opened:
    return Opened(session, YESTERDAY, "cline", project, project, "", "")


def reserved(attempt: str = "a1", session: str = "s1", ceiling: int | None = 100, at_ms: int = TODAY) -> Reserved:
    return Reserved(attempt, "d1", session, 1, at_ms, "m", "frugal", "edit", "frugal", "settings", ceiling, "cline")


def settled(attempt: str = "a1", cost: int | None = 30, at_ms: int = TODAY) -> Settled:
    return Settled(attempt, "s1", at_ms, "ok", "edit", Usage(1), cost, "usage-priced", None, "c")


def voided(attempt: str = "a1", at_ms: int = TODAY) -> Voided:
    return Voided(attempt, "s1", at_ms, "busy", "no")


def lost(attempt: str = "a1", ceiling: int | None = 100, at_ms: int = TODAY) -> Lost:
    return Lost(attempt, "s1", at_ms, ceiling)


def used(*entries: Entry) -> tuple[int, int, int]:
    """Of all, of the project, and of another one."""
    spend = PeriodSpend(TODAY)
    for entry in entries:
        spend.apply(entry)
    return spend.used().pusd, spend.used("/p").pusd, spend.used("/other").pusd


@pytest.mark.parametrize(
    ("entries", "pusd"),
    [
        ([], 0),
        ([reserved()], 100),
        ([reserved(), settled()], 30),
        ([reserved(), voided()], 0),
        ([reserved(), lost()], 100),
        ([reserved(ceiling=None), settled(cost=None)], 0),
        ([reserved(), settled(cost=130)], 130),
        ([reserved(), reserved("a2"), settled()], 130),
        # Posted twice, or of an attempt that nobody knows.
        ([reserved(), reserved()], 100),
        ([reserved(), settled(), settled()], 30),
        ([settled()], 0),
        ([voided()], 0),
        ([lost()], 0),
        # Of a day before.
        ([reserved(at_ms=YESTERDAY), settled(at_ms=YESTERDAY)], 0),
        ([reserved(at_ms=YESTERDAY), voided(at_ms=YESTERDAY)], 0),
        ([reserved(at_ms=YESTERDAY), lost(at_ms=YESTERDAY)], 0),
        # Begun yesterday and ended today: it is of today.
        ([reserved(at_ms=YESTERDAY), settled()], 30),
        ([reserved(at_ms=YESTERDAY), lost()], 100),
        ([reserved(at_ms=YESTERDAY)], 100),
    ],
)
def test_what_is_used_of_a_day(entries: list[Entry], pusd: int) -> None:
    assert used(opened(), *entries) == (pusd, pusd, 0)


def test_a_week_of_the_journal_leaves_only_what_is_of_today() -> None:
    week: list[Entry] = [opened()]
    for number in range(50):
        week += [reserved(f"old{number}", at_ms=YESTERDAY + number), settled(f"old{number}", 70, at_ms=YESTERDAY + number)]
    assert used(*week, reserved(), settled())[0] == 30


def test_projects_are_counted_apart_and_together() -> None:
    entries = [opened(), opened("s2", "/other"), reserved(), reserved("a2", "s2"), settled("a2", 5)]
    assert used(*entries) == (105, 100, 5)


def test_a_session_that_nobody_opened_counts_for_no_project() -> None:
    assert used(reserved()) == (100, 0, 0)


def test_at_midnight_only_open_reservations_are_carried_over() -> None:
    spend = PeriodSpend(TODAY)
    for entry in (opened(), reserved(), settled(), reserved("a2")):
        spend.apply(entry)
    spend.begin(TODAY)
    assert spend.used().pusd == 130
    tomorrow = TODAY + 86_400_000
    spend.begin(tomorrow)
    assert (spend.used().pusd, spend.used("/p").pusd) == (100, 100)
    spend.apply(settled("a2", 40, at_ms=tomorrow + 5))
    assert spend.used().pusd == 40


def test_what_ended_just_before_midnight_and_is_told_after_it_is_of_no_day() -> None:
    spend = PeriodSpend(TODAY)
    spend.apply(reserved())
    spend.begin(TODAY + 86_400_000)
    spend.apply(settled(at_ms=TODAY + 86_399_999))
    assert spend.used().pusd == 0


def test_projects_of_old_sessions_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spend_module, "SESSIONS_MAX", 3)
    spend = PeriodSpend(TODAY)
    for number in range(10):
        spend.apply(opened(f"s{number}"))
    spend.apply(reserved("a1", "s0"))
    spend.apply(reserved("a2", "s9"))
    assert (spend.used().pusd, spend.used("/p").pusd) == (200, 100)


def test_what_is_reserved_is_told_apart_from_what_is_spent() -> None:
    spend = PeriodSpend(TODAY)
    for entry in (opened(), reserved(), settled(), reserved("a2"), reserved("a3"), lost("a3", 50)):
        spend.apply(entry)
    assert (spend.used().spent_pusd, spend.used().reserved_pusd) == (80, 100)
    assert spend.used("/p") == spend.used()


def test_a_period_starts_from_what_the_books_say_and_goes_on_from_there() -> None:
    spent = Spending({"ann": 200, "": 300, "bob": 5_000}, {"/p": 5_200, "/elsewhere": 300})
    for whose, all_pusd in (("ann", 530), ("", 5_530)):
        spend = PeriodSpend(TODAY, whose)
        spend.apply(opened())
        spend.start_from(spent, [(Payer("/p", "bob"), reserved("b1"))])
        spend.apply(reserved())
        spend.apply(settled())
        spend.apply(settled("b1"))
        assert (spend.used().pusd, spend.used("/p").pusd, spend.used("/other").pusd) == (all_pusd + (0 if whose else 30), 5_260, 0)


def test_a_copy_goes_its_own_way() -> None:
    spend = PeriodSpend(TODAY)
    other = spend.apart()
    other.apply(reserved())
    assert (spend.used().pusd, other.used().pusd) == (0, 100)


AT = 100 * HOUR_MS


def pace(*spent: tuple[int, str, int]) -> Pace:
    """A pace after these costs: minutes after AT, session, picodollars."""
    found = Pace()
    for number, (minutes, session, cost) in enumerate(spent):
        found.apply(Settled(f"a{number}", session, AT + minutes * MINUTE_MS, "ok", "edit", Usage(1), cost, "usage-priced", None, "c"))
    return found


def test_one_dear_step_is_no_trend() -> None:
    assert pace((0, "s1", 100)).pusd_per_hour(AT + MINUTE_MS) == 100 * HOUR_MS // PACE_MS_MIN


def test_a_session_burns_what_it_spent_of_late_and_nothing_when_it_rests() -> None:
    found = pace((-40, "s1", 9_000), (0, "s1", 100), (5, "s1", 200), (10, "s2", 700))
    now = AT + 10 * MINUTE_MS
    assert found.pusd_per_hour(now, "s1") == 300 * 6
    assert found.pusd_per_hour(now) == 1_000 * 6
    assert found.pusd_per_hour(now, "s3") == 0
    assert found.pusd_per_hour(now + PACE_MS + MINUTE_MS) == 0


def test_a_pace_keeps_a_quarter_of_an_hour_only() -> None:
    found = pace(*((minute, "s1", 1) for minute in range(1_000)))
    assert len(found._minutes) <= PACE_MS // MINUTE_MS + 1
