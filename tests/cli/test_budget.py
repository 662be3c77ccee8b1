"""`stepfare budget`: what is shown of caps, and what is asked of the daemon to extend one."""

from __future__ import annotations

import json
from textwrap import dedent

import pytest

from stepfare.cli.render import budget, paint, spend
from stepfare.control.protocol import Budgets, Failure, Totals
from tests.cli.conftest import Run
from tests.cli.samples import BUDGETS, NOW_MS, OF_DAY, SESSION, USD, a_step
from tests.control.fake_daemon import FakeDaemon

NOBODY = "No session waits for an answer. Say which budget: --session ID, --project DIR, --day or --month.\n"


def test_each_cap_is_shown_with_what_is_left_and_who_set_it_and_who_waits() -> None:
    said = "\n".join(line.rstrip() for line in paint.plain(budget.budgets(BUDGETS, NOW_MS)).splitlines())
    assert said.strip() == dedent(
        """\
        BUDGET OF           CAP           SPENT  RESERVED     LEFT  AN HOUR  AT THE CAP                  SET BY
        today            $10.00  $10.00 (100 %)     $0.00    $0.00    $0.00  refuses                     config.toml:12
        /srv/shop today   $5.00    $1.00 (20 %)     $0.00    $4.00           goes on with frugal models  x:1
        s-4f2a            $2.50    $2.10 (84 %)   $0.2500  $0.1500  $0.2100  asks                        x:4, $0.5000 added

        cline waits (asked 1 min ago): the session budget leaves no room for this step.
          `stepfare budget extend` adds $1.00 more for the session budget of s-4f2a.

        Added this month
          $0.5000 to the session budget of s-4f2a, 5 min ago (cli)"""
    )


def test_without_a_cap_it_is_said_how_to_set_one(run: Run, fake: FakeDaemon) -> None:
    fake.answer("budgets", Budgets())
    assert run("budget").out.startswith("No budget is set. In config.toml")


def test_budgets_are_shown_to_people_and_programs(run: Run, fake: FakeDaemon) -> None:
    fake.answer("budgets", BUDGETS)
    assert "cline waits" in run("budget").out
    assert run("budget").out == run("budget", "show").out
    for words in (("budget", "--json"), ("budget", "show", "--json")):
        assert Budgets.model_validate_json(run(*words).out) == BUDGETS


@pytest.mark.parametrize(
    ("words", "path", "usd"),
    [
        (("--usd", "1.50", "--day"), "budgets/day", 1.5),
        (("1.5", "--day"), "budgets/day", 1.5),
        (("$0.25", "--month"), "budgets/month", 0.25),
        (("2", "--session", "s-4f2a"), "budgets/session/s-4f2a", 2),
        (("2", "--project", "/srv/shop"), "budgets/project/%2Fsrv%2Fshop", 2),
        # The newest question is answered as it proposes, or with another sum.
        ((), "budgets/session/s-4f2a", 1),
        (("7",), "budgets/session/s-4f2a", 7),
    ],
)
def test_an_extension_is_put_to_the_daemon(run: Run, fake: FakeDaemon, words: tuple[str, ...], path: str, usd: float) -> None:
    fake.answer("budgets", BUDGETS)
    fake.answer("budgets?session=s-4f2a", BUDGETS)
    fake.answer(path, Budgets(caps=[OF_DAY]), method="PUT")
    ran = run("budget", "extend", *words)
    assert (ran.code, ran.err) == (0, "")
    assert f"Added ${usd:.2f}" in ran.out or "Added $0.2500" in ran.out
    told = json.loads(fake.asked[-1].body)
    assert (told["pusd"], told["by"]) == (int(usd * USD), "cli")


def test_a_session_may_be_named_by_the_beginning_of_its_id(run: Run, fake: FakeDaemon) -> None:
    fake.answer("budgets?session=s-4", Failure(error="no-session", words="no"), status=404)
    fake.answer("sessions?limit=1000", b'{"sessions": [%s]}' % SESSION.model_dump_json().encode())
    fake.answer("budgets/session/s-4f2a", BUDGETS, method="PUT")
    assert run("budget", "extend", "1", "--session", "s-4").code == 0


def test_what_cannot_be_extended_is_said(run: Run, fake: FakeDaemon) -> None:
    fake.answer("budgets", Budgets())
    assert run("budget", "extend").err == NOBODY
    assert run("budget", "extend", "--day").err == "Say how much: `stepfare budget extend --usd 1.00 ...`.\n"
    assert run("budget", "extend", "1", "--day", "--month").code == 2
    for sum_ in ("much", "0", "nan", "0.0000000000001"):
        assert run("budget", "extend", sum_, "--day").code == 2
    fake.answer("budgets/day", Failure(error="no-cap", words="no day budget is set"), method="PUT", status=404)
    assert run("budget", "extend", "1", "--day").err == "no day budget is set\n"


def test_what_nobody_bills_is_called_free_and_never_nothing_dollars() -> None:
    free = Totals(steps=3, input_tokens=9_000)
    assert (spend.spent(free), spend.spent(Totals())) == ("free", "$0.00")
    assert spend.spent(Totals(steps=3, input_tokens=9_000, unpriced_steps=1)) == "$0.00"
    assert spend.cost(a_step("edit", cost_pusd=0, cost_source="free")) == "free"
