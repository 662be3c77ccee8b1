"""OpenAI's Responses as bytes: the whole sequence of a stream's events, and whole answers, with reasoning items under seal."""

from __future__ import annotations

import msgspec

from stepfare.core.money import Usage
from stepfare.simulator.answer import Answer
from stepfare.simulator.fields import fields_of, items_of, text_of
from stepfare.simulator.refused import Refused
from stepfare.simulator.reply import OutCall, Piece
from stepfare.simulator.seals import Seal, digest_of, sealed
from stepfare.simulator.strict_responses import NUMBERED, STORED
from stepfare.simulator.usages import responses_usage
from stepfare.simulator.values import Json, JsonObject


class ResponseFrames:
    """The events of one streamed answer: one item after the other, each added, filled and done; all are numbered."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._number = 0
        self._open = ""
        self._done: list[Json] = []
        self._text = ""

    def opening(self, usage: Usage | None) -> bytes:
        del usage  # It is told at the end only.
        response = response_json(self._answer, "in_progress", [], None)
        return self._event("response.created", {"response": response}) + self._event("response.in_progress", {"response": response})

    def piece(self, piece: Piece) -> bytes:
        wanted = f"call {piece.index}" if piece.kind == "call" else piece.kind
        begun = b"" if self._open == wanted else self._close() + self._begin(wanted, piece)
        self._text += piece.text
        if piece.kind == "reasoning":
            summary: JsonObject = {"item_id": self._item_id("rs"), "summary_index": 0, "delta": piece.text}
            return begun + (self._within("response.reasoning_summary_text.delta", summary) if _summarises(self._answer) else b"")
        if piece.kind == "text":
            none: list[Json] = []
            delta: JsonObject = {"item_id": self._item_id("msg"), "content_index": 0, "delta": piece.text, "logprobs": none}
            return begun + self._within("response.output_text.delta", delta)
        if not piece.text:
            return begun
        call = self._answer.reply.calls[piece.index]
        return begun + self._within(f"response.{_CALL_EVENTS[call.custom]}.delta", {"item_id": self._call_id(call), "delta": piece.text})

    def closing(self, usage: Usage | None) -> bytes:
        closed = self._close()
        cut = self._answer.reply.finish_reason == "length"
        response = response_json(self._answer, "incomplete" if cut else "completed", self._done, usage)
        return closed + self._event(f"response.{'incomplete' if cut else 'completed'}", {"response": response})

    def error(self, refused: Refused) -> bytes:
        response = response_json(self._answer, "failed", self._done, None)
        response["error"] = {"code": refused.code or "server_error", "message": refused.words}
        return self._event("response.failed", {"response": response})

    def _begin(self, wanted: str, piece: Piece) -> bytes:
        self._open, self._text = wanted, ""
        answer = self._answer
        if piece.kind == "reasoning":
            added = self._within("response.output_item.added", {"item": _reasoning(answer, self._item_id("rs"), "")})
            part: JsonObject = {"item_id": self._item_id("rs"), "summary_index": 0, "part": {"type": "summary_text", "text": ""}}
            return added + (self._within("response.reasoning_summary_part.added", part) if _summarises(answer) else b"")
        if piece.kind == "text":
            message = _message(self._item_id("msg"), None, "in_progress")
            opened: JsonObject = {"item_id": self._item_id("msg"), "content_index": 0, "part": _output_text("")}
            added = self._within("response.output_item.added", {"item": message})
            return added + self._within("response.content_part.added", opened)
        call = answer.reply.calls[piece.index]
        return self._within("response.output_item.added", {"item": _call(call, self._call_id(call), "", "in_progress")})

    def _close(self) -> bytes:
        """What is said when an item is whole."""
        kind, text, answer = self._open, self._text, self._answer
        if not kind:
            return b""
        if kind == "reasoning":
            item = _reasoning(answer, self._item_id("rs"), text)
            said = self._summary_done(text) if _summarises(answer) else b""
        elif kind == "text":
            item = _message(self._item_id("msg"), text, "completed")
            where: JsonObject = {"item_id": self._item_id("msg"), "content_index": 0}
            none: list[Json] = []
            said = self._within("response.output_text.done", where | {"text": text, "logprobs": none})
            said += self._within("response.content_part.done", where | {"part": _output_text(text)})
        else:
            call = answer.reply.calls[int(kind.removeprefix("call "))]
            item = _call(call, self._call_id(call), text, "completed")
            name = "input" if call.custom else "arguments"
            said = self._within(f"response.{_CALL_EVENTS[call.custom]}.done", {"item_id": self._call_id(call), name: text})
        said += self._within("response.output_item.done", {"item": item})
        self._done.append(item)
        self._open = ""
        return said

    def _summary_done(self, text: str) -> bytes:
        where: JsonObject = {"item_id": self._item_id("rs"), "summary_index": 0}
        done = self._within("response.reasoning_summary_text.done", where | {"text": text})
        return done + self._within("response.reasoning_summary_part.done", where | {"part": {"type": "summary_text", "text": text}})

    def _item_id(self, begins: str) -> str:
        return _item_id(self._answer, begins, len(self._done))

    def _call_id(self, call: OutCall) -> str:
        return self._item_id("ctc" if call.custom else "fc")

    def _within(self, name: str, fields: JsonObject) -> bytes:
        return self._event(name, {"output_index": len(self._done)} | fields)

    def _event(self, name: str, fields: JsonObject) -> bytes:
        numbered: JsonObject = {"type": name, "sequence_number": self._number} | fields
        self._number += 1
        return f"event: {name}\ndata: ".encode() + msgspec.json.encode(numbered) + b"\n\n"


_CALL_EVENTS = {False: "function_call_arguments", True: "custom_tool_call_input"}
"""How the deltas of a call are named, by whether it is custom."""


def whole(answer: Answer, usage: Usage | None) -> JsonObject:
    """The answer of a call that is not streamed."""
    reply = answer.reply
    output: list[Json] = []
    if reply.reasoning:
        output.append(_reasoning(answer, _item_id(answer, "rs", 0), reply.reasoning))
    if reply.text:
        output.append(_message(_item_id(answer, "msg", len(output)), reply.text, "completed"))
    for call in reply.calls:
        item_id = _item_id(answer, "ctc" if call.custom else "fc", len(output))
        output.append(_call(call, item_id, call.arguments, "completed"))
    return response_json(answer, "incomplete" if reply.finish_reason == "length" else "completed", output, usage)


def response_json(answer: Answer, status: str, output: list[Json], usage: Usage | None) -> JsonObject:
    body = answer.body
    reasoning, text = fields_of(body.get("reasoning")), fields_of(body.get("text"))
    incomplete: JsonObject | None = {"reason": "max_output_tokens"} if status == "incomplete" else None
    nothing: JsonObject = {}
    return {
        "id": f"resp_{answer.token}",
        "object": "response",
        "created_at": answer.at_ms // 1000,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": incomplete,
        "instructions": text_of(body.get("instructions")) or None,
        "max_output_tokens": answer.request.max_tokens,
        "model": answer.model,
        "output": list(output),
        "parallel_tool_calls": answer.request.parallel,
        "previous_response_id": None,
        "prompt_cache_key": text_of(body.get("prompt_cache_key")) or None,
        "reasoning": {"effort": text_of(reasoning.get("effort")) or None, "summary": text_of(reasoning.get("summary")) or None},
        "service_tier": "default",
        "store": body.get("store") is not False,
        "temperature": 1.0,
        "text": {"format": {"type": text_of(fields_of(text.get("format")).get("type")) or "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None if usage is None else responses_usage(usage),
        "metadata": nothing,
    }


def _item_id(answer: Answer, begins: str, index: int) -> str:
    """An id that tells, where the item is kept, which reasoning it follows."""
    stored = STORED if answer.reply.reasoning and answer.body.get("store") is not False else ""
    return f"{begins}_{answer.token}{'' if begins == 'rs' else f'{NUMBERED}{index}'}{stored}"


def _summarises(answer: Answer) -> bool:
    reasoning = fields_of(answer.body.get("reasoning"))
    return bool(reasoning.get("summary") or reasoning.get("generate_summary")) or answer.family.own


def _reasoning(answer: Answer, item_id: str, text: str) -> JsonObject:
    """With its seal where it was asked for, and once it is whole."""
    summary: list[Json] = [{"type": "summary_text", "text": text}] if text and _summarises(answer) else []
    item: JsonObject = {"id": item_id, "type": "reasoning", "summary": summary}
    if "reasoning.encrypted_content" in items_of(answer.body.get("include")):
        item["encrypted_content"] = sealed(Seal("encrypted", answer.model, answer.account, answer.token, digest_of(text)))
    return item


def _message(item_id: str, text: str | None, status: str) -> JsonObject:
    content: list[Json] = [] if text is None else [_output_text(text)]
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": content}


def _output_text(text: str) -> JsonObject:
    none: list[Json] = []
    return {"type": "output_text", "text": text, "annotations": none, "logprobs": none}


def _call(call: OutCall, item_id: str, text: str, status: str) -> JsonObject:
    where: JsonObject = {"namespace": call.namespace} if call.namespace else {}
    head: JsonObject = {"id": item_id, "type": "custom_tool_call" if call.custom else "function_call", "status": status}
    return head | {"call_id": call.id, "name": call.name, "input" if call.custom else "arguments": text} | where
