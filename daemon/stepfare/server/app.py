"""The aiohttp application: routes, the guard before all of them, and the settings on which long agent streams depend."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from stepfare import __version__
from stepfare.dialects.openai_chat import BODY_BYTES_MAX, write_error
from stepfare.runtime.startup import House
from stepfare.server import control, inference
from stepfare.server.dashboard import routes as dashboard
from stepfare.server.guard import foreign
from stepfare.server.inference import HOUSE

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HOST = web.AppKey("host", str)
HEALTH = "/health"


def application(house: House, host: str) -> web.Application:
    """All routes over this house; `host` is the address that it listens on."""
    # The default limit is 1 MiB, which every long session passes.
    app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[_guarded])
    app[HOUSE] = house
    app[HOST] = host
    inference.add_routes(app)
    app.router.add_get(HEALTH, _health)
    control.add_routes(app)
    dashboard.add_routes(app)
    app.on_shutdown.append(_end_feeds)
    return app


async def _end_feeds(app: web.Application) -> None:
    """A feed never ends by itself; the server would wait for it."""
    app[HOUSE].hub.close()


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    why = foreign(request.headers, request.app[HOST], request.app[HOUSE].state.settings.server.names)
    if why is not None:
        return _plain_error(403, why, "foreign")
    if request.path != HEALTH:
        # Served before what was known is known again, it would be taken for a new session with all its budgets untouched.
        await request.app[HOUSE].opened()
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return _plain_error(
            404, f"there is nothing at {request.path[:200]}; clients use the base URL http://127.0.0.1:PORT/v1", "not_found"
        )
    except web.HTTPMethodNotAllowed as error:
        if request.headers.get("upgrade", "").lower() == "websocket":
            # By this status, and by no other, Codex goes over to plain requests at once.
            return _plain_error(426, f"no websocket is spoken at {request.path[:200]}; send a POST", "upgrade_required")
        return _plain_error(
            405, f"{request.method} is not allowed at {request.path[:200]}", "method_not_allowed", {"allow": error.headers["allow"]}
        )


class _WithoutWords(logging.Filter):
    """Of what is no HTTP only that it came is logged: its words may be a prompt's, where a client counted its bytes wrong."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | web.RequestPayloadError):
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.msg, record.args = "a request was refused: %s", (type(error).__name__,)
            record.exc_info = record.exc_text = None
        return True


logging.getLogger("aiohttp.server").addFilter(_WithoutWords())


async def _health(request: web.Request) -> web.Response:
    """Answers without a token, and says nothing that is not public."""
    house = request.app[HOUSE]
    about = {"version": __version__, "mode": "simulator" if house.state.play.simulated else "live"}
    if house.books.unmet:
        # Where the books are is nobody's business here; a balancer asks another daemon meanwhile.
        waiting = {"status": "waiting", "words": "the books were not reached since the start: calls are refused until they are"}
        return web.json_response({**waiting, **about}, status=503, headers={"retry-after": "1"})
    return web.json_response({"status": "ok", **about})


def _plain_error(status: int, words: str, code: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status, body=write_error(status, words, code), headers=headers, content_type="application/json", charset="utf-8"
    )
