"""Tools that a provider runs itself, as a request offers them: how often they may be called before its answer ends, and how many of those
calls are searches that are billed apart. What they did is for the readers of answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import cast

from stepfare.core.request import Hosted
from stepfare.dialects import splice
from stepfare.dialects.base import BadRequest

USES_MAX = 10
"""Calls that are reckoned with where the request names no limit: Anthropic pauses the turn after so many, the others name no number."""
RESULTS_DEFAULT, SOURCES_DEFAULT = 5, 20
"""What a search of OpenRouter's and xAI's finds at most, where the request names no number."""
RESULTS_OF_SEARCH = 5
"""OpenRouter bills what is found: so many results cost no more than a search elsewhere."""
OFFERS_MAX = 16
"""Lists of tools that are remembered."""

SERVER_RUN: Mapping[str, tuple[str, ...]] = {
    "openai": ("web_search", "browser_search", "code_interpreter", "x_search", "openrouter:"),
    "responses": ("web_search", "file_search", "code_interpreter", "image_generation", "mcp", "x_search", "web_extractor", "openrouter:"),
    "anthropic": ("web_search_", "web_fetch_", "code_execution_", "tool_search_tool_", "mcp_toolset", "advisor_", "openrouter:"),
}
"""How the types of tools begin that only the provider which invented them can run."""
NO_SERVER_TOOLS = "no-server-tools"
"""The quirk of those who run none: the rule of this name takes them from the request."""
_SEARCHES = ("web_search", "x_search", "browser_search", "file_search", "openrouter:web_search")
_GROUNDING = ("google_search", "googleSearch", "google_search_retrieval", "googleSearchRetrieval")
"""Google's search is named by a key in the place of a type."""
_ONLINE = ":online"


def hosted(dialect: str, obj: splice.JsonObject, more: Iterable[object] = ()) -> Hosted:
    """What this body offers of such tools; `more` are tools that it offers elsewhere than in `tools`."""
    tools = obj.raw("tools")
    found = Hosted() if tools is None else _listed(dialect, tools)
    for tool in more:
        found = found.plus(_of_tool(dialect, tool))
    if dialect == "openai":
        found = found.plus(_asked_beside(obj))
    limit = _count(obj.get("max_tool_calls")) if found.uses else None
    return found if limit is None else found.at_most(limit)


@lru_cache(OFFERS_MAX)
def _listed(dialect: str, raw: bytes) -> Hosted:
    """Every step of a session offers the same."""
    found = Hosted()
    try:
        tools = splice.loads(raw)
    except BadRequest:
        return found
    for tool in cast("list[object]", tools) if isinstance(tools, list) else ():
        found = found.plus(_of_tool(dialect, tool))
    return found


def _of_tool(dialect: str, tool: object) -> Hosted:
    fields = cast("dict[str, object]", tool) if isinstance(tool, dict) else {}
    kind = fields.get("type")
    if any(key in fields for key in _GROUNDING):
        return Hosted(USES_MAX, USES_MAX)
    if not isinstance(kind, str) or not kind.startswith(SERVER_RUN[dialect]):
        return Hosted()
    told = {**_inner(fields, "parameters"), **fields}
    uses = next((found for key in ("max_uses", "max_total_uses") if (found := _count(told.get(key))) is not None), USES_MAX)
    if not kind.startswith(_SEARCHES):
        return Hosted(uses)
    results = _count(told.get("max_results")) or RESULTS_DEFAULT
    return Hosted(uses, uses * (-(-results // RESULTS_OF_SEARCH) if kind.startswith("openrouter:") else 1))


def _asked_beside(obj: splice.JsonObject) -> Hosted:
    """Searches that chat completions are asked for by other fields than their tools: OpenAI's and Perplexity's options, OpenRouter's
    plug-in and the name of a model with it, xAI's live search, Google's own fields."""
    found = Hosted()
    if isinstance(obj.get("web_search_options"), dict):
        found = found.plus(Hosted(USES_MAX, USES_MAX))
    plugins = obj.get("plugins")
    for plugin in cast("list[object]", plugins) if isinstance(plugins, list) else ():
        fields = cast("dict[str, object]", plugin) if isinstance(plugin, dict) else {}
        if fields.get("id") == "web" and fields.get("enabled") is not False:
            found = found.plus(Hosted(1, -(-(_count(fields.get("max_results")) or RESULTS_DEFAULT) // RESULTS_OF_SEARCH)))
    live = obj.get("search_parameters")
    if isinstance(live, dict):
        fields = cast("dict[str, object]", live)
        if fields.get("mode") != "off":
            found = found.plus(Hosted(1, _count(fields.get("max_search_results")) or SOURCES_DEFAULT))
    if any(f'"{key}"'.encode() in (obj.raw("extra_body") or b"") for key in _GROUNDING):
        found = found.plus(Hosted(USES_MAX, USES_MAX))
    model = obj.get("model")
    return found.plus(Hosted(1, 1)) if isinstance(model, str) and model.endswith(_ONLINE) else found


def _inner(fields: Mapping[str, object], key: str) -> dict[str, object]:
    inner = fields.get(key)
    return cast("dict[str, object]", inner) if isinstance(inner, dict) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
