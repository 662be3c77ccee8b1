"""Who is first, worked out by hand: what is warm, what the gate may ask of somebody else, who serves already, the user's order."""

from __future__ import annotations

from stepfare.core.model import Candidate
from stepfare.core.session import Session
from stepfare.core.step import StepKind, Tier
from stepfare.routing.futures import Outlook
from stepfare.routing.planner import planned
from tests.routing.samples import THREE, candidate, rates, snapshot, warm

EXPLORE, EDIT = StepKind.EXPLORE, StepKind.EDIT
FLOORS = {EXPLORE: Tier.FRUGAL, EDIT: Tier.BALANCED}


def outlook(edit: float, *, gated: bool = True) -> Outlook:
    return Outlook({EXPLORE: 1 - edit, EDIT: edit}, FLOORS, gated)


def order(edit: float, *candidates: Candidate, prompt: int = 10_000, **world: object) -> list[str]:
    able = candidates or THREE
    return [row.candidate.model.id for row in planned(able, outlook(edit), snapshot(*able, **world), prompt)]


def lines(edit: float, *candidates: Candidate, prompt: int = 10_000, **world: object) -> list[tuple[str, int, int, int]]:
    rows = planned(candidates, outlook(edit), snapshot(*candidates, **world), prompt)
    for row in rows:
        assert row.expected_pusd == sum(line.pusd for line in row.arithmetic)
    first = next(row for row in rows if row.candidate is candidates[0])
    return [(line.what, line.tokens, line.rate, line.pusd) for line in first.arithmetic]


SMALL = candidate("lab/small", price=rates(100, 500, read=10, write=125))
MIDDLE = candidate("lab/middle", Tier.BALANCED, rates(2_000, 10_000, read=100, write=2_500))


def test_a_chance_of_an_edit_is_the_chance_of_paying_both() -> None:
    assert lines(0.25, SMALL, MIDDLE, session=Session("s1", warm=warm(small=8_000, middle=10_000))) == [
        ("warm in its cache", 8_000, 10, 80_000),
        ("to be written into its cache", 2_000, 125, 250_000),
        ("expected output", 170, 500, 85_000),
        ("25% go on to lab/middle", 0, 0, (10_000 * 100 + 200 * 10_000) // 4),
        ("saved when its cache is needed later", 0, 0, -2_000 * (125 - 10)),
    ]


def test_without_a_gate_who_is_first_also_answers() -> None:
    (row,) = planned((SMALL,), outlook(0.25, gated=False), snapshot(SMALL), 10_000)
    assert [line.what for line in row.arithmetic] == ["to be written into its cache", "expected output"]


def test_an_answer_that_nobody_could_take_over_is_not_counted_twice() -> None:
    assert [line[0] for line in lines(0.5, SMALL)] == ["to be written into its cache", "expected output"]


def test_a_sure_edit_goes_straight_up() -> None:
    assert order(1.0)[0] == "lab/middle"
    assert order(0.0)[0] == "lab/small"
