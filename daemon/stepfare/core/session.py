"""A session as the books know it: one task of one agent in one workspace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stepfare.core.step import Tier


@dataclass(frozen=True, slots=True)
class Warmth:
    """What one model is believed to hold of a session's prompt.

    `tokens` is the prefix believed cached, `until_ms` when that belief ends. `share` is what was observed: the part of an
    expected prefix that the provider's usage then really reported as read (1.0 until something else was seen).
    """

    model: str
    tokens: int
    until_ms: int
    share: float = 1.0

    def tokens_at(self, now_ms: int) -> int:
        return round(self.tokens * self.share) if now_ms < self.until_ms else 0


@dataclass(frozen=True, slots=True)
class Session:
    """What routing may know of a session. Money is in picodollars; `failed_models` counts failures in a row."""

    id: str
    client: str = ""
    workspace: str = ""
    title: str = ""
    parent: str = ""
    started_ms: int = 0
    last_ms: int = 0
    steps: int = 0
    spent_pusd: int = 0
    reserved_pusd: int = 0
    lost_pusd: int = 0
    last_model: str = ""
    last_prompt_tokens: int = 0
    last_body_bytes: int = 0
    last_counted_tokens: int = 0
    """The last prompt in o200k tokens, as we counted it; 0 where it was not counted."""
    warm: Mapping[str, Warmth] = field(default_factory=dict[str, Warmth])
    pin: Tier | None = None
    evidence: int = 0
    """Pieces of evidence of trouble that the last step of its conversation showed."""
    rungs: int = 0
    """By how many tiers evidence has lifted it so far, which counts in the profile `ladder`."""
    opened: bool = True
    """Whether the books say who opened it, and where; a call beside a conversation may come first and know neither."""
