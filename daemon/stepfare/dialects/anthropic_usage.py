"""What an answer used, as the Messages API counts it and as it is counted here, both ways.

That API counts what is read from the cache and written to it beside the input; here counts are inclusive.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from stepfare.core.money import Usage
from stepfare.dialects.base import UsageReported
from stepfare.dialects.meter import SEARCHES_MAX, billed, chat_usage, count, first, service_of

_OWN = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_SPLIT_5M = (("cache_creation", "ephemeral_5m_input_tokens"),)
_SPLIT_1H = (("cache_creation", "ephemeral_1h_input_tokens"),)
_SEARCHES = (("server_tool_use", "web_search_requests"),)
_CODE = (("server_tool_use", "code_execution_requests"),)
_COUNTS_OF_INPUT = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_REASONING = (
    ("output_tokens_details", "thinking_tokens"),
    ("output_tokens_details", "reasoning_tokens"),
    ("thinking_tokens",),
    ("reasoning_tokens",),
)


def messages_usage(fields: Mapping[str, object]) -> UsageReported | None:
    """Usage made inclusive; None where the object counts nothing, as a message does that begins before anything is counted.

    Reads Anthropic's shape, in which a compaction on the server is counted in `iterations` only, the `cost` in dollars that gateways
    add, and chat completions' names where a gateway uses those.
    """
    if not any(count(fields, key) for key in _OWN):
        return chat_usage(fields) if count(fields, "prompt_tokens") or count(fields, "completion_tokens") else None
    totals = [_one(fields), *(_one(one) for one in _inner_list(fields, "iterations") if one.get("type") == "compaction")]
    usage = Usage(
        sum(one.input_tokens for one in totals),
        sum(one.cache_read_tokens for one in totals),
        sum(one.cache_write_tokens for one in totals),
        sum(one.output_tokens for one in totals),
        sum(one.cache_write_1h_tokens for one in totals),
        sum(one.reasoning_tokens for one in totals),
        web_searches=min(first(fields, _SEARCHES), SEARCHES_MAX),
    )
    beside = ("ran code on its provider's machines, which is billed by the hour",) if first(fields, _CODE) else ()
    return UsageReported(usage, billed(fields), service_of(fields.get("speed")) or service_of(fields.get("service_tier")), beside)


def later(usage: dict[str, object], told: Mapping[str, object]) -> None:
    """Heed a later report of the same stream. Counts are totals so far, and what it leaves out still holds; so does the prompt where it
    counts none, as some do that count the output only and say 0 for all else."""
    silent = not any(count(told, key) for key in _COUNTS_OF_INPUT)
    usage.update({key: value for key, value in told.items() if value is not None and not (silent and key in _COUNTS_OF_INPUT)})


def said(usage: Usage, cost: bytes | None) -> dict[str, object]:
    """Usage in this API's counting. `cost` is decimal text, dollars."""
    fresh = usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens
    fields: dict[str, object] = {
        "input_tokens": fresh,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens - usage.cache_write_1h_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning_tokens:
        fields["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    if cost is not None:
        fields["cost"] = msgspec.Raw(cost)
    return fields


def _one(fields: Mapping[str, object]) -> Usage:
    read = count(fields, "cache_read_input_tokens") or 0
    long = first(fields, _SPLIT_1H)
    written = count(fields, "cache_creation_input_tokens") or first(fields, _SPLIT_5M) + long
    output = count(fields, "output_tokens") or 0
    return Usage(
        (count(fields, "input_tokens") or 0) + read + written,
        read,
        written,
        output,
        min(long, written),
        min(first(fields, _REASONING), output),
    )


def _inner_list(fields: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    inner = fields.get(key)
    items = cast("list[object]", inner) if isinstance(inner, list) else []
    return [cast("Mapping[str, object]", item) for item in items if isinstance(item, dict)]
