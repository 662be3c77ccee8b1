"""What models are believed to hold of a session's prompt after an attempt: from what their providers said they read and wrote.

A belief ends with the cache's lifetime. What it means for the next step is for `routing.warmth`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from stepfare.core.entry import Reserved, Settled
from stepfare.core.model import CacheRule
from stepfare.core.session import HOUR_MS, Session, Warmth

DEFAULT_CACHE = CacheRule()


def warmed(session: Session, reserved: Reserved, entry: Settled, rule: CacheRule | None) -> Mapping[str, Warmth]:
    """The beliefs after that attempt. `rule` is None where nobody knows the provider to cache: then only what it says it read or wrote
    counts."""
    usage, model = entry.usage, reserved.model
    rule = rule or (DEFAULT_CACHE if usage.cache_read_tokens or usage.cache_write_tokens else None)
    warm = dict(session.warm)
    if session.compacted(usage.input_tokens, reserved.counted_tokens):
        # Of the other caches only the common beginning is of use.
        least = session.habits.least_tokens
        warm = {name: replace(one, tokens=min(one.tokens, least)) for name, one in warm.items()}
    if rule is not None:
        before = session.warm.get(model)
        held = usage.input_tokens if usage.input_tokens >= rule.min_tokens else 0
        lifetime_ms = _lifetime_ms(before, entry, rule)
        # Providers count a cache's life from the call that used it, not from the end of its answer.
        warm[model] = Warmth(model, held, reserved.at_ms + lifetime_ms, _share(before, entry, rule), lifetime_ms)
    return warm


def prolonged(session: Session, reserved: Reserved, entry: Settled) -> Mapping[str, Warmth]:
    """The beliefs after a call that did nothing but keep that model's cache alive: it holds what it held."""
    before = session.warm.get(reserved.model)
    if before is None or not entry.measured:
        return session.warm
    share = min(1.0, entry.usage.cache_read_tokens / before.tokens) if before.tokens else before.share
    return {**session.warm, reserved.model: replace(before, until_ms=reserved.at_ms + before.lifetime_ms, share=share)}


def _lifetime_ms(before: Warmth | None, entry: Settled, rule: CacheRule) -> int:
    """An hour where it was written for one, or read from one that was: a prefix keeps the lifetime that was paid for it."""
    kept = before is not None and before.hour and entry.at_ms < before.until_ms and entry.usage.cache_read_tokens > 0
    return max(HOUR_MS, rule.lifetime_ms) if kept or entry.usage.cache_write_1h_tokens else rule.lifetime_ms


def _share(before: Warmth | None, entry: Settled, rule: CacheRule) -> float:
    """How much of what was expected to be read from the cache was read. What was observed last is believed; a guess observes nothing."""
    if before is None or entry.at_ms >= before.until_ms or not entry.measured:
        return 1.0 if before is None else before.share
    if before.tokens < rule.min_tokens or entry.usage.input_tokens < before.tokens:
        return before.share  # Nothing was to be expected: too short to be cached, or the client shortened the conversation.
    return min(1.0, entry.usage.cache_read_tokens / before.tokens)
