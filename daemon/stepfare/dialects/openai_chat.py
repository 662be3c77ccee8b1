"""OpenAI chat completions, the request half: what a client asked, what goes upstream in its stead, and errors in its own words.

Answers are the business of `openai_chat_answer`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import compress
from typing import cast

from stepfare.core.model import Capability
from stepfare.core.request import Block, Image, Opaque, RequestView, Role, Text, Tool, ToolCall, ToolResult, Turn
from stepfare.dialects import splice
from stepfare.dialects.base import BadRequest
from stepfare.dialects.care import Care
from stepfare.dialects.conversations import Conversations
from stepfare.dialects.draft import Draft
from stepfare.dialects.hosted import hosted
from stepfare.dialects.openai_chat_history import own_history
from stepfare.dialects.turns import LazyTurns, TurnMemory, body_digest

NAME = "openai"
PATH = "/chat/completions"
BODY_BYTES_MAX = 64 * 1024 * 1024
OFFERS_MAX = 16
"""Lists of tools that are remembered."""

_ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
}


def read_request(body: bytes, headers: Mapping[str, str]) -> RequestView:
    """Read a chat completions body. `headers` have lower-case names and hold no secrets. Raises BadRequest."""
    obj = splice.scan(body)
    model = model_of(obj)
    place = obj.span("messages")
    if place is None or not body.startswith(b"[", place.start):
        raise BadRequest('"messages" is missing or not a list')
    messages = _CONVERSATIONS.read(body, place.start, place.end)
    if not messages.raws:
        raise BadRequest('"messages" is empty')
    stream = stream_of(obj)
    tools = _tools(obj)
    return RequestView(
        dialect=NAME,
        endpoint="chat",
        raw=body,
        headers=headers,
        model=model,
        stream=stream,
        turns=LazyTurns(messages.raws, read_turn, messages.digests, _MEMORY),
        digests=messages.digests,
        anchors=messages.anchors,
        tools=tools,
        needs=_needs(obj, compress(messages.raws, messages.parts), tools),
        max_output_tokens=first_int(obj, "max_completion_tokens", "max_tokens"),
        wants_usage=not stream or asks_for_usage(obj),
        body_digest=body_digest(body[: place.start], messages.digests, body[place.end :]),
        spans=obj.spans,
        hosted=hosted(NAME, obj),
    )


def model_of(obj: splice.JsonObject) -> str:
    """What the client calls the model. Raises BadRequest."""
    model = obj.get("model")
    if not isinstance(model, str) or not model:
        raise BadRequest('"model" is missing or not a string: name a profile such as "auto" or a model such as "openai/gpt-6-luna"')
    return model


def stream_of(obj: splice.JsonObject) -> bool:
    """Whether the client wants a stream. Raises BadRequest."""
    stream = obj.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise BadRequest('"stream" must be true or false')
    return bool(stream)


def request_for(view: RequestView, care: Care) -> Draft:
    """The client's body with the provider's name for the model, usage asked for where the client did not, and of the thoughts in its
    history just those that this model had."""
    draft = renamed_for(view, care)
    history = own_history(view, care)
    if history is not None:
        draft.set("messages", history)
    return draft


def renamed_for(view: RequestView, care: Care) -> Draft:
    """The client's body with the provider's name for the model, and usage asked for where the client did not."""
    obj = splice.JsonObject(view.raw, view.spans)
    draft = Draft(obj)
    draft.set("model", json.dumps(care.upstream).encode())
    if view.stream and not view.wants_usage:
        # Without this flag a stream ends unmetered and the step would look free.
        options = obj.raw("stream_options")
        inner = splice.scan(options) if options is not None and options.startswith(b"{") else splice.scan(b"{}")
        draft.set("stream_options", splice.replace(inner, {"include_usage": b"true"}))
    return draft


_CONVERSATIONS, _MEMORY = Conversations(), TurnMemory()


def read_turn(raw: bytes) -> Turn:
    """One message. Lenient: what is not understood becomes Opaque, never an error."""
    fields = splice.object_of(raw)
    if fields is None:
        return Turn(Role.USER, (Opaque("unreadable"),))
    role = _ROLES.get(str(fields.get("role")), Role.USER)
    blocks = _content(fields.get("content"))
    if role is Role.TOOL:
        text = "\n".join(block.text for block in blocks if isinstance(block, Text))
        others = [block for block in blocks if not isinstance(block, Text)]
        return Turn(role, (ToolResult(_text(fields.get("tool_call_id")), text), *others))
    return Turn(role, (*blocks, *_calls(fields.get("tool_calls"))))


QUOTA = "insufficient_quota"


def write_error(status: int, words: str, code: str) -> bytes:
    """An error as OpenAI's clients read it. A quota that is used up has a type of its own, by which some judge before the status."""
    kind = QUOTA if code == QUOTA else "invalid_request_error" if 400 <= status < 500 else "server_error"
    return json.dumps({"error": {"message": words, "type": kind, "code": code, "param": None}}).encode()


