"""Anthropic Messages, the answer half: listens beside a provider's answer and lets it pass under the name that the client asked for.

Only `model` and the cost in the usage report are touched; every other byte is the provider's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from stepfare.dialects import splice
from stepfare.dialects.anthropic_messages import ERROR_KINDS, as_json
from stepfare.dialects.anthropic_thoughts import KINDS, thought_in
from stepfare.dialects.anthropic_usage import later, messages_usage
from stepfare.dialects.base import (
    CALLS,
    FILTER,
    LENGTH,
    STOP,
    BadRequest,
    CostText,
    Faulted,
    Finished,
    Searched,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ThoughtMade,
    ToolCallDelta,
    ToolCallStarted,
    Unreadable,
    UsageReported,
)
from stepfare.dialects.heard import Heard
from stepfare.dialects.passing import PassingStream

WORDS_CHARS_MAX = 300
"""What of a reported error is told."""
THOUGHT_CHARS_MAX = 4 * 1024 * 1024
"""Of one thinking block; a longer one is shown but cannot be brought back."""

REASONS: Mapping[str, str] = {
    "end_turn": STOP,
    "stop_sequence": STOP,
    "tool_use": CALLS,
    "max_tokens": LENGTH,
    "model_context_window_exceeded": LENGTH,
    "refusal": FILTER,
}
"""Why an answer ended, by this API's word for it; others stay as they are."""

SEARCH = "web_search"
"""The tool of Anthropic's servers that is billed by the call."""
_STATUS = {kind: status for status, kind in ERROR_KINDS.items()} | {"overloaded_error": 529, "api_error": 500}
_IS_STOP = re.compile(rb'\A\s*\{[^{}]*"type"\s*:\s*"message_stop"')


@dataclass(slots=True)
class _Block:
    """A content block that is being told. `call` is the place of its call among the calls, or -1."""

    fields: dict[str, object]
    call: int = -1
    begun: bool = False
    """Whether any arguments of the call were heard."""
    pieces: list[str] = field(default_factory=list[str])
    chars: int = 0
    signature: str = ""


class MessagesListener:
    """Understands the events of a streamed message."""

    def __init__(self) -> None:
        self._usage: dict[str, object] = {}
        self._blocks: dict[int, _Block] = {}
        self._calls = 0
        self._searches = 0
        self._finished = False

    def listen(self, name: str, fields: Mapping[str, object]) -> Iterator[StreamEvent]:
        kind = fields.get("type") or name
        index = fields.get("index")
        place = index if isinstance(index, int) else -1
        match kind:
            case "content_block_delta":
                yield from self._delta(place, _inner(fields, "delta"))
            case "content_block_start":
                yield from self._start(place, _inner(fields, "content_block"))
            case "content_block_stop":
                yield from self._stop(place)
            case "message_start":
                yield from self._used(_inner(_inner(fields, "message"), "usage"))
            case "message_delta":
                yield from self._used(_inner(fields, "usage"))
                yield from self._reason(_inner(fields, "delta"))
            case "message_stop":
                if not self._finished:  # It came to its end and gave no reason.
                    self._finished = True
                    yield Finished(CALLS if self._calls else STOP)
            case _:
                if kind == "error" or fields.get("error"):
                    yield fault_of(fields.get("error") or fields)

    def _start(self, index: int, block: dict[str, object]) -> Iterator[StreamEvent]:
        told = self._blocks[index] = _Block(block)
        match block.get("type"):
            case "text":
                yield from _some(TextDelta, block.get("text"))
            case "thinking":
                yield from _some(ThinkingDelta, self._thought(told, block.get("thinking")))
            case "tool_use":
                told.call = self._calls
                self._calls += 1
                yield ToolCallStarted(told.call, _text(block.get("id")), _text(block.get("name")))
            case "server_tool_use" if block.get("name") == SEARCH:
                self._searches += 1
                yield Searched(self._searches)
            case _:
                pass

    def _delta(self, index: int, delta: dict[str, object]) -> Iterator[StreamEvent]:
        told = self._blocks.get(index)
        match delta.get("type"):
            case "text_delta":
                yield from _some(TextDelta, delta.get("text"))
            case "input_json_delta":
                piece = delta.get("partial_json")
                if told is not None and told.call >= 0 and isinstance(piece, str) and piece:
                    told.begun = True
                    yield ToolCallDelta(told.call, piece)
            case "thinking_delta":
                yield from _some(ThinkingDelta, self._thought(told, delta.get("thinking")))
            case "signature_delta":
                if told is not None:
                    told.signature += _text(delta.get("signature"))
            case _:
                pass

    def _thought(self, told: _Block | None, piece: object) -> object:
        if told is not None and isinstance(piece, str):
            told.chars += len(piece)
            if told.chars <= THOUGHT_CHARS_MAX:
                told.pieces.append(piece)
        return piece

    def _stop(self, index: int) -> Iterator[StreamEvent]:
        told = self._blocks.pop(index, None)
        if told is None:
            return
        if told.call >= 0 and not told.begun:
            # A call without arguments tells none; some tell all of them at the start.
            yield ToolCallDelta(told.call, as_json(_inner(told.fields, "input")) or "{}")
        elif told.fields.get("type") in KINDS and told.chars <= THOUGHT_CHARS_MAX:
            block = told.fields
            if block["type"] == "thinking":
                signature = told.signature or _text(block.get("signature"))
                block = {**block, "thinking": "".join(told.pieces), "signature": signature}
            thought = thought_in(block, as_json(block).encode())
            if thought is not None:
                yield ThoughtMade(thought)

    def _used(self, usage: dict[str, object]) -> Iterator[StreamEvent]:
        later(self._usage, usage)
        report = messages_usage(self._usage) if usage else None
        if report is not None:
            yield report

    def _reason(self, delta: dict[str, object]) -> Iterator[StreamEvent]:
        reason = delta.get("stop_reason")
        if isinstance(reason, str) and reason:
            self._finished = True
            yield Finished(REASONS.get(reason, reason), _text(delta.get("stop_sequence")))


