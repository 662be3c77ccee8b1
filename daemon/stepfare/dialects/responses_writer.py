"""OpenAI Responses, written from stream events: the answer half of a bridge, for clients such as Codex.

Items of this format come one after the other, each whole before the next begins. What comes for a later one meanwhile waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import cast

import msgspec

from stepfare.core.prompt import Thought
from stepfare.core.request import RequestView
from stepfare.dialects import splice
from stepfare.dialects.base import (
    FILTER,
    LENGTH,
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
from stepfare.dialects.responses_begun import begun_in, ends_of, summary_ends, summary_part, text_ends, text_part
from stepfare.dialects.responses_items import call_id_of
from stepfare.dialects.responses_request import offered
from stepfare.dialects.responses_tools import read_tools
from stepfare.dialects.responses_usage import write_usage
from stepfare.dialects.thoughts import sealed
from stepfare.dialects.toolnames import ToolName, as_free_text, by_flat_name

ID_CHARS_MAX = 40
"""Of what names an answer; the API takes ids of items of up to 64 characters."""

_ECHOED: Mapping[str, bytes] = {
    "instructions": b"null",
    "max_output_tokens": b"null",
    "metadata": b"{}",
    "parallel_tool_calls": b"true",
    "previous_response_id": b"null",
    "prompt_cache_key": b"null",
    "reasoning": b'{"effort":null,"summary":null}',
    "store": b"false",
    "temperature": b"null",
    "text": b'{"format":{"type":"text"}}',
    "tool_choice": b'"auto"',
    "tools": b"[]",
    "top_p": b"null",
    "truncation": b'"disabled"',
}
"""What a response repeats of its request, and what stands there where that says nothing."""
_INCOMPLETE = {LENGTH: "max_output_tokens", FILTER: "content_filter"}

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class _Item:
    """One item of the answer: a text, a thought or a call. `waiting` is what came of it and was not told yet."""

    kind: str
    id: str
    index: int
    call: ToolCallStarted | None = None
    tool: ToolName | None = None
    call_id: str = ""
    secret: str | None = None
    pieces: list[str] = field(default_factory=list[str])
    waiting: list[str] = field(default_factory=list[str])
    opened: bool = False
    closed: bool = False
    """Whether nothing can follow within it: a thought that is made."""
    tried: int = 0
    """How many pieces there were when it was last asked whether a call is whole."""

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class ResponsesWriter:
    """Says stream events as Responses events. `end` gives the event with the whole response; no other mark follows it."""

    def __init__(self, view: RequestView, answer_id: str, at_ms: int, maker: str, cost_text: CostText) -> None:
        request = splice.JsonObject(view.raw, view.spans)
        mark = answer_id if len(answer_id) <= ID_CHARS_MAX else sha256(answer_id.encode("utf-8", "replace")).hexdigest()[:ID_CHARS_MAX]
        self._mark = "".join(char if char.isascii() and char.isalnum() else "_" for char in mark)
        self._head: dict[str, object] = {"id": f"resp_{self._mark}", "object": "response", "created_at": at_ms // 1000}
        self._echo: dict[str, object] = {"model": view.model, **_echo(request)}
        self._thinks = _wants_thoughts(request)
        self._view = view
        self._names: Mapping[str, ToolName] | None = None
        self._maker = maker
        self._cost_text = cost_text
        self._number = 0
        self._items: list[_Item] = []
        self._calls: dict[int, _Item] = {}
        self._ids: set[str] = set()
        self._open = 0
        """The item that is being told."""
        self._output: list[object] = []
        self._usage: UsageReported | None = None
        self._reason = ""
        self._faulted = False
        self._readable = False
        """Whether what may be read of the coming thought has been told."""
        self._due = b""
        """What has to be said before anything else, to end what another model began."""

    def resume(self, shown: Iterable[bytes]) -> None:
        """The response goes on: an item that was left open is ended as it stands, and those that follow are counted on."""
        begun = begun_in(shown)
        self._head |= begun.head
        self._number = begun.number
        for item in begun.items:
            told = _Item(item.kind, item.id, len(self._items), opened=True, closed=True)
            self._items.append(told)
            self._ids.add(call_id_of(item.value))
            if not item.done:
                self._due += b"".join(self._of(told, kind, fields) for kind, fields in ends_of(item))
                self._due += self._frame("response.output_item.done", {"output_index": told.index, "item": item.value})
            self._output.append(item.value)
        self._open = len(self._items)

    def write(self, event: StreamEvent) -> bytes:
        said, self._due = self._due, b""
        said += self._begin() if self._number == 0 else b""
        match event:
            case TextDelta(text):
                self._piece("message", text)
            case ThinkingDelta(text):
                if self._thinks:
                    self._piece("reasoning", text)
                    self._readable = True
            case ThoughtMade(thought):
                if self._thinks:
                    self._thought(thought)
            case ToolCallStarted():
                self._call(event)
            case ToolCallDelta(index, arguments):
                item = self._calls.get(index) or self._call(ToolCallStarted(index, "", ""))
                item.waiting.append(arguments)
            case Searched():
                pass
            case UsageReported():
                self._usage = event
            case Finished(reason):
                self._reason = reason
                return said + self._advance(last=True)
            case Faulted(words, _, code):
                self._faulted = True
                error = {"code": code or "server_error", "message": words}
                return said + self._frame("response.failed", {"response": self.response("failed", error)})
        return said + self._advance()

    def end(self) -> bytes:
        if self._faulted:
            return b""
        said = self._due + (self._begin() if self._number == 0 else b"") + self._advance(last=True)
        status = self._status
        return said + self._frame(f"response.{status}", {"response": self.response(status)})

    def response(self, status: str, error: object = None) -> dict[str, object]:
        """The response object as it stands."""
        usage = self._usage
        told = None if usage is None else write_usage(usage.usage, self._cost_text(usage))
        reason = {"reason": _INCOMPLETE[self._reason]} if status == "incomplete" else None
        return {
            **self._head,
            "status": status,
            "error": error,
            "incomplete_details": reason,
            **self._echo,
            "output": self._output,
            "usage": told,
        }

    @property
    def _status(self) -> str:
        return "incomplete" if self._reason in _INCOMPLETE else "completed"

    def _begin(self) -> bytes:
        response = {"response": self.response("in_progress")}
        return self._frame("response.created", response) + self._frame("response.in_progress", response)

    def _frame(self, kind: str, fields: Mapping[str, object]) -> bytes:
        data = _encode({"type": kind, "sequence_number": self._number, **fields})
        self._number += 1
        return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"

    def _new(self, kind: str, prefix: str) -> _Item:
        item = _Item(kind, f"{prefix}_{self._mark}_{len(self._items)}", len(self._items))
        self._items.append(item)
        return item

    def _piece(self, kind: str, text: str) -> None:
        if not text:
            return
        last = self._items[-1] if self._items else None
        if last is None or last.kind != kind or last.closed:
            last = self._new(kind, "msg" if kind == "message" else "rs")
        last.waiting.append(text)

    def _thought(self, thought: Thought) -> None:
        last = self._items[-1] if self._items else None
        if last is None or last.kind != "reasoning" or last.closed:
            last = self._new("reasoning", "rs")
            # Some providers tell whose thought it was only after the answer has begun.
            last.waiting += [thought.text] if thought.text and not self._readable else ()
        self._readable = False
        last.secret = sealed(thought, self._maker)
        last.closed = True

    def _call(self, event: ToolCallStarted) -> _Item:
        item = self._calls.get(event.index)
        known = item.call if item is not None else None
        # Another id is another call, even under the same number; the same one again only adds what was not known.
        if item is None or known is None or (event.id and known.id and event.id != known.id):
            item = self._new("call", "fc")
            item.call = event
            self._calls[event.index] = item
        elif not item.opened:
            merged = known.id or event.id, known.name or event.name, known.namespace or event.namespace, known.custom or event.custom
            item.call = ToolCallStarted(event.index, *merged)
        return item

    def _advance(self, *, last: bool = False) -> bytes:
        """Tell what can be told: the open item, and those after it once it is whole."""
        said: list[bytes] = []
        while self._open < len(self._items):
            item = self._items[self._open]
            followed = last or self._open + 1 < len(self._items)
            said.append(self._tell(item))
            if not (followed or item.closed) or not (last or item.kind != "call" or _is_whole(item)):
                break
            said.append(self._close(item))
            self._open += 1
        return b"".join(said)

    def _tell(self, item: _Item) -> bytes:
        said = b""
        if not item.opened:
            if item.call is not None and not (item.call.name and (item.call.id or item.waiting)):
                return b""  # An id or a name that is told cannot be told again.
            item.opened = True
            said = self._opening(item)
        if not item.waiting:
            return said
        text = "".join(item.waiting)
        item.waiting.clear()
        new = not item.pieces
        item.pieces.append(text)
        if item.kind == "message":
            return said + self._of(item, "output_text.delta", {"content_index": 0, "delta": text, "logprobs": []})
        if item.kind == "reasoning":
            part = self._of(item, "reasoning_summary_part.added", {"summary_index": 0, "part": summary_part("")}) if new else b""
            return said + part + self._of(item, "reasoning_summary_text.delta", {"summary_index": 0, "delta": text})
        if item.tool is not None and item.tool.custom:
            return said  # Its input is told when it is whole: a piece of JSON is no piece of the text that it holds.
        return said + self._of(item, "function_call_arguments.delta", {"delta": text})

    def _opening(self, item: _Item) -> bytes:
        if item.call is not None:
            item.tool = self._tool(item.call)
            item.call_id = self._call_id(item, item.call.id)
            if item.tool.custom:
                item.id = "ctc" + item.id.removeprefix("fc")
        said = self._frame("response.output_item.added", {"output_index": item.index, "item": self._value(item, "in_progress")})
        if item.kind == "message":
            said += self._of(item, "content_part.added", {"content_index": 0, "part": text_part("")})
        return said

    def _call_id(self, item: _Item, given: str) -> str:
        """The id of a call: its own where that is a call's alone, so that its output finds it."""
        call_id = given if given and given not in self._ids else f"{given or 'call'}_{self._mark}_{item.index}"
        self._ids.add(call_id)
        return call_id

    def _tool(self, call: ToolCallStarted) -> ToolName:
        if self._names is None:
            tools = read_tools(offered(self._view), None).offers
            self._names = by_flat_name(ToolName(tool.name, tool.namespace, tool.custom) for tool in tools)
        return self._names.get(call.name) or ToolName(call.name, call.namespace, call.custom)

    def _close(self, item: _Item) -> bytes:
        said = b"" if item.opened else self._opening(item)
        item.opened = True
        text = item.text
        if item.kind == "message":
            said += b"".join(self._of(item, kind, fields) for kind, fields in text_ends(0, text))
        elif item.kind == "reasoning" and text:
            said += b"".join(self._of(item, kind, fields) for kind, fields in summary_ends(0, text))
        elif item.tool is not None and item.tool.custom:
            free = _free(item)
            said += self._of(item, "custom_tool_call_input.delta", {"delta": free}) if free else b""
            said += self._of(item, "custom_tool_call_input.done", {"input": free})
        elif item.tool is not None:
            if not text:
                # Clients read arguments as JSON, which nothing is not.
                item.pieces.append(text := "{}")
                said += self._of(item, "function_call_arguments.delta", {"delta": text})
            said += self._of(item, "function_call_arguments.done", {"arguments": text})
        cut = self._status == "incomplete" and self._open == len(self._items) - 1
        value = self._value(item, "incomplete" if cut else "completed")
        self._output.append(value)
        return said + self._frame("response.output_item.done", {"output_index": item.index, "item": value})

    def _of(self, item: _Item, kind: str, fields: Mapping[str, object]) -> bytes:
        return self._frame(f"response.{kind}", {"item_id": item.id, "output_index": item.index, **fields})

    def _value(self, item: _Item, status: str) -> dict[str, object]:
        """The item as it stands: empty when it begins, whole when it ends."""
        begun = status == "in_progress"
        head: dict[str, object] = {"id": item.id}
        if item.kind == "message":
            content = [] if begun else [text_part(item.text)]
            return {**head, "type": "message", "status": status, "role": "assistant", "content": content}
        if item.kind == "reasoning":
            summary = [summary_part(item.text)] if item.text and not begun else []
            secret = {} if begun or item.secret is None else {"encrypted_content": item.secret}
            return {**head, "type": "reasoning", "summary": summary, **secret}
        assert item.call is not None
        assert item.tool is not None, "an item is opened before it is told"
        call = {"call_id": item.call_id, "name": item.tool.name}
        if item.tool.namespace:
            call["namespace"] = item.tool.namespace
        if item.tool.custom:
            return {**head, "type": "custom_tool_call", "status": status, **call, "input": "" if begun else _free(item)}
        return {**head, "type": "function_call", "status": status, **call, "arguments": "" if begun else item.text}


