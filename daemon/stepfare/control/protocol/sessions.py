"""The doors of sessions (`sessions`, `sessions/{id}`, and what is said of them): what was done in one task, step by step."""

from __future__ import annotations

from pydantic import Field

from stepfare.control.protocol.base import Message, Severity, TierName, Totals
from stepfare.control.protocol.budgets import Budget


class Warm(Message):
    """A model that is believed to hold part of the session's prompt in its cache."""

    model: str
    tokens: int
    until_ms: int


class Family(Message):
    """All that works on one task: the session that it began with, its subagents, their forks. A person takes them for one session."""

    sessions: list[str]
    """Their ids, that of the first session first."""
    totals: Totals
    severity: Severity
    """How their budgets stand."""


class Session(Message):
    """One task of one agent. Its sums are its own; `family` has those of all that work on it, where there are several."""

    id: str
    title: str = ""
    client: str = ""
    parent: str | None = None
    merged: list[str] = Field(default_factory=list[str])
    """Ids of the sessions that were merged into it."""
    workspace: str = ""
    project: str = ""
    branch: str = ""
    repository: str = ""
    """The owner and name of the remote, or else the repository's folder."""
    started_ms: int
    last_ms: int
    totals: Totals
    burn_pusd_per_hour: int = 0
    pin: TierName | None = None
    budget: Budget | None = None
    warm: list[Warm] = Field(default_factory=list[Warm])
    family: Family | None = None


class Sessions(Message):
    sessions: list[Session]


class StepUsage(Message):
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_tokens: int = 0
    web_searches: int = 0


class Attempt(Message):
    """One try at one model."""

    id: str
    model: str
    outcome: str
    cost_pusd: int | None = None
    first_byte_ms: int | None = None
    total_ms: int | None = None


class Step(Message):
    """One step: what it was, who served it, why, and what it cost (null while open or unpriced)."""

    decision: str
    session: str
    at_ms: int
    kind: str
    predicted: str
    probabilities: dict[str, float] = Field(default_factory=dict[str, float])
    floor: TierName
    floor_source: str
    tier: TierName | None = None
    model: str | None = None
    attempts: list[Attempt]
    usage: StepUsage | None = None
    cost_pusd: int | None = None
    cost_source: str | None = None
    cost_confidence: str = ""
    """certain, likely, guess, or none (unpriced); empty while open, and where the entry is older than that it was said."""
    cost_low_pusd: int | None = None
    cost_high_pusd: int | None = None
    """The bounds of an estimate, of the last attempt."""
    doubts: list[str] = Field(default_factory=list[str])
    """Why the cost is less than certain, in words."""
    service: str = ""
    """What the call was served as where that is not the usual service: flex, priority, fast."""
    escalated: bool = False
    held_ms: int = 0
    because: list[str] = Field(default_factory=list[str])


class SessionDetail(Message):
    session: Session
    steps: list[Step]


class Rename(Message):
    """A session's name; an empty one gives it back the title that it began with."""

    title: str = Field(max_length=200)


class Merge(Message):
    """The session that another one becomes part of."""

    into: str


class SplitAt(Message):
    """The step, counted from 1 as they are listed, from which on a session is one of its own."""

    step: int = Field(ge=1)


class Pin(Message):
    """The tier that serves every coming step of a session; null gives the choice back."""

    tier: TierName | None = None


class Said(Message):
    """The session as it is shown after it was renamed, merged, taken out, pinned or split: for a split, the new one."""

    session: str
