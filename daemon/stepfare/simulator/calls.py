"""One call from door to door: read it, hold it to the rules, meet the cache, play, stream, and put on the bill what went out."""

from __future__ import annotations

import asyncio
import hashlib
import random
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from aiohttp import web

from stepfare.core.money import Usage
from stepfare.simulator import wire
from stepfare.simulator.answer import REDACTED, Answer, Frames
from stepfare.simulator.bill import Bill, BillLine, price_of
from stepfare.simulator.cache import CacheUse, PrefixCache
from stepfare.simulator.doors import DOORS, Door
from stepfare.simulator.errors import error_body
from stepfare.simulator.families import Family, family_of, model_of, no_key
from stepfare.simulator.faults import Fault, FaultQueue, parse_fault
from stepfare.simulator.options import HEADER_FAULT, HEADER_SIMULATOR, MARK, PLAYED_AT_ONCE_MAX, STALL_MS_MAX, SimulatorOptions
from stepfare.simulator.play import play
from stepfare.simulator.reading import Request, decoded
from stepfare.simulator.refused import Refused
from stepfare.simulator.reply import Piece, Reply, Sent, capped, pieces_of
from stepfare.simulator.rules import Ask, first_refusal
from stepfare.simulator.values import Json

OK = "ok"
CANCELLED = "cancelled"
MISTRAL_ID_CHARS = 9

MARKED = {HEADER_SIMULATOR: "true"}

STATUS_WORDS = {
    401: "Incorrect API key provided.",
    402: "Insufficient credits.",
    403: "This key may not use this model.",
    429: "Rate limit reached. Please try again later.",
    500: "The server had an error while processing your request.",
    503: "The server is overloaded. Please try again later.",
    529: "Overloaded.",
}


Player: TypeAlias = Callable[[Request], Reply]
"""Who answers in place of the play of an agent."""


@dataclass(slots=True)
class State:
    """What one running simulator remembers."""

    options: SimulatorOptions
    player: Player | None = None
    bill: Bill = field(default_factory=Bill)
    faults: FaultQueue = field(default_factory=FaultQueue)
    cache: PrefixCache = field(default_factory=PrefixCache)
    chance: random.Random | None = None

    def __post_init__(self) -> None:
        if self.options.seed is not None:
            self.chance = random.Random(self.options.seed)

    def reply(self, request: Request) -> Reply:
        if self.player is not None:
            return self.player(request)
        return play(request, eager=request.model.tier in self.options.eager)

    def token(self, bytes_wanted: int = 12) -> str:
        """A random hex word; from the seed where one is set."""
        return secrets.token_hex(bytes_wanted) if self.chance is None else self.chance.randbytes(bytes_wanted).hex()


@dataclass(slots=True)
class _Call:
    """A call in the making; `outcome` is what the bill will say if nothing else happens."""

    door: Door
    answer: Answer
    fault: Fault
    sent: Sent
    cache: CacheUse
    outcome: str = CANCELLED

    @property
    def request(self) -> Request:
        return self.answer.request

    def usage(self) -> Usage:
        """Of what went out so far."""
        reply = self.sent.reply()
        return Usage(
            input_tokens=self.request.prompt_tokens,
            cache_read_tokens=self.cache.read_tokens,
            cache_write_tokens=self.cache.write_tokens,
            output_tokens=reply.output_tokens if (reply.text or reply.calls or reply.reasoning) else 0,
            cache_write_1h_tokens=self.cache.write_1h_tokens,
            reasoning_tokens=reply.reasoning_tokens,
        )

    def error(self, status: int, words: str, code: str | None) -> Refused:
        return Refused(status, (MARK if self.answer.family.own else "") + words, code)


async def converse(state: State, http: web.Request, family_name: str, dialect: str) -> web.StreamResponse:
    """A call of one of the three formats for conversations."""
    at_ms = state.options.now_ms()
    door = DOORS[dialect]
    family: Family | None = None
    try:
        family = family_of(family_name)
        ask = await read_ask(http, family, dialect)
        fault = fault_for(state, http, ask.model.id)
        refused = first_refusal(family.rules[dialect], ask)
        if refused is not None:
            raise refused
        says_so = family.thinks.get(dialect)
        request = door.read(ask.body, ask.model, family.id, thinks=says_so(ask) if says_so else None)
    except Refused as refused:
        return refusal(door, family, refused)
    first_byte_ms = state.options.first_byte_ms if fault.first_byte_ms is None else fault.first_byte_ms
    token = state.token()
    if request.prompt_tokens > request.model.context_tokens:
        fault = replace(fault, kind="overflow")
    early = _early(fault, door, Answer(token, at_ms, family, request, Reply(), ask.body, ask.account))
    if early is not None or fault.kind == "disconnect-before":
        line = _line(token, request, at_ms, fault)
        try:
            await wait(first_byte_ms)
        finally:
            state.bill.add(replace(line, total_ms=state.options.now_ms() - at_ms))
        return early if early is not None else hung_up(http)

    reply = _with_ids(state, family, door, capped(_thought(request, await _played(state, request, fault)), request.max_tokens))
    cache = state.cache.meet(family.cache(request.model), ask.account, request.model.id, request.prefixes, at_ms)
    answer = Answer(token, at_ms, family, request, reply, ask.body, ask.account, REDACTED in http.headers)
    call = _Call(door, answer, fault, Sent(reply), cache)
    try:
        await wait(first_byte_ms)
        return await (_streamed if request.stream else _whole)(state, http, call)
    finally:
        # Also when the client hangs up: the prompt was read and what went out was made.
        usage = call.usage()
        line = replace(_line(token, request, at_ms, fault), usage=usage, cost_pusd=price_of(request.model, usage, at_ms))
        state.bill.add(replace(line, outcome=call.outcome, total_ms=state.options.now_ms() - at_ms))


