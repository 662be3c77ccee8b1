"""What of a step's features the table of probabilities looks at: the last three actions since the human spoke, and the situation.

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

OPENING, LED, ALONE = "~opening", "~led", "~alone"
"""The situation. An agent that a human leads looks around far longer at the opening of a task, before its first edit, than later on; one
that is set to a task and left alone with a shell edits more evenly. It stands last in a context, so that each situation has figures of
its own, and the figures of all are what a rare context leans on in the end."""
_EDITS = frozenset({ActionKind.EDIT, ActionKind.WRITE})
_ALONE = frozenset({"mini-swe-agent", "openhands"})


def context_of(step: StepFeatures) -> tuple[str, ...]:
    """Up to three actions, oldest first, then the situation."""
    seen = step.recent[-step.actions_since_human :] if step.actions_since_human else ()
    symbols = [_symbol(action.kind, action.failed) for action in seen[-ACTIONS_MAX:]]
    if step.actions_since_human <= len(seen) and len(symbols) < ACTIONS_MAX:
        symbols.insert(0, HUMAN)
    return (*symbols, _situation(step))


def is_situation(symbol: str) -> bool:
    return symbol.startswith("~")


def _situation(step: StepFeatures) -> str:
    if step.client in _ALONE:
        return ALONE
    # Of a long run of actions the features show the end only: an opening is one that is seen whole.
    seen_whole = len(step.recent) == step.actions_since_human
    return OPENING if seen_whole and not any(action.kind in _EDITS for action in step.recent) else LED


def _symbol(kind: ActionKind, failed: bool) -> str:
    return kind.value + FAILED if failed and kind is ActionKind.TEST else kind.value
