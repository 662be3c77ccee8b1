"""OpenAI chat completions, written from stream events: the answer of a provider of another format, told to a client of this one.

A client of this format has no place for a thought that only its maker can read: what of it may be read is shown, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

import msgspec

from stepfare.core.request import RequestView, ToolCall
from stepfare.dialects import splice
from stepfare.dialects.base import (
    CALLS,
    FILTER,
    LENGTH,
    STOP,
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
    UsageReported,
)
from stepfare.dialects.heard import Heard
from stepfare.dialects.openai_chat import write_error
from stepfare.dialects.openai_chat_answer import ChatListener
from stepfare.dialects.openai_chat_prompt import tool_offers
from stepfare.dialects.passing import told_in
from stepfare.dialects.toolnames import ToolName, as_free_text, by_flat_name

REASONS = frozenset({STOP, CALLS, LENGTH, FILTER})
"""The list is closed here: any other end is a stop."""
DONE = b"data: [DONE]\n\n"
FAULT_STATUS = 502
TEXTS_JOINT = "\n\n"
"""Between the text of an answer that was begun by one model and that of the model that goes on with it."""


@dataclass
class _Call:
    """A call of the answer: `index` as it is told. The input of a custom tool that came as a function's arguments waits in `pieces`."""

    index: int
    id: str
    name: str
    custom: bool
    wrapped: bool
    pieces: list[str] = field(default_factory=list[str])
    given: str = ""
    """The id that its provider gave it."""

    def input(self) -> str:
        text = "".join(self.pieces)
        return as_free_text(text) if self.wrapped else text


