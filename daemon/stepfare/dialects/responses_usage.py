"""OpenAI Responses, what an answer used: read from a provider's report and from what it did with tools of its own, and told to a client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from stepfare.core.money import Usage
from stepfare.dialects.base import UsageReported
from stepfare.dialects.meter import SEARCHES_MAX, billed, count, first, service_of

# Where providers put a count: the path in the usage object. The first that is not zero counts.
_READ = (("input_tokens_details", "cached_tokens"), ("cache_read_input_tokens",))
_WRITTEN = (
    ("input_tokens_details", "cache_write_tokens"),
    ("input_tokens_details", "cache_creation_tokens"),
    ("cache_creation_input_tokens",),
)
_REASONING = (("output_tokens_details", "reasoning_tokens"),)
_AUDIO = (("input_tokens_details", "audio_tokens"),)

SEARCH = "web_search_call"
_BESIDE: Mapping[str, str] = {
    "file_search_call": "searched in files, which is billed by the call",
    "code_interpreter_call": "ran code on its provider's machines, which is billed by the container",
    "image_generation_call": "made images, which are billed apart",
}
"""Items of tools that the provider runs itself and bills apart, by what they did."""


def served(item: Mapping[str, object]) -> str:
    """What a finished item of a tool of the provider's own did that is billed apart: `SEARCH` for a search of the web, else in words;
    empty for all other items. Opening and skimming a page that was found costs nothing but its tokens."""
    kind = item.get("type")
    if kind != SEARCH or item.get("status") == "failed":
        return _BESIDE.get(str(kind), "")
    action = item.get("action")
    what = cast("Mapping[str, object]", action).get("type", "search") if isinstance(action, dict) else "search"
    return SEARCH if what == "search" else ""


def searches_counted(response: Mapping[str, object]) -> int | None:
    """The searches that the response itself counts as billed; None where it counts none, and its items tell."""
    counts = response.get("tool_usage")
    search = cast("Mapping[str, object]", counts).get("web_search") if isinstance(counts, dict) else None
    return count(cast("Mapping[str, object]", search), "num_requests") if isinstance(search, dict) else None


def read_usage(
    fields: Mapping[str, object], service: object = "", did: tuple[str, ...] = (), searches: int | None = None
) -> UsageReported | None:
    """Usage as Responses report it, which is inclusive; None where the object holds no counts. `service` as the response names it; `did`
    is what `served` said of its items, `searches` what the response counts of them."""
    input_tokens, output_tokens = count(fields, "input_tokens"), count(fields, "output_tokens")
    if input_tokens is None and output_tokens is None:
        return None
    # What is reported beyond its own total is held to it.
    whole, said = input_tokens or 0, output_tokens or 0
    read = min(first(fields, _READ), whole)
    written = min(first(fields, _WRITTEN), whole - read)
    usage = Usage(
        whole,
        read,
        written,
        said,
        reasoning_tokens=min(first(fields, _REASONING), said),
        audio_tokens=min(first(fields, _AUDIO), whole - read - written),
        web_searches=min(did.count(SEARCH) if searches is None else searches, SEARCHES_MAX),
    )
    beside = tuple(dict.fromkeys(words for words in did if words != SEARCH))
    return UsageReported(usage, billed(fields), service_of(service), beside)


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
