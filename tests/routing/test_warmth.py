"""What caches are believed to hold at the step to come, and when they are to live an hour."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfare.core.model import CacheRule, Candidate
from stepfare.core.session import HOUR_MS, Habits, Session, Warmth
from stepfare.core.step import Tier
from stepfare.routing.warmth import held_tokens, lives_an_hour, outlives
from tests.routing.samples import CACHES, MIDDLE, NOW_MS, candidate, snapshot, warm


@pytest.mark.parametrize(("counted", "held"), [(8_000, 8_000), (7_400, 2_000), (0, 8_000)])
def test_of_a_history_that_was_summed_up_the_shortest_prompt_is_held(counted: int, held: int) -> None:
    """Of 10,000 tokens three quarters have to be left."""
    session = Session("s1", last_counted_tokens=10_000, warm=warm(small=9_000), habits=Habits(least_tokens=2_000))
    assert held_tokens(snapshot(session=session), "lab/small", 8_000, counted) == held


@pytest.mark.parametrize(("left_ms", "fresh"), [(300_000, True), (136_000, True), (134_000, False), (-1, False)])
def test_a_cache_unused_for_more_than_half_of_its_life_is_not_trusted_to_see_its_next_use(left_ms: int, *, fresh: bool) -> None:
    assert outlives(Warmth("lab/small", 9_000, NOW_MS + left_ms), NOW_MS) is fresh


def test_a_model_without_a_cache_has_nothing_to_outlive() -> None:
    assert not outlives(None, NOW_MS)


SELLS = candidate("lab/middle", Tier.BALANCED, MIDDLE, cache=replace(CACHES, hour=True))
# Reading what came back costs 1.8 dollars less a million than writing it again; an hour's write costs 2 dollars more than a usual one.
PAYS, NEARLY = Habits(new_tokens=900, returned_tokens=1_001), Habits(new_tokens=900, returned_tokens=1_000)


def hour(one: Candidate, session: Session, project: Habits | None = None) -> bool:
    assert one.price is not None
    return lives_an_hour(one, one.price.base, snapshot(one, session=session, project=project or Habits()))


def test_a_cache_is_written_for_an_hour_where_that_would_have_paid_so_far() -> None:
    assert hour(SELLS, Session("s1", habits=PAYS))
    assert not hour(SELLS, Session("s1", habits=NEARLY))
    assert not hour(SELLS, Session("s1"))


def test_a_project_tells_its_sessions() -> None:
    assert hour(SELLS, Session("s1"), project=PAYS)
    assert not hour(SELLS, Session("s1", habits=Habits(new_tokens=900)), project=PAYS)


def test_no_hour_is_asked_of_who_sells_none() -> None:
    assert not hour(candidate("lab/middle", Tier.BALANCED, MIDDLE), Session("s1", habits=PAYS))
    assert not hour(candidate("lab/middle", Tier.BALANCED, MIDDLE, cache=None), Session("s1", habits=PAYS))


def test_a_warm_cache_keeps_the_life_that_was_paid_for_it() -> None:
    usual = Warmth("lab/middle", 9_000, NOW_MS + 1)
    assert not hour(SELLS, Session("s1", habits=PAYS, warm={"lab/middle": usual}))
    assert hour(SELLS, Session("s1", warm={"lab/middle": replace(usual, lifetime_ms=HOUR_MS)}))


def test_a_rule_says_nothing_of_an_hour_unless_told() -> None:
    assert not CacheRule().hour
