"""The inference routes: read the body, pick the dialect, let the exchange do the rest; every error in the client's own dialect."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from stepfare.config.profiles import AUTO, PROFILES
from stepfare.core.request import RequestView
from stepfare.dialects.base import BadRequest
from stepfare.dialects.openai_chat import BODY_BYTES_MAX
from stepfare.dialects.table import DIALECTS, OPENAI, Dialect
from stepfare.runtime import count_tokens
from stepfare.runtime.consider import UnknownModel
from stepfare.runtime.exchange import exchange
from stepfare.runtime.startup import House
from stepfare.server.guard import admitted, token_of, without_secrets
from stepfare.server.reply import HttpReply

HOUSE = web.AppKey("house", House)

_log = logging.getLogger(__name__)


def add_routes(app: web.Application) -> None:
    """One route for each wire format, under the path that its clients know."""
    for dialect in DIALECTS.values():
        app.router.add_post(f"/v1{dialect.path}", _handler(dialect, _infer))
    for dialect in DIALECTS.values():
        if dialect.name == count_tokens.DIALECT:
            app.router.add_post(f"/v1{dialect.path}{count_tokens.PATH}", _handler(dialect, _count))
    app.router.add_get("/v1/models", models)


Answering = Callable[[RequestView, HttpReply, House], Awaitable[None]]


def _handler(dialect: Dialect, answering: Answering) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await _answer(request, dialect, answering)

    return handle


async def _infer(view: RequestView, reply: HttpReply, house: House) -> None:
    await exchange(view, reply, house.daemon)


async def _count(view: RequestView, reply: HttpReply, house: House) -> None:
    counted = await count_tokens.count_tokens(view, house.daemon)
    headers = {"x-stepfare-model": counted.model, "x-stepfare-tokens": "estimated" if counted.estimated else "provider"}
    await reply.whole(200, headers, json.dumps({"input_tokens": counted.tokens}).encode())


async def models(request: web.Request) -> web.Response:
    """`GET /v1/models`: profiles and models in play. A profile promises the smallest window of its chain: no client overfills it."""
    house = request.app[HOUSE]
    if not admitted(token_of(request.headers), house.local_token):
        return _error(OPENAI, 401, _NO_TOKEN, "invalid_token")
    candidates = house.state.candidates()
    conversing = [one.model for one in candidates if one.model.converses]
    window = min((model.context_tokens for model in conversing), default=0)
    longest = min((model.max_output_tokens for model in conversing), default=0)
    created_s = house.started_ms // 1000
    rows = [(name, "stepfare", window, longest) for name in (AUTO, *PROFILES, *house.state.settings.profiles)]
    rows += [(one.model.id, one.provider.id, one.model.context_tokens, one.model.max_output_tokens) for one in candidates]
    data = [
        {
            "id": name,
            "object": "model",
            "created": created_s,
            "owned_by": owner,
            "context_length": context,
            "context_window": context,
            "max_output_tokens": output,
        }
        for name, owner, context, output in rows
    ]
    return web.json_response({"object": "list", "data": data})


async def _answer(request: web.Request, dialect: Dialect, answering: Answering) -> web.StreamResponse:
    house = request.app[HOUSE]
    if not admitted(token_of(request.headers), house.local_token):
        return _error(dialect, 401, _NO_TOKEN, "invalid_token")
    reply = HttpReply(request)
    try:
        if request.content_type != "application/json":
            raise BadRequest(f"the content type is {request.content_type}; send application/json")
        body = await request.read()
        view = dialect.read_request(body, without_secrets(request.headers))
        await answering(view, reply, house)
    except web.HTTPRequestEntityTooLarge:
        words = f"the body is longer than {BODY_BYTES_MAX // 1024 // 1024} MiB; nothing was sent"
        return _error(dialect, 413, words, "body_too_large")
    except web.RequestPayloadError:
        words = "the body cannot be unpacked as its content-encoding says; nothing was sent"
        refused = _error(dialect, 400, words, "bad_request")
        refused.force_close()  # Where the next request begins, nobody knows.
        return refused
    except UnknownModel as error:
        return _error(dialect, 400, str(error), "model_not_found")
    except BadRequest as error:
        return _error(dialect, 400, f"stepfare cannot read this request: {error}", "bad_request")
    except ConnectionResetError:
        if reply.response is None:
            raise
        # The client left while it was being written to; the attempt is booked.
    except Exception:  # noqa: BLE001 - the one catch-all: a bug of ours stops one request, never the daemon
        _log.exception("a bug of ours stopped one request")
        if reply.opened:
            reply.cut()
        else:
            return _error(dialect, 500, "stepfare met a bug of its own; the daemon lives on, and its log has the details", "internal")
    finally:
        reply.close()
    assert reply.response is not None
    return reply.response


_NO_TOKEN = (
    "the API key is not this daemon's local token; `stepfare token` prints it, `stepfare connect` writes it into a client's settings"
)


def _error(dialect: Dialect, status: int, words: str, code: str) -> web.Response:
    return web.Response(status=status, body=dialect.write_error(status, words, code), content_type="application/json", charset="utf-8")
