"""OpenAI chat completions, the answer half: listens beside a provider's answer and lets it pass under the name that the client asked for.

Only `model` and the usage report are touched; every other byte is the provider's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import cast

import msgspec

from stepfare.dialects import splice
from stepfare.dialects.base import (
    BadRequest,
    Faulted,
    Finished,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Unreadable,
    UsageReported,
)
from stepfare.dialects.heard import Heard
from stepfare.dialects.meter import chat_usage
from stepfare.dialects.sse import FrameReader, data_of

_MODEL = re.compile(rb'"model"[ \t\r\n]*:[ \t\r\n]*"(?:[^"\\]|\\.)*"')
_DONE = b"[DONE]"

CostText = Callable[[UsageReported], str | None]
"""Dollars of a usage as decimal text, or None where the model is unpriced."""


class ChatStream:
    """One streamed answer on its way through. `heard` tells what passed; `tail` keeps the end mark back for the caller's last word."""

    def __init__(self, alias: str, *, show_usage: bool, cost_text: CostText) -> None:
        self.heard = Heard()
        self.tail = b""
        self._frames = FrameReader()
        self._model = b'"model":' + json.dumps(alias).encode()
        self._show_usage = show_usage
        self._cost_text = cost_text

    def feed(self, chunk: bytes) -> bytes:
        """What of this chunk the client may see. Raises Unreadable."""
        return b"".join(self._frame(frame) for frame in self._frames.feed(chunk))

    def finish(self) -> bytes:
        """What the stream left unfinished; providers may end without a last blank line."""
        rest = self._frames.end()
        return self._frame(rest if rest.endswith((b"\n", b"\r")) else rest + b"\n\n") if rest.strip() else b""

    @property
    def complete(self) -> bool:
        """Whether the answer came to its own end: a stream that just stops was cut."""
        return bool(self.heard.finished or self.tail)

    def _frame(self, frame: bytes) -> bytes:
        data = data_of(frame)
        if data is None:
            return frame
        if data.strip() == _DONE:
            self.tail = frame
            return b""
        try:
            chunk = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            chunk = _leniently(data)
        if not isinstance(chunk, dict):
            return frame
        fields = cast("dict[str, object]", chunk)
        events = list(_events(fields))
        self.heard.hear(events)
        return self._rewritten(frame, data, fields)

    def _rewritten(self, frame: bytes, data: bytes, fields: dict[str, object]) -> bytes:
        usage = fields.get("usage")
        if isinstance(usage, dict):
            if not self._show_usage and not fields.get("choices"):
                return b""  # The client did not ask for this chunk; we did.
            return b"data: " + _with_cost(data, self._model, self.heard.usage, self._cost_text) + b"\n\n"
        if "model" not in fields:
            return frame
        return (
            frame.replace(data, _renamed(data, self._model), 1) if b"\n" not in data else b"data: " + _renamed(data, self._model) + b"\n\n"
        )


def read_body(body: bytes, alias: str, cost_text: CostText) -> tuple[bytes, Heard]:
    """A whole answer: the bytes for the client, and what was heard. Raises Unreadable where it is no chat completion."""
    heard = Heard()
    try:
        obj = splice.scan(body)
    except BadRequest as error:
        raise Unreadable(f"the answer cannot be read: {error}") from None
    fields = {span.key: obj.get(span.key) for span in obj.spans}
    heard.hear(_events(fields))
    if heard.fault is None and not isinstance(fields.get("choices"), list):
        raise Unreadable('the answer has no "choices"')
    return _with_cost(body, b'"model":' + json.dumps(alias).encode(), heard.usage, cost_text), heard


def _with_cost(data: bytes, model: bytes, reported: UsageReported | None, cost_text: CostText) -> bytes:
    obj = splice.scan(data)
    values: dict[str, bytes] = {"model": model.removeprefix(b'"model":')}
    usage = obj.raw("usage")
    text = cost_text(reported) if reported is not None else None
    if usage is not None and usage.startswith(b"{") and text is not None:
        values["usage"] = splice.replace(splice.scan(usage), {"cost": text.encode()})
    return splice.replace(obj, values)


def _renamed(data: bytes, model: bytes) -> bytes:
    """In a string the quotes of "model" would be escaped, so a match is a key; with several of them the top-level one is looked up."""
    if data.count(b'"model"') == 1:
        return _MODEL.sub(lambda _: model, data, count=1)
    return splice.replace(splice.scan(data), {"model": model.removeprefix(b'"model":')})


def _leniently(data: bytes) -> object:
    try:
        return splice.loads(data)
    except BadRequest:
        raise Unreadable("an event of the stream is not JSON") from None


def _events(fields: dict[str, object]) -> Iterator[StreamEvent]:
    """Events of a chunk or of a whole completion: the two differ only in `delta` and `message`."""
    error = fields.get("error")
    if error:
        yield _fault(error)
    usage = fields.get("usage")
    if isinstance(usage, dict):
        report = chat_usage(cast("dict[str, object]", usage))
        if report is not None:
            yield report
    choices = fields.get("choices")
    if not isinstance(choices, list):
        return
    for choice in cast("list[object]", choices):
        if not isinstance(choice, dict):
            continue
        named = cast("dict[str, object]", choice)
        delta = named.get("delta") or named.get("message")
        if isinstance(delta, dict):
            yield from _delta_events(cast("dict[str, object]", delta))
        reason = named.get("finish_reason")
        if isinstance(reason, str) and reason:
            yield Finished(reason)
        if named.get("error"):
            yield _fault(named["error"])


def _delta_events(delta: dict[str, object]) -> Iterator[StreamEvent]:
    thinking = delta.get("reasoning_content") or delta.get("reasoning")
    if isinstance(thinking, str) and thinking:
        yield ThinkingDelta(thinking)
    content = delta.get("content") or delta.get("refusal")
    if isinstance(content, str) and content:
        yield TextDelta(content)
    calls = delta.get("tool_calls")
    if not isinstance(calls, list):
        return
    for place, call in enumerate(cast("list[object]", calls)):
        if not isinstance(call, dict):
            continue
        fields = cast("dict[str, object]", call)
        index = fields.get("index")
        index = index if isinstance(index, int) else place
        function = fields.get("function") or fields.get("custom")
        named = cast("dict[str, object]", function) if isinstance(function, dict) else {}
        name, arguments = named.get("name"), named.get("arguments", named.get("input"))
        if isinstance(name, str) and name:
            yield ToolCallStarted(index, str(fields.get("id") or ""), name)
        if isinstance(arguments, str) and arguments:
            yield ToolCallDelta(index, arguments)


def _fault(error: object) -> Faulted:
    if not isinstance(error, dict):
        return Faulted(str(error)[:300])
    fields = cast("dict[str, object]", error)
    code = fields.get("code") or fields.get("type") or ""
    status = code if isinstance(code, int) else 0
    return Faulted(str(fields.get("message") or "no reason given")[:300], status, str(code))