class MessagesStream(PassingStream):
    """A streamed message on its way through."""

    def __init__(self, alias: str, _show_usage: bool, cost_text: CostText) -> None:
        super().__init__(MessagesListener(), self._seen, _is_end)
        self._model = json.dumps(alias).encode()
        self._cost_text = cost_text

    def _seen(self, data: bytes, fields: dict[str, object], heard: Heard) -> bytes:
        match fields.get("type"):
            case "message_start" if "model" in _inner(fields, "message"):
                return _in(data, "message", {"model": self._model})
            case "message_delta" if isinstance(fields.get("usage"), dict):
                return _with_cost(data, {}, heard.usage, self._cost_text)
            case _:
                return data


def _is_end(name: str, data: bytes) -> bool:
    return name == "message_stop" or (not name and _IS_STOP.match(data) is not None)


def read_body(body: bytes, alias: str, cost_text: CostText) -> tuple[bytes, Heard]:
    """A whole answer: the bytes for the client, and what was heard. Raises Unreadable where it is no message."""
    heard = Heard()
    heard.hear(events_of(body))
    if heard.fault is not None:
        return body, heard
    try:
        return _with_cost(body, {"model": json.dumps(alias).encode()}, heard.usage, cost_text), heard
    except BadRequest as error:
        raise Unreadable(f"the answer cannot be read: {error}") from None


def events_of(body: bytes) -> tuple[StreamEvent, ...]:
    """A whole answer as events. Raises Unreadable where it is no message."""
    try:
        obj = splice.scan(body)
        fields = obj.decoded("content")
        raw = obj.raw("content")
        if fields.get("type") == "error" or (fields.get("error") and raw is None):
            return (fault_of(fields.get("error") or fields),)
        if raw is None or not raw.startswith(b"["):
            raise Unreadable('the answer has no "content"')
        blocks = splice.items(raw)
        return tuple(_whole(fields, [(block, splice.loads(block)) for block in blocks]))
    except BadRequest as error:
        raise Unreadable(f"the answer cannot be read: {error}") from None


def fault_of(error: object) -> Faulted:
    """What went wrong, with the status that its type stands for."""
    if not isinstance(error, dict):
        return Faulted(str(error)[:WORDS_CHARS_MAX])
    fields = cast("dict[str, object]", error)
    kind = _text(fields.get("type")) or str(fields.get("code") or "")
    digits = str(fields.get("code") or "")
    status = int(digits) if len(digits) == 3 and digits.isascii() and digits.isdigit() else _STATUS.get(kind, 0)
    return Faulted(str(fields.get("message") or "no reason given")[:WORDS_CHARS_MAX], status, kind[:WORDS_CHARS_MAX])


def _whole(fields: dict[str, object], blocks: list[tuple[bytes, object]]) -> Iterator[StreamEvent]:
    calls = 0
    for raw, value in blocks:
        block = cast("dict[str, object]", value) if isinstance(value, dict) else {}
        kind = block.get("type")
        if kind == "text":
            yield from _some(TextDelta, block.get("text"))
        elif kind == "tool_use":
            yield ToolCallStarted(calls, _text(block.get("id")), _text(block.get("name")))
            yield ToolCallDelta(calls, as_json(_inner(block, "input")) or "{}")
            calls += 1
        elif kind in KINDS:
            yield from _some(ThinkingDelta, block.get("thinking"))
            thought = thought_in(block, raw)
            if thought is not None:
                yield ThoughtMade(thought)
    report = messages_usage(_inner(fields, "usage"))
    if report is not None:
        yield report
    reason = fields.get("stop_reason")
    if isinstance(reason, str) and reason:
        yield Finished(REASONS.get(reason, reason), _text(fields.get("stop_sequence")))
    else:
        yield Finished(CALLS if calls else STOP)


def _with_cost(data: bytes, values: dict[str, bytes | None], reported: UsageReported | None, cost_text: CostText) -> bytes:
    obj = splice.scan(data)
    values = {key: value for key, value in values.items() if obj.span(key) is not None}
    usage = obj.raw("usage")
    text = cost_text(reported) if reported is not None else None
    if usage is not None and usage.startswith(b"{") and text is not None:
        values["usage"] = splice.replace(splice.scan(usage), {"cost": text.encode()})
    return splice.replace(obj, values) if values else data


def _in(data: bytes, key: str, values: dict[str, bytes | None]) -> bytes:
    obj = splice.scan(data)
    inner = obj.raw(key)
    return data if inner is None else splice.replace(obj, {key: splice.replace(splice.scan(inner), values)})


def _some(event: type[TextDelta] | type[ThinkingDelta], text: object) -> Iterator[StreamEvent]:
    if isinstance(text, str) and text:
        yield event(text)


def _inner(fields: Mapping[str, object], key: str) -> dict[str, object]:
    inner = fields.get(key)
    return cast("dict[str, object]", inner) if isinstance(inner, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
