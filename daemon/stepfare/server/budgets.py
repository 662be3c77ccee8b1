"""The control API's budgets: how each cap stands, what is asked, and adding to one. What a cap means is decided in `runtime.budgets`."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from stepfare.control import protocol
from stepfare.core.budget import Cap, Question, Scope
from stepfare.core.entry import Extended
from stepfare.core.session import Session
from stepfare.runtime.startup import House
from stepfare.server.inference import HOUSE
from stepfare.server.messages import failure, message
from stepfare.store.errors import StoreError

RECENT_SESSIONS_MAX = 20
"""Of so many sessions the own caps are listed where none is named."""
BY_DEFAULT = "control"


class Refused(Exception):
    """A cap that cannot be extended: a status, a short stable name, and words for a person."""

    def __init__(self, status: int, error: str, words: str) -> None:
        super().__init__(words)
        self.answer = failure(status, error, words)


async def budgets(request: web.Request) -> web.Response:
    """The caps of one session, or those that hold anyway and those of the latest sessions."""
    house, name = request.app[HOUSE], request.query.get("session")
    if name is not None and house.state.sessions.get(name) is None:
        return _no_session(name).answer
    return message(_budgets(house, name))


async def extend(request: web.Request) -> web.Response:
    """Add to a cap once. The answer is how everything stands then."""
    house = request.app[HOUSE]
    more = protocol.Extend.model_validate_json(await request.read())
    try:
        scope, subject = _addressed(request, house)
    except Refused as refused:
        return refused.answer
    name, now_ms = more.id or house.world.new_id("e"), house.world.now_ms()
    try:
        await house.books.extend(Extended(name, now_ms, scope, subject, more.pusd, more.by or BY_DEFAULT, house.state.user))
    except StoreError as error:
        return failure(503, "not-kept", f"nothing was added, since it cannot be kept: {error}")
    return message(_budgets(house, subject if scope is Scope.SESSION else None))


def standing(house: House) -> list[protocol.Cap]:
    """The caps that hold whoever works."""
    return [_cap(house, cap) for cap in house.state.caps(None, house.state.workspaces.look(""))]


def caps_of(house: House, session: Session, workspace: str) -> Sequence[protocol.Cap]:
    return [_cap(house, cap) for cap in house.state.caps(session, house.state.workspaces.look(workspace))]


def questions(house: House) -> list[protocol.Question]:
    return [_question(one) for one in house.state.budgets.questions()]


def _addressed(request: web.Request, house: House) -> tuple[Scope, str]:
    """Whose cap the address names. Raises Refused where there is none, for an addition would then lift nothing."""
    name, subject = request.match_info["scope"], request.match_info.get("subject", "")
    if name not in tuple(Scope) or name == Scope.TEAM:
        raise Refused(
            404,
            "no-scope",
            f"there is no budget of that kind ({name[:40]!r}): session, project, project-month, day and month can be extended",
        )
    scope = Scope(name)
    if scope.of_project and subject and not subject.startswith("/"):
        subject = "/" + subject
    if bool(subject) != scope.has_subject:
        needs = "name whose: budgets/session/ID or budgets/project/FOLDER" if not subject else "a day and a month are everybody's"
        raise Refused(400, "bad-request", needs)
    if scope is Scope.SESSION and house.state.sessions.get(subject) is None:
        raise _no_session(subject)
    if not any((cap.scope, cap.subject) == (scope, subject) for cap in _caps(house, subject if scope is Scope.SESSION else None)):
        raise Refused(404, "no-cap", f"no {scope} budget is set{f' for {subject}' if subject else ''}, so there is nothing to extend")
    return scope, subject


def _no_session(name: str) -> Refused:
    return Refused(404, "no-session", f"no session of late has the id {name[:80]!r}; `stepfare sessions` lists them")


def _budgets(house: House, session: str | None) -> protocol.Budgets:
    now_ms, state = house.world.now_ms(), house.state
    return protocol.Budgets(
        caps=[_cap(house, cap) for cap in _caps(house, session)],
        questions=questions(house),
        extensions=[
            protocol.Extension(
                id=one.extension, at_ms=one.at_ms, scope=one.scope.value, subject=one.subject, pusd=one.pusd, by=one.by, user=one.user
            )
            for one in state.budgets.extensions.values()
            if one.at_ms >= state.budgets.month.start_ms
        ],
        burn_pusd_per_hour=state.budgets.pace.pusd_per_hour(now_ms),
    )


def _caps(house: House, session: str | None) -> Sequence[Cap]:
    """Each cap once: two sessions of a project share that of its day."""
    state = house.state
    if session is not None:
        known = state.sessions.get(session)
        return state.caps(known, state.workspaces.look(known.workspace if known else ""))
    recent = state.sessions.newest_first()[:RECENT_SESSIONS_MAX]
    places = [(None, place) for place in state.workspaces.known() if place.dotfile is not None]
    everywhere = [(None, state.workspaces.look("")), *places, *((one, state.workspaces.look(one.workspace)) for one in recent)]
    found: dict[tuple[str, str, str], Cap] = {}
    for known, place in everywhere:
        for cap in state.caps(known, place):
            found.setdefault((cap.scope, cap.subject, cap.source), cap)
    return list(found.values())


def _cap(house: House, cap: Cap) -> protocol.Cap:
    state, scope = house.state, Scope(cap.scope)
    everybody = scope in (Scope.DAY, Scope.MONTH)
    burn = 0 if scope.of_project else state.budgets.pace.pusd_per_hour(house.world.now_ms(), None if everybody else cap.subject)
    return protocol.Cap(
        scope=scope.value,
        subject=cap.subject,
        cap_pusd=cap.cap_pusd,
        extended_pusd=cap.extended_pusd,
        spent_pusd=cap.spent_pusd,
        reserved_pusd=cap.reserved_pusd,
        left_pusd=cap.left_pusd,
        burn_pusd_per_hour=burn,
        warn_at=cap.warn_at,
        warned=cap.warned,
        on_limit="frugal" if cap.on_limit == "frugal" else "stop" if cap.on_limit == "stop" else "ask",
        source=cap.source,
        since_ms=state.budgets.since_ms(scope),
    )


def _question(one: Question) -> protocol.Question:
    return protocol.Question(
        session=one.session,
        client=one.client,
        workspace=one.workspace,
        at_ms=one.at_ms,
        words=one.words,
        proposals=[protocol.Proposal(scope=Scope(cap.scope).value, subject=cap.subject, pusd=pusd) for cap, pusd in one.asks],
    )
