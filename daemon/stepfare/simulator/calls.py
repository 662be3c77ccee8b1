"""One chat-completions call from door to door: read it, meet the cache, play, stream, and put on the bill what went out."""

from __future__ import annotations

import asyncio
import hashlib
import random
import secrets
from dataclasses import dataclass, field, replace

from aiohttp import web

from stepfare.core.money import Usage
from stepfare.simulator import wire
from stepfare.simulator.bill import Bill, BillLine, price_of
from stepfare.simulator.cache import CacheUse, PrefixCache
from stepfare.simulator.catalogue import CACHE
from stepfare.simulator.faults import Fault, FaultQueue, parse_fault
from stepfare.simulator.options import HEADER_FAULT, HEADER_SIMULATOR, MARK, PLAYED_AT_ONCE_MAX, STALL_MS_MAX, SimulatorOptions
from stepfare.simulator.play import play
from stepfare.simulator.reading import Refused, Request, overflow, read_request
from stepfare.simulator.reply import Piece, Reply, Sent, capped, pieces_of
from stepfare.simulator.values import Json

OK = "ok"
CANCELLED = "cancelled"

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


@dataclass(slots=True)
class State:
    """What one running simulator remembers."""

    options: SimulatorOptions
    bill: Bill = field(default_factory=Bill)
    faults: FaultQueue = field(default_factory=FaultQueue)
    cache: PrefixCache = field(default_factory=lambda: PrefixCache(CACHE))
    chance: random.Random | None = None

    def __post_init__(self) -> None:
        if self.options.seed is not None:
            self.chance = random.Random(self.options.seed)

    def token(self, bytes_wanted: int = 12) -> str:
        """A random hex word; from the seed where one is set."""
        return secrets.token_hex(bytes_wanted) if self.chance is None else self.chance.randbytes(bytes_wanted).hex()


@dataclass(slots=True)
class _Call:
    """A call in the making; `outcome` is what the bill will say if nothing else happens."""

    answer_id: str
    request: Request
    fault: Fault
    reply: Reply
    sent: Sent
    cache: CacheUse
    at_ms: int
    outcome: str = CANCELLED

    def usage(self) -> Usage:
        """Of what went out so far."""
        reply = self.sent.reply()
        return Usage(
            input_tokens=self.request.prompt_tokens,
            cache_read_tokens=self.cache.read_tokens,
            cache_write_tokens=self.cache.write_tokens,
            output_tokens=reply.output_tokens if (reply.text or reply.calls or reply.reasoning) else 0,
            reasoning_tokens=reply.reasoning_tokens,
        )


async def chat(state: State, http: web.Request) -> web.StreamResponse:
    """POST /v1/chat/completions."""
    at_ms = state.options.now_ms()
    try:
        request = read_request(await http.read())
        fault = _fault_for(state, http, request.model.id)
    except Refused as refused:
        return answered(refused.status, wire.error(refused.status, MARK + refused.words, refused.code, refused.param))
    first_byte_ms = state.options.first_byte_ms if fault.first_byte_ms is None else fault.first_byte_ms
    answer_id = f"chatcmpl-{state.token()}"
    refusal = _refusal(fault, request)
    if refusal is not None or fault.kind == "disconnect-before":
        line = BillLine(answer_id, request.model.id, at_ms, fault.kind, Usage(0), 0, 0, request.stream, fault.spec)
        try:
            await _wait(first_byte_ms)
        finally:
            state.bill.add(replace(line, total_ms=state.options.now_ms() - at_ms))
        return refusal if refusal is not None else _hung_up(http)

    reply = _with_ids(state, capped(await _played(request, fault), request.max_tokens))
    cache = state.cache.meet(_account(http), request.model.id, request.prefixes, at_ms)
    call = _Call(answer_id, request, fault, reply, Sent(reply), cache, at_ms)
    try:
        await _wait(first_byte_ms)
        return await (_streamed if request.stream else _whole)(state, http, call)
    finally:
        # Also when the client hangs up: the prompt was read and what went out was made.
        usage = call.usage()
        cost_pusd = price_of(request.model, usage)
        total_ms = state.options.now_ms() - at_ms
        state.bill.add(BillLine(answer_id, request.model.id, at_ms, call.outcome, usage, cost_pusd, total_ms, request.stream, fault.spec))


def answered(status: int, body: Json, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=wire.encode(body), content_type="application/json", headers=MARKED | (headers or {}))


def _account(http: web.Request) -> str:
    """Caches belong to a key; only its digest is kept."""
    return hashlib.blake2b(http.headers.get("Authorization", "").encode("utf-8", "replace"), digest_size=16).hexdigest()


def _fault_for(state: State, http: web.Request, model: str) -> Fault:
    spec = http.headers.get(HEADER_FAULT)
    if spec is None:
        return state.faults.take(model)
    try:
        return parse_fault(spec)
    except ValueError as error:
        raise Refused(400, f"Header {HEADER_FAULT}: {error}.", "bad_fault") from None


