"""What speaks of trouble, what it makes of a coming edit, and how many rungs of a ladder it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfare.core.step import GitFacts, Trouble
from stepfare.steps.trouble import STEPS_MAX, STEPS_MAX_LED, pieces, stuck
from tests.steps.views import AT_WORK


@pytest.mark.parametrize(
    ("trouble", "because", "rungs"),
    [
        (Trouble(), "", 0),
        (Trouble(failing_verifications=1, failed_row=1), "", 0),
        (Trouble(failing_verifications=2, failed_row=2), "2 verifications have failed since one last passed", 1),
        (Trouble(failing_verifications=4, failed_row=1), "4 verifications have failed since one last passed", 2),
        (Trouble(failed_row=2), "2 actions in a row have failed", 1),
        # One edit taken back, or one call that cannot be read, is a single error: a rung of the ladder, not yet a recovery.
        (Trouble(reverted_edits=1), "", 1),
        (Trouble(reverted_edits=2), "2 edits have been taken back", 2),
        (Trouble(invalid_calls=1), "", 1),
        (Trouble(invalid_calls=2), "2 calls could not be read by the client", 2),
        (Trouble(repeats=2), "", 0),
        (Trouble(repeats=3), "the same has been done 3 times over with the same result", 1),
        (Trouble(steps=STEPS_MAX_LED), "", 0),
        (
            Trouble(steps=STEPS_MAX_LED + 1),
            f"{STEPS_MAX_LED + 1} actions have been taken, more than solved tasks take ({STEPS_MAX_LED})",
            1,
        ),
        (Trouble(lifted="2 actions in a row have failed"), "2 actions in a row have failed", 0),
    ],
)
def test_evidence_makes_a_recovery_and_no_single_error_does(trouble: Trouble, because: str, rungs: int) -> None:
    found = replace(AT_WORK, trouble=trouble)
    assert (stuck(found), pieces(found)) == (because, rungs)


def test_an_agent_that_is_left_alone_may_take_more_steps() -> None:
    alone = replace(AT_WORK, client="mini-swe-agent", trouble=Trouble(steps=STEPS_MAX_LED + 1))
    assert stuck(alone) == ""
    assert stuck(replace(alone, trouble=Trouble(steps=STEPS_MAX["mini-swe-agent"] + 1)))


@pytest.mark.parametrize(
    ("watched", "told", "because"), [(0, 1, ""), (1, 1, ""), (2, 0, "2 edits have been taken back"), (2, 1, "2 edits have been taken back")]
)
def test_what_was_seen_to_be_taken_back_in_the_workspace_counts_and_counts_once(watched: int, told: int, because: str) -> None:
    seen = replace(AT_WORK, git=GitFacts(watched_reverts=watched), trouble=Trouble(reverted_edits=told))
    assert stuck(seen) == because
