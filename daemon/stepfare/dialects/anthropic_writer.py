"""Anthropic Messages, written from stream events: the answer half of a bridge.

In this format one block is open at a time, so what comes for another one waits until the open one is complete.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import cast

import msgspec

from stepfare.core.prompt import Thought
from stepfare.core.request import RequestView
from stepfare.dialects import anthropic_usage, splice
from stepfare.dialects.anthropic_history import arguments_object, encoded
from stepfare.dialects.anthropic_messages import ERROR_KINDS, as_json, error_kind, write_error
from stepfare.dialects.anthropic_reading import shows_thoughts, thinks
from stepfare.dialects.anthropic_thoughts import has_thoughts
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
from stepfare.dialects.call_ids import SIXTY_FOUR, fitted
from stepfare.dialects.passing import told_in
from stepfare.dialects.thoughts import sealed
from stepfare.dialects.toolnames import ToolName, as_arguments, by_flat_name

Frame = dict[str, object]

REASONS = {CALLS: "tool_use", LENGTH: "max_tokens", FILTER: "refusal", "pause_turn": "pause_turn", "compaction": "compaction"}
"""Why an answer ended, in this API's words."""
_KINDS = frozenset((*ERROR_KINDS.values(), "api_error"))


@dataclass(slots=True)
class _Block:
    """A content block: how it starts, and what of it waits to be told. `complete` says that nothing more will come for it."""

    start: Frame
    waiting: list[Frame] = field(default_factory=list[Frame])
    begun: bool = False
    complete: bool = False
    custom: bool = False
    arguments: list[str] = field(default_factory=list[str])

    @property
    def kind(self) -> object:
        return self.start["type"]

    def has_whole_call(self) -> bool:
        """Whether the arguments heard so far are a whole object."""
        text = "".join(self.arguments)
        if not text.rstrip().endswith("}"):
            return False
        try:
            msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return False
        return True


