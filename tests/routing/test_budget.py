"""Which caps stand in the way of a step, and how much is proposed so that it goes on."""

from __future__ import annotations

import pytest

from stepfare.core.budget import Cap, Reached
from stepfare.core.decision import Decision, Floor, Rejection
from stepfare.core.money import PUSD_PER_USD as USD
from stepfare.core.step import Tier
from stepfare.routing.budget import proposed_pusd, reached
from stepfare.routing.filters import ceiling_pusd
from tests.routing.samples import THREE, request, snapshot, step

SMALL, MIDDLE, LARGE = THREE


def of_budget(*models: str) -> Decision:
    no = tuple(Rejection(model, "budget", "no room") for model in models)
    return Decision("d1", "s1", step(), Floor(Tier.FRUGAL, "settings", "x"), (), no, (), 1_000, 1)


def cap(limit: int, used: int, scope: str = "day", on_limit: str = "ask") -> Cap:
    return Cap(scope, limit, used, "config.toml:2", on_limit)


def test_the_cheapest_that_may_serve_says_what_is_missing() -> None:
    view = request(max_output_tokens=1_000)
    most = ceiling_pusd(MIDDLE, view, 1_000)
    assert most is not None
    tight, wide = cap(USD, USD - most + 5), cap(100 * USD, USD, "month")
    found = reached(of_budget("lab/large", "lab/middle", "lab/small"), Tier.BALANCED, view, snapshot(), (tight, wide))
    assert found == Reached((tight,), "lab/middle", most)
    assert tight.short_pusd(most) == 5


def test_where_no_budget_stands_in_the_way_none_is_blamed() -> None:
    view, spent = request(), cap(USD, USD)
    assert reached(of_budget(), Tier.FRUGAL, view, snapshot(), (spent,)) is None
    # Whom the budget alone keeps back is not good enough for the step.
    assert reached(of_budget("lab/small"), Tier.BALANCED, view, snapshot(), (spent,)) is None
    # Room has come in the meantime.
    assert reached(of_budget("lab/middle"), Tier.BALANCED, view, snapshot(), (cap(100 * USD, 0),)) is None


@pytest.mark.parametrize(
    ("limit", "used", "most", "proposed"),
    [
        (2 * USD, 2 * USD, USD // 100, 50),  # a quarter of the cap
        (2 * USD, 2 * USD, USD // 5, 100),  # four steps
        (2 * USD, 3 * USD, USD // 5, 200),  # and what is spent beyond it
        (0, 0, 1, 1),
        (0, 0, None, 1),
        (0, 0, 3 * USD // 1000, 2),
    ],
)
def test_a_round_sum_is_proposed_that_lasts_for_some_steps(limit: int, used: int, most: int | None, proposed: int) -> None:
    one = cap(limit, used)
    assert proposed_pusd(one, Reached((one,), "m", most)) == proposed * USD // 100
