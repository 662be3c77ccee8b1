"""The control API: what editors and the command line ask of the daemon. Thin handlers; the feed is server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from aiohttp import web
from pydantic import ValidationError

from stepfare import __version__
from stepfare.control import protocol
from stepfare.core.problem import Problem
from stepfare.dialects.base import BadRequest
from stepfare.dialects.openai_chat import BODY_BYTES_MAX
from stepfare.runtime.editors import Context, Document
from stepfare.runtime.hub import TooManyListeners
from stepfare.runtime.startup import House
from stepfare.runtime.workspaces import Workspace
from stepfare.server import budgets, catalogue, dashboard_links, glance, present, reporting, saying
from stepfare.server.dry_run import dry_run
from stepfare.server.families import families
from stepfare.server.guard import admitted, token_of
from stepfare.server.inference import HOUSE
from stepfare.server.messages import failure, message
from stepfare.server.openapi import Handler, Route, document
from stepfare.server.reply import STREAM_HEADERS
from stepfare.sessions.shown import Refused
from stepfare.store.errors import StoreError
from stepfare.store.queries import SessionRow

ROOT = "/control/v1"
SESSIONS_SHOWN = 20
SESSIONS_SHOWN_MAX = 1_000
HEARTBEAT_S = 15.0
LAST = "last"
"""Names the newest session or decision."""

_NOTHING_YET = "no step has been served yet: point an agent at the daemon (`stepfare connect`) and give it a task"

_NO_DECISION = (
    "no decision has this id, or its reasons are older than [ledger] keep_days and were removed; `stepfare session ID` shows the steps"
)


def add_routes(app: web.Application) -> None:
    """Every route of the control API, each behind the control token."""
    for route in routes():
        app.router.add_route(route.method, f"{ROOT}/{route.path}", guarded(route.handler, _without_token))


def routes() -> tuple[Route, ...]:
    """Each address with what it takes and gives."""
    return (
        Route("GET", "overview", overview, protocol.Overview),
        Route("GET", "events", events, query=("after",)),
        Route("GET", "sessions", sessions, protocol.Sessions, query=("limit", "since_ms", "workspace")),
        Route("GET", "sessions/{id}", session, protocol.SessionDetail, query=("after",)),
        Route("PUT", "sessions/{id}/title", saying.rename, protocol.Said, protocol.Rename),
        Route("PUT", "sessions/{id}/merge", saying.merge, protocol.Said, protocol.Merge),
        Route("DELETE", "sessions/{id}/merge", saying.unmerge, protocol.Said),
        Route("POST", "sessions/{id}/split", saying.split, protocol.Said, protocol.SplitAt),
        Route("PUT", "sessions/{id}/pin", saying.pin, protocol.Said, protocol.Pin),
        Route("DELETE", "sessions/{id}/pin", saying.unpin, protocol.Said),
        Route("GET", "decisions/{id}", decision, protocol.Decision, query=("session",)),
        Route("GET", "report", report, protocol.Report, query=("by", "since_ms", "until_ms", "session", "workspace", "project")),
        Route("GET", "files", files, protocol.Files, query=("project", "since_ms")),
        Route("GET", "glance", glance_at, protocol.Glance, query=("session", "folder")),
        Route("GET", "prices", prices, protocol.Prices, query=("all", "look")),
        Route("GET", "workspaces/{id:.+}", workspace, protocol.Workspace),
        Route("PUT", "workspaces/{id:.+}", put_workspace, protocol.Workspace, protocol.Workspace),
        Route("GET", "budgets", budgets.budgets, protocol.Budgets, query=("session",)),
        Route("PUT", "budgets/{scope}", budgets.extend, protocol.Budgets, protocol.Extend),
        Route("PUT", "budgets/{scope}/{subject:.+}", budgets.extend, protocol.Budgets, protocol.Extend),
        Route("POST", "decide", decide, protocol.Decision, protocol.Decide),
        Route("POST", "reload", reload, protocol.Reloaded),
        Route("POST", "dashboard-links", dashboard_links.link, protocol.DashboardLink),
        Route("GET", "openapi.json", openapi),
    )


def guarded(handler: Handler, refusal: Callable[[web.Request], web.Response | None]) -> Handler:
    """The handler behind a door: `refusal` says who may not pass. What it cannot do is told as a `protocol.Failure`."""

    async def answer(request: web.Request) -> web.StreamResponse:
        refused = refusal(request)
        if refused is not None:
            return refused
        if request.method in ("POST", "PUT") and request.can_read_body and request.content_type != "application/json":
            return failure(415, "content-type", "send application/json")
        try:
            return await handler(request)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            return failure(400, "bad-message", f"{place}: {first['msg']}")
        except Refused as error:
            return failure(409, "not-so", str(error))
        except StoreError as error:
            return failure(503, "ledger", request.app[HOUSE].books.unmet or str(error))
        except BadRequest as error:
            return failure(400, "bad-request", str(error))
        except web.HTTPRequestEntityTooLarge:
            return failure(413, "too-large", f"the message is longer than {BODY_BYTES_MAX // 1024 // 1024} MiB")

    return answer


def _without_token(request: web.Request) -> web.Response | None:
    if admitted(token_of(request.headers), request.app[HOUSE].control_token):
        return None
    return failure(401, "token", "the control token is wrong; it is in daemon.json (the local token opens inference only)")


async def overview(request: web.Request) -> web.Response:
    return message(await overview_of(request.app[HOUSE]))


async def overview_of(house: House) -> protocol.Overview:
    """The present state; the number of the last event is taken first, so that a follower misses nothing."""
    state, now_ms = house.state, house.world.now_ms()
    seq = house.hub.seq
    # Sessions before the day: a step that settles in between may be missing from a session, never from the day alone.
    rows = await house.store.sessions(SESSIONS_SHOWN)
    today = await house.store.totals(house.world.day_start_ms())
    problems = [*state.problems(), *(_placed(place, one) for place in state.workspaces.known() for one in place.problems)]
    return protocol.Overview(
        version=__version__,
        seq=seq,
        started_ms=house.started_ms,
        mode="simulator" if state.play.simulated else "live",
        today=present.totals(today),
        sessions=await _sessions(house, rows),
        providers=present.providers(state, house.started_ms, now_ms),
        problems=[present.problem(one) for one in problems],
        budgets=budgets.standing(house),
        questions=budgets.questions(house),
    )


async def events(request: web.Request) -> web.StreamResponse:
    """The feed from an event on. A comment every HEARTBEAT_S keeps the line open and finds out who has gone."""
    hub = request.app[HOUSE].hub
    after = _number(request, "after", hub.seq)
    if after > hub.seq:
        after = hub.seq  # A number of an earlier daemon.
    response = web.StreamResponse(headers=STREAM_HEADERS)
    try:
        with hub.listen(after) as next_event:
            await response.prepare(request)
            await response.write(b": stepfare events\n\n")
            while True:
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        event = await next_event()
                except TimeoutError:
                    await response.write(b": still here\n\n")
                    continue
                if event is None:
                    return response
                await response.write(b"id: %d\ndata: %s\n\n" % (event.seq, event.model_dump_json(exclude_none=True).encode()))
    except TooManyListeners:
        return failure(503, "too-many-listeners", "the feed has as many listeners as it serves")


async def sessions(request: web.Request) -> web.Response:
    house = request.app[HOUSE]
    limit = min(max(1, _number(request, "limit", SESSIONS_SHOWN)), SESSIONS_SHOWN_MAX)
    rows = await house.store.sessions(limit, _number(request, "since_ms", 0), request.query.get("workspace"))
    return message(protocol.Sessions(sessions=await _sessions(house, rows)))


async def session(request: web.Request) -> web.Response:
    """A session with its steps, or with those behind the first `after` of them."""
    house, name = request.app[HOUSE], request.match_info["id"]
    detail = await session_detail(house, name, _number(request, "after", 0))
    if detail is None:
        return failure(404, "no-session", _NOTHING_YET if name == LAST else "no session has this id; `stepfare sessions` lists them")
    return message(detail)


async def session_detail(house: House, name: str, after: int = 0) -> protocol.SessionDetail | None:
    """A session with its steps, so many of the first left out; `last` is the newest."""
    if name == LAST:
        newest = await house.store.sessions(1)
        row = newest[0] if newest else None
    else:
        row = await house.store.session(name)
    if row is None:
        return None
    steps = [one for one in (await house.store.steps(row.opened.session))[after:] if one.attempts]
    names = [one.attempts[-1].reserved.decision for one in steps]
    records = await house.store.decisions(names)
    shown = [present.step(one, records.get(name)) for one, name in zip(steps, names, strict=True)]
    (shown_as,) = await _sessions(house, [row])
    return protocol.SessionDetail(session=shown_as, steps=shown)


async def decision(request: web.Request) -> web.Response:
    house, name = request.app[HOUSE], request.match_info["id"]
    record = await (house.store.latest_decision(request.query.get("session")) if name == LAST else house.store.decision(name))
    if record is None:
        return failure(
            404,
            "no-decision",
            _NOTHING_YET if name == LAST else _NO_DECISION,
        )
    return message(protocol.Decision.model_validate_json(record))


async def report(request: web.Request) -> web.Response:
    return message(await reporting.report(request.app[HOUSE], request.query))


async def files(request: web.Request) -> web.Response:
    return message(await reporting.files(request.app[HOUSE], request.query))


async def glance_at(request: web.Request) -> web.Response:
    return message(await glance.glance(request.app[HOUSE], request.query))


async def prices(request: web.Request) -> web.Response:
    """The models of the providers in use, in play or not; with `all`, those of every provider. With `look`, the servers of this machine
    are asked for theirs first."""
    house = request.app[HOUSE]
    if request.query.get("look", "0") not in ("", "0"):
        await house.look_around()
    all_models = request.query.get("all", "0") not in ("", "0")
    return message(catalogue.prices(house.state, house.world.now_ms(), all_models=all_models))


async def workspace(request: web.Request) -> web.Response:
    return message(await _workspace(request.app[HOUSE], _root(request.match_info["id"])))


async def put_workspace(request: web.Request) -> web.Response:
    """What the editor says of a workspace: open files and how many problems each has. Nothing of an untrusted one is kept."""
    house, root = request.app[HOUSE], _root(request.match_info["id"])
    told = protocol.Workspace.model_validate_json(await request.read())
    editors = house.state.surroundings.editors
    if told.trusted:
        editors.tell(root, told.active, (Document(one.path, one.errors, one.warnings) for one in told.documents))
    else:
        editors.forget(root)
    return message(await _workspace(house, root))


async def decide(request: web.Request) -> web.Response:
    """A dry run: what would be decided on this body now, with nothing sent, nothing booked and nothing remembered."""
    return message(present.decision(await dry_run(await request.read(), request.app[HOUSE])))


async def openapi(_: web.Request) -> web.Response:
    """This API, as an OpenAPI document."""
    return web.json_response(document(routes(), ROOT))


async def reload(request: web.Request) -> web.Response:
    house = request.app[HOUSE]
    await house.reload()
    return message(protocol.Reloaded(problems=[present.problem(one) for one in house.state.problems()]))


async def _workspace(house: House, root: str) -> protocol.Workspace:
    place = house.state.workspaces.look(root)
    told = house.state.surroundings.editors.of(root) or Context()
    rows = await house.store.sessions(1, 0, root)
    today = await house.store.totals(house.world.day_start_ms(), workspace=root)
    return protocol.Workspace(
        id=root,
        root=root,
        branch=place.branch,
        active=told.active,
        documents=[protocol.EditorDocument(path=one.path, errors=one.errors, warnings=one.warnings) for one in told.documents],
        dotfile=place.dotfile_path or None,
        problems=[present.problem(one) for one in place.problems],
        today=present.totals(today),
        last_session=next(iter(await _sessions(house, rows)), None),
    )


async def _sessions(house: House, rows: Sequence[SessionRow]) -> list[protocol.Session]:
    return [_session(house, row, family) for row, family in zip(rows, await families(house, rows), strict=True)]


def _session(house: House, row: SessionRow, family: protocol.Family | None) -> protocol.Session:
    opened = row.opened
    live, now_ms = house.state.sessions.get(opened.session), house.world.now_ms()
    live = live and house.state.with_merged(live)
    caps = budgets.caps_of(house, live, opened.workspace) if live else ()
    shown = present.session(row, live, caps, now_ms, house.state.budgets.pace.pusd_per_hour(now_ms, opened.session))
    pin = house.state.shown.pins.get(opened.session)
    tier = present.tier_name(pin) if pin is not None else None
    return shown.model_copy(update={"merged": list(house.state.shown.merged(opened.session)), "pin": tier, "family": family})


def _placed(place: Workspace, problem: Problem) -> Problem:
    """A project file's problem with the whole path of its file, since several files have that name."""
    return Problem(place.dotfile_path, problem.code, problem.words, problem.severity, problem.line, problem.column, problem.length)


def _root(name: str) -> str:
    return name if name.startswith("/") else "/" + name


def _number(request: web.Request, name: str, otherwise: int) -> int:
    text = request.query.get(name, "")
    if not text:
        return otherwise
    if not text.isdigit():
        raise BadRequest(f"{name} must be a number, not {text[:40]!r}")
    return int(text)
