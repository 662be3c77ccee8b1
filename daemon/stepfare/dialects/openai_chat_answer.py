"""OpenAI chat completions, the answer half: listens beside a provider's answer and lets it pass under the name that the client asked for.

Only `model` and the usage report are touched, and `reasoning` is said a second time as `reasoning_content`, the name that clients show;
every other byte is the provider's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import cast

from stepfare.dialects import splice
from stepfare.dialects.base import (
    BadRequest,
    CostText,
    Faulted,
    Finished,
    Listener,
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
from stepfare.dialects.meter import chat_usage, timed_usage
from stepfare.dialects.openai_chat_thoughts import Thinking
from stepfare.dialects.passing import PassingStream

_MODEL = re.compile(rb'("model"[ \t\r\n]*:[ \t\r\n]*)"(?:[^"\\]++|\\.)*+"')
_DONE = b"[DONE]"

WORDS_CHARS_MAX = 300
"""What of a reported error is told."""


class ChatListener:
    """Understands the chunks of a stream of chat completions."""

    def __init__(self) -> None:
        self._thinking = Thinking()
        self._service: object = ""

    def listen(self, name: str, fields: Mapping[str, object]) -> Iterator[StreamEvent]:
        if name == "error" and not fields.get("error"):
            fields = {"error": fields}
        # Some name it in the first chunk only, and count in the last one.
        self._service = fields.get("service_tier") or self._service
        return _events(fields, self._thinking, self._service)


class ChatStream(PassingStream):
    """A streamed chat completion on its way through."""

    def __init__(self, alias: str, *, show_usage: bool, cost_text: CostText, listener: Listener | None = None) -> None:
        super().__init__(listener or ChatListener(), self._seen, _is_end)
        self._model = json.dumps(alias).encode()
        self._told = self._shown = b""
        self._show_usage = show_usage
        self._cost_text = cost_text

    def _seen(self, data: bytes, fields: dict[str, object], heard: Heard) -> bytes | None:
        """The data as the client may see it; None for a chunk that we asked for and the client did not."""
        if isinstance(fields.get("usage"), dict):
            if not self._show_usage and not fields.get("choices"):
                return None
            return with_cost(_with_reasoning(data), self._model, heard.usage, self._cost_text)
        data = _with_reasoning(data)
        return self._renamed(data) if "model" in fields else data

    def _renamed(self, data: bytes) -> bytes:
        """In a string the quotes of "model" would be escaped, so a match is a key; with several of them the top-level one is looked up."""
        if data.count(b'"model"') != 1:
            return splice.replace(splice.scan(data), {"model": self._model})
        if not self._told or self._told not in data:
            # Hundreds of chunks say it in the same bytes, so these are looked for once.
            said = _MODEL.search(data)
            if said is None:
                return data
            self._told, self._shown = said[0], said[1] + self._model
        return data.replace(self._told, self._shown, 1)


def _is_end(_name: str, data: bytes) -> bool:
    return data.strip() == _DONE


def read_body(body: bytes, alias: str, cost_text: CostText) -> tuple[bytes, Heard]:
    """A whole answer: the bytes for the client, and what was heard. Raises Unreadable where it is no chat completion."""
    return read_body_by(ChatListener(), body, alias, cost_text)


def read_body_by(listener: Listener, body: bytes, alias: str, cost_text: CostText) -> tuple[bytes, Heard]:
    """The same as this listener understands it."""
    heard = Heard()
    heard.hear(events_by(listener, body))
    try:
        return with_cost(_with_reasoning(body), json.dumps(alias).encode(), heard.usage, cost_text), heard
    except BadRequest as error:
        raise Unreadable(f"the answer cannot be read: {error}") from None


def events_of(body: bytes) -> tuple[StreamEvent, ...]:
    """A whole answer as events. Raises Unreadable where it is no chat completion."""
    return events_by(ChatListener(), body)


def events_by(listener: Listener, body: bytes) -> tuple[StreamEvent, ...]:
    """The same as this listener understands it."""
    try:
        obj = splice.scan(body)
        fields = obj.decoded()
    except BadRequest as error:
        raise Unreadable(f"the answer cannot be read: {error}") from None
    events = tuple(listener.listen("", fields))
    if not isinstance(fields.get("choices"), list) and not any(isinstance(event, Faulted) for event in events):
        raise Unreadable('the answer has no "choices"')
    return events


def with_cost(data: bytes, model: bytes, reported: UsageReported | None, cost_text: CostText) -> bytes:
    """The chunk or body under this name (JSON), with the cost in its usage report. Raises BadRequest."""
    obj = splice.scan(data)
    values: dict[str, bytes] = {}
    if obj.span("model") is not None:
        values["model"] = model
    usage = obj.raw("usage")
    text = cost_text(reported) if reported is not None else None
    if usage is not None and usage.startswith(b"{") and text is not None:
        values["usage"] = splice.replace(splice.scan(usage), {"cost": text.encode()})
    return splice.replace(obj, values)


def _with_reasoning(data: bytes) -> bytes:
    """The chunk or body in which a thought that is only called `reasoning` is called `reasoning_content` too. Raises BadRequest."""
    if b'"reasoning"' not in data:
        return data
    chunk = splice.scan(data)
    choices = chunk.raw("choices")
    if choices is None or not choices.startswith(b"["):
        return data
    elements = splice.items(choices)
    changed: dict[int, bytes] = {}
    for place, element in enumerate(elements):
        choice = splice.scan(element) if element.startswith(b"{") else splice.scan(b"{}")
        for key in ("delta", "message"):
            raw = choice.raw(key)
            said = splice.scan(raw) if raw is not None and raw.startswith(b"{") else splice.scan(b"{}")
            text, shown = said.raw("reasoning"), said.raw("reasoning_content")
            if text is not None and text.startswith(b'"') and text != b'""' and shown in (None, b"null", b'""'):
                changed[place] = splice.replace(choice, {key: splice.replace(said, {"reasoning_content": text})})
    if not changed:
        return data
    return splice.replace(chunk, {"choices": splice.with_items(choices, elements, changed)})


def _events(fields: Mapping[str, object], thinking: Thinking, service: object) -> Iterator[StreamEvent]:
    """Events of a chunk or of a whole completion: the two differ only in `delta` and `message`."""
    error = fields.get("error") or (fields if fields.get("object") == "error" else None)
    if error:
        yield _fault(error)
    report = _report(fields, service)
    if report is not None:
        yield report
    choices = fields.get("choices")
    if not isinstance(choices, list):
        return
    for choice in cast("list[object]", choices):
        if not isinstance(choice, dict):
            continue
        named = cast("dict[str, object]", choice)
        if named.get("index") not in (None, 0):
            continue  # Several answers are not one: what counts is the first.
        delta = named.get("delta") or named.get("message")
        if isinstance(delta, dict):
            yield from _delta_events(cast("dict[str, object]", delta), thinking)
        reason = named.get("finish_reason")
        if named.get("error"):
            yield _fault(named["error"])
        elif reason == "error" and not error:
            yield Faulted("it ended its answer with an error and gave no reason")
        elif isinstance(reason, str) and reason:
            yield from _thoughts(thinking, at_end=True)
            yield Finished(reason)


def _report(fields: Mapping[str, object], service: object) -> UsageReported | None:
    """Usage where it stands: beside the choices, in Groq's own field, in the choice (Moonshot), or told by the clock (llama.cpp)."""
    usage = fields.get("usage") or _inner(fields, "x_groq").get("usage") or _first_choice(fields).get("usage")
    if isinstance(usage, dict):
        return chat_usage(cast("dict[str, object]", usage), service)
    timings = fields.get("timings")
    return timed_usage(cast("dict[str, object]", timings)) if isinstance(timings, dict) else None