class AnthropicWriter:
    """Says stream events as the events of a streamed message."""

    def __init__(self, view: RequestView, answer_id: str, at_ms: int, maker: str, cost_text: CostText) -> None:
        del at_ms  # This format tells no time.
        thinking = splice.JsonObject(view.raw, view.spans).get("thinking")
        settings = cast("dict[str, object]", thinking) if isinstance(thinking, dict) else {}
        self._model = view.model
        self._answer_id = answer_id
        self._maker = maker
        self._cost_text = cost_text
        self._keeps_thoughts = thinks(settings) or has_thoughts(view.raw)
        self._shows_thoughts = shows_thoughts(settings) if settings else self._keeps_thoughts
        self._names = by_flat_name(ToolName(tool.name) for tool in view.tools)
        self._usage: UsageReported | None = None
        self._started = False
        self._index = 0
        self._calls: dict[int, _Block] = {}
        self._ids: set[str] = set()
        self._queue: deque[_Block] = deque()
        self._late: _Block | None = None

    def resume(self, shown: Iterable[bytes]) -> None:
        """The message goes on: its blocks are counted on, and one that was left open is closed before the next begins."""
        self._started = True
        for _, fields in told_in(shown):
            index = fields.get("index")
            match fields.get("type"):
                case "content_block_start" if isinstance(index, int):
                    start = fields.get("content_block")
                    block = _Block(
                        {"type": "", **cast("Frame", start)} if isinstance(start, dict) else {"type": ""}, begun=True, complete=True
                    )
                    self._index = index
                    self._queue = deque((block,))
                    if block.kind == "tool_use":
                        self._ids.add(str(block.start.get("id")))
                        self._calls[-1 - index] = block
                case "content_block_stop" if isinstance(index, int):
                    self._index = index + 1
                    self._queue.clear()
                case _:
                    pass

    def write(self, event: StreamEvent) -> bytes:
        return b"".join(_bytes(frame) for frame in self.frames(event))

    def end(self) -> bytes:
        return b"".join(_bytes(frame) for frame in self._closed()) + _bytes({"type": "message_stop"})

    def frames(self, event: StreamEvent) -> Iterator[Frame]:
        """What this event is in this format, before it is made bytes."""
        match event:
            case TextDelta(text):
                self._piece("text", {"type": "text", "text": ""}, {"type": "text_delta", "text": text})
            case ThinkingDelta(text):
                if not self._keeps_thoughts:
                    return
                shown: Frame | None = {"type": "thinking_delta", "thinking": text} if self._shows_thoughts else None
                self._piece("thinking", {"type": "thinking", "thinking": "", "signature": ""}, shown)
            case ThoughtMade(thought):
                if not self._keeps_thoughts:
                    return
                self._thought(thought)
            case ToolCallStarted():
                self._call(event)
            case ToolCallDelta(index, arguments):
                self._arguments(index, arguments)
            case UsageReported():
                self._usage = event
                return
            case Searched():
                return
            case Finished():
                yield from self._opened()
                yield from self._closed()
                yield self._end_of(event)
                return
            case Faulted(words, status, code):
                kind = code if code in _KINDS else error_kind(status or 500)
                yield {"type": "error", "error": {"type": kind, "message": words}, "request_id": None}
                return
        yield from self._opened()
        yield from self._told()

    def _piece(self, kind: str, start: Frame, delta: Frame | None) -> None:
        """A piece of text or of a thought: it goes on with the last block, or begins one."""
        last = self._queue[-1] if self._queue else None
        if last is None or last.kind != kind or last.complete:
            last = self._add(_Block(start))
        if delta is not None:
            last.waiting.append(delta)

    def _thought(self, thought: Thought) -> None:
        seal = sealed(thought, self._maker)
        last = self._queue[-1] if self._queue else None
        if last is not None and last.kind == "thinking" and not last.complete:
            last.waiting.append({"type": "signature_delta", "signature": seal})
            last.complete = True
            return
        block = _Block({"type": "redacted_thinking", "data": seal}, complete=True)
        if last is not None and last.kind == "text":
            # Signed only behind its words. Clients take the last block of an answer for its last words, so it waits for what follows.
            self._late = block
        else:
            self._add(block)

    def _call(self, event: ToolCallStarted) -> None:
        call = self._calls.get(event.index)
        # Some providers repeat id and name in every piece; another id is another call.
        given = self._id(event.id) if event.id else ""
        if call is None or (given and call.start["id"] and given != call.start["id"]):
            self._calls[event.index] = call = self._add(
                _Block({"type": "tool_use", "id": "", "name": "", "input": {}}, custom=event.custom)
            )
        if not call.begun:
            call.start["id"] = call.start["id"] or given
            call.start["name"] = call.start["name"] or self._name(event)

    def _arguments(self, index: int, arguments: str) -> None:
        call = self._calls.get(index)
        if call is None:
            self._call(ToolCallStarted(index, "", ""))
            call = self._calls[index]
        call.arguments.append(arguments)
        if not call.custom:
            call.waiting.append({"type": "input_json_delta", "partial_json": arguments})

    def _id(self, call_id: str) -> str:
        return fitted(call_id, SIXTY_FOUR)

    def _name(self, event: ToolCallStarted) -> str:
        tool = self._names.get(event.name)
        return tool.name if tool is not None else event.name

    def _add(self, block: _Block) -> _Block:
        """Nothing more comes for a text or a thought once something else has begun; calls may go on beside each other."""
        if (late := self._late) is not None:
            self._late = None
            self._add(late)
        if self._queue and self._queue[-1].kind != "tool_use":
            self._queue[-1].complete = True
        self._queue.append(block)
        return block

    def _opened(self) -> Iterator[Frame]:
        if self._started:
            return
        self._started = True
        usage = anthropic_usage.said(self._usage.usage, None) if self._usage else {"input_tokens": 0, "output_tokens": 0}
        message: Frame = {
            "id": f"msg_{self._answer_id}",
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        yield {"type": "message_start", "message": message}

    def _told(self, *, final: bool = False) -> Iterator[Frame]:
        """What of the waiting blocks can be told now, in order."""
        while self._queue:
            head = self._queue[0]
            is_call = head.kind == "tool_use"
            if is_call and not head.start["name"] and not final:
                return  # Its name is still to come.
            complete = final or head.complete or (is_call and len(self._queue) > 1 and (head.custom or head.has_whole_call()))
            if not head.begun:
                head.begun = True
                yield {"type": "content_block_start", "index": self._index, "content_block": self._named(head)}
            if complete and head.custom:
                head.waiting.append({"type": "input_json_delta", "partial_json": as_arguments("".join(head.arguments))})
            for delta in head.waiting:
                yield {"type": "content_block_delta", "index": self._index, "delta": delta}
            head.waiting = []
            if not complete:
                return
            head.complete = True
            yield {"type": "content_block_stop", "index": self._index}
            self._index += 1
            self._queue.popleft()

    def _named(self, block: _Block) -> Frame:
        """How this block starts; a call gets an id of its own where it has none, or one that came up before."""
        if block.kind != "tool_use":
            return block.start
        call_id = cast("str", block.start["id"])
        if not call_id or call_id in self._ids:
            call_id = fitted(f"{call_id or 'toolu'}_{self._answer_id}_{self._index}", SIXTY_FOUR)
        self._ids.add(call_id)
        return {**block.start, "id": call_id}

    def _closed(self) -> Iterator[Frame]:
        yield from self._told(final=True)

    def _end_of(self, finished: Finished) -> Frame:
        called = bool(self._calls)
        reason = CALLS if called and finished.reason == STOP else STOP if finished.reason == CALLS and not called else finished.reason
        plain = "stop_sequence" if finished.sequence else "end_turn"
        usage: dict[str, object] = {"output_tokens": 0}
        if self._usage is not None:
            cost = self._cost_text(self._usage)
            usage = anthropic_usage.said(self._usage.usage, None if cost is None else cost.encode())
        delta = {"stop_reason": REASONS.get(reason, plain), "stop_sequence": finished.sequence or None}
        return {"type": "message_delta", "delta": delta, "usage": usage}


def write_body(view: RequestView, events: tuple[StreamEvent, ...], answer_id: str, at_ms: int, maker: str, cost_text: CostText) -> bytes:
    """The same as one message; an error where one was reported."""
    fault = next((event for event in events if isinstance(event, Faulted)), None)
    if fault is not None:
        return write_error(fault.status or 500, fault.words, fault.code)
    writer = AnthropicWriter(view, answer_id, at_ms, maker, cost_text)
    reports = [event for event in events if isinstance(event, UsageReported)]
    ends = [event for event in events if isinstance(event, Finished)]
    content = [event for event in events if not isinstance(event, UsageReported | Finished)]
    # The last report holds, and the end comes last, wherever they stood.
    ordered = (*reports[-1:], *content, ends[-1] if ends else Finished(STOP))
    return as_json(_folded(frame for event in ordered for frame in writer.frames(event))).encode("utf-8", "replace")


def _folded(frames: Iterable[Frame]) -> Frame:
    """The message that these frames tell, as a client puts it together."""
    message: Frame = {}
    blocks: list[Frame] = []
    pieces: list[str] = []
    for frame in frames:
        match frame["type"]:
            case "message_start":
                message = cast("Frame", frame["message"])
                message["content"] = blocks
            case "content_block_start":
                blocks.append(dict(cast("Frame", frame["content_block"])))
                pieces = []
            case "content_block_delta":
                delta = cast("dict[str, str]", frame["delta"])
                if delta["type"] == "signature_delta":
                    blocks[-1]["signature"] = delta["signature"]
                else:
                    pieces.append(next(text for key, text in delta.items() if key != "type"))
            case "content_block_stop":
                _fill(blocks[-1], "".join(pieces))
            case "message_delta":
                message |= cast("Frame", frame["delta"])
                message["usage"] = frame["usage"]
            case _:
                pass
    return message


def _fill(block: Frame, text: str) -> None:
    match block["type"]:
        case "text":
            block["text"] = text
        case "thinking":
            block["thinking"] = text
        case "tool_use":
            block["input"] = encoded(arguments_object(text))
        case _:
            pass


def _bytes(frame: Frame) -> bytes:
    return b"event: " + cast("str", frame["type"]).encode() + b"\ndata: " + as_json(frame).encode("utf-8", "replace") + b"\n\n"
