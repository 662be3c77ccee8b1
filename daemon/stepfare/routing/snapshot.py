"""Everything a decision may look at: read from the world once, then frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stepfare.config.dotfile import Dotfile
from stepfare.core.budget import Cap
from stepfare.core.decision import HOLD_MS
from stepfare.core.model import Candidate
from stepfare.core.session import Habits, Session
from stepfare.core.step import StepKind, Tier
from stepfare.routing.health import Health


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user said: the profile in force, the user's own profiles, the order of models where cost ties, and the caps."""

    profile: str = "balanced"
    profile_source: str = "the default"
    profiles: Mapping[str, Mapping[StepKind, Tier]] = field(default_factory=dict[str, Mapping[StepKind, Tier]])
    tiers: Mapping[Tier, tuple[str, ...]] = field(default_factory=dict[Tier, tuple[str, ...]])
    """Floor -> the only models that may serve it, in this order where cost ties; a floor not named takes all that meet it."""
    gate_enabled: bool = False
    gate_hold_ms: int = HOLD_MS


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`candidates` are all models that could be asked now; `named` those that a request names by itself, in the catalogue's order."""

    now_ms: int
    policy: Policy
    candidates: tuple[Candidate, ...]
    health: Mapping[str, Health]
    session: Session
    project: Habits = field(default_factory=Habits)
    """How the sessions of this project went so far."""
    dotfile: Dotfile | None = None
    named: tuple[Candidate, ...] = ()
    caps: tuple[Cap, ...] = ()
    counted_tokens: int = 0
    """The prompt in o200k tokens, or 0 where it is not counted yet."""
    factors: Mapping[str, float] = field(default_factory=dict[str, float])
    """Tokens of a model for one of o200k; 1 where a model is not named."""
    output_tokens: Mapping[StepKind, int] = field(default_factory=dict[StepKind, int])
    """Output expected of a step of that kind, whoever answers."""
    outputs: Mapping[str, Mapping[StepKind, int]] = field(default_factory=dict[str, Mapping[StepKind, int]])
    """The same of single models, by their ids, where they have shown their own habits."""
