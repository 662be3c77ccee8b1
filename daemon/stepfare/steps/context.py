"""What of a step's features the table of probabilities looks at: the last three kinds of action since the human spoke.

Learning and deciding share this module, so that a context means the same in both.
"""

from __future__ import annotations

from stepfare.core.step import ActionKind, StepFeatures

CONTEXT_LENGTH = 3
HUMAN = "human"
"""The human's turn: a fresh start, before which nothing counts."""
FAILED = "!"
"""Stands behind the kind of a test that failed."""


def context_of(step: StepFeatures) -> tuple[str, ...]:
    """Up to three symbols, oldest first."""
    seen = step.recent[-step.actions_since_human :] if step.actions_since_human else ()
    symbols = [_symbol(action.kind, action.failed) for action in seen[-CONTEXT_LENGTH:]]
    if step.actions_since_human <= len(seen) and len(symbols) < CONTEXT_LENGTH:
        symbols.insert(0, HUMAN)
    return tuple(symbols)


def _symbol(kind: ActionKind, failed: bool) -> str:
    return kind.value + FAILED if failed and kind is ActionKind.TEST else kind.value
