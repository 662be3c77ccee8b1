"""The daemon's planner in replay: what it is told, and what it learns from its own calls."""

from __future__ import annotations

from dataclasses import replace

from stepfare.config.profiles import PROFILES
from stepfare.core.step import StepKind, Tier
from stepfare.replay.floors import by_profile
from stepfare.replay.planned import Planner
from stepfare.replay.recording import RecordedStep
from tests.replay.little import BALANCED, FLOORS, FRUGAL, PREMIUM, a_session, a_step, an_edit

RUNGS = (FRUGAL, BALANCED, PREMIUM)
LADDER = {rung.tier: rung for rung in RUNGS}
LOOKING = {StepKind.EXPLORE: 0.9, StepKind.EDIT: 0.1}


def foreseen(step: RecordedStep, *, certain: bool = False, **chances: float) -> RecordedStep:
    probabilities = {StepKind(kind): chance for kind, chance in chances.items()} or LOOKING
    return replace(step, probabilities=probabilities, certain=certain)


def served(*steps: RecordedStep) -> list[tuple[Tier, bool]]:
    course = Planner(RUNGS, FLOORS, LADDER).course(a_session(*steps))
    return [(call.rung.tier, call.probe) for call in course.calls]


def test_a_look_around_stays_on_the_frugal_model() -> None:
    assert served(*(foreseen(a_step(at, 20_000)) for at in range(3))) == [(Tier.FRUGAL, False)] * 3


def test_an_edit_that_was_not_foreseen_is_asked_again() -> None:
    assert served(foreseen(a_step(0, 20_000)), foreseen(an_edit(1, 20_000))) == [
        (Tier.FRUGAL, False),
        (Tier.FRUGAL, True),
        (Tier.BALANCED, False),
    ]


def test_a_certain_kind_is_not_held_and_a_mistake_is_counted() -> None:
    assert served(foreseen(an_edit(0, 20_000), certain=True, side=1.0)) == [(Tier.FRUGAL, False)]
    assert served(foreseen(an_edit(0, 20_000), certain=True, edit=1.0)) == [(Tier.BALANCED, False)]


def test_in_trouble_an_edit_is_a_recovery() -> None:
    planner = Planner(RUNGS, by_profile(PROFILES["careful"]), LADDER)
    step = replace(foreseen(an_edit(0, 20_000), edit=1.0), kind=StepKind.RECOVER, stuck=True)
    assert planner.course(a_session(step)).calls[-1].rung.tier is Tier.PREMIUM


def test_it_remembers_what_its_calls_left_warm_and_wrote() -> None:
    planner = Planner(RUNGS, FLOORS, LADDER)
    planner.course(a_session(*(foreseen(a_step(at, 20_000 + at, output_tokens=900)) for at in range(30))))
    session = planner.index.get("s")
    assert session is not None
    assert (session.warm[FRUGAL.id].tokens, session.last_model) == (20_029, FRUGAL.id)
    assert planner.outputs.of(FRUGAL.id)[StepKind.EXPLORE] > planner.outputs.of(BALANCED.id)[StepKind.EXPLORE]


def test_a_prompt_that_no_window_holds_is_served_by_the_widest() -> None:
    assert served(foreseen(a_step(0, 2_000_000)))[0][1] is False


def looking(*times_s: float) -> list[RecordedStep]:
    return [foreseen(a_step(at_s, 20_000 + place)) for place, at_s in enumerate(times_s)]


def test_a_cache_is_kept_alive_over_a_pause_that_others_came_back_from() -> None:
    """One that saved nothing so far is left to die."""
    steps = a_session(*looking(*range(0, 100, 10), 90 + 500))
    kept, left = (Planner(RUNGS, FLOORS, LADDER, pings=pings).course(steps) for pings in (True, False))
    assert [(call.rung.tier, call.usage.cache_read_tokens) for call in kept.pings][:1] == [(Tier.FRUGAL, 20_009)]
    assert (kept.calls[-1].usage.cache_read_tokens, left.calls[-1].usage.cache_read_tokens) == (20_009, 0)
    assert left.pings == []


def test_what_edits_need_is_kept_with_what_looks_around() -> None:
    steps = a_session(*looking(*range(0, 100, 10)), foreseen(an_edit(100, 20_050), edit=0.9), *looking(110, 120, 700))
    course = Planner(RUNGS, FLOORS, LADDER).course(steps)
    assert {call.rung.tier for call in course.pings} == {Tier.FRUGAL, Tier.BALANCED}
    assert all(call.pusd == call.read_pusd + call.output_pusd for call in course.pings)
