"""The tools of a request with the schemas of their arguments, for whoever has to judge a call: read when that is needed, once for each
set of tools, for they come again with every step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import cast

from stepfare.core.prompt import ToolOffer
from stepfare.core.request import RequestView
from stepfare.dialects import splice
from stepfare.dialects.base import BadRequest
from stepfare.dialects.responses_items import CLIENT_TOOLS
from stepfare.dialects.responses_request import offering_items

KEPT_MAX = 64
"""Sets of tools that are remembered; an agent has a few."""

_NAMESPACE_DEPTH_MAX = 3


def offers_in(lists: tuple[bytes, ...]) -> Mapping[str, ToolOffer]:
    """The tools that these lists (or items that hold one) offer, by the names by which they are called."""
    digest = blake2b(b"\0".join(lists), digest_size=16).digest()
    found = _kept.get(digest)
    if found is None:
        while len(_kept) >= KEPT_MAX:
            del _kept[next(iter(_kept))]
        found = _kept[digest] = _read(lists)
    return found


def in_tools(view: RequestView) -> tuple[bytes, ...]:
    raw = splice.JsonObject(view.raw, view.spans).raw("tools")
    return () if raw is None else (raw,)


def in_tools_and_items(view: RequestView) -> tuple[bytes, ...]:
    return (*in_tools(view), *offering_items(view))


def no_tools(_view: RequestView) -> tuple[bytes, ...]:
    return ()


def one_parallel_call(view: RequestView) -> bool:
    return splice.JsonObject(view.raw, view.spans).raw("parallel_tool_calls") == b"false"


def one_chosen_call(view: RequestView) -> bool:
    choice = splice.JsonObject(view.raw, view.spans).get("tool_choice")
    return isinstance(choice, dict) and cast("dict[str, object]", choice).get("disable_parallel_tool_use") is True


def many_calls(_view: RequestView) -> bool:
    return False


_kept: dict[bytes, Mapping[str, ToolOffer]] = {}


def _read(lists: tuple[bytes, ...]) -> Mapping[str, ToolOffer]:
    offers: dict[str, ToolOffer] = {}
    for raw in lists:
        try:
            found = splice.loads(raw)
        except BadRequest:
            continue
        if isinstance(found, dict):
            found = cast("dict[str, object]", found).get("tools")
        for offer in _offers(found, _NAMESPACE_DEPTH_MAX):
            offers.setdefault(offer.name, offer)
    return offers


def _offers(tools: object, depth: int) -> Iterator[ToolOffer]:
    for tool in cast("list[object]", tools) if isinstance(tools, list) and depth else []:
        fields = _fields(tool)
        kind = _text(fields.get("type"))
        if kind == "namespace":
            yield from _offers(fields.get("tools"), depth - 1)
            continue
        named = _fields(fields.get("function")) or _fields(fields.get("custom")) or fields
        # Tools that the provider describes itself have a type instead of a schema, and some no name.
        name = kind if kind in CLIENT_TOOLS else _text(named.get("name")) or kind
        schema = _fields(named.get("parameters")) or _fields(named.get("input_schema"))
        yield ToolOffer(name, schema=schema, custom=kind == "custom" and not schema)


def _fields(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
