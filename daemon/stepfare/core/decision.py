"""A decision: which models may serve a step, in which order, and every reason and every rejection in words."""

from __future__ import annotations

from dataclasses import dataclass

from stepfare.core.model import Candidate
from stepfare.core.step import Step, Tier


@dataclass(frozen=True, slots=True)
class Floor:
    """The tier below which a step may not be served, and who says so."""

    tier: Tier
    source: str
    """header, pin, path, dotfile, profile, alias, settings, budget or model."""
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


@dataclass(frozen=True, slots=True)
class Rejection:
    """A model that cannot serve this step. `reason` is one of a closed list (below-floor, context, capability, format, health,
    denied, not-chosen, budget); `words` say it to a person."""

    model: str
    reason: str
    words: str


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

    @property
    def chosen(self) -> Ranked | None:
        return self.ranked[0] if self.ranked else None
