"""Anthropic's Messages as bytes: the events of a stream and whole answers, with signed thinking."""

from __future__ import annotations

from typing import cast

import msgspec

from stepfare.core.money import Usage
from stepfare.simulator.answer import Answer
from stepfare.simulator.bound_thinking import seal_for
from stepfare.simulator.errors import error_body
from stepfare.simulator.refused import Refused
from stepfare.simulator.reply import OutCall, Piece
from stepfare.simulator.rules import Ask
from stepfare.simulator.strict_anthropic import shows_thoughts
from stepfare.simulator.usages import anthropic_usage
from stepfare.simulator.values import Json, JsonObject

STOP_REASONS = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"}


def event(name: str, fields: JsonObject) -> bytes:
    return f"event: {name}\ndata: ".encode() + msgspec.json.encode({"type": name} | fields) + b"\n\n"


class MessageFrames:
    """The events of one streamed answer: one block after the other, each opened, filled and closed."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._open = ""
        self._index = -1

    def opening(self, usage: Usage | None) -> bytes:
        empty: list[Json] = []
        message = _head(self._answer) | {"content": empty, "stop_reason": None, "stop_sequence": None}
        if usage is not None:
            message["usage"] = anthropic_usage(usage) | {"output_tokens": 1}
        return event("message_start", {"message": message}) + event("ping", {})

    def piece(self, piece: Piece) -> bytes:
        wanted = f"call {piece.index}" if piece.kind == "call" else piece.kind
        if piece.kind == "reasoning" and self._answer.redacted:
            return self._turn(wanted, {"type": "redacted_thinking", "data": _seal(self._answer)})
        if piece.kind == "reasoning":
            begun = self._turn(wanted, {"type": "thinking", "thinking": "", "signature": ""})
            return begun + (self._delta({"type": "thinking_delta", "thinking": piece.text}) if _shows(self._answer) else b"")
        if piece.kind == "text":
            return self._turn(wanted, {"type": "text", "text": ""}) + self._delta({"type": "text_delta", "text": piece.text})
        call = self._answer.reply.calls[piece.index]
        nothing: JsonObject = {}
        begun = self._turn(wanted, {"type": "tool_use", "id": call.id, "name": call.name, "input": nothing})
        return begun + self._delta({"type": "input_json_delta", "partial_json": piece.text})

    def closing(self, usage: Usage | None) -> bytes:
        end: JsonObject = {"delta": {"stop_reason": STOP_REASONS[self._answer.reply.finish_reason], "stop_sequence": None}}
        if usage is not None:
            told = anthropic_usage(usage)
            end["usage"] = {name: value for name, value in told.items() if name not in ("cache_creation", "service_tier")}
        return self._close() + event("message_delta", end) + event("message_stop", {})

    def error(self, refused: Refused) -> bytes:
        body = cast(JsonObject, error_body("anthropic", refused, f"req_{self._answer.token}"))
        return event("error", {name: value for name, value in body.items() if name != "type"})

    def _turn(self, wanted: str, block: JsonObject) -> bytes:
        """Open a block, unless it is open already; what was open is closed."""
        if self._open == wanted:
            return b""
        closed = self._close()
        self._open = wanted
        self._index += 1
        return closed + event("content_block_start", {"index": self._index, "content_block": block})

    def _close(self) -> bytes:
        if not self._open:
            return b""
        signed = b""
        if self._open == "reasoning" and not self._answer.redacted:
            signed = self._delta({"type": "signature_delta", "signature": _seal(self._answer)})
        self._open = ""
        return signed + event("content_block_stop", {"index": self._index})

    def _delta(self, delta: JsonObject) -> bytes:
        return event("content_block_delta", {"index": self._index, "delta": delta})


def whole(answer: Answer, usage: Usage | None) -> JsonObject:
    """The answer of a call that is not streamed."""
    reply = answer.reply
    content: list[Json] = []
    if reply.reasoning and answer.redacted:
        content.append({"type": "redacted_thinking", "data": _seal(answer)})
    elif reply.reasoning:
        content.append({"type": "thinking", "thinking": reply.reasoning if _shows(answer) else "", "signature": _seal(answer)})
    if reply.text:
        content.append({"type": "text", "text": reply.text})
    content += [{"type": "tool_use", "id": call.id, "name": call.name, "input": _input(call)} for call in reply.calls]
    body = _head(answer) | {"content": content, "stop_reason": STOP_REASONS[reply.finish_reason], "stop_sequence": None}
    return body if usage is None else body | {"usage": anthropic_usage(usage)}


def _head(answer: Answer) -> JsonObject:
    return {"id": f"msg_{answer.token}", "type": "message", "role": "assistant", "model": answer.model}


def _input(call: OutCall) -> Json:
    """A call that was cut short in its arguments has lost them."""
    try:
        return cast(Json, msgspec.json.decode(call.arguments))
    except msgspec.DecodeError:
        nothing: JsonObject = {}
        return nothing


def _seal(answer: Answer) -> str:
    return seal_for(answer.body, answer.model, answer.account, answer.token, answer.reply.reasoning, redacted=answer.redacted)


def _shows(answer: Answer) -> bool:
    request = answer.request
    return shows_thoughts(Ask(request.family, request.dialect, answer.body, {}, request.model, answer.account))
