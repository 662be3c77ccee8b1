"""OpenAI Responses, the answer half: listens beside a provider's answer and lets it pass under the name that the client asked for.

Only `model` and the usage report of the response object are touched; every other byte is the provider's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

import msgspec

from stepfare.core.prompt import Thought
from stepfare.dialects import splice
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
)
from stepfare.dialects.framed import Piece
from stepfare.dialects.heard import Heard
from stepfare.dialects.passing import PassingStream
from stepfare.dialects.responses_items import ARGUMENTS, BUILT_IN, call_id_of, kind_of, part_text, text_of
from stepfare.dialects.responses_usage import SEARCH, read_usage, searches_counted, served
from stepfare.dialects.sse import data_of
from stepfare.dialects.thoughts import digest_of

WORDS_CHARS_MAX = 300
"""What of a reported error is told."""
DID_MAX = 10_000
"""Uses of the provider's own tools that are told apart."""
PARTS_JOINT = "\n\n"
"""Between the parts of a summary, which are paragraphs."""

_ENDS = ("response.completed", "response.incomplete")
_FINAL = ("completed", "incomplete", "failed", "cancelled")
_REASONS = {"max_output_tokens": LENGTH, "content_filter": FILTER}
_STATUSES = {
    "rate_limit_exceeded": 429,
    "usage_limit_reached": 429,
    "insufficient_quota": 429,
    "slow_down": 503,
    "server_is_overloaded": 503,
    "overloaded": 503,
    "server_error": 500,
    "context_length_exceeded": 400,
    "invalid_prompt": 400,
}
"""The status that an error would have had, had it come before the stream."""


@dataclass(slots=True)
class _Item:
    """One item of an answer while it streams: what was heard of it, so that nothing is heard twice."""

    call: int = -1
    begun: bool = False
    """Whether its name was known when it was told."""
    heard: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    done: bool = False


