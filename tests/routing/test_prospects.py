"""What the rest of a segment is expected to bring: what sessions do in general, and more and more what this one did."""

from __future__ import annotations

import pytest

from stepfare.core.session import LIFETIME_MS, Habits
from stepfare.core.step import StepKind
from stepfare.routing.prospects import IN_A_SEGMENT, LEANING, SHARES, STEPS_PER_SEGMENT, prospects

EXPLORE, EDIT, PLAN = StepKind.EXPLORE, StepKind.EDIT, StepKind.PLAN
NOW_MS = 10_000_000


def test_of_a_new_session_only_what_sessions_do_in_general_is_known() -> None:
    ahead = prospects(Habits(), NOW_MS)
    assert ahead.chance([EDIT]) == pytest.approx(LEANING * IN_A_SEGMENT[EDIT])
    assert ahead.share([EDIT, PLAN]) == pytest.approx(SHARES[EDIT] + SHARES[PLAN])
    assert ahead.share([EXPLORE]) == 0  # The rest is shared among routine kinds: nobody asks for one of them.
    assert 0 < ahead.steps <= STEPS_PER_SEGMENT


def habits(steps: int, edits: int, segments: int, with_edits: int, pause_ms: int = 1_000) -> Habits:
    kinds = {EXPLORE: steps - edits, EDIT: edits}
    return Habits(steps, kinds, segments, {EXPLORE: segments, EDIT: with_edits}, last_ms=NOW_MS - pause_ms)


def test_a_session_that_always_edits_is_soon_believed_to_do_so_again() -> None:
    chances = [prospects(habits(8 * n, 3 * n, n, n, LIFETIME_MS), NOW_MS).chance([EDIT]) for n in range(12)]
    assert chances == sorted(chances)
    assert chances[-1] > 0.9
    shares = [prospects(habits(8 * n, 3 * n, n, n), NOW_MS).share([EDIT]) for n in range(12)]
    assert shares == sorted(shares)


def test_one_that_only_looks_around_is_believed_less_and_less_to_edit() -> None:
    chances = [prospects(habits(8 * n, 0, n, 0, LIFETIME_MS), NOW_MS).chance([EDIT]) for n in range(12)]
    assert chances == sorted(chances, reverse=True)
    assert chances[-1] < 0.2


def test_a_segment_that_is_not_over_may_still_bring_one() -> None:
    under_way, over = habits(8, 0, 1, 0), habits(8, 0, 1, 0, LIFETIME_MS)
    assert (
        prospects(under_way, NOW_MS).chance([EDIT]) == prospects(Habits(), NOW_MS).chance([EDIT]) > prospects(over, NOW_MS).chance([EDIT])
    )


def test_of_several_kinds_the_likeliest_counts() -> None:
    ahead = prospects(Habits(), NOW_MS)
    assert ahead.chance([EDIT, PLAN]) == ahead.chance([EDIT])
    assert ahead.chance([]) == 0


def test_short_segments_shorten_what_is_expected() -> None:
    assert prospects(habits(60, 10, 30, 10), NOW_MS).steps < 5 < prospects(habits(60, 10, 2, 2), NOW_MS).steps
