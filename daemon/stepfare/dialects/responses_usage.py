"""OpenAI Responses, what an answer used: read from a provider's report, and told to a client."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stepfare.core.money import Usage
from stepfare.dialects.base import UsageReported
from stepfare.dialects.meter import count, dollars, first

# Where providers put a count: the path in the usage object. The first that is not zero counts.
_READ = (("input_tokens_details", "cached_tokens"), ("cache_read_input_tokens",))
_WRITTEN = (
    ("input_tokens_details", "cache_write_tokens"),
    ("input_tokens_details", "cache_creation_tokens"),
    ("cache_creation_input_tokens",),
)
_REASONING = (("output_tokens_details", "reasoning_tokens"),)


def read_usage(fields: Mapping[str, object]) -> UsageReported | None:
    """Usage as Responses report it, which is inclusive; None where the object holds no counts. `cost` is the billed price in dollars,
    where a provider gives it."""
    input_tokens, output_tokens = count(fields, "input_tokens"), count(fields, "output_tokens")
    if input_tokens is None and output_tokens is None:
        return None
    # What is reported beyond its own total is held to it.
    whole, said = input_tokens or 0, output_tokens or 0
    read = min(first(fields, _READ), whole)
    written = min(first(fields, _WRITTEN), whole - read)
    usage = Usage(whole, read, written, said, reasoning_tokens=min(first(fields, _REASONING), said))
    return UsageReported(usage, dollars(fields.get("cost")))


def write_usage(usage: Usage, cost: str | None) -> dict[str, object]:
    """The report that a client reads; `cost` in dollars as decimal text."""
    report: dict[str, object] = {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": usage.cache_write_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
    if cost is not None:
        report["cost"] = msgspec.Raw(cost.encode())
    return report
