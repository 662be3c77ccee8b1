"""What of a step's features the table of probabilities looks at: the last three kinds of action since the human spoke, and the sort of agent.

Learning and deciding share this module, so that a context means the same in both.
"""

from __future__ import annotations

from stepfare.core.step import ActionKind, StepFeatures

ACTIONS_MAX = 3
CONTEXT_LENGTH = ACTIONS_MAX + 1
HUMAN = "human"
"""The human's turn: a fresh start, before which nothing counts."""
FAILED = "!"
"""Stands behind the kind of a test that failed."""

LED, ALONE = "~led", "~alone"
"""The sort of agent: led by a human turn by turn, or set to one task and left alone with a shell. They stand last in a context, so that
each sort has figures of its own, and the figures of both are what a rare context leans on in the end."""
_ALONE = frozenset({"mini-swe-agent", "openhands"})


def context_of(step: StepFeatures) -> tuple[str, ...]:
    """Up to three actions, oldest first, then the sort of agent."""
    seen = step.recent[-step.actions_since_human :] if step.actions_since_human else ()
    symbols = [_symbol(action.kind, action.failed) for action in seen[-ACTIONS_MAX:]]
    if step.actions_since_human <= len(seen) and len(symbols) < ACTIONS_MAX:
        symbols.insert(0, HUMAN)
    return (*symbols, ALONE if step.client in _ALONE else LED)


def _symbol(kind: ActionKind, failed: bool) -> str:
    return kind.value + FAILED if failed and kind is ActionKind.TEST else kind.value
