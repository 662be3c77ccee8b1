"""What speaks of trouble in a session: evidence, of which no single error is any, and what follows from it.

Evidence lifts what a coming edit, answer or plan is (a recovery) until a test passes, the human speaks, or the session has gone on for a
while without any more of it: whoever is called to help shall see the matter through. The profile `ladder` counts each piece once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stepfare.core.session import LEFT_ALONE
from stepfare.core.step import StepFeatures, Trouble

LET_DOWN_STEPS = 10
"""After so many steps without further evidence the trouble is over."""
STEPS_MAX = dict.fromkeys(LEFT_ALONE, 66)
"""What nine of ten recorded runs of an agent that is left alone to a task take; three quarters of those runs were solved."""
STEPS_MAX_LED = 46
"""What nineteen of twenty of a human's requests take in recorded sessions."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One kind of evidence. It makes a recovery from `stuck_from` on; every `piece` of it is a rung of the ladder."""

    words: str
    count: Callable[[Trouble], int]
    stuck_from: int
    piece: int


EVIDENCE: tuple[Evidence, ...] = (
    Evidence("{} verifications have failed since one last passed", lambda trouble: trouble.failing_verifications, 2, 2),
    Evidence("{} actions in a row have failed", lambda trouble: trouble.failed_row, 2, 2),
    Evidence("{} edits have been taken back", lambda trouble: trouble.reverted_edits, 2, 1),
    Evidence("{} calls could not be read by the client", lambda trouble: trouble.invalid_calls, 2, 1),
    Evidence("the same has been done {} times over with the same result", lambda trouble: trouble.repeats, 3, 3),
)


def evidence(trouble: Trouble) -> str:
    """The first evidence that makes a recovery of what comes, in words; empty where there is none."""
    for one in EVIDENCE:
        count = one.count(trouble)
        if count >= one.stuck_from:
            return one.words.format(count)
    return ""


def stuck(features: StepFeatures) -> str:
    """Why the session counts as in trouble, in words; empty where it does not."""
    trouble = features.trouble
    return trouble.lifted or evidence(_with_watched(features)) or _too_long(features)


def pieces(features: StepFeatures) -> int:
    """How many pieces of evidence this step shows."""
    trouble = _with_watched(features)
    # A test that fails is an action that failed as well: of the two the larger counts.
    failing, row, *others = (one.count(trouble) // one.piece for one in EVIDENCE)
    return max(failing, row) + sum(others) + bool(_too_long(features))


def _with_watched(features: StepFeatures) -> Trouble:
    """The trouble with what was seen in the workspace beside the conversation."""
    seen = features.git.watched_reverts if features.git is not None else 0
    trouble = features.trouble
    if seen <= trouble.reverted_edits:  # What the agent undid itself is seen in the workspace too.
        return trouble
    return Trouble(trouble.failing_verifications, seen, trouble.invalid_calls, trouble.repeats, trouble.steps, trouble.failed_row)


def _too_long(features: StepFeatures) -> str:
    limit = STEPS_MAX.get(features.client, STEPS_MAX_LED)
    steps = features.trouble.steps
    return f"{steps} actions have been taken, more than solved tasks take ({limit})" if steps > limit else ""
