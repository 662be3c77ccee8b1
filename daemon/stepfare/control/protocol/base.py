"""What every message is made of: the protocol's number, tiers, totals, and how a refusal is told."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

PROTOCOL = 1
TierName = Literal["frugal", "balanced", "premium"]
Severity = Literal["info", "warning", "error"]
"""How budgets stand: warning from a budget's `warn_at` on, error from the cap on."""


class Message(BaseModel):
    """A message of ours: frozen, lenient towards fields of a newer daemon."""

    # Built at first use: a daemon and an editor need a few of them each, and at start none.
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Bucket(Message):
    """One slice of a total: how many steps, what they cost."""

    steps: int = 0
    spent_pusd: int = 0


class Totals(Message):
    """Sums over settled steps. `spent`, `reserved` and `lost` are disjoint. The two `always_*` say what the same work would
    have cost on one model with a warm cache; `switch_writes` is what was paid to write a cache because the model changed.

    `unpriced_tokens` are tokens, in and out, that no price is known for. `estimated` is the part of `spent` whose usage no provider
    reported, and its bounds. `escalations` counts answers that the gate dropped, `escalated` is what they cost.
    `subscription_steps` are paid for by the month, and in no sum of money."""

    steps: int = 0
    spent_pusd: int = 0
    reserved_pusd: int = 0
    lost_pusd: int = 0
    unpriced_steps: int = 0
    always_premium_pusd: int = 0
    always_balanced_pusd: int = 0
    switch_writes_pusd: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    unpriced_tokens: int = 0
    estimated_pusd: int = 0
    estimated_low_pusd: int = 0
    estimated_high_pusd: int = 0
    escalations: int = 0
    escalated_pusd: int = 0
    subscription_steps: int = 0
    by_tier: dict[str, Bucket] = Field(default_factory=dict[str, Bucket])
    by_model: dict[str, Bucket] = Field(default_factory=dict[str, Bucket])
    by_kind: dict[str, Bucket] = Field(default_factory=dict[str, Bucket])

    @property
    def unbilled(self) -> str:
        """What is said in the place of a sum where no step is billed by tokens: subscription or free; empty where there is a sum."""
        if not (self.steps and self.input_tokens) or self.spent_pusd or self.unpriced_steps:
            return ""
        return "subscription" if self.subscription_steps else "free"


class Failure(Message):
    """What the control API answers when it cannot do what was asked."""

    error: str
    words: str
