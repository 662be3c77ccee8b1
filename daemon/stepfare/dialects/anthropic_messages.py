"""Anthropic Messages, the request half: what a client asked, what goes upstream in its stead, and errors in its own words.

Answers are the business of `anthropic_answer`; other formats, of `anthropic_prompt` and `anthropic_writer`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import compress
from typing import cast

import msgspec

from stepfare.core.model import Capability
from stepfare.core.request import Block, Image, Opaque, RequestView, Role, Text, Tool, ToolCall, ToolResult, Turn
from stepfare.dialects import anthropic_thoughts, splice
from stepfare.dialects.anchors import NOTHING
from stepfare.dialects.base import BadRequest
from stepfare.dialects.care import Care
from stepfare.dialects.conversations import Conversations, Messages
from stepfare.dialects.draft import Draft
from stepfare.dialects.hosted import hosted
from stepfare.dialects.turns import LazyTurns, TurnMemory, body_digest, digest, has_parts

NAME = "anthropic"
PATH = "/messages"
HEADERS = {"anthropic-version": "2023-06-01"}
PASSING_HEADERS = ("anthropic-version", "anthropic-beta")
OFFERS_MAX = 16
"""Lists of tools that are remembered."""

BILLING_MARK = "x-anthropic-billing-header:"
"""How Claude Code's first system text begins: it is for Anthropic's own books, and differs from conversation to conversation."""

_ROLES = {"system": Role.SYSTEM, "user": Role.USER, "assistant": Role.ASSISTANT}
_IMAGE = re.compile(rb'"type"[ \t\r\n]*:[ \t\r\n]*"image"')
# The version's last part is another one in every conversation.
_BILLING_SUFFIX = re.compile(rb"(x-anthropic-billing-header:[^\"]{0,40}?cc_version=\d+(?:\.\d+)*)\.[0-9a-f]{1,8}(?=;)")

ERROR_KINDS: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""What this API calls an error of each status."""


def read_request(body: bytes, headers: Mapping[str, str]) -> RequestView:
    """Read a Messages body. `headers` have lower-case names and hold no secrets. Raises BadRequest."""
    obj = splice.scan(body)
    model = obj.get("model")
    if not isinstance(model, str) or not model:
        raise BadRequest(
            '"model" is missing or not a string: name a profile such as "auto" or a model such as "anthropic/claude-sonnet-5-5"'
        )
    place = obj.span("messages")
    if place is None or not body.startswith(b"[", place.start):
        raise BadRequest('"messages" is missing or not a list')
    messages = _CONVERSATIONS.read(body, place.start, place.end)
    if not messages.raws:
        raise BadRequest('"messages" is empty: at least one message is required')
    stream = obj.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise BadRequest('"stream" must be true or false')
    tools = _tools(obj)
    first = _system(obj)
    raws, digests = (*first.raws, *messages.raws), (*first.digests, *messages.digests)
    return RequestView(
        dialect=NAME,
        endpoint="chat",
        raw=body,
        headers=headers,
        model=model,
        stream=bool(stream),
        turns=LazyTurns(raws, read_turn, digests, _MEMORY),
        digests=digests,
        anchors=(*first.anchors, *messages.anchors),
        tools=tools,
        needs=_needs(obj, compress(messages.raws, messages.parts), tools),
        max_output_tokens=_count(obj.get("max_tokens")),
        wants_usage=True,
        body_digest=body_digest(body[: place.start], messages.digests, body[place.end :]),
        spans=obj.spans,
        hosted=hosted(NAME, obj),
    )


def request_for(view: RequestView, care: Care) -> Draft:
    """The client's body with the provider's name for the model, without what another model thought, and for another provider than
    Anthropic without its billing line. What needs no change keeps its bytes."""
    obj = splice.JsonObject(view.raw, view.spans)
    draft = Draft(obj)
    draft.set("model", json.dumps(care.upstream).encode())
    place = obj.span("messages")
    if place is not None:
        edited = anthropic_thoughts.with_own(view.raw, place, messages_of(view).raws, care)
        if edited is not None:
            draft.set("messages", edited)
    if care.foreign:
        _leave_out_billing(draft, obj)
    return draft


def messages_of(view: RequestView) -> Messages:
    """The messages of the list `messages`, as bytes of their own."""
    place = splice.JsonObject(view.raw, view.spans).span("messages")
    return Messages() if place is None else _CONVERSATIONS.read(view.raw, place.start, place.end)


def read_turn(raw: bytes) -> Turn:
    """One message. Lenient: what is not understood becomes Opaque, never an error."""
    fields = splice.object_of(raw)
    if fields is None:
        return Turn(Role.USER, (Opaque("unreadable"),))
    return Turn(_ROLES.get(str(fields.get("role")), Role.USER), tuple(_blocks(fields.get("content"))))


def is_billing(text: object) -> bool:
    """Whether this system text is Claude Code's billing line."""
    return isinstance(text, str) and text.startswith(BILLING_MARK)


def as_json(value: object) -> str:
    """Compact JSON; nothing for what cannot be said in it."""
    try:
        return msgspec.json.encode(value).decode()
    except (OverflowError, RecursionError, ValueError, TypeError):
        pass
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (RecursionError, ValueError, TypeError):
        return ""