def error_event(words: str, code: str) -> bytes:
    """The last event of a stream that cannot be finished."""
    return b"data: " + write_error(502, words, code) + b"\n\n"


def _content(content: object) -> tuple[Block, ...]:
    if isinstance(content, str):
        return (Text(content),) if content else ()
    if not isinstance(content, list):
        return ()
    return tuple(_block(part) for part in cast("list[object]", content))


def _block(part: object) -> Block:
    if isinstance(part, str):
        return Text(part)
    if not isinstance(part, dict):
        return Opaque("unknown")
    fields = cast("dict[str, object]", part)
    kind = str(fields.get("type", "unknown"))
    text = fields.get("text")
    if kind in ("text", "input_text", "output_text") and isinstance(text, str):
        return Text(text)
    return Image() if kind in ("image_url", "image", "input_image") else Opaque(kind)


def _calls(calls: object) -> tuple[ToolCall, ...]:
    if not isinstance(calls, list):
        return ()
    found: list[ToolCall] = []
    for call in cast("list[object]", calls):
        fields = cast("dict[str, object]", call) if isinstance(call, dict) else {}
        function = fields.get("function") or fields.get("custom")
        named = cast("dict[str, object]", function) if isinstance(function, dict) else {}
        arguments = named.get("arguments", named.get("input"))
        found.append(ToolCall(_text(fields.get("id")), _text(named.get("name")), _text(arguments)))
    return tuple(found)


def _text(value: object) -> str:
    """A text as it is; nothing for null, for two calls without an id do not share one; anything else as JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return json.dumps(value)
    except RecursionError:
        return ""


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
    found: list[Tool] = []
    for tool in cast("list[object]", tools):
        fields = cast("dict[str, object]", tool) if isinstance(tool, dict) else {}
        function = fields.get("function") or fields.get("custom")
        named = cast("dict[str, object]", function) if isinstance(function, dict) else fields
        schema = named.get("parameters")
        properties = cast("dict[str, object]", schema).get("properties") if isinstance(schema, dict) else None
        names = tuple(cast("dict[str, object]", properties)) if isinstance(properties, dict) else ()
        found.append(Tool(_text(named.get("name")), names))
    return tuple(found)


def _needs(obj: splice.JsonObject, in_parts: Iterable[bytes], tools: tuple[Tool, ...]) -> frozenset[Capability]:
    needs: set[Capability] = set()
    if tools:
        needs.add(Capability.TOOLS)
    # The mark stands in the bytes of every image part; in a string it would be escaped.
    if any(b'"image_url"' in raw for raw in in_parts):
        needs.add(Capability.VISION)
    response_format = obj.get("response_format")
    if isinstance(response_format, dict) and cast("dict[str, object]", response_format).get("type") == "json_schema":
        needs.add(Capability.STRUCTURED)
    return frozenset(needs)


def asks_for_usage(obj: splice.JsonObject) -> bool:
    """Whether the client wants usage in its stream."""
    options = obj.get("stream_options")
    return isinstance(options, dict) and cast("dict[str, object]", options).get("include_usage") is True


def first_int(obj: splice.JsonObject, *keys: str) -> int | None:
    """The first of these fields that is a number above nothing."""
    for key in keys:
        value = obj.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None
