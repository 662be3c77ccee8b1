"""OpenAI Responses, the request half: what a client asked, what goes upstream in its stead, and errors in its own words.

Single items are the business of `responses_items`, answers of `responses_answer`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress
from typing import cast

from stepfare.core.model import Capability
from stepfare.core.prompt import Thought
from stepfare.core.request import RequestView, Span, Tool
from stepfare.dialects import openai_chat, splice
from stepfare.dialects.anchors import anchor_of
from stepfare.dialects.base import BadRequest
from stepfare.dialects.care import Care
from stepfare.dialects.conversations import Conversations, Messages
from stepfare.dialects.draft import Draft
from stepfare.dialects.hosted import hosted
from stepfare.dialects.remembered import Remembered
from stepfare.dialects.responses_items import CLIENT_TOOLS, digest, has_parts, kind_of, read_turn, text_of
from stepfare.dialects.thoughts import digest_of, unsealed
from stepfare.dialects.turns import LazyTurns, TurnMemory, body_digest

NAME = "responses"
PATH = "/responses"
OFFERS_MAX = 16
"""Lists of tools that are remembered."""

PASSING_HEADERS = (
    "openai-beta",
    "originator",
    "session-id",
    "thread-id",
    "x-client-request-id",
    "x-codex-beta-features",
    "x-codex-parent-thread-id",
    "x-codex-turn-state",
    "x-codex-window-id",
    "x-openai-internal-codex-responses-lite",
    "x-openai-subagent",
)
"""What routes a conversation to its cache and names the shape of a request. Organisation and project belong to the client's own key,
and the places on its disk that Codex tells beside them are no provider's business: those stay here."""

_CONVERSATIONS, _MEMORY = Conversations(has_parts, digest), TurnMemory()
# Marks that stand in the bytes of an item of that type; in a string they would be escaped.
_ADDITIONAL, _REASONING = b'"additional_tools"', b'"reasoning"'
_NO_SPAN = Span("", 0, 0)


def read_request(body: bytes, headers: Mapping[str, str]) -> RequestView:
    """Read a Responses body. `headers` have lower-case names and hold no secrets. Raises BadRequest."""
    obj = splice.scan(body)
    model = obj.get("model")
    if not isinstance(model, str) or not model:
        raise BadRequest('"model" is missing or not a string: name a profile such as "auto" or a model such as "openai/gpt-6-luna"')
    stream = obj.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise BadRequest('"stream" must be true or false')
    place = obj.span("input") or _NO_SPAN
    items = _items(obj, place)
    if not items.raws:
        raise BadRequest('"input" is empty: send a text or a list of items')
    head = _instructions(obj)
    raws, digests = (*head.raws, *items.raws), (*head.digests, *items.digests)
    beside = tuple(tool for raw in items.raws if _ADDITIONAL in raw for tool in _additional_tools(raw))
    tools = _tools(obj, beside)
    return RequestView(
        dialect=NAME,
        endpoint="chat",
        raw=body,
        headers=headers,
        model=model,
        stream=bool(stream),
        turns=LazyTurns(raws, read_turn, digests, _MEMORY),
        digests=digests,
        anchors=(*head.anchors, *items.anchors),
        tools=tools,
        needs=_needs(obj, compress(items.raws, items.parts), tools),
        max_output_tokens=_positive(obj.get("max_output_tokens")),
        wants_usage=True,
        body_digest=body_digest(body[: place.start], items.digests, body[place.end :]),
        spans=obj.spans,
        hosted=hosted(NAME, obj, beside),
    )


def items_of(view: RequestView) -> tuple[bytes, ...]:
    """The items of a request that was read here, each as its own bytes; a plain text is a user's message."""
    obj = splice.JsonObject(view.raw, view.spans)
    return _items(obj, obj.span("input") or _NO_SPAN).raws


def offering_items(view: RequestView) -> tuple[bytes, ...]:
    """The items of the input that offer tools, where Codex puts them."""
    return tuple(raw for raw in items_of(view) if _ADDITIONAL in raw)