class ResponsesListener:
    """Understands the events of one streamed answer. What comes in pieces and then whole is told once."""

    def __init__(self) -> None:
        self._items: dict[int, _Item] = {}
        self._calls = 0
        self._call_ids: set[str] = set()
        self._did: list[str] = []
        self._searching: set[int] = set()
        self._ended = False

    def listen(self, name: str, fields: Mapping[str, object]) -> Iterator[StreamEvent]:
        kind = text_of(fields.get("type")) or name
        if kind == "error" or (fields.get("error") and not kind.startswith("response.")):
            yield _fault(fields.get("error") or fields)
            return
        response = fields.get("response")
        if isinstance(response, dict):
            if kind in _ENDS or kind in ("response.failed", "response.cancelled"):
                yield from self.whole(cast("dict[str, object]", response), kind.removeprefix("response."))
            return
        place = fields.get("output_index")
        index = place if isinstance(place, int) else -1
        item = self._items.get(index)
        if item is None or (item.done and kind == "response.output_item.added"):
            # Some providers number every item 0: what begins after an end is another one.
            self._items[index] = item = _Item()
        delta = _DELTAS.get(kind)
        if delta is not None:
            yield from self._piece(item, delta, fields)
        elif kind in ("response.output_item.added", "response.output_item.done"):
            value = fields.get("item")
            if isinstance(value, dict):
                value = cast("dict[str, object]", value)
                yield from self._item(item, value, done=kind.endswith("done"))
                if value.get("type") == SEARCH:
                    yield self._searched(index, done=kind.endswith("done"))

    def whole(self, response: Mapping[str, object], status: str) -> Iterator[StreamEvent]:
        """What a response object says beyond what was heard of its items, and how the answer ended."""
        if self._ended:
            return
        said = text_of(response.get("status"))
        status = said if said in _FINAL else status
        if status in ("failed", "cancelled"):
            yield from self._used(response)
            yield _fault(response.get("error") or f"the answer was {status}")
            return
        heard = any(item.heard or item.done for item in self._items.values())
        for value in _list(response.get("output")):
            fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
            if not heard or (kind_of(fields) in ARGUMENTS and call_id_of(fields) not in self._call_ids):
                yield from self._item(_Item(), fields, done=True)
        yield from self._used(response)
        if status in ("completed", "incomplete"):
            self._ended = True
            yield Finished(self._reason(response, status))
        else:
            yield Faulted(f"its answer is still {status[:WORDS_CHARS_MAX]}, and nobody would fetch it")

    def _searched(self, index: int, *, done: bool) -> Searched:
        """All searches so far: those that are done, and those that are under way, of which nobody knows yet what they will be."""
        (self._searching.discard if done else self._searching.add)(index)
        return Searched(self._did.count(SEARCH) + len(self._searching))

    def _used(self, response: Mapping[str, object]) -> Iterator[StreamEvent]:
        usage = response.get("usage")
        if isinstance(usage, dict):
            searches = searches_counted(response)
            report = read_usage(cast("dict[str, object]", usage), response.get("service_tier"), tuple(self._did[:DID_MAX]), searches)
            if report is not None:
                yield report

    def _reason(self, response: Mapping[str, object], status: str) -> str:
        details = response.get("incomplete_details")
        reason = text_of(cast("dict[str, object]", details).get("reason")) if isinstance(details, dict) else ""
        if status == "incomplete":
            return _REASONS.get(reason, reason or LENGTH)
        return CALLS if self._calls else STOP

    def _piece(self, item: _Item, delta: tuple[str, str, str], fields: Mapping[str, object]) -> Iterator[StreamEvent]:
        """A delta, or the whole of something that came without deltas."""
        what, text_key, place_key = delta
        text, place = text_of(fields.get(text_key)), fields.get(place_key)
        part = place if isinstance(place, int) else 0
        whole = text_key != "delta"
        if text and not (whole and (what, part) in item.heard):
            yield from self._said(item, what, part, text)

    def _said(self, item: _Item, what: str, part: int, text: str) -> Iterator[StreamEvent]:
        new = (what, part) not in item.heard
        if what == "reasoning" and any(kind == "summary" for kind, _ in item.heard):
            return  # The summary says the same, for readers.
        item.heard.add((what, part))
        match what:
            case "arguments":
                if item.call < 0:
                    yield self._call(item, {})
                yield ToolCallDelta(item.call, text)
            case "text":
                yield TextDelta(text)
            case _:
                earlier = any(kind == what and place != part for kind, place in item.heard)
                yield ThinkingDelta(PARTS_JOINT + text if new and earlier else text)

    def _item(self, item: _Item, value: Mapping[str, object], *, done: bool) -> Iterator[StreamEvent]:
        if item.done:
            return
        item.done = done
        kind = kind_of(value)
        if kind in ARGUMENTS:
            if not item.begun:
                yield self._call(item, value)
            arguments = text_of(value.get(ARGUMENTS[kind])) if done else ""
            if arguments and ("arguments", 0) not in item.heard:
                yield from self._said(item, "arguments", 0, arguments)
        elif done and kind == "message":
            for place, part in enumerate(_list(value.get("content"))):
                text = part_text(part)
                if text and ("text", place) not in item.heard:
                    yield from self._said(item, "text", place, text)
        elif done and kind == "reasoning":
            yield from self._thought(item, value)
        elif done and (did := served(value)):
            self._did.append(did)

    def _call(self, item: _Item, value: Mapping[str, object]) -> ToolCallStarted:
        if item.call < 0:
            item.call = self._calls
            self._calls += 1
        kind = kind_of(value)
        item.begun = bool(value)
        self._call_ids.add(call_id_of(value))
        name = text_of(value.get("name")) or BUILT_IN.get(kind, "")
        return ToolCallStarted(item.call, call_id_of(value), name, text_of(value.get("namespace")), kind == "custom_tool_call")

    def _thought(self, item: _Item, value: Mapping[str, object]) -> Iterator[StreamEvent]:
        summary = [part_text(part) for part in _list(value.get("summary"))]
        texts = [text for text in summary if text] or [text for part in _list(value.get("content")) if (text := part_text(part))]
        if not any(what in ("summary", "reasoning") for what, _ in item.heard):
            for place, text in enumerate(texts):
                yield from self._said(item, "summary", place, text)
        secret = text_of(value.get("encrypted_content")) or text_of(value.get("id"))
        if secret or texts:
            raw = msgspec.json.encode(value)
            yield ThoughtMade(Thought("responses", raw, digest_of(secret or PARTS_JOINT.join(texts)), PARTS_JOINT.join(texts)))