def error_kind(status: int) -> str:
    """What this API calls an error of that status."""
    return ERROR_KINDS.get(status, "invalid_request_error" if 400 <= status < 500 else "api_error")


def write_error(status: int, words: str, code: str) -> bytes:
    """An error as Anthropic's clients read it. They know the kind of an error by `type`, so the code is not said."""
    del code
    return json.dumps({"type": "error", "error": {"type": error_kind(status), "message": words}, "request_id": None}).encode()


def error_event(words: str, code: str) -> bytes:
    """The last event of a stream that cannot be finished."""
    return b"event: error\ndata: " + write_error(502, words, code) + b"\n\n"


def _digest(raw: bytes, parts: bool) -> bytes:
    if b'"output_config"' in raw:
        raw = _without_output_config(raw)
        parts = has_parts(raw)
    return digest(raw, parts=parts)


def _without_output_config(raw: bytes) -> bytes:
    """How hard the model is to think does not make it another message."""
    try:
        obj = splice.scan(raw)
        return raw if obj.span("output_config") is None else splice.replace(obj, {"output_config": None})
    except BadRequest:
        return raw


_CONVERSATIONS, _MEMORY = Conversations(digest_of=_digest), TurnMemory()


def _system(obj: splice.JsonObject) -> Messages:
    """The system texts that stand beside the messages, as a message of their own."""
    raw = obj.raw("system")
    if raw is None or raw in (b"null", b'""', b"[]"):
        return Messages()
    turn = b'{"role":"system","content":' + raw + b"}"
    alike = _BILLING_SUFFIX.sub(rb"\1", turn) if BILLING_MARK.encode() in turn else turn
    parts = has_parts(turn)
    return Messages((turn,), (digest(alike, parts=parts),), (parts,), (NOTHING,))


def _leave_out_billing(draft: Draft, obj: splice.JsonObject) -> None:
    raw = obj.raw("system")
    if raw is None or BILLING_MARK.encode() not in raw:
        return
    try:
        blocks = splice.items(raw) if raw.startswith(b"[") else [raw]
        kept = [block for block in blocks if not is_billing(_system_text(splice.loads(block)))]
    except BadRequest:
        return
    if not kept:
        draft.drop("system")
    elif len(kept) < len(blocks):
        draft.set("system", b"[" + b",".join(kept) + b"]")


def _system_text(block: object) -> object:
    return cast("dict[str, object]", block).get("text") if isinstance(block, dict) else block


def _blocks(content: object) -> Iterable[Block]:
    if isinstance(content, str):
        if content:
            yield Text(content)
        return
    for part in cast("list[object]", content) if isinstance(content, list) else []:
        yield from _block(part)


def _block(part: object) -> Iterable[Block]:
    if isinstance(part, str):
        yield Text(part)
        return
    if not isinstance(part, dict):
        yield Opaque("unknown")
        return
    fields = cast("dict[str, object]", part)
    kind, text = str(fields.get("type", "unknown")), fields.get("text")
    if kind == "text" and isinstance(text, str):
        yield Text(text)
    elif kind == "tool_use":
        yield ToolCall(_text(fields.get("id")), _text(fields.get("name")), as_json(fields.get("input", {})))
    elif kind == "tool_result":
        inner = tuple(_blocks(fields.get("content")))
        said = "\n".join(block.text for block in inner if isinstance(block, Text))
        yield ToolResult(_text(fields.get("tool_use_id")), said, failed=fields.get("is_error") is True)
        yield from (block for block in inner if isinstance(block, Image))
    elif kind == "image":
        source = fields.get("source")
        yield Image(_text(cast("dict[str, object]", source).get("media_type")) if isinstance(source, dict) else "")
    else:
        yield Opaque(kind)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _tools(obj: splice.JsonObject) -> tuple[Tool, ...]:
    raw = obj.raw("tools")
    return () if raw is None else _offered(raw)


@lru_cache(OFFERS_MAX)
def _offered(raw: bytes) -> tuple[Tool, ...]:
    """Every step of a session offers the same tools, tens of kilobytes of them."""
    tools = splice.loads(raw)
    if tools is None:
        return ()
    if not isinstance(tools, list):
        raise BadRequest('"tools" must be a list')
    return tuple(_tool(tool) for tool in cast("list[object]", tools))


def _tool(tool: object) -> Tool:
    fields = cast("dict[str, object]", tool) if isinstance(tool, dict) else {}
    schema = fields.get("input_schema")
    properties = cast("dict[str, object]", schema).get("properties") if isinstance(schema, dict) else None
    names = tuple(cast("dict[str, object]", properties)) if isinstance(properties, dict) else ()
    return Tool(_text(fields.get("name")) or _text(fields.get("type")), names)


def _needs(obj: splice.JsonObject, in_parts: Iterable[bytes], tools: tuple[Tool, ...]) -> frozenset[Capability]:
    needs: set[Capability] = set()
    if tools:
        needs.add(Capability.TOOLS)
    # In a string the quotes of the mark would be escaped.
    if any(b'"image"' in raw and _IMAGE.search(raw) for raw in in_parts):
        needs.add(Capability.VISION)
    config = obj.get("output_config")
    if isinstance(obj.get("output_format"), dict) or (
        isinstance(config, dict) and isinstance(cast("dict[str, object]", config).get("format"), dict)
    ):
        needs.add(Capability.STRUCTURED)
    return frozenset(needs)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
