"""The door of the catalogue (`prices`): models, providers and tiers, with what they cost."""

from __future__ import annotations

from pydantic import Field

from stepfare.control.protocol.base import Message, TierName


class PriceRow(Message):
    """One row of the price table, in picodollars per token (`web_search`: per search of the web that the provider makes). `service` is
    what it is the price of where that is not the usual service."""

    input: int
    cache_read: int
    cache_write: int
    cache_write_1h: int
    output: int
    audio: int | None = None
    web_search: int | None = None
    service: str = ""
    above_tokens: int = 0
    from_ms: int = 0
    hours: str = ""


class ModelInfo(Message):
    """A model of the catalogue as it is in play here. `state` is in-play, no-key or not-chosen, and `why` says so in words."""

    id: str
    provider: str
    tier: TierName
    context_tokens: int
    max_output_tokens: int
    capabilities: list[str]
    prices: list[PriceRow]
    price_now: PriceRow | None
    price_source: str = ""
    price_as_of: str = ""
    state: str
    why: str
    tier_source: str = ""
    """Who says that it is of this tier: catalogue, config.toml:14, found on this machine, ..."""
    quirks: list[str] = Field(default_factory=list[str])
    """What is particular about it, each in words that complete "this model ..."."""


class ProviderInfo(Message):
    """A provider of the catalogue. `state` is in-use, no-key, no-address, or for servers of this machine found and not-found; `why`
    says so in words, with what to do. `key` says where its key is looked for, never what it is."""

    id: str
    state: str
    why: str = ""
    dialects: list[str] = Field(default_factory=list[str])
    """What it is spoken to in, its front door first."""
    base_url: str = ""
    key: str = ""
    local: bool = False
    cache: str = ""
    """How it caches prompts, in words; empty where nothing is known."""
    quirks: list[str] = Field(default_factory=list[str])


class TierInfo(Message):
    """Who serves the steps of a floor, in the order of the catalogue; `why` says what to do where nobody does."""

    tier: TierName
    models: list[str]
    why: str = ""


class Prices(Message):
    """The catalogue: every model of the providers in use, or of all providers where asked."""

    catalogue: str
    models: list[ModelInfo]
    as_of: str = ""
    """The day of the prices."""
    tiers: list[TierInfo] = Field(default_factory=list[TierInfo])
    providers: list[ProviderInfo] = Field(default_factory=list[ProviderInfo])
    """All of them, whether in use or not."""