def _line(token: str, request: Request, at_ms: int, fault: Fault) -> BillLine:
    begins = {"anthropic": "msg_", "responses": "resp_"}.get(request.dialect, "chatcmpl-")
    return BillLine(
        id=begins + token,
        model=request.model.id,
        at_ms=at_ms,
        outcome=fault.kind,
        usage=Usage(0),
        cost_pusd=0,
        total_ms=0,
        stream=request.stream,
        fault=fault.spec,
        family=request.family,
        dialect=request.dialect,
    )


async def read_ask(http: web.Request, family: Family, dialect: str) -> Ask:
    """The call as rules see it; raises `Refused` where it lacks a key or a model, or is no JSON."""
    if dialect not in family.rules:
        raise Refused(404, f"{family.id} has no such endpoint.", "not_found")
    headers = {name.lower(): value for name, value in http.headers.items()}
    key = headers.get("x-api-key") or headers.get("api-key") or headers.get("authorization", "").removeprefix("Bearer ")
    if family.needs_key and not key.strip():
        raise no_key(family)
    body = decoded(await http.read())
    # Caches and thoughts belong to a key; only its digest is kept.
    account = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=16).hexdigest()
    return Ask(family.id, dialect, body, headers, model_of(family, body.get("model")), account)


def answered(status: int, body: Json, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=wire.encode(body), content_type="application/json", headers=MARKED | (headers or {}))


def refusal(door: Door | None, family: Family | None, refused: Refused, headers: dict[str, str] | None = None) -> web.Response:
    """A refusal in the shape of whoever refuses."""
    own = family is None or family.own
    if own:
        refused = Refused(refused.status, MARK + refused.words, refused.code, refused.param)
    shape = "openai" if family is None else family.errors
    if door is not None and door.dialect == "anthropic" and (own or shape == "anthropic"):
        shape = "anthropic"
    return answered(refused.status, error_body(shape, refused, f"req_{secrets.token_hex(12)}"), headers)


def fault_for(state: State, http: web.Request, model: str) -> Fault:
    spec = http.headers.get(HEADER_FAULT)
    if spec is None:
        return state.faults.take(model)
    try:
        return parse_fault(spec)
    except ValueError as error:
        raise Refused(400, f"Header {HEADER_FAULT}: {error}.", "bad_fault") from None


def _early(fault: Fault, door: Door, answer: Answer) -> web.Response | None:
    """The answer of a fault that comes instead of any content."""
    match fault.kind:
        case "status":
            words = fault.message or STATUS_WORDS.get(fault.status, "The provider refused.")
            code = fault.code or ("rate_limit_exceeded" if fault.status == 429 else None)
            headers = {"retry-after": fault.retry_after} if fault.retry_after else {}
            return refusal(door, answer.family, Refused(fault.status, words, code), headers)
        case "overflow":
            return _overflow(door, answer)
        case "html":
            page = f"<html><head><title>{MARK}Bad gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
            return web.Response(status=fault.status or 502, text=page, content_type="text/html", headers=MARKED)
        case _:
            return None


def _overflow(door: Door, answer: Answer) -> web.Response:
    """Where it is the custom, a client that asked for a stream is told within it."""
    request = answer.request
    refused = door.overflow(request.model, max(request.prompt_tokens, request.model.context_tokens + 1))
    if not (door.fails_in_stream and request.stream):
        return refusal(door, answer.family, refused)
    frames = door.frames(answer)
    return web.Response(body=frames.opening(None) + frames.error(refused), content_type="text/event-stream", headers=MARKED)


def hung_up(http: web.Request) -> web.Response:
    if http.transport is not None:
        http.transport.close()
    return web.Response(headers=MARKED)


