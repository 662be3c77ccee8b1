"""`stepfare budget`: what is shown of caps, and what is asked of the daemon to extend one."""

from __future__ import annotations

import json
import stat
from textwrap import dedent

import pytest

from stepfare.cli.render import budget, paint, spend
from stepfare.config.check import check_settings
from stepfare.control.protocol import Budgets, Failure, Reloaded, Totals
from stepfare.paths import Paths
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
    assert run("budget").out.startswith("No budget is set. `stepfare budget set --day 10` sets one")


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
        (("2", "--project", "/srv/shop", "--month"), "budgets/project-month/%2Fsrv%2Fshop", 2),
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


WRITTEN = """\
# Mine.
profile = "balanced"   # for now

[budget]
# As agreed in May.
day_usd = 10.00   # a day
on_limit = "ask"

[gate]
enabled = true
"""


def test_caps_are_set_in_the_users_own_file_and_nothing_else_of_it_changes(run: Run, paths: Paths) -> None:
    paths.config_toml.write_text(WRITTEN)
    ran = run("budget", "set", "--day", "$25", "--project", "7.5", "--json")
    assert json.loads(ran.out) == {
        "file": str(paths.config_toml),
        "set": {"project_day_pusd": 75 * USD // 10, "day_pusd": 25 * USD},
        "daemon": "not-running",
    }
    set_ = WRITTEN.replace("day_usd = 10.00   # a day", "day_usd = 25.00   # a day")
    assert paths.config_toml.read_text() == set_.replace('on_limit = "ask"', 'on_limit = "ask"\nproject_day_usd = 7.50')
    assert run("budget", "set", "--project", "off").out.startswith("Set in ")
    assert paths.config_toml.read_text() == set_
    assert check_settings(set_, "config.toml").value.budget.day_usd == 25 * USD


def test_a_home_without_settings_gets_some_that_only_its_owner_reads(run: Run, paths: Paths) -> None:
    ran = run("budget", "set", "--session", "2", "--month", "300", "--project-month", "0.125", "--team-month", "1000")
    assert (ran.code, ran.err) == (0, "")
    text = "[budget]\nsession_usd = 2.00\nmonth_usd = 300.00\nproject_month_usd = 0.125\nteam_month_usd = 1000.00\n"
    assert paths.config_toml.read_text() == text
    assert stat.S_IMODE(paths.config_toml.stat().st_mode) == 0o600


def test_a_running_daemon_is_told_of_it_and_says_how_its_caps_stand(run: Run, fake: FakeDaemon) -> None:
    fake.answer("reload", Reloaded(problems=[]), method="POST")
    fake.answer("budgets", BUDGETS)
    ran = run("budget", "set", "--day", "10")
    assert (ran.code, ran.err) == (0, "")
    assert "refuses" in ran.out
    assert [(one.method, one.path.rpartition("/")[2]) for one in fake.asked][:1] == [("POST", "reload")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Say which cap, and how much: `stepfare budget set --day 25`, or `--day off` to have none."),
        (("--day", "much"), "'much' is no sum of dollars. Write one such as 25 or 2.50, or `off` to have no cap."),
        (("--day", "1,5"), "'1,5' is no sum of dollars. Write one such as 25 or 2.50, or `off` to have no cap."),
        (("--day", "inf"), "'inf' is no sum of dollars. Write one such as 25 or 2.50, or `off` to have no cap."),
        (("--day", "-3"), "`day_usd` must be between 0 and 1,000,000 US dollars"),
        (("--month", "2000000"), "`month_usd` must be between 0 and 1,000,000 US dollars"),
        (("--session", "0.0000000000001"), "`session_usd` has more than 12 decimals"),
    ],
)
def test_a_wrong_cap_is_said_and_nothing_is_written(run: Run, paths: Paths, words: tuple[str, ...], said: str) -> None:
    paths.config_toml.write_text(WRITTEN)
    ran = run("budget", "set", *words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert paths.config_toml.read_text() == WRITTEN


def test_settings_that_are_no_toml_are_left_as_they_are(run: Run, paths: Paths) -> None:
    paths.config_toml.write_text("[budget\n")
    ran = run("budget", "set", "--day", "1")
    assert ran.code == 1
    assert "was left as it is, since it is not TOML" in ran.err
    assert paths.config_toml.read_text() == "[budget\n"


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
