"""What commands say that look back on recorded sessions, with `--json`: replay, audit, learning. No door of the daemon serves them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stepfare.control.protocol.base import Message, TierName


class ReplayFigures(Message):
    """What sessions cost in replay, in dollars. Shares are of always-balanced, null where that cost nothing; parts add up to the whole."""

    sessions: int
    steps: int
    always_balanced_usd: float
    always_premium_usd: float
    always_frugal_usd: float
    policy_usd: float
    optimum_usd: float
    switch_writes_usd: float
    """Paid for writing on one model what the model before it still held warm."""
    share_of_balanced: float | None
    optimum_share: float | None
    worst_session: float | None
    """The highest share of always-balanced that a session cost, and which one that was."""
    worst_session_id: str
    sessions_above_102: int
    excess_share: float
    """What the sessions above 1.02 x always-balanced cost beyond that, as a part of the policy's spend."""
    edits_below_floor: int
    escalations: int
    pings: int = 0
    """Calls that did nothing but keep a cache alive in a pause."""
    booked_usd: float | None = None
    """What these sessions really cost, where our own books say so of every step."""
    policy_parts_usd: dict[str, float] = Field(default_factory=dict[str, float])
    optimum_parts_usd: dict[str, float] = Field(default_factory=dict[str, float])


class ReplayedStep(Message):
    """One step in replay: what it turned out to be and to need, who was asked in vain, who answered, and what that cost; beside it who
    really served it, and at what cost, where our own books say so."""

    at_ms: int
    kind: str
    needs: TierName
    probes: list[str]
    model: str
    tier: TierName
    usd: float
    booked_tier: TierName | None = None
    booked_usd: float | None = None


class Replay(Message):
    """What a policy would have cost. `sets` holds one table for each price set, by agent (or by project); `totals` the sums of each set;
    `lifetimes_free` the same as `sets` with caches opened for five minutes or an hour, `without_pings` the same with no call between the
    steps, both against the same always-balanced."""

    policy: str
    profile: str
    floors: str
    """edits (only edits and writes need more than frugal) or profile (each kind what the profile says)."""
    lifetime: str
    merged: bool
    left_out: int
    """Sessions of which too little is known."""
    unreadable: int = 0
    """Lines that hold no session."""
    sets: dict[str, dict[str, ReplayFigures]]
    totals: dict[str, ReplayFigures]
    lifetimes_free: dict[str, dict[str, ReplayFigures]] = Field(default_factory=dict[str, dict[str, ReplayFigures]])
    without_pings: dict[str, dict[str, ReplayFigures]] = Field(default_factory=dict[str, dict[str, ReplayFigures]])
    steps: dict[str, list[ReplayedStep]] = Field(default_factory=dict[str, list[ReplayedStep]])
    """Of each set, the steps of a single session where they were asked for."""


class Share(Message):
    """A share, and the bounds between which it lies in 95 of 100 draws of as many sessions."""

    share: float
    low: float
    high: float


class AuditedSession(Message):
    """One session: what was booked (null where a step is unpriced), and by the cost model what was routed, and what else it might have
    cost."""

    id: str
    agent: str
    steps: int
    booked_usd: float | None
    routed_usd: float
    always_balanced_usd: float
    always_premium_usd: float
    shuffled_usd: float
    """The same tiers dealt to its steps at random."""


class Audit(Message):
    """Whether routing helped on the user's own sessions. `saved` is the part of always-balanced that was not spent, `beside_chance` the
    part of it by which the same tiers cost more when they are dealt to the steps at random."""

    verdict: Literal["helped", "did not help", "no evidence"]
    because: str
    steps: int
    booked_usd: float | None
    routed_usd: float
    always_balanced_usd: float
    always_premium_usd: float
    shuffled_usd: float
    saved: Share
    saved_of_premium: Share
    beside_chance: Share
    seed: int
    left_out: int
    """Sessions of which too little is known."""
    sessions: list[AuditedSession]


class LearnedFigures(Message):
    """How well weights foretold steps that were held back: the loss in nats a step (less is better), and the chance that a step that
    edits is ranked above one that does not (null where all or none of them edit)."""

    log_loss: float
    auc_edit: float | None = None


class Learned(Message):
    """What came of learning from the user's own sessions. `verdict` is better, not-better, too-little or forgotten; `kept` says whether
    the weights were written. `daemon` is reloaded, not-running, or empty where nothing changed."""

    verdict: Literal["better", "not-better", "too-little", "forgotten"]
    kept: bool
    because: str
    sessions: int = 0
    steps: int = 0
    held_back_steps: int = 0
    shipped: LearnedFigures | None = None
    own: LearnedFigures | None = None
    file: str = ""
    daemon: str = ""