def _first_choice(fields: Mapping[str, object]) -> dict[str, object]:
    choices = fields.get("choices")
    choice = cast("list[object]", choices)[0] if isinstance(choices, list) and choices else None
    return cast("dict[str, object]", choice) if isinstance(choice, dict) else {}


def _thoughts(thinking: Thinking, *, at_end: bool = False) -> Iterator[StreamEvent]:
    thought = thinking.made(at_end=at_end)
    if thought is not None:
        yield ThoughtMade(thought)


def _delta_events(delta: dict[str, object], thinking: Thinking) -> Iterator[StreamEvent]:
    thought = thinking.hear(delta)
    if thought:
        yield ThinkingDelta(thought)
    content = delta.get("content") or delta.get("refusal")
    if isinstance(content, str) and content:
        # A thought comes before what it led to: one that is told behind the last words hides them from clients that look there.
        yield from _thoughts(thinking)
        yield TextDelta(content)
    elif isinstance(content, list):
        yield from _part_events(cast("list[object]", content))
    calls = delta.get("tool_calls")
    if not isinstance(calls, list):
        return
    for place, call in enumerate(cast("list[object]", calls)):
        if not isinstance(call, dict):
            continue
        fields = cast("dict[str, object]", call)
        index = fields.get("index")
        index = index if isinstance(index, int) else place
        named = _inner(fields, "function") or _inner(fields, "custom")
        call_id, name, arguments = fields.get("id"), named.get("name"), named.get("arguments", named.get("input"))
        thinking.hear_call(index, call_id if isinstance(call_id, str) else "", fields.get("extra_content"))
        if call_id or name:
            yield from _thoughts(thinking)
            yield ToolCallStarted(index, call_id if isinstance(call_id, str) else "", name if isinstance(name, str) else "")
        if isinstance(arguments, str) and arguments:
            yield ToolCallDelta(index, arguments)
        elif isinstance(arguments, dict):
            yield ToolCallDelta(index, json.dumps(arguments))


def _part_events(parts: list[object]) -> Iterator[StreamEvent]:
    """Content in parts, as Mistral's reasoning models send it: texts, and thoughts that hold texts."""
    for part in parts:
        if isinstance(part, dict):
            fields = cast("dict[str, object]", part)
            text, thinking = fields.get("text"), fields.get("thinking")
            if isinstance(text, str) and text:
                yield TextDelta(text)
            elif thinking:
                yield ThinkingDelta(thinking if isinstance(thinking, str) else _texts(thinking))


def _texts(value: object) -> str:
    parts = cast("list[object]", value) if isinstance(value, list) else []
    texts = [cast("dict[str, object]", part).get("text") for part in parts if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str))


def _inner(fields: Mapping[str, object], key: str) -> dict[str, object]:
    inner = fields.get(key)
    return cast("dict[str, object]", inner) if isinstance(inner, dict) else {}


def _fault(error: object) -> Faulted:
    """What went wrong, with the status that stands in its code, where one does."""
    if not isinstance(error, dict):
        return Faulted(str(error)[:WORDS_CHARS_MAX])
    fields = cast("dict[str, object]", error)
    code = fields.get("code") or fields.get("type") or ""
    digits = str(code)
    status = int(digits) if len(digits) == 3 and digits.isascii() and digits.isdigit() else 0
    return Faulted(str(fields.get("message") or "no reason given")[:WORDS_CHARS_MAX], status, digits[:WORDS_CHARS_MAX])
