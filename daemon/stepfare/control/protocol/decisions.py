"""The doors of decisions (`decisions/{id}`, `decide`): why a model, and what would be decided."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from stepfare.control.protocol.base import Message, TierName


class Floor(Message):
    tier: TierName
    source: str
    words: str


class CostLine(Message):
    what: str
    tokens: int
    rate: int
    pusd: int


class Candidate(Message):
    model: str
    tier: TierName
    expected_pusd: int | None
    arithmetic: list[CostLine] = Field(default_factory=list[CostLine])


class Rejection(Message):
    model: str
    reason: str
    words: str


class Gate(Message):
    """`needs` is the tier of an edit; `hold_ms` how long an answer is held at most."""

    on: bool = False
    needs: TierName | None = None
    hold_ms: int = 0


class Contribution(Message):
    """Something that was seen of the session, in words, and by how much (in log-odds) it speaks for an edit, or against it."""

    words: str
    log_odds: float


class Decision(Message):
    """Why a model: evidence, floor, candidates with expected cost, rejections. `id` is null for a dry run."""

    id: str | None
    session: str
    kind: str
    probabilities: dict[str, float] = Field(default_factory=dict[str, float])
    contributions: list[Contribution] = Field(default_factory=list[Contribution])
    """The strongest first."""
    floor: Floor
    candidates: list[Candidate]
    rejections: list[Rejection]
    gate: Gate = Field(default_factory=Gate)
    floors: dict[str, Floor] = Field(default_factory=dict[str, Floor])
    """What each kind of turn needs in this step."""
    chosen: str | None
    because: list[str]


class Decide(Message):
    """A dry run: a request in, the decision out, nothing sent."""

    dialect: Literal["openai", "responses", "anthropic"] = "openai"
    headers: dict[str, str] = Field(default_factory=dict[str, str])
    body: dict[str, Any]
    workspace: str | None = None
    earlier: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])
