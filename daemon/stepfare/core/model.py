"""Rows of the catalogue: who serves models, which models there are, and what they can do and cost."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stepfare.core.money import Price
from stepfare.core.step import Tier


class Capability(StrEnum):
    """What a request may need of a model."""

    TOOLS = "tools"
    VISION = "vision"
    REASONING = "reasoning"
    STRUCTURED = "structured"
    """Output held to a JSON schema."""
    FILL = "fill"
    """Inline completion: a text with a gap (`/completions` with `suffix`)."""
    EMBED = "embed"
    """Texts as vectors (`/embeddings`)."""


class Billing(StrEnum):
    """How what a model serves is paid for."""

    TOKENS = "tokens"
    SUBSCRIPTION = "subscription"
    """By the month, whatever is used: one more call costs nothing, and no sum of dollars is said of it."""
    FREE = "free"
    """By nobody."""


@dataclass(frozen=True, slots=True)
class CacheRule:
    """How a provider caches prompts: shortest cacheable prompt, how long a prefix lives unused, and whether writing is billed apart."""

    min_tokens: int = 1024
    lifetime_ms: int = 300_000
    marked: bool = False
    """Whether only what the request marks is cached (Anthropic's way); else every prefix is."""
    hour: bool = False
    """Whether a request may ask for a life of an hour, at a price of its own."""


@dataclass(frozen=True, slots=True)
class Door:
    """A wire format that a provider speaks, and the address under which it does."""

    dialect: str
    base_url: str


_BESIDE = {"completions": "openai", "embeddings": "openai"}
"""Formats that whoever speaks another one is taken to speak at the same address."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Where models are served. `key` says where the secret is (`env:NAME`, `keyring:NAME`, `file:PATH`) or is empty; it never holds one.

    `dialect` and `base_url` are its front door, which takes every client; `doors` are further ones, each for clients who speak just so.
    """

    id: str
    dialect: str
    base_url: str
    key: str = ""
    auth: str = "bearer"
    """How the key is put on the wire: bearer, x-api-key, api-key, or none."""
    quirks: tuple[str, ...] = ()
    """What is particular about it and holds for all its models, by name: `dialects.rules` knows what changes a request,
    `providers.quirks` the rest."""
    cache: CacheRule | None = None
    local: bool = False
    doors: tuple[Door, ...] = ()
    billing: Billing = Billing.TOKENS

    def door(self, dialect: str) -> Door:
        """The door for a client of this dialect: one that speaks it, else the front door."""
        front = Door(self.dialect, self.base_url)
        if dialect == self.dialect:
            return front
        doors = (front, *self.doors)
        spoken = {door.dialect: door for door in reversed(doors)}
        beside = spoken.get(_BESIDE.get(dialect, ""))
        return spoken.get(dialect) or (Door(dialect, beside.base_url) if beside else front)


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A price with the time in which it holds: from a date on (UTC midnight), and within hours of the day (UTC minutes), or always."""

    price: Price
    from_ms: int = 0
    hours: tuple[int, int] | None = None
    """(start, end) in minutes of the UTC day, end exclusive; a span may pass midnight."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model at one provider. `id` is `provider/model`; `upstream` is the name that the provider knows."""

    id: str
    provider: str
    upstream: str
    tier: Tier
    context_tokens: int
    max_output_tokens: int
    capabilities: frozenset[Capability]
    prices: tuple[PriceRow, ...] = ()
    """Empty where nobody knows the price: then the model is unpriced, never free."""
    tier_source: str = ""
    """Who says so: `catalogue`, `config.toml:14`, ..."""
    quirks: tuple[str, ...] = ()
    """Names of rules that hold for this model, beside its provider's."""
    billing: Billing | None = None
    """Where it is another than its provider's."""

    @property
    def converses(self) -> bool:
        """Whether it takes part in conversations; else it only fills gaps in code, or only makes vectors."""
        return not self.capabilities or not self.capabilities <= {Capability.FILL, Capability.EMBED}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model at its provider, with the price that holds now (None: unpriced)."""

    model: Model
    provider: Provider
    price: Price | None

    @property
    def billing(self) -> Billing:
        return self.model.billing or self.provider.billing