def write_body(view: RequestView, events: tuple[StreamEvent, ...], answer_id: str, at_ms: int, maker: str, cost_text: CostText) -> bytes:
    """The same for an answer in one piece."""
    writer = ResponsesWriter(view, answer_id, at_ms, maker, cost_text)
    status = "completed"
    for event in events:
        writer.write(event)
        if isinstance(event, Finished) and event.reason in _INCOMPLETE:
            status = "incomplete"
    writer.end()
    return _encode(writer.response(status))


def _echo(request: splice.JsonObject) -> dict[str, object]:
    return {key: msgspec.Raw(_in_one_line(request.raw(key), default)) for key, default in _ECHOED.items()}


def _in_one_line(raw: bytes | None, default: bytes) -> bytes:
    """Bytes of a request that may stand in an event: a line end between its values would end the event's line."""
    if raw is None or raw == b"null":
        return default
    return msgspec.json.encode(splice.loads(raw)) if b"\n" in raw or b"\r" in raw else raw


def _wants_thoughts(request: splice.JsonObject) -> bool:
    """Whether the client would know what to do with them: it asks for their content, or for reasoning at all."""
    include, reasoning = request.get("include"), request.get("reasoning")
    if isinstance(include, list) and "reasoning.encrypted_content" in cast("list[object]", include):
        return True
    fields = cast("dict[str, object]", reasoning) if isinstance(reasoning, dict) else {}
    return bool(fields.get("summary") or fields.get("effort") not in (None, "none"))


def _is_whole(item: _Item) -> bool:
    """Whether nothing can follow the arguments of this call."""
    if item.tried == len(item.pieces):
        return False
    item.tried = len(item.pieces)
    if not item.pieces[-1].rstrip().endswith("}"):
        return False
    try:
        msgspec.json.decode(item.text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def _free(item: _Item) -> str:
    """The input of a custom tool: as it came where the provider knows such tools, else out of the function that stands for it."""
    return item.text if item.call is not None and item.call.custom else as_free_text(item.text)
