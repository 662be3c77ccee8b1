"""What an answer used, read from the shapes in which chat providers report it, and how long a token is where they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import cast

from stepfare.core.money import PUSD_PER_USD, Usage
from stepfare.dialects.base import UsageReported

CHARS_PER_TOKEN = 3.6
"""Characters per token of agents' output and prompts, measured over recorded sessions; a token holds between 2 and 6."""
CHARS_PER_TOKEN_LOW, CHARS_PER_TOKEN_HIGH = 2.0, 6.0
TOKENS_MAX = 1_000_000_000
DIGITS_MAX = 12
DOLLARS_MAX = 100_000
"""No call has so many tokens or costs so much: a number beyond is garbage, and the books could not add it up."""
SEARCHES_MAX = 10_000
SERVICE_CHARS_MAX = 32

TICKS_PER_USD = 10_000_000_000
"""xAI bills in these."""

# Where providers put a count: the path in the usage object. The first that is not zero counts.
_READ_APART = (("cache_read_input_tokens",),)
_WRITTEN_APART = (("cache_creation_input_tokens",),)
_READ = (
    ("prompt_tokens_details", "cached_tokens"),
    ("prompt_cache_hit_tokens",),
    *_READ_APART,
    ("cached_tokens",),
    ("num_cached_tokens",),
)
_WRITTEN = (
    ("prompt_tokens_details", "cache_write_tokens"),
    ("prompt_tokens_details", "cache_creation_tokens"),
    ("prompt_tokens_details", "cache_creation_input_tokens"),
    *_WRITTEN_APART,
)
_REASONING = (("completion_tokens_details", "reasoning_tokens"), ("reasoning_tokens",))
_AUDIO = (("prompt_tokens_details", "audio_tokens"),)
_SEARCHES = (("server_tool_use", "web_search_requests"),)

_STANDARD = frozenset({"", "auto", "default", "standard", "standard_only", "on_demand"})
"""What providers call the way in which everybody is served."""


def chat_usage(fields: Mapping[str, object], service: object = "") -> UsageReported | None:
    """Usage as chat completions report it, made inclusive; None where the object holds no counts. `service` as the answer names it.

    Reads OpenAI's shape and what others add: DeepSeek's cache hits, Anthropic-like cache fields of gateways, reasoning that xAI
    counts beside the completion, and the bills of OpenRouter and xAI. What a cache held may be images or sound too: such counts are
    parts of the same prompt, and none is added to it.
    """
    prompt, completion = count(fields, "prompt_tokens"), count(fields, "completion_tokens")
    if prompt is None and completion is None:
        return None
    input_tokens, output_tokens = prompt or 0, completion or 0
    read, written = first(fields, _READ), first(fields, _WRITTEN)
    reasoning = first(fields, _REASONING)
    total = count(fields, "total_tokens") or 0
    beside = total - input_tokens - output_tokens
    read_apart, written_apart = first(fields, _READ_APART), first(fields, _WRITTEN_APART)
    apart = read_apart + written_apart
    if apart > input_tokens and total and not beside and 0 < read_apart <= input_tokens:
        input_tokens += written_apart  # Some gateways count what was read into the prompt, and forget what was written.
    elif apart and (beside == apart or apart > input_tokens):
        input_tokens += apart  # Anthropic's fields count what is cached beside the input: inclusive from here on.
    elif beside > 0 and reasoning in (0, beside):
        # Thinking that is counted beside the completion; Google names it nowhere but in the total.
        reasoning = beside
        output_tokens += beside
    # What is reported beyond its own total is held to it.
    read = min(read, input_tokens)
    written = min(written, input_tokens - read)
    usage = Usage(
        input_tokens,
        read,
        written,
        output_tokens,
        reasoning_tokens=min(reasoning, output_tokens),
        # Nobody says how much of the cached part was sound: it is taken for the fresh part, which is the dearer reading.
        audio_tokens=min(first(fields, _AUDIO), input_tokens - read - written),
        web_searches=min(first(fields, _SEARCHES), SEARCHES_MAX),
    )
    return UsageReported(usage, billed(fields), service_of(service))


def timed_usage(timings: Mapping[str, object]) -> UsageReported | None:
    """Usage by the clock of llama.cpp, which tells its counts there too: so many tokens of the prompt were read anew, so many were
    held, so many were said. None where it tells none."""
    fresh, said = count(timings, "prompt_n"), count(timings, "predicted_n")
    if fresh is None or said is None:
        return None
    held = count(timings, "cache_n") or 0
    return UsageReported(Usage(fresh + held, held, output_tokens=said))


def billed(fields: Mapping[str, object]) -> int | None:
    """What a usage object says that the call cost, in picodollars; None where it says nothing.

    OpenRouter bills its fee only where the user's own key paid the provider behind it: what that one charged is told beside, and counts.
    """
    cost = dollars(fields.get("cost"))
    if cost is not None and fields.get("is_byok") is True:
        details = fields.get("cost_details")
        paid = cast("Mapping[str, object]", details).get("upstream_inference_cost") if isinstance(details, dict) else None
        return cost + (dollars(paid) or 0)
    ticks = fields.get("cost_in_usd_ticks")
    if cost is None and isinstance(ticks, int) and not isinstance(ticks, bool) and 0 <= ticks <= DOLLARS_MAX * TICKS_PER_USD:
        return ticks * (PUSD_PER_USD // TICKS_PER_USD)
    return cost


def service_of(name: object) -> str:
    """The service that an answer names; empty where it is the standard one or none is named."""
    known = name.lower() if isinstance(name, str) and len(name) <= SERVICE_CHARS_MAX else ""
    return "" if known in _STANDARD else known


def first(fields: Mapping[str, object], paths: Sequence[Sequence[str]]) -> int:
    for *folders, name in paths:
        inner: object = fields
        for folder in folders:
            inner = cast("Mapping[str, object]", inner).get(folder) if isinstance(inner, dict) else None
        found = count(cast("Mapping[str, object]", inner), name) if isinstance(inner, dict) else None
        if found:
            return found
    return 0


def count(fields: Mapping[str, object], key: str) -> int | None:
    """A count that can be believed: a number, or its digits as a text, no more than TOKENS_MAX; what is below nothing is nothing."""
    value = fields.get(key)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= DIGITS_MAX:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value <= TOKENS_MAX:
        return None
    return int(max(0, value))


def dollars(value: object) -> int | None:
    """Dollars as picodollars; the decimal digits that the provider wrote are taken, not the binary float."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return int((amount * PUSD_PER_USD).to_integral_value()) if amount.is_finite() and 0 <= amount <= DOLLARS_MAX else None