_DELTAS = {
    "response.output_text.delta": ("text", "delta", "content_index"),
    "response.output_text.done": ("text", "text", "content_index"),
    "response.refusal.delta": ("text", "delta", "content_index"),
    "response.refusal.done": ("text", "refusal", "content_index"),
    "response.reasoning_summary_text.delta": ("summary", "delta", "summary_index"),
    "response.reasoning_summary_text.done": ("summary", "text", "summary_index"),
    "response.reasoning_text.delta": ("reasoning", "delta", "content_index"),
    "response.reasoning_text.done": ("reasoning", "text", "content_index"),
    "response.function_call_arguments.delta": ("arguments", "delta", ""),
    "response.function_call_arguments.done": ("arguments", "arguments", ""),
    "response.custom_tool_call_input.delta": ("arguments", "delta", ""),
    "response.custom_tool_call_input.done": ("arguments", "input", ""),
}
"""Events that carry content: what it is, where it stands in the event, and where the number of its part does."""


class ResponsesStream(PassingStream):
    """A streamed answer on its way through. The event with the whole response is its end mark; what follows says nothing more."""

    def __init__(self, alias: str, *, cost_text: CostText) -> None:
        super().__init__(ResponsesListener(), self._seen, self._is_end)
        self._model = json.dumps(alias).encode()
        self._cost_text = cost_text
        self._last = False

    def _frame(self, frame: bytes) -> Iterable[Piece]:
        data = data_of(frame)
        if data is not None and (self.tail or data.strip() == b"[DONE]"):
            return ()  # Some providers end with the mark of chat completions; clients of this format wait for none.
        return super()._frame(frame)

    def _seen(self, data: bytes, fields: dict[str, object], heard: Heard) -> bytes | None:
        response = fields.get("response")
        self._last = fields.get("type") in _ENDS
        if not isinstance(response, dict):
            return data
        obj = splice.scan(data)
        inner = obj.raw("response")
        assert inner is not None, "a field that was decoded stands in the bytes"
        return splice.replace(obj, {"response": _told(inner, self._model, heard, self._cost_text)})

    def _is_end(self, _name: str, _data: bytes) -> bool:
        return self._last


def read_body(body: bytes, alias: str, cost_text: CostText) -> tuple[bytes, Heard]:
    """A whole answer: the bytes for the client, and what was heard. Raises Unreadable where it is no response."""
    heard = Heard()
    heard.hear(events_of(body))
    try:
        return _told(body, json.dumps(alias).encode(), heard, cost_text), heard
    except BadRequest as error:
        raise Unreadable(f"the answer cannot be read: {error}") from None


def events_of(body: bytes) -> tuple[StreamEvent, ...]:
    """A whole answer as events. Raises Unreadable where it is no response."""
    try:
        obj = splice.scan(body)
        fields = obj.decoded()
    except BadRequest as error:
        raise Unreadable(f"the answer cannot be read: {error}") from None
    if not isinstance(fields.get("output"), list):
        error = fields.get("error") or (fields if fields.get("type") == "error" or fields.get("object") == "error" else None)
        if error:
            return (_fault(error),)
        raise Unreadable('the answer has no "output"')
    return tuple(ResponsesListener().whole(fields, text_of(fields.get("status")) or "completed"))


def _told(response: bytes, model: bytes, heard: Heard, cost_text: CostText) -> bytes:
    """The bytes of a response object under the client's name for the model, with what it cost."""
    obj = splice.scan(response)
    values: dict[str, bytes] = {}
    if obj.span("model") is not None:
        values["model"] = model
    usage = obj.raw("usage")
    text = cost_text(heard.usage) if heard.usage is not None else None
    if usage is not None and usage.startswith(b"{") and text is not None:
        values["usage"] = splice.replace(splice.scan(usage), {"cost": text.encode()})
    return splice.replace(obj, values)


def _fault(error: object) -> Faulted:
    """What went wrong, with the status that stands in its code or that its code stands for."""
    if not isinstance(error, dict):
        return Faulted(text_of(error)[:WORDS_CHARS_MAX] or "no reason given")
    fields = cast("dict[str, object]", error)
    code = text_of(fields.get("code")) or text_of(fields.get("type"))
    words = text_of(fields.get("message"))[:WORDS_CHARS_MAX] or "no reason given"
    status = int(code) if len(code) == 3 and code.isascii() and code.isdigit() else _STATUSES.get(code, 0)
    return Faulted(words, status, code[:WORDS_CHARS_MAX])


def _list(value: object) -> Iterable[object]:
    return cast("list[object]", value) if isinstance(value, list) else ()