def offered(view: RequestView) -> list[object]:
    """The tools of a request that was read here, decoded: those that stand in its input too."""
    obj = splice.JsonObject(view.raw, view.spans)
    tools = obj.get("tools")
    found = list(cast("list[object]", tools)) if isinstance(tools, list) else []
    return found + [tool for raw in offering_items(view) for tool in _additional_tools(raw)]


def request_for(view: RequestView, care: Care) -> Draft:
    """The client's body with the provider's name for the model, without what another model thought. All else keeps its very bytes."""
    obj = splice.JsonObject(view.raw, view.spans)
    draft = Draft(obj)
    draft.set("model", json.dumps(care.upstream).encode())
    place = obj.span("input")
    if place is None or not view.raw.startswith(b"[", place.start):
        return draft
    raws = _CONVERSATIONS.read(view.raw, place.start, place.end).raws
    if not any(_REASONING in raw for raw in raws):
        return draft
    stored = obj.raw("store") != b"false"
    kept = [_own(raw, care, stored=stored) for raw in raws]
    if stored:
        kept = _untied(raws, kept)
    if any(new is not raw for new, raw in zip(kept, raws, strict=True)):
        draft.set("input", _respliced(view.raw, place, raws, kept))
    return draft


def write_error(status: int, words: str, code: str) -> bytes:
    """An error as OpenAI's clients read it, in this format as in chat completions."""
    return openai_chat.write_error(status, words, code)


def error_event(words: str, code: str) -> bytes:
    """The only event of a stream that has no answer: clients read a failed response as an error of its own, never as a broken line."""
    response: dict[str, object] = {
        "id": "resp_failed",
        "object": "response",
        "created_at": 0,
        "status": "failed",
        "error": {"code": code or "server_error", "message": words},
        "incomplete_details": None,
        "model": "",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
    }
    data: dict[str, object] = {"type": "response.failed", "sequence_number": 0, "response": response}
    return b"event: response.failed\ndata: " + json.dumps(data).encode() + b"\n\n"


def _items(obj: splice.JsonObject, place: Span) -> Messages:
    first = obj.body[place.start : place.start + 1]
    if first == b"[":
        return _CONVERSATIONS.read(obj.body, place.start, place.end)
    if first == b'"':
        return _message(b"user", obj.body[place.start : place.end])
    if any(obj.raw(key) not in (None, b"null") for key in ("prompt", "conversation", "previous_response_id")):
        return _single(b'{"type":"prompt"}')  # All that there is to say stands with the provider.
    raise BadRequest('"input" is missing or neither a text nor a list of items')


def _instructions(obj: splice.JsonObject) -> Messages:
    raw = obj.raw("instructions")
    return _message(b"developer", raw) if raw is not None and raw.startswith(b'"') and raw != b'""' else Messages()


def _message(role: bytes, text: bytes) -> Messages:
    return _single(b'{"role":"' + role + b'","content":' + text + b"}")


def _single(raw: bytes) -> Messages:
    alike = digest(raw, False)
    return Messages((raw,), (alike,), (False,), (anchor_of(raw, alike),))


def _own(raw: bytes, care: Care, *, stored: bool) -> bytes | None:
    """The item as this model may be sent it; None where it is another model's thinking."""
    item = _REASONED.of(raw) if _REASONING in raw else None
    if item is None:
        return raw
    if item.seal is not None:
        maker, thought = item.seal
        return thought.raw if maker == care.model and thought.dialect == NAME else None
    maker = care.maker_of(item.digest)
    # Without its content it is but a name: one that only a provider which stores its answers can look up.
    return raw if maker == care.model or (stored and item.named and not maker) else None


def _untied(raws: Sequence[bytes], kept: Sequence[bytes | None]) -> list[bytes | None]:
    """The same, where what followed a thought that is left out has no id any more: by its id a provider that stores its answers knows
    which thought belongs before it, and refuses it without."""
    untied: list[bytes | None] = []
    torn = False
    for raw, new in zip(raws, kept, strict=True):
        if _REASONING in raw and _REASONED.of(raw) is not None:
            torn = new is None
        elif torn:
            new, torn = _loosened(raw)
        untied.append(new)
    return untied


