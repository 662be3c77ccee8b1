"""Entries of the journal. They are only ever appended: an attempt is reserved, then settled, voided or lost; a cap is extended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from stepfare.core.budget import Scope
from stepfare.core.money import Rates, Usage

KEPT_WARM = "kept-warm"
"""The `side` of a call that keeps a cache alive, and the outcome of one that did."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session's first step was seen. `title` is at most 60 characters, empty where titles are switched off."""

    session: str
    at_ms: int
    client: str
    workspace: str
    project: str
    branch: str
    title: str
    parent: str = ""
    user: str = ""
    """Who spends; empty in books that were kept before it was asked."""
    begins: str = ""
    """Digest of the first words that a human said in it, by which it is told from others; empty where nobody knows them."""
    repository: str = ""
    """The owner and name of the remote, or else the folder's name; empty where there is no repository."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """An attempt is about to be sent; at worst it costs `ceiling_pusd` (None: the model is unpriced).

    `step` numbers the steps of a session from 1; attempts and client retries of one call share it. `chain` is the digest
    of the request's turns in order, by which the session's next request is recognised; `body` the digest of the whole body.
    """

    attempt: str
    decision: str
    session: str
    step: int
    at_ms: int
    model: str
    tier: str
    kind: str
    """The predicted step kind."""
    floor: str
    floor_source: str
    ceiling_pusd: int | None
    client: str
    turns: int = 0
    chain: str = ""
    body: str = ""
    tail: str = ""
    """Digest of the last turn, for the same purpose where what came before it was cut or rewritten."""
    body_bytes: int = 0
    counted_tokens: int = 0
    """The prompt in tokens of the o200k vocabulary, as we counted it; 0 where it was not counted. What a provider then reports
    teaches how its own tokens compare."""
    side: str = ""
    """Why the call stands beside its session's conversation (title, compaction, kept-warm, ...), or empty."""
    evidence: int = 0
    """Pieces of evidence of trouble that this step shows."""
    rungs: int = 0
    """By how many tiers evidence has lifted the session so far, this step's included."""


@dataclass(frozen=True, slots=True)
class Settled:
    """An attempt ended and this is what it cost.

    `cost_pusd` is None where the model is unpriced. `source` is provider-billed, usage-priced, estimated or unpriced; an estimate has
    bounds; where nobody bills tokens it is subscription or free, at a cost of 0. `confidence` in the cost is certain (billed, or all of
    it counted by the provider and listed in the price table), likely
    (part of it is taken from what is known: `doubts` say which, in words), guess (the provider counted nothing), none where there is no
    cost; empty in entries of versions that did not say. `rates` are those that were multiplied, `catalogue` the version of the price
    table that they are from, `service` what it was served as (`dialects.base.UsageReported`). The counterfactuals say what the same
    usage would have cost on the baseline models with a warm cache. `outcome` is ok, escalated (the gate gave the step to a better
    model), kept-warm (a call of our own that prolonged a cache), cut, hang-up or a failure's name.
    """

    attempt: str
    session: str
    at_ms: int
    outcome: str
    kind: str
    """What the turn turned out to be."""
    usage: Usage
    cost_pusd: int | None
    source: str
    rates: Rates | None
    catalogue: str
    low_pusd: int | None = None
    high_pusd: int | None = None
    always_premium_pusd: int | None = None
    always_balanced_pusd: int | None = None
    switch_write_pusd: int = 0
    """The part of the cost that rewrote, on this model, what another model of the session still held warm."""
    first_byte_ms: int | None = None
    total_ms: int = 0
    call_ids: tuple[str, ...] = ()
    """Ids of the tool calls in the answer, by which the session's next request is recognised."""
    reply: str = ""
    """Digest of the answer's text, for the same purpose where there are no tool calls."""
    thoughts: tuple[str, ...] = ()
    """Digests of what the model thought in this answer: only the model that made a thought may be sent it again."""
    tasks: tuple[str, ...] = ()
    """Digests of the texts that this answer hands to other agents, by which their sessions find their parent."""
    committed: bool = False
    """Whether the client saw content of this attempt, which is then the answer."""
    held_ms: int = 0
    """How long the gate held back what was known of the answer already, until it was shown or given up."""
    service: str = ""
    confidence: str = ""
    doubts: tuple[str, ...] = ()
    heard_chars: int = 0
    """How long that part of the answer is which the output tokens count that are no reasoning: tells how long a model's tokens are."""
    unseen_tokens: int = 0
    """Those of the reasoning of which nothing could be heard."""
    files: tuple[str, ...] = ()
    """The files of its project that this turn reads or changes, relative to the project's folder."""

    @property
    def measured(self) -> bool:
        """Whether the provider reported this usage; else it is our guess, and teaches nothing."""
        return self.source in _MEASURED or (self.source in UNBILLED and not self.doubts)


@dataclass(frozen=True, slots=True)
class Voided:
    """An attempt ended before it could cost anything: refused, never connected."""

    attempt: str
    session: str
    at_ms: int
    outcome: str
    why: str
    total_ms: int = 0


@dataclass(frozen=True, slots=True)
class Lost:
    """The daemon died while an attempt was open: it cost at most its ceiling, and nobody will ever know better."""

    attempt: str
    session: str
    at_ms: int
    ceiling_pusd: int | None


@dataclass(frozen=True, slots=True)
class Extended:
    """A person added to a cap, once: for the session's life, or until the day or month is over. `subject` is the session or the project,
    `by` by what means it was asked for, `user` whose day or month it is (empty: everybody's who has none)."""

    extension: str
    at_ms: int
    scope: Scope
    subject: str
    pusd: int
    by: str
    user: str = ""

    def __post_init__(self) -> None:
        assert self.pusd > 0, self
        assert bool(self.subject) == self.scope.has_subject, self

    @property
    def session(self) -> str:
        """It is filed under none, so that all of them stand together."""
        return ""


SUBSCRIPTION = "subscription"
UNBILLED = frozenset({SUBSCRIPTION, "free"})
"""Sources of a cost where nobody bills tokens."""
_MEASURED = frozenset({"usage-priced", "provider-billed", "unpriced"})

Entry: TypeAlias = Opened | Reserved | Settled | Voided | Lost | Extended
