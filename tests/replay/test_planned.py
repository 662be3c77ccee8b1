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
LOOKING = {StepKind.EXPLORE: 0.9, StepKind.EDIT: 0.1}


def foreseen(step: RecordedStep, *, certain: bool = False, **chances: float) -> RecordedStep:
    probabilities = {StepKind(kind): chance for kind, chance in chances.items()} or LOOKING
    return replace(step, probabilities=probabilities, certain=certain)


def served(*steps: RecordedStep) -> list[tuple[Tier, bool]]:
    course = Planner(RUNGS, FLOORS).course(a_session(*steps))
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
    planner = Planner(RUNGS, by_profile(PROFILES["careful"]))
    step = replace(foreseen(an_edit(0, 20_000), edit=1.0), kind=StepKind.RECOVER, stuck=True)
    assert planner.course(a_session(step)).calls[-1].rung.tier is Tier.PREMIUM


def test_it_remembers_what_its_calls_left_warm_and_wrote() -> None:
    planner = Planner(RUNGS, FLOORS)
    planner.course(a_session(*(foreseen(a_step(at, 20_000 + at, output_tokens=900)) for at in range(30))))
    session = planner.index.get("s")
    assert session is not None
    assert (session.warm[FRUGAL.id].tokens, session.last_model) == (20_029, FRUGAL.id)
    assert planner.outputs.of(FRUGAL.id)[StepKind.EXPLORE] > planner.outputs.of(BALANCED.id)[StepKind.EXPLORE]


def test_a_prompt_that_no_window_holds_is_served_by_the_widest() -> None:
    assert served(foreseen(a_step(0, 2_000_000)))[0][1] is False