def _loosened(raw: bytes) -> tuple[bytes, bool]:
    """The item without its id, and whether what follows it was still said by the model."""
    try:
        obj = splice.scan(raw)
    except BadRequest:
        return raw, True
    if obj.get("role") in _INPUT_ROLES:
        return raw, False
    tied = obj.span("id") is not None and obj.get("type") not in _OUTPUTS
    return (splice.replace(obj, {"id": None}) if tied else raw), True


_INPUT_ROLES = ("user", "developer", "system")
_OUTPUTS = ("function_call_output", "custom_tool_call_output")


@dataclass(frozen=True, slots=True)
class _Reasoned:
    """A reasoning item: the digest that stands for it, whether it is only named, and what it carries where we sealed it."""

    digest: str
    named: bool
    seal: tuple[str, Thought] | None


def _reasoned(raw: bytes) -> _Reasoned | None:
    """None where it is another item."""
    fields = splice.object_of(raw) or {}
    if kind_of(fields) != "reasoning":
        return None
    secret = text_of(fields.get("encrypted_content"))
    return _Reasoned(digest_of(secret or text_of(fields.get("id"))), not secret, unsealed(secret))


_REASONED = Remembered(_reasoned)


def _respliced(body: bytes, place: Span, raws: Sequence[bytes], kept: Sequence[bytes | None]) -> bytes:
    """The list with these items in place of those; None leaves one out. What stands between items stays."""
    pieces: list[bytes] = []
    position = place.start + 1
    for raw, new in zip(raws, kept, strict=True):
        start = body.index(raw, position)
        if new is not None:
            between = body[position:start]
            pieces += (between if pieces else between.lstrip(b", \t\r\n"), new)
        position = start + len(raw)
    return b"".join((b"[", *pieces, body[position : place.end]))


def _tools(obj: splice.JsonObject, beside: Iterable[object]) -> tuple[Tool, ...]:
    tools = obj.raw("tools")
    found = () if tools is None else _listed(tools)
    return (*found, *(tool for one in beside for tool in _offered(one)))


@lru_cache(OFFERS_MAX)
def _listed(raw: bytes) -> tuple[Tool, ...]:
    """Every step of a session offers the same tools, tens of kilobytes of them."""
    tools = splice.loads(raw)
    if tools is not None and not isinstance(tools, list):
        raise BadRequest('"tools" must be a list')
    return tuple(tool for one in cast("list[object]", tools or []) for tool in _offered(one))


def _additional_tools(raw: bytes) -> list[object]:
    """The tools that an item of the input offers; none where it is another item."""
    fields = splice.object_of(raw) or {}
    tools = fields.get("tools")
    return cast("list[object]", tools) if kind_of(fields) == "additional_tools" and isinstance(tools, list) else []


def _offered(tool: object) -> list[Tool]:
    """What the client itself runs of this tool: functions and custom tools by their names, the members of a namespace by theirs.
    What only the provider runs is none of it."""
    fields = cast("dict[str, object]", tool) if isinstance(tool, dict) else {}
    kind = text_of(fields.get("type"))
    if kind == "namespace":
        members = fields.get("tools")
        return [found for one in cast("list[object]", members) for found in _offered(one)] if isinstance(members, list) else []
    schema = fields.get("parameters")
    properties = cast("dict[str, object]", schema).get("properties") if isinstance(schema, dict) else None
    names = tuple(cast("dict[str, object]", properties)) if isinstance(properties, dict) else ()
    if kind in CLIENT_TOOLS:
        return [Tool(kind)]
    return [Tool(text_of(fields.get("name")), names)] if kind in ("function", "custom", "") else []


def _needs(obj: splice.JsonObject, in_parts: Iterable[bytes], tools: tuple[Tool, ...]) -> frozenset[Capability]:
    needs: set[Capability] = set()
    if tools:
        needs.add(Capability.TOOLS)
    if any(b'"input_image"' in raw for raw in in_parts):
        needs.add(Capability.VISION)
    text = obj.get("text")
    form = cast("dict[str, object]", text).get("format") if isinstance(text, dict) else None
    if isinstance(form, dict) and cast("dict[str, object]", form).get("type") == "json_schema":
        needs.add(Capability.STRUCTURED)
    return frozenset(needs)


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
