"""A decision: which models may serve a step, in which order, and every reason and every rejection in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stepfare.core.model import Candidate
from stepfare.core.step import Step, StepKind, Tier


@dataclass(frozen=True, slots=True)
class Floor:
    """The tier below which a step may not be served, and who says so."""

    tier: Tier
    source: str
    """header, pin, path, dotfile, profile, alias, settings, budget or model; gate where an answer was of no use."""
    words: str
    """A sentence that names file and line where a rule of a file took part."""


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line of the arithmetic: so many tokens at such a rate (picodollars per token) make so many picodollars."""

    what: str
    tokens: int
    rate: int
    pusd: int


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate that can serve, with what the step is expected to cost there (None: unpriced)."""

    candidate: Candidate
    expected_pusd: int | None
    arithmetic: tuple[CostLine, ...]
    prompt_tokens: int = 0
    """The prompt in this model's own tokens, estimated."""
    serves: frozenset[Tier] = frozenset(Tier)
    """The floors for which it may be asked: those that its tier meets and for which the user lists no other models."""
    hour: bool = False
    """Whether what it writes into its cache is to live an hour, where the client asks for nothing itself."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A model that cannot serve this step. `reason` is one of a closed list (below-floor, context, capability, format, health,
    denied, not-chosen, budget); `words` say it to a person."""

    model: str
    reason: str
    words: str


HOLD_MS = 8_000
"""How long an answer is held at most, from its first content on: clients bear some 20 s without a byte."""


@dataclass(frozen=True, slots=True)
class GatePlan:
    """Whether a cheap answer is held back until its action is known, and what each kind of action needs of the model that takes it.

    `needs` is the tier of an edit; `floors` holds one floor for every kind of step. Who answers from a tier that meets all of them is
    not held: `holds` tells."""

    on: bool = False
    needs: Tier | None = None
    hold_ms: int = HOLD_MS
    floors: Mapping[StepKind, Floor] = field(default_factory=dict[StepKind, Floor])
    highest: Tier = Tier.FRUGAL
    """The highest tier that any action may need, one on a file that the project guards included."""

    def holds(self, tier: Tier) -> bool:
        """Whether an answer of a model of this tier has to wait until its action is known."""
        return self.on and tier < self.highest


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict of routing on one step; pure data, so that it can be explained, replayed and tested."""

    id: str
    session: str
    step: Step
    floor: Floor
    ranked: tuple[Ranked, ...]
    rejections: tuple[Rejection, ...]
    because: tuple[str, ...]
    prompt_tokens: int
    """The estimate on which the expected costs stand, in o200k tokens."""
    output_tokens: int
    gate: GatePlan = field(default_factory=GatePlan)
    """With the gate on, `floor` is the lowest of its floors: that of looking around."""

    @property
    def chosen(self) -> Ranked | None:
        return self.ranked[0] if self.ranked else None
