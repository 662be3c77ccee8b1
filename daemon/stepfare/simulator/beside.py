"""What is asked beside conversations: counts of tokens, texts with a gap, texts as vectors, lists of models."""

from __future__ import annotations

import hashlib
import struct
from base64 import b64encode

from aiohttp import web

from stepfare.core.model import Capability
from stepfare.core.money import Usage
from stepfare.simulator import wire
from stepfare.simulator.bill import BillLine, price_of
from stepfare.simulator.calls import MARKED, OK, STATUS_WORDS, State, answered, fault_for, hung_up, read_ask, refusal, wait
from stepfare.simulator.catalogue import MODELS, PROVIDER_ID
from stepfare.simulator.doors import DOORS
from stepfare.simulator.families import Family, family_of, model_of, models_of
from stepfare.simulator.faults import Fault
from stepfare.simulator.fields import integer_of, items_of, text_of
from stepfare.simulator.options import FINGERPRINT, MARK
from stepfare.simulator.prefixes import anthropic_prefixes
from stepfare.simulator.refused import Refused
from stepfare.simulator.rules import Ask, first_refusal
from stepfare.simulator.strict_anthropic import COUNT_RULES
from stepfare.simulator.tokens import tokens_of
from stepfare.simulator.usages import chat_usage
from stepfare.simulator.values import Json, JsonObject

DIMENSIONS, DIMENSIONS_MAX = 64, 4096
INPUTS_MAX = 2048
GAP_WORDS = ("the", "gap", "between", "these", "two", "texts")


async def count_tokens(state: State, http: web.Request, family_name: str) -> web.StreamResponse:
    """POST /v1/messages/count_tokens: costs nothing."""
    door = DOORS["anthropic"]
    family: Family | None = None
    try:
        family = family_of(family_name)
        ask = await read_ask(http, family, "anthropic")
        fault = fault_for(state, http, ask.model.id)
        refused = first_refusal(COUNT_RULES if family.id == "anthropic" else (), ask)
        if refused is None and fault.kind == "status":
            refused = Refused(fault.status, fault.message or STATUS_WORDS.get(fault.status, "The provider refused."), fault.code or None)
        if refused is not None:
            raise refused
    except Refused as refused:
        return refusal(door, family, refused)
    return answered(200, {"input_tokens": anthropic_prefixes(ask.body)[-1].tokens})