def _refusal(fault: Fault, request: Request) -> web.Response | None:
    """The answer of a fault that comes instead of any content."""
    match fault.kind:
        case "status":
            words = fault.message or STATUS_WORDS.get(fault.status, "The provider refused.")
            code = fault.code or ("rate_limit_exceeded" if fault.status == 429 else None)
            headers = {"retry-after": fault.retry_after} if fault.retry_after else {}
            return answered(fault.status, wire.error(fault.status, MARK + words, code), headers)
        case "overflow":
            refused = overflow(request.model, request.model.context_tokens + 1)
            return answered(400, wire.error(400, MARK + refused.words, refused.code, refused.param))
        case "html":
            page = f"<html><head><title>{MARK}Bad gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
            return web.Response(status=fault.status or 502, text=page, content_type="text/html", headers=MARKED)
        case _:
            return None


def _hung_up(http: web.Request) -> web.Response:
    if http.transport is not None:
        http.transport.close()
    return web.Response(headers=MARKED)


async def _played(request: Request, fault: Fault) -> Reply:
    if fault.words:
        return Reply(f"{MARK}{'word ' * fault.words}".rstrip())
    if len(request.messages) <= PLAYED_AT_ONCE_MAX and not request.tools:
        return play(request)
    # Looking for a repair is work; whoever shares this loop must not wait for it.
    return await asyncio.to_thread(play, request)


async def _wait(ms: int) -> None:
    if ms:
        await asyncio.sleep(ms / 1000)


def _with_ids(state: State, reply: Reply) -> Reply:
    calls = tuple(replace(call, id=f"call_{state.token()}") for call in reply.calls)
    return replace(reply, calls=calls)


async def _whole(_state: State, http: web.Request, call: _Call) -> web.StreamResponse:
    fault, request = call.fault, call.request
    if fault.kind == "stall":
        call.outcome = "stall"
        await _wait(STALL_MS_MAX)
        return _hung_up(http)
    if fault.kind == "error-in-stream":
        call.outcome = fault.kind
        return answered(200, wire.error(500, MARK + (fault.message or STATUS_WORDS[500]), fault.code or "server_error"))
    for piece in pieces_of(call.reply):
        call.sent.add(piece)
    usage = None if fault.kind == "no-usage" else call.usage()
    body = wire.encode(wire.whole(call.answer_id, call.at_ms // 1000, request.model.id, call.reply, usage))
    if fault.kind == "disconnect-after":
        call.outcome = fault.kind
        response = web.StreamResponse(headers=MARKED | {"Content-Length": str(len(body)), "Content-Type": "application/json"})
        await response.prepare(http)
        await response.write(body[: len(body) // 2])
        _hung_up(http)
        return response
    call.outcome = OK
    return web.Response(body=body, content_type="application/json", headers=MARKED)


async def _streamed(state: State, http: web.Request, call: _Call) -> web.StreamResponse:
    fault, request = call.fault, call.request
    chunk_ms = state.options.chunk_ms if fault.chunk_ms is None else fault.chunk_ms
    with_usage = request.wants_usage and fault.kind != "no-usage"
    frames = wire.Frames(call.answer_id, call.at_ms // 1000, request.model.id, with_usage=with_usage)
    if fault.kind == "stall" and fault.chunks == 0:
        # Silent before the first byte: not even a status line.
        call.outcome = "stall"
        await _wait(STALL_MS_MAX)
        return _hung_up(http)
    response = web.StreamResponse(headers=MARKED | {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(http)
    try:
        for number, piece in enumerate((None, *pieces_of(call.reply), None)):
            if fault.chunks == number and await _broken(http, response, call):
                return response
            if number:
                await _wait(chunk_ms)
            await response.write(_frame(frames, piece, call, number))
            if piece is not None:
                call.sent.add(piece)
        if fault.kind in ("stall", "disconnect-after", "error-in-stream") and await _broken(http, response, call):
            # The answer was shorter than the fault is late: it happens at the end.
            return response
        if with_usage:
            await response.write(frames.usage(call.usage()))
        await response.write(wire.DONE)
        await response.write_eof()
    except ConnectionError:
        return response
    call.outcome = OK
    return response


def _frame(frames: wire.Frames, piece: Piece | None, call: _Call, number: int) -> bytes:
    if piece is not None:
        return frames.piece(piece, call.reply.calls)
    return frames.opening() if number == 0 else frames.closing(call.reply.finish_reason)


async def _broken(http: web.Request, response: web.StreamResponse, call: _Call) -> bool:
    """Play the fault that falls on this chunk, if one does; True when the stream is over."""
    fault = call.fault
    if fault.kind not in ("stall", "disconnect-after", "error-in-stream"):
        return False
    call.outcome = fault.kind
    match fault.kind:
        case "stall":
            await _wait(STALL_MS_MAX)
            _hung_up(http)
        case "disconnect-after":
            _hung_up(http)
        case _:
            words = MARK + (fault.message or STATUS_WORDS[500])
            await response.write(wire.frame(wire.error(fault.status or 500, words, fault.code or "server_error")))
            await response.write_eof()
    return True