async def _played(state: State, request: Request, fault: Fault) -> Reply:
    if fault.words:
        return Reply(f"{MARK}{'word ' * fault.words}".rstrip())
    if len(request.messages) <= PLAYED_AT_ONCE_MAX and not request.tools:
        return state.reply(request)
    # Looking for a repair is work; whoever shares this loop must not wait for it.
    return await asyncio.to_thread(state.reply, request)


def _thought(request: Request, reply: Reply) -> Reply:
    """The reply with as much of the model's thinking as the request lets it show."""
    if request.thinks is False:
        return replace(reply, reasoning="")
    if request.thinks and not reply.reasoning:
        return replace(reply, reasoning=f"{MARK}No model thinks here, though it was asked to.")
    return reply


async def wait(ms: int) -> None:
    if ms:
        await asyncio.sleep(ms / 1000)


def _with_ids(state: State, family: Family, door: Door, reply: Reply) -> Reply:
    """Calls under ids of the kind that this provider makes."""

    def named() -> str:
        if family.id == "mistral":
            return state.token(5)[:MISTRAL_ID_CHARS]
        return (door.call_ids or family.call_ids) + state.token()

    return replace(reply, calls=tuple(replace(call, id=named()) for call in reply.calls))


async def _whole(_state: State, http: web.Request, call: _Call) -> web.StreamResponse:
    fault = call.fault
    if fault.kind == "stall":
        call.outcome = "stall"
        await wait(STALL_MS_MAX)
        return hung_up(http)
    if fault.kind == "error-in-stream":
        call.outcome = fault.kind
        refused = Refused(500, fault.message or STATUS_WORDS[500], fault.code or "server_error")
        response = refusal(call.door, call.answer.family, refused)
        response.set_status(200)
        return response
    for piece in pieces_of(call.answer.reply):
        call.sent.add(piece)
    usage = None if fault.kind == "no-usage" else call.usage()
    body = wire.encode(call.door.whole(call.answer, usage))
    if fault.kind == "disconnect-after":
        call.outcome = fault.kind
        response = web.StreamResponse(headers=MARKED | {"Content-Length": str(len(body)), "Content-Type": "application/json"})
        await response.prepare(http)
        await response.write(body[: len(body) // 2])
        hung_up(http)
        return response
    call.outcome = OK
    return web.Response(body=body, content_type="application/json", headers=MARKED)


async def _streamed(state: State, http: web.Request, call: _Call) -> web.StreamResponse:
    fault = call.fault
    chunk_ms = state.options.chunk_ms if fault.chunk_ms is None else fault.chunk_ms
    frames = call.door.frames(call.answer)
    if fault.kind == "stall" and fault.chunks == 0:
        # Silent before the first byte: not even a status line.
        call.outcome = "stall"
        await wait(STALL_MS_MAX)
        return hung_up(http)
    response = web.StreamResponse(headers=MARKED | {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(http)
    with_usage = fault.kind != "no-usage"
    number = 0
    try:
        for frame in _frames(call, frames, with_usage=with_usage):
            if fault.chunks == number and await _broken(http, response, call, frames):
                return response
            if number:
                await wait(chunk_ms)
            await response.write(frame.data)
            number += 1
            if frame.piece is not None:
                call.sent.add(frame.piece)
        if fault.kind in ("stall", "disconnect-after", "error-in-stream") and await _broken(http, response, call, frames):
            # The answer was shorter than the fault is late: it happens at the end.
            return response
        await response.write(frames.closing(call.usage() if with_usage else None))
        await response.write_eof()
    except ConnectionError:
        return response
    call.outcome = OK
    return response


@dataclass(frozen=True, slots=True)
class _Frame:
    data: bytes
    piece: Piece | None = None


def _frames(call: _Call, frames: Frames, *, with_usage: bool) -> Iterator[_Frame]:
    """All but the last; what a format does not show is counted all the same, and sent with nothing."""
    yield _Frame(frames.opening(call.usage() if with_usage else None))
    for piece in pieces_of(call.answer.reply):
        data = frames.piece(piece)
        if data:
            yield _Frame(data, piece)
        else:
            call.sent.add(piece)


async def _broken(http: web.Request, response: web.StreamResponse, call: _Call, frames: Frames) -> bool:
    """Play the fault that falls on this chunk, if one does; True when the stream is over."""
    fault = call.fault
    if fault.kind not in ("stall", "disconnect-after", "error-in-stream"):
        return False
    call.outcome = fault.kind
    match fault.kind:
        case "stall":
            await wait(STALL_MS_MAX)
            hung_up(http)
        case "disconnect-after":
            hung_up(http)
        case _:
            words = fault.message or STATUS_WORDS[500]
            await response.write(frames.error(call.error(fault.status or 500, words, fault.code or "server_error")))
            await response.write_eof()
    return True
