"""What an answer used: read from the shapes in which chat providers report it, or estimated with bounds where they do not."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import cast

from stepfare.core.money import PUSD_PER_USD, Usage
from stepfare.dialects.base import UsageReported

CHARS_PER_TOKEN = 3.6
"""Characters per token of agents' output and prompts, measured over recorded sessions; a token holds between 2 and 6."""
CHARS_PER_TOKEN_LOW, CHARS_PER_TOKEN_HIGH = 2.0, 6.0


def chat_usage(fields: Mapping[str, object]) -> UsageReported | None:
    """Usage as chat completions report it, made inclusive; None where the object holds no counts.

    Reads OpenAI's shape and what others add: DeepSeek's cache hits, Anthropic-like cache fields of gateways, reasoning that xAI
    counts beside the completion, and the billed `cost` in dollars of OpenRouter.
    """
    prompt, completion = _count(fields, "prompt_tokens"), _count(fields, "completion_tokens")
    if prompt is None and completion is None:
        return None
    input_tokens, output_tokens = prompt or 0, completion or 0
    details = _inner(fields, "prompt_tokens_details")
    read = (
        _count(details, "cached_tokens")
        or _count(fields, "prompt_cache_hit_tokens")
        or _count(fields, "cache_read_input_tokens")
        or _count(fields, "cached_tokens")
        or 0
    )
    written = (
        _count(details, "cache_write_tokens")
        or _count(details, "cache_creation_tokens")
        or _count(fields, "cache_creation_input_tokens")
        or 0
    )
    reasoning = _count(_inner(fields, "completion_tokens_details"), "reasoning_tokens") or 0
    total = _count(fields, "total_tokens")
    if reasoning and total is not None and total == input_tokens + output_tokens + reasoning:
        output_tokens += reasoning  # Counted beside the completion: inclusive from here on.
    # What a provider reports beyond its own total is held to it: counts are inclusive.
    read = min(read, input_tokens)
    written = min(written, input_tokens - read)
    usage = Usage(input_tokens, read, written, output_tokens, reasoning_tokens=min(reasoning, output_tokens))
    return UsageReported(usage, _dollars(fields.get("cost")))


def estimated(prompt_tokens: int, output_chars: int, *, chars_per_token: float = CHARS_PER_TOKEN) -> Usage:
    """Usage of an answer that reported none: the prompt as it was estimated before, nothing of it cached, and the output seen."""
    return Usage(prompt_tokens, output_tokens=round(output_chars / chars_per_token))


def _inner(fields: Mapping[str, object], key: str) -> Mapping[str, object]:
    inner = fields.get(key)
    return cast("Mapping[str, object]", inner) if isinstance(inner, dict) else {}


def _count(fields: Mapping[str, object], key: str) -> int | None:
    value = fields.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return max(0, int(value))


def _dollars(value: object) -> int | None:
    """Dollars as picodollars; the decimal digits that the provider wrote are taken, not the binary float."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return int((amount * PUSD_PER_USD).to_integral_value()) if amount.is_finite() and amount >= 0 else None
