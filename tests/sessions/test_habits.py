"""How sessions and projects go, step by step: segments between long pauses, what they hold, and what a longer cache would have kept."""

from __future__ import annotations

from stepfare.core.session import HOUR_MS, LIFETIME_MS, Habits
from stepfare.core.step import StepKind
from stepfare.sessions.habits import PROJECTS_MAX, ProjectHabits, after_step

EXPLORE, EDIT = StepKind.EXPLORE, StepKind.EDIT


def gone(*steps: tuple[int, StepKind, int], start: Habits | None = None) -> Habits:
    """The habits after steps of (pause before it in ms, kind, prompt tokens)."""
    habits, now_ms = start or Habits(), 1_000_000
    for pause_ms, kind, prompt_tokens in steps:
        now_ms += pause_ms
        habits = after_step(habits, kind, now_ms, prompt_tokens)
    return habits


def test_a_pause_of_five_minutes_begins_a_segment() -> None:
    habits = gone((0, EXPLORE, 10), (LIFETIME_MS - 1, EDIT, 20), (9, EDIT, 30), (LIFETIME_MS, EXPLORE, 40))
    assert (habits.steps, habits.segments) == (4, 2)
    assert habits.kinds == {EXPLORE: 2, EDIT: 2}
    assert habits.segments_with == {EXPLORE: 2, EDIT: 1}
    assert habits.present == {EXPLORE}


def test_only_what_was_added_is_new_and_what_comes_back_after_a_pause_is_counted_apart() -> None:
    assert gone((0, EXPLORE, 1_000), (5, EXPLORE, 1_200)).new_tokens == 1_200
    paused = gone((0, EXPLORE, 1_000), (LIFETIME_MS, EXPLORE, 1_200))
    assert (paused.new_tokens, paused.returned_tokens) == (1_200, 1_000)
    away = gone((0, EXPLORE, 1_000), (HOUR_MS, EXPLORE, 1_200))
    assert (away.new_tokens, away.returned_tokens) == (2_200, 0)


def test_a_summary_leaves_the_shortest_prompt_so_far() -> None:
    summed_up = gone((0, EXPLORE, 1_000), (5, EXPLORE, 10_000), (5, EXPLORE, 3_000))
    assert summed_up.new_tokens == 10_000 + 2_000
    assert (summed_up.last_tokens, summed_up.least_tokens) == (3_000, 1_000)


def test_a_project_is_the_sum_of_its_sessions() -> None:
    projects = ProjectHabits()
    one, two = gone((0, EXPLORE, 1_000), (5, EDIT, 1_500)), gone((0, EXPLORE, 2_000))
    half = gone((0, EXPLORE, 1_000))
    projects.learn("/ws", Habits(), half)
    projects.learn("/ws", Habits(), two)
    projects.learn("/ws", half, one)
    known = projects.of("/ws")
    assert (known.steps, known.segments, known.new_tokens, known.kinds) == (3, 2, 3_500, {EXPLORE: 2, EDIT: 1})
    assert projects.of("/elsewhere") == Habits()


def test_projects_that_nobody_used_for_longest_are_forgotten() -> None:
    projects = ProjectHabits()
    for number in range(PROJECTS_MAX + 1):
        projects.learn(f"/{number}", Habits(), gone((0, EXPLORE, 1)))
    assert (projects.of("/0").steps, projects.of("/1").steps) == (0, 1)


def test_steps_that_belong_to_no_project_are_not_summed_up() -> None:
    projects = ProjectHabits()
    projects.learn("", Habits(), gone((0, EXPLORE, 1)))
    assert projects.of("") == Habits()


def test_turns_that_end_and_those_that_went_on_are_counted() -> None:
    habits = Habits()
    for at, kind in enumerate((StepKind.EXPLORE, StepKind.ANSWER, StepKind.EDIT, StepKind.SUMMARIZE)):
        habits = after_step(habits, kind, 1_000 * at, 5_000)
    assert (habits.turns_ended, habits.turns_resumed, habits.last_kind) == (2, 1, StepKind.SUMMARIZE)
    projects = ProjectHabits()
    projects.learn("p", Habits(), habits)
    projects.learn("p", Habits(), habits)
    assert (projects.of("p").turns_ended, projects.of("p").turns_resumed) == (4, 2)
