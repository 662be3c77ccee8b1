"""A session as the books know it: one task of one agent in one workspace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stepfare.core.step import StepKind, Tier

LIFETIME_MS = 300_000
"""How long an unused cache lives where nothing else was paid for."""
HOUR_MS = 3_600_000
ENDS_A_TURN = frozenset({StepKind.ANSWER, StepKind.SUMMARIZE, StepKind.PLAN})
"""Kinds of step after which the next move is the human's, if there is one."""
LEFT_ALONE = frozenset({"mini-swe-agent", "openhands", "swe-agent"})
"""Clients that are given a task and left alone with it: when their turn ends, the session is over."""
COMPACTED_SHARE = 0.75
"""A prompt shorter than this part of the one before is a conversation whose history was summed up."""


@dataclass(frozen=True, slots=True)
class Warmth:
    """What one model is believed to hold of a session's prompt.

    `tokens` is the prefix believed cached, `until_ms` when that belief ends unless it is used before: `lifetime_ms` after its last
    use. `share` is what was observed: the part of an expected prefix that the provider's usage then really reported as read (1.0
    until something else was seen).
    """

    model: str
    tokens: int
    until_ms: int
    share: float = 1.0
    lifetime_ms: int = LIFETIME_MS

    def tokens_at(self, now_ms: int) -> int:
        return round(self.tokens * self.share) if now_ms < self.until_ms else 0

    def unused_share(self, now_ms: int) -> float:
        """The part of its life that has passed since its last use; 1 and more: it is over."""
        return 1 - (self.until_ms - now_ms) / self.lifetime_ms

    @property
    def hour(self) -> bool:
        """Whether it was written to live an hour."""
        return self.lifetime_ms >= HOUR_MS


@dataclass(frozen=True, slots=True)
class Habits:
    """How a session, or all sessions of a project, went so far. A segment is a run of steps without a pause of five minutes: after one,
    a cache of the usual lifetime is cold. Steps beside the conversation count nowhere."""

    steps: int = 0
    kinds: Mapping[StepKind, int] = field(default_factory=dict[StepKind, int])
    """How many steps turned out to be of each kind."""
    segments: int = 0
    segments_with: Mapping[StepKind, int] = field(default_factory=dict[StepKind, int])
    """How many segments held a step of that kind."""
    new_tokens: int = 0
    """Prompt tokens that no cache could have held: those that steps added, and whole prompts after more than an hour."""
    returned_tokens: int = 0
    """Prompt tokens that were sent again after a pause between five minutes and an hour."""
    turns_ended: int = 0
    turns_resumed: int = 0
    """How many turns ended, and after how many of those the session went on."""
    present: frozenset[StepKind] = frozenset()
    """The kinds that the segment under way has held so far."""
    last_ms: int = 0
    last_kind: StepKind = StepKind.ANSWER
    """What the last step turned out to be."""
    last_tokens: int = 0
    """The prompt of the last step."""
    least_tokens: int = 0
    """The shortest prompt so far: what a summary of the history is taken to leave of the beginning."""


@dataclass(frozen=True, slots=True)
class Session:
    """What routing may know of a session. Money is in picodollars; `failed_models` counts failures in a row."""

    id: str
    client: str = ""
    workspace: str = ""
    project: str = ""
    title: str = ""
    parent: str = ""
    started_ms: int = 0
    last_ms: int = 0
    steps: int = 0
    spent_pusd: int = 0
    reserved_pusd: int = 0
    lost_pusd: int = 0
    balanced_pusd: int = 0
    """What its steps would have cost on the balanced model alone, as their entries say; a step without that counts as what it cost."""
    last_model: str = ""
    last_prompt_tokens: int = 0
    last_body_bytes: int = 0
    last_counted_tokens: int = 0
    """The last prompt in o200k tokens, as we counted it; 0 where it was not counted."""
    warm: Mapping[str, Warmth] = field(default_factory=dict[str, Warmth])
    habits: Habits = Habits()
    pin: Tier | None = None
    evidence: int = 0
    """Pieces of evidence of trouble that the last step of its conversation showed."""
    rungs: int = 0
    """By how many tiers evidence has lifted it so far, which counts in the profile `ladder`."""
    opened: bool = True
    """Whether the books say who opened it, and where; a call beside a conversation may come first and know neither."""

    @property
    def saved_pusd(self) -> int:
        """What it has saved so far against the balanced model alone (negative: lost), taking what is open at its dearest."""
        return self.balanced_pusd - self.spent_pusd - self.reserved_pusd - self.lost_pusd

    def compacted(self, prompt_tokens: int, counted_tokens: int = 0) -> bool:
        """Whether a prompt of this length shows that the history was summed up since the last step. `counted_tokens` are those of
        o200k, where they were counted: tokens of two models do not compare."""
        if counted_tokens and self.last_counted_tokens:
            return counted_tokens < COMPACTED_SHARE * self.last_counted_tokens
        return prompt_tokens < COMPACTED_SHARE * self.last_prompt_tokens