async def completions(state: State, http: web.Request, family_name: str) -> web.StreamResponse:
    """POST /v1/completions: what stands between `prompt` and `suffix`."""
    at_ms = state.options.now_ms()
    family: Family | None = None
    try:
        family = family_of(family_name)
        ask = await read_ask(http, family, "openai")
        _able(ask, Capability.FILL)
        fault = _early(fault_for(state, http, ask.model.id))
        prompt = ask.body.get("prompt")
        if not isinstance(prompt, str):
            raise Refused(400, "Invalid type for 'prompt': expected a string.", "invalid_type", "prompt")
    except Refused as refused:
        return refusal(None, family, refused)
    except _HungUp:
        return hung_up(http)
    text, finish = _filled(ask)
    usage = Usage(tokens_of(prompt) + tokens_of(text_of(ask.body.get("suffix"))), output_tokens=max(1, tokens_of(text)))
    token = state.token()
    stream = ask.body.get("stream") is True
    line = BillLine(f"cmpl-{token}", ask.model.id, at_ms, OK, usage, price_of(ask.model, usage, at_ms), 0, stream, fault.spec, family.id)
    state.bill.add(line)
    told = chat_usage(family.usage, usage, line.cost_pusd)
    head: JsonObject = {
        "id": line.id,
        "object": "text_completion",
        "created": at_ms // 1000,
        "model": ask.model.upstream,
        "system_fingerprint": FINGERPRINT,
    }
    if not stream:
        return answered(200, head | {"choices": [_choice(text, finish)], "usage": told})
    response = web.StreamResponse(headers=MARKED | {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(http)
    for number, word in enumerate(text.split(" ")):
        await wait(state.options.chunk_ms)
        await response.write(wire.frame(head | {"choices": [_choice(f" {word}" if number else word, None)]}))
    await response.write(wire.frame(head | {"choices": [_choice("", finish)], "usage": told}))
    await response.write(wire.DONE)
    await response.write_eof()
    return response


def _filled(ask: Ask) -> tuple[str, str]:
    """The text for the gap, and why it ends."""
    words = [*MARK.split(), *GAP_WORDS] if ask.body.get("suffix") else [*MARK.split(), "and", "so", "on"]
    limit = integer_of(ask.body.get("max_tokens"))
    while limit is not None and len(words) > 1 and tokens_of(" ".join(words)) > limit:
        words.pop()
    cut = len(words) < len(MARK.split()) + (len(GAP_WORDS) if ask.body.get("suffix") else 3)
    return " ".join(words), "length" if cut else "stop"


def _choice(text: str, finish: str | None) -> JsonObject:
    return {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}


async def embeddings(state: State, http: web.Request, family_name: str) -> web.StreamResponse:
    """POST /v1/embeddings: for each text a vector that only this text has."""
    at_ms = state.options.now_ms()
    family: Family | None = None
    try:
        family = family_of(family_name)
        ask = await read_ask(http, family, "openai")
        _able(ask, Capability.EMBED)
        fault = _early(fault_for(state, http, ask.model.id))
        given = ask.body.get("input")
        listed: list[object] = [given] if isinstance(given, str) else items_of(given)
        texts = [text for text in listed if isinstance(text, str)]
        if not texts or len(texts) != len(listed):
            raise Refused(400, "Invalid 'input': expected a string or an array of strings.", "invalid_type", "input")
        if len(texts) > INPUTS_MAX:
            raise Refused(400, f"Invalid 'input': at most {INPUTS_MAX} texts at a time.", "array_above_max_length", "input")
        dimensions = integer_of(ask.body.get("dimensions")) or DIMENSIONS
        if not 1 <= dimensions <= DIMENSIONS_MAX:
            raise Refused(400, f"Invalid 'dimensions': expected 1 to {DIMENSIONS_MAX}.", "invalid_value", "dimensions")
    except Refused as refused:
        return refusal(None, family, refused)
    except _HungUp:
        return hung_up(http)
    usage = Usage(sum(tokens_of(text) for text in texts))
    cost_pusd = price_of(ask.model, usage, at_ms)
    state.bill.add(BillLine(f"embd-{state.token()}", ask.model.id, at_ms, OK, usage, cost_pusd, 0, False, fault.spec, family.id))
    as_base64 = ask.body.get("encoding_format") == "base64"
    rows: list[Json] = [
        {"object": "embedding", "index": i, "embedding": _vector(text, dimensions, as_base64=as_base64)} for i, text in enumerate(texts)
    ]
    told: JsonObject = {"prompt_tokens": usage.input_tokens, "total_tokens": usage.input_tokens}
    return answered(200, {"object": "list", "model": ask.model.upstream, "data": rows, "usage": told})


def _vector(text: str, dimensions: int, *, as_base64: bool) -> Json:
    """Numbers from -1 to 1, of the text's digest."""
    digest = hashlib.shake_128(text.encode("utf-8", "replace")).digest(dimensions)
    numbers = [(byte - 127.5) / 127.5 for byte in digest]
    return b64encode(struct.pack(f"<{dimensions}f", *numbers)).decode() if as_base64 else numbers


def models(state: State, family_name: str, *, anthropic: bool) -> web.Response:
    """GET /v1/models, in the shape of whoever is asked."""
    try:
        family = family_of(family_name)
    except Refused as refused:
        return refusal(None, None, refused)
    created_s = state.options.now_ms() // 1000
    if family.own:
        rows: list[Json] = [
            {"id": model.id, "object": "model", "created": created_s, "owned_by": PROVIDER_ID, "context_length": model.context_tokens}
            for model in MODELS
        ]
        return answered(200, {"object": "list", "data": rows, "system_fingerprint": FINGERPRINT})
    names = models_of(family)
    if anthropic and "anthropic" in family.rules:
        listed: list[Json] = [{"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"} for name in names]
        return answered(200, {"data": listed, "has_more": False, "first_id": names[0], "last_id": names[-1]})
    rows = [
        {
            "id": name,
            "object": "model",
            "created": created_s,
            "owned_by": family.id,
            "context_length": model_of(family, name).context_tokens,
        }
        for name in names
    ]
    return answered(200, {"object": "list", "data": rows})


class _HungUp(Exception):
    """The fault is that the line goes dead."""


def _early(fault: Fault) -> Fault:
    """The fault, where it leaves the call alive; these calls are too short for any other to fall within."""
    if fault.kind == "status":
        raise Refused(fault.status, fault.message or STATUS_WORDS.get(fault.status, "The provider refused."), fault.code or None)
    if fault.kind == "error-in-stream":
        raise Refused(fault.status or 500, fault.message or STATUS_WORDS[500], fault.code or "server_error")
    if fault.kind in ("disconnect-before", "disconnect-after", "stall"):
        raise _HungUp
    return fault


def _able(ask: Ask, needed: Capability) -> None:
    if needed not in ask.model.capabilities:
        words = f"The model `{ask.model.upstream}` does not support this endpoint."
        raise Refused(400, words, "unsupported_model", "model")