class ChatWriter:
    """Says events as the chunks of a streamed chat completion."""

    def __init__(self, view: RequestView, answer_id: str, at_ms: int, maker: str, cost_text: CostText) -> None:
        """`maker` stands in no chunk: clients break where `model` is not what they asked for."""
        self._calls = _Calls(view, answer_id)
        self._cost_text = cost_text
        self._wants_usage = view.wants_usage
        self._head = _head(view, answer_id, at_ms, "chat.completion.chunk")
        self._begun = False
        self._usage: UsageReported | None = None
        self._finished = False
        self._joint = ""

    def resume(self, shown: Iterable[bytes]) -> None:
        """The answer keeps its id; what is said next begins a paragraph of its own, for all texts of an answer are one here."""
        heard = Heard()
        listener = ChatListener()
        for name, fields in told_in(shown):
            heard.hear(listener.listen(name, fields))
            self._head |= {key: fields[key] for key in ("id", "created") if fields.get(key)}
        self._begun = True
        self._joint = TEXTS_JOINT if heard.text else ""
        self._calls.shown(heard.calls)

    def write(self, event: StreamEvent) -> bytes:
        match event:
            case TextDelta(text):
                text, self._joint = self._joint + text, ""
                return self._delta({"content": text})
            case ThinkingDelta(text):
                return self._delta({"reasoning_content": text})
            case ThoughtMade() | Searched():
                return b""
            case ToolCallStarted():
                call = self._calls.start(event)
                return b"" if call is None else self._delta({"tool_calls": [{"index": call.index, **_begun(call)}]})
            case ToolCallDelta(index, arguments):
                call = self._calls.go_on(index, arguments)
                return b"" if call is None or call.wrapped else self._arguments(call, arguments)
            case UsageReported():
                self._usage = event
                return self._usage_chunk() if self._finished else b""
            case Finished(reason):
                self._finished = True
                rest = b"".join(self._rest(call) for call in self._calls.all)
                return rest + self._role() + self._chunk({}, _reason(reason, bool(self._calls.all))) + self._usage_chunk()
            case Faulted(words, status, code):
                return b"data: " + write_error(status or FAULT_STATUS, words, code or str(status or FAULT_STATUS)) + b"\n\n"
            case _:
                assert_never(event)

    def end(self) -> bytes:
        return DONE

    def _delta(self, delta: Mapping[str, object]) -> bytes:
        return self._role() + self._chunk(delta, None)

    def _role(self) -> bytes:
        """The chunk that every stream of this format begins with."""
        if self._begun:
            return b""
        self._begun = True
        return self._chunk({"role": "assistant", "content": ""}, None)

    def _arguments(self, call: _Call, text: str) -> bytes:
        said = {"custom": {"input": text}} if call.custom else {"function": {"arguments": text}}
        return self._delta({"tool_calls": [{"index": call.index, **said}]})

    def _rest(self, call: _Call) -> bytes:
        """What of a call can only be told when it is whole: the free text of a custom tool, and that there are no arguments."""
        text = call.input() if call.wrapped else "" if call.pieces or call.custom else "{}"
        return self._arguments(call, text) if text else b""

    def _chunk(self, delta: Mapping[str, object], reason: str | None) -> bytes:
        return self._frame({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

    def _usage_chunk(self) -> bytes:
        if self._usage is None or not self._wants_usage:
            return b""
        return self._frame({"choices": [], "usage": usage_fields(self._usage, self._cost_text)})

    def _frame(self, fields: Mapping[str, object]) -> bytes:
        return b"data: " + splice.dumps({**self._head, **fields}) + b"\n\n"


class _Calls:
    """The calls of one answer, under the names by which the client offered the tools."""

    def __init__(self, view: RequestView, answer_id: str) -> None:
        self.all: list[_Call] = []
        self._answer_id = answer_id
        self._by_index: dict[int, _Call] = {}
        self._ids: set[str] = set()
        self._view = view
        self._names: Mapping[str, ToolName] | None = None

    def shown(self, calls: Iterable[ToolCall]) -> None:
        """Calls that the client knows already."""
        for call in calls:
            self._ids.add(call.id)
            self.all.append(_Call(len(self.all), call.id, call.name, custom=True, wrapped=False))

    def start(self, event: ToolCallStarted) -> _Call | None:
        """The call that begins; None where the event repeats one that has begun."""
        known = self._by_index.get(event.index)
        if known is not None and event.id in ("", known.given):
            return None
        index = len(self.all)
        tool = self._tool(event.name)
        custom = event.custom or tool.custom
        call_id = event.id if event.id and event.id not in self._ids else f"{event.id or 'call'}_{self._answer_id}_{index}"
        self._ids.add(call_id)
        call = _Call(index, call_id, tool.name, custom, wrapped=custom and not event.custom, given=event.id)
        self._by_index[event.index] = call
        self.all.append(call)
        return call

    def go_on(self, index: int, arguments: str) -> _Call | None:
        call = self._by_index.get(index)
        if call is not None:
            call.pieces.append(arguments)
        return call

    def _tool(self, name: str) -> ToolName:
        if self._names is None:
            obj = splice.JsonObject(self._view.raw, self._view.spans)
            offers = tool_offers({key: obj.get(key) for key in ("tools", "functions")}, {})
            self._names = by_flat_name(ToolName(offer.name, "", offer.custom) for offer in offers)
        return self._names.get(name) or ToolName(name)


def write_body(view: RequestView, events: tuple[StreamEvent, ...], answer_id: str, at_ms: int, _maker: str, cost_text: CostText) -> bytes:
    """The same for an answer in one piece: a chat completion."""
    calls = _Calls(view, answer_id)
    texts: list[str] = []
    thinking: list[str] = []
    usage: UsageReported | None = None
    reason = STOP
    for event in events:
        match event:
            case TextDelta(text):
                texts.append(text)
            case ThinkingDelta(text):
                thinking.append(text)
            case ToolCallStarted():
                calls.start(event)
            case ToolCallDelta(index, arguments):
                calls.go_on(index, arguments)
            case UsageReported():
                usage = event
            case Finished(word):
                reason = word
            case Faulted(words, status, code):
                return write_error(status or FAULT_STATUS, words, code or str(status or FAULT_STATUS))
            case ThoughtMade() | Searched():
                pass
            case _:
                assert_never(event)
    message: dict[str, object] = {"role": "assistant", "content": "".join(texts) if texts or not calls.all else None}
    if thinking:
        message["reasoning_content"] = "".join(thinking)
    if calls.all:
        message["tool_calls"] = [_whole(call) for call in calls.all]
    fields = _head(view, answer_id, at_ms, "chat.completion")
    fields["choices"] = [{"index": 0, "message": message, "finish_reason": _reason(reason, bool(calls.all))}]
    if usage is not None:
        fields["usage"] = usage_fields(usage, cost_text)
    return splice.dumps(fields)


def usage_fields(reported: UsageReported, cost_text: CostText) -> dict[str, object]:
    """Usage as chat completions report it; `cost` in dollars where it is known."""
    usage = reported.usage
    fields: dict[str, object] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": usage.cache_write_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
    cost = cost_text(reported)
    if cost is not None:
        fields["cost"] = msgspec.Raw(cost.encode())
    return fields


def _head(view: RequestView, answer_id: str, at_ms: int, kind: str) -> dict[str, object]:
    return {"id": f"chatcmpl-{answer_id}", "object": kind, "created": at_ms // 1000, "model": view.model}


def _begun(call: _Call) -> dict[str, object]:
    if call.custom:
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": ""}}
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}


def _whole(call: _Call) -> dict[str, object]:
    if call.custom:
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.input()}}
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.input() or "{}"}}


def _reason(reason: str, called: bool) -> str:
    """Agents run calls only where the answer ended with them."""
    if called and reason == STOP:
        return CALLS
    return reason if reason in REASONS else CALLS if called else STOP
