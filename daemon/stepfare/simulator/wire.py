"""Chat completions as bytes: chunks and whole answers, with thoughts, signatures and usage where each provider puts them."""

from __future__ import annotations

import msgspec

from stepfare.core.money import Usage
from stepfare.simulator.answer import Answer
from stepfare.simulator.errors import error_body
from stepfare.simulator.families import signs_calls
from stepfare.simulator.options import FINGERPRINT
from stepfare.simulator.refused import Refused
from stepfare.simulator.reply import OutCall, Piece
from stepfare.simulator.seals import Seal, digest_of, sealed
from stepfare.simulator.strict_others import openrouter_details_format
from stepfare.simulator.usages import chat_usage
from stepfare.simulator.values import Json, JsonObject

DONE = b"data: [DONE]\n\n"

encode = msgspec.json.encode


def frame(value: Json) -> bytes:
    return b"data: " + encode(value) + b"\n\n"


class ChatFrames:
    """The frames of one streamed answer; all share id, time and model."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        family = answer.family.id
        self._with_usage = answer.request.wants_usage or family == "mistral"
        self._head: JsonObject = _head(answer) | {"object": "chat.completion.chunk"}
        # Mistral tells usage with the reason of the end, the others in a chunk of its own.
        self._apart = self._with_usage and family != "mistral"
        self._tail: JsonObject = {"usage": None} if self._apart else {}

    def _frame(self, delta: JsonObject, finish: str | None = None, also: JsonObject | None = None) -> bytes:
        choices: list[Json] = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        return frame(self._head | {"choices": choices} | self._tail | (also or {}))

    def opening(self, usage: Usage | None) -> bytes:
        if usage is None:
            self._with_usage, self._apart, self._tail = False, False, {}
        return self._frame({"role": "assistant", "content": ""})

    def piece(self, piece: Piece) -> bytes:
        if piece.kind == "text":
            return self._frame({"content": piece.text})
        if piece.kind == "reasoning":
            return self._frame(_thought(self._answer, piece.text)) if self._answer.family.shows else b""
        call = self._answer.reply.calls[piece.index]
        whole = self._answer.family.id in ("google", "mistral")
        if piece.opens:
            opened = _call(self._answer, call, piece.index, "" if not whole else call.arguments)
            return self._frame({"tool_calls": [{"index": piece.index} | opened]})
        # Some send a call in one piece.
        return b"" if whole else self._frame({"tool_calls": [{"index": piece.index, "function": {"arguments": piece.text}}]})

    def closing(self, usage: Usage | None) -> bytes:
        answer = self._answer
        told = usage_json(answer, usage) if usage is not None and self._with_usage else None
        details = _details(answer)
        signed = self._frame({"reasoning_details": details}) if details else b""
        end = signed + self._frame({}, answer.reply.finish_reason, None if told is None or self._apart else {"usage": told})
        if told is not None and self._apart:
            empty: list[Json] = []
            end += frame(self._head | {"choices": empty, "usage": told})
        return end + DONE

    def error(self, refused: Refused) -> bytes:
        return frame(error_body(self._answer.family.errors, refused))


def whole(answer: Answer, usage: Usage | None) -> JsonObject:
    """The answer of a call that is not streamed."""
    reply = answer.reply
    message: JsonObject = {"role": "assistant", "content": reply.text or None}
    if reply.reasoning and answer.family.shows:
        message |= _thought(answer, reply.reasoning)
        details = _details(answer)
        if details:
            message["reasoning_details"] = [{"type": "reasoning.text", "text": reply.reasoning} | details[0]]
    if reply.calls:
        message["tool_calls"] = [_call(answer, call, index, call.arguments) for index, call in enumerate(reply.calls)]
    choice: JsonObject = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
    told: JsonObject = {} if usage is None else {"usage": usage_json(answer, usage)}
    return _head(answer) | {"object": "chat.completion", "choices": [choice]} | told


def usage_json(answer: Answer, usage: Usage) -> JsonObject:
    return chat_usage(answer.family.usage, usage, answer.cost_pusd(usage))


def _head(answer: Answer) -> JsonObject:
    begins = "gen-" if answer.family.id == "openrouter" else "chatcmpl-"
    head: JsonObject = {
        "id": begins + answer.token,
        "created": answer.at_ms // 1000,
        "model": answer.model,
        "system_fingerprint": FINGERPRINT,
    }
    return head | ({"provider": answer.model.partition("/")[0]} if answer.family.id == "openrouter" else {})


def _call(answer: Answer, call: OutCall, index: int, arguments: str) -> JsonObject:
    made: JsonObject = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}
    # Of calls made side by side only the first bears a signature.
    if index == 0 and signs_calls(answer.family, answer.request.model):
        seal = Seal("call", answer.model, answer.account, call.id)
        made["extra_content"] = {"google": {"thought_signature": sealed(seal)}}
    return made


def _thought(answer: Answer, text: str) -> JsonObject:
    told: JsonObject = {answer.family.shows: text}
    if answer.family.id == "openrouter":
        told["reasoning_details"] = [{"type": "reasoning.text", "text": text, "format": _format(answer), "index": 0}]
    return told


def _details(answer: Answer) -> list[JsonObject]:
    """The signature of OpenRouter's reasoning, which comes when the thought is complete."""
    if answer.family.id != "openrouter" or not answer.reply.reasoning:
        return []
    name, text = answer.token, digest_of(answer.reply.reasoning)
    if answer.model.startswith("anthropic/"):
        secret = sealed(Seal("thinking", answer.model, answer.account, name, text))
        return [{"type": "reasoning.text", "signature": secret, "format": _format(answer), "index": 0}]
    secret = sealed(Seal("encrypted", answer.model, answer.account, name, text))
    return [{"type": "reasoning.encrypted", "data": secret, "id": f"rs_{name}", "format": _format(answer), "index": 0}]


def _format(answer: Answer) -> str:
    return openrouter_details_format(answer.model.partition("/")[0])
