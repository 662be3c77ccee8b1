"""Sums over sessions: shares, the worst, and what the losing ones cost too much."""

from __future__ import annotations

import pytest

from stepfare.replay.compare import Plan, compared
from stepfare.replay.figures import Outcome, Parts, figures_of
from stepfare.replay.recording import Recording
from tests.replay.little import a_ladder, a_session, a_step, an_edit

RUNGS = tuple(a_ladder().values())


def an_outcome(name: str, policy_pusd: int, balanced_pusd: int, booked_pusd: int | None = None) -> Outcome:
    return Outcome(
        name,
        "cline",
        "p",
        3,
        Parts(reads_pusd=policy_pusd),
        Parts(reads_pusd=10),
        balanced_pusd,
        2 * balanced_pusd,
        5,
        7,
        0,
        1,
        2,
        booked_pusd,
    )


def test_sessions_above_are_those_beyond_102_hundredths() -> None:
    figures = figures_of([an_outcome("a", 102, 100), an_outcome("b", 103, 100), an_outcome("c", 150, 100), an_outcome("d", 10, 100)])
    assert (figures.sessions_above, figures.excess_pusd) == (2, 1 + 48)
    assert (figures.worst_session, figures.worst_share) == ("c", 1.5)
    assert figures.share(figures.policy.pusd) == pytest.approx(365 / 400)
    assert (figures.sessions, figures.steps, figures.escalations, figures.pings, figures.switch_pusd) == (4, 12, 4, 8, 28)


def test_what_costs_nothing_has_no_share() -> None:
    figures = figures_of([an_outcome("a", 0, 0)])
    assert (figures.worst_share, figures.share(0), figures.sessions_above) == (None, None, 0)


@pytest.mark.parametrize(("booked", "total"), [((5, 6), 11), ((5, None), None)])
def test_what_was_booked_is_told_where_all_of_it_is(booked: tuple[int | None, ...], total: int | None) -> None:
    assert figures_of([an_outcome("a", 1, 1, pusd) for pusd in booked]).booked_pusd == total


def a_task(name: str = "s", project: str = "p") -> Recording:
    foreseen = [a_step(0, 2_000), a_step(10, 2_500), an_edit(20, 3_000), a_step(400, 3_500), an_edit(410, 4_000)]
    return a_session(*foreseen, name=name, project=project)


@pytest.mark.parametrize("policy", ["planner", "gate", "touch", "frugal", "balanced", "premium", "optimum"])
def test_the_parts_of_a_policy_add_up_and_the_optimum_is_never_dearer(policy: str) -> None:
    (outcome,) = compared([a_task()], RUNGS, Plan(policy))
    by_tier = {"frugal": outcome.frugal_pusd, "balanced": outcome.balanced_pusd, "premium": outcome.premium_pusd}
    assert outcome.policy.pusd == by_tier.get(policy, outcome.policy.pusd)
    assert outcome.edits_below_floor == (2 if policy == "frugal" else 0)
    if policy != "frugal":
        assert outcome.optimum.pusd <= outcome.policy.pusd
    assert (outcome.escalations > 0) is (policy in ("gate", "touch", "planner"))


def test_a_session_costs_the_same_whatever_other_projects_do() -> None:
    alone = compared([a_task()], RUNGS, Plan())
    among = compared([a_task("t", "q"), a_task()], RUNGS, Plan())
    assert alone[0] in among
