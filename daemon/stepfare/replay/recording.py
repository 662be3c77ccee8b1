"""A recorded session as replay sees it: what each step sent and wrote, when, and what it turned out to be.

Where it was read from (trajectories of other people's agents, or the user's own books) is the business of the readers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from stepfare.core.step import StepKind, Tier

KNOWN_STEPS_MIN = 5
KNOWN_SHARE_MIN = 0.8
COMPACTED_BELOW = 0.75
"""A prompt shorter than this part of the one before it: the client has thrown away most of the conversation."""


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """One model call. `probabilities` are what the classifier foresaw, empty where nobody asked it."""

    at_ms: int
    prompt_tokens: int
    output_tokens: int
    kind: StepKind
    """What the turn turned out to be."""
    edits: bool
    """Whether it wrote or changed code."""
    probabilities: Mapping[StepKind, float] = field(default_factory=dict[StepKind, float])
    certain: bool = False
    """Whether a rule had foretold the kind, so that no gate is needed."""
    stuck: bool = False
    """Whether the session was in trouble, so that an edit, an answer or a plan is a recovery."""
    rungs: int = 0
    """By how many tiers evidence of trouble would have lifted the session under the profile `ladder`."""
    tier: Tier | None = None
    """The tier that served it, where our own books say so."""
    probes: tuple[Tier, ...] = ()
    """The tiers that were asked before it, in vain, where our own books say so."""
    booked_pusd: int | None = None
    """What it cost, attempts that were escalated included, where our own books say so."""

    def __post_init__(self) -> None:
        assert self.prompt_tokens > 0, self
        assert self.output_tokens >= 0, self


@dataclass(frozen=True, slots=True)
class Recording:
    """One session, its steps in the order of time. `unknown_steps` are those of which no usage is known; they are not among `steps`."""

    id: str
    agent: str
    project: str
    steps: tuple[RecordedStep, ...]
    unknown_steps: int = 0

    def usable(self, steps_min: int = KNOWN_STEPS_MIN) -> bool:
        """Whether enough of it is known to say what it would have cost."""
        known = len(self.steps)
        return known >= steps_min and known >= KNOWN_SHARE_MIN * (known + self.unknown_steps)


def kept_tokens(steps: Sequence[RecordedStep]) -> tuple[int, ...]:
    """For each step, how much of the conversation before it still stands: all, or after a compaction the session's shortest prompt."""
    shortest = min(step.prompt_tokens for step in steps)
    kept = [0]
    for before, step in pairwise(steps):
        compacted = step.prompt_tokens < COMPACTED_BELOW * before.prompt_tokens
        kept.append(shortest if compacted else before.prompt_tokens)
    return tuple(kept)
