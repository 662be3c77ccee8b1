"""Chat completions as bytes: chunks, whole answers, usage and errors, in the shapes that OpenAI and OpenRouter use."""

from __future__ import annotations

import msgspec

from stepfare.core.money import Usage
from stepfare.simulator.options import FINGERPRINT
from stepfare.simulator.reply import OutCall, Piece, Reply
from stepfare.simulator.values import Json, JsonObject

DONE = b"data: [DONE]\n\n"

encode = msgspec.json.encode


def frame(value: Json) -> bytes:
    return b"data: " + encode(value) + b"\n\n"


class Frames:
    """The frames of one streamed answer; all share id, time and model."""

    def __init__(self, answer_id: str, created_s: int, model: str, *, with_usage: bool) -> None:
        self._head: JsonObject = {
            "id": answer_id,
            "object": "chat.completion.chunk",
            "created": created_s,
            "model": model,
            "system_fingerprint": FINGERPRINT,
        }
        self._tail: JsonObject = {"usage": None} if with_usage else {}

    def _frame(self, delta: JsonObject, finish: str | None = None) -> bytes:
        choices: list[Json] = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        return frame(self._head | {"choices": choices} | self._tail)

    def opening(self) -> bytes:
        return self._frame({"role": "assistant", "content": ""})

    def piece(self, piece: Piece, calls: tuple[OutCall, ...]) -> bytes:
        if piece.kind == "text":
            return self._frame({"content": piece.text})
        if piece.kind == "reasoning":
            return self._frame({"reasoning_content": piece.text})
        call = calls[piece.index]
        if piece.opens:
            function: Json = {"name": call.name, "arguments": ""}
            return self._frame({"tool_calls": [{"index": piece.index, "id": call.id, "type": "function", "function": function}]})
        return self._frame({"tool_calls": [{"index": piece.index, "function": {"arguments": piece.text}}]})

    def closing(self, finish_reason: str) -> bytes:
        return self._frame({}, finish_reason)

    def usage(self, usage: Usage) -> bytes:
        empty: list[Json] = []
        return frame(self._head | {"choices": empty, "usage": usage_json(usage)})


def usage_json(usage: Usage) -> JsonObject:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": usage.cache_write_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def whole(answer_id: str, created_s: int, model: str, reply: Reply, usage: Usage | None) -> JsonObject:
    """The answer of a call that is not streamed."""
    message: JsonObject = {"role": "assistant", "content": reply.text or None}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in reply.calls
        ]
    answer: JsonObject = {
        "id": answer_id,
        "object": "chat.completion",
        "created": created_s,
        "model": model,
        "system_fingerprint": FINGERPRINT,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}],
    }
    if usage is not None:
        answer["usage"] = usage_json(usage)
    return answer


ERROR_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
}


def error(status: int, words: str, code: str | None = None, param: str | None = None) -> JsonObject:
    kind = ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": words, "type": kind, "param": param, "code": code}}
