"""The dashboard's addresses: a link is used up at `/`, the page and its data lie at a place of the visit's own, its files beside."""

from __future__ import annotations

from aiohttp import web

from stepfare.control import protocol
from stepfare.server import control, present
from stepfare.server.dashboard import downloads, files
from stepfare.server.dashboard_links import COOKIE, LINKS, VISIT_MS, Links, Visit
from stepfare.server.inference import HOUSE
from stepfare.server.messages import failure, message
from stepfare.server.openapi import Handler

PAGE_HEADER = "x-stepfare-page"
"""Sent with all that changes something: no form of another page can set it."""
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
LENT = frozenset(
    {
        "GET overview",
        "GET events",
        "GET sessions",
        "GET sessions/{id}",
        "GET decisions/{id}",
        "GET report",
        "GET budgets",
        "PUT budgets/{scope}",
        "PUT budgets/{scope}/{subject:.+}",
        "PUT sessions/{id}/pin",
        "DELETE sessions/{id}/pin",
    }
)
"""The doors of the control API that a visit opens too."""

NOTCHES_MAX = 60

_CLOSED = (
    "The dashboard opens with a link that your terminal makes: run `stepfare dashboard`."
    " (Agents have this address with /v1 behind it as their base URL.)"
)
_USED = (
    "This link cannot be used (any more): each opens the dashboard once, within a minute. Run `stepfare dashboard` for a new one."
    " Was it used by somebody else? `stepfare stop`, then `stepfare serve`, ends all visits."
)
_ENDED = "this visit has ended, or the daemon was started anew; run `stepfare dashboard` for a new link"


def add_routes(app: web.Application) -> None:
    app[LINKS] = Links()
    app[downloads.UNDER_WAY] = set()
    app.on_response_prepare.append(_with_headers)
    app.router.add_get("/", _enter, allow_head=False)
    app.router.add_head("/", _knock)
    app.router.add_get("/dashboard/files/{name:.+}", _file)
    app.router.add_get("/dashboard/{place}/", _page)
    for route in control.routes():
        if f"{route.method} {route.path}" in LENT:
            app.router.add_route(route.method, f"/dashboard/{{place}}/api/{route.path}", _for_visits(route.handler))
    app.router.add_get("/dashboard/{place}/api/strips", _for_visits(_strips))
    app.router.add_get("/dashboard/{place}/api/books/{name}", _for_visits(downloads.download))


def _for_visits(handler: Handler) -> Handler:
    return control.guarded(handler, _refusal)


def _refusal(request: web.Request) -> web.Response | None:
    """Why this request may not pass; None where it may. Origins of others were refused at the door of the daemon."""
    if not _admitted(request):
        return failure(401, "visit", _ENDED)
    if request.method != "GET" and (PAGE_HEADER not in request.headers or "origin" not in request.headers):
        return failure(403, "not-the-page", "only the dashboard's own page may change something here")
    return None


def _admitted(request: web.Request) -> bool:
    return request.app[LINKS].admits(request.match_info["place"], request.cookies, request.app[HOUSE].world.now_ms())


async def _strips(request: web.Request) -> web.Response:
    """The latest steps of the sessions that are named, each at a glance."""
    names = request.query.getall("session", [])[: control.SESSIONS_SHOWN_MAX]
    found = await request.app[HOUSE].store.latest_steps(names, NOTCHES_MAX)
    strips = [
        protocol.Strip(session=name, notches=[present.notch(step) for step in steps if step.attempts]) for name, steps in found.items()
    ]
    return message(protocol.Strips(strips=strips))


async def _knock(_: web.Request) -> web.Response:
    """Some clients ask whether anybody is there before they begin. A link is not used up by that."""
    return web.Response()


async def _enter(request: web.Request) -> web.Response:
    """Use up the key of a link and lead to the visit that it begins."""
    key = request.query.get("key")
    visit = request.app[LINKS].enter(key, request.app[HOUSE].world.now_ms()) if key else None
    if visit is None:
        return _words(401, _USED if key else _CLOSED)
    return _led(visit)


def _led(visit: Visit) -> web.Response:
    # Not a redirect of HTTP: one that began on another site is still that site's doing, and the browser would keep the cookie back.
    go_on = f'<meta http-equiv="refresh" content="0; url={visit.path}">'
    response = _words(200, f'<a href="{visit.path}">To the dashboard</a>', go_on)
    response.set_cookie(COOKIE, visit.secret, path=visit.path, max_age=VISIT_MS // 1000, httponly=True, samesite="Strict")
    return response


async def _page(request: web.Request) -> web.Response:
    if not _admitted(request):
        return _words(401, _CLOSED)
    page = files.sent(request, "index.html")
    assert page is not None
    return page


async def _file(request: web.Request) -> web.Response:
    found = files.sent(request, request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    return found


def _words(status: int, words: str, head: str = "") -> web.Response:
    """A page of one sentence, which is ours and needs no escaping."""
    code = words.replace("`stepfare dashboard`", "<code>stepfare dashboard</code>").replace("`stepfare stop`", "<code>stepfare stop</code>")
    text = _SENTENCE.format(head=head, words=code.replace("`stepfare serve`", "<code>stepfare serve</code>"))
    return web.Response(status=status, text=text, content_type="text/html", headers={"cache-control": "no-store"})


_SENTENCE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">{head}
<title>stepfare</title><link rel="icon" href="/dashboard/files/icon.svg"><link rel="stylesheet" href="/dashboard/files/style.css"></head>
<body class="sentence"><main><h1>stepfare</h1><p>{words}</p></main></body></html>
"""


async def _with_headers(request: web.Request, response: web.StreamResponse) -> None:
    if request.path == "/" or request.path.startswith("/dashboard/"):
        response.headers.update(HEADERS)
        response.headers.setdefault("cache-control", "no-store")
