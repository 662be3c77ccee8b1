"""The control API's words about sessions: a name, that two are one, that one is two, a tier for all that comes, each undone by another. The
journal is not touched.
"""

from __future__ import annotations

from aiohttp import web

from stepfare.control import protocol
from stepfare.core.annotation import Annotation, Merged, Pinned, Renamed, Split
from stepfare.core.step import Tier
from stepfare.runtime.startup import House
from stepfare.server.inference import HOUSE
from stepfare.server.messages import message
from stepfare.sessions.shown import Refused


async def rename(request: web.Request) -> web.Response:
    """Give a session a name; an empty one gives it back the one that it began with."""
    told = protocol.Rename.model_validate_json(await request.read())
    house, name = request.app[HOUSE], await _known(request, request.match_info["id"])
    return await _said(house, Renamed(name, house.world.now_ms(), " ".join(told.title.split())))


async def merge(request: web.Request) -> web.Response:
    """Make a session part of another one, which goes on as theirs."""
    told = protocol.Merge.model_validate_json(await request.read())
    house, name, into = request.app[HOUSE], await _known(request, request.match_info["id"]), await _known(request, told.into)
    return await _said(house, Merged(name, house.world.now_ms(), into))


async def unmerge(request: web.Request) -> web.Response:
    """Make a merged session one of its own again. It is named by the id that it had."""
    house, name = request.app[HOUSE], request.match_info["id"]
    return await _said(house, Merged(name, house.world.now_ms(), ""))


async def split(request: web.Request) -> web.Response:
    """Make what came from a step on a session of its own. Steps are counted from 1, as they are listed. The answer is the new session."""
    told = protocol.SplitAt.model_validate_json(await request.read())
    house, name = request.app[HOUSE], await _known(request, request.match_info["id"])
    steps = await house.store.booked_steps(name)
    if not 2 <= told.step <= len(steps):
        raise Refused(f"{name} has {len(steps)} steps, and each part needs one: split it at a step from 2 to {len(steps)}.")
    cuts: dict[str, int] = {}
    for step in steps[told.step - 1 :]:
        cuts.setdefault(step.session, step.step)
    for step in steps[: told.step - 1]:
        # A merged session without a later step goes on in the later part too.
        if step.session not in cuts or cuts[step.session] <= step.step:
            cuts[step.session] = step.step + 1
    cuts = {session: first for session, first in cuts.items() if house.state.shown.of(session, first) == name}
    part = house.world.new_id("s")
    return await _said(house, Split(name, house.world.now_ms(), part, tuple(cuts.items())), part)


async def pin(request: web.Request) -> web.Response:
    """Let one tier serve every coming step of a session; no tier gives the choice back."""
    told = protocol.Pin.model_validate_json(await request.read())
    return await _pinned(request, Tier.of(told.tier) if told.tier else None)


async def unpin(request: web.Request) -> web.Response:
    """Let each step of a session have the tier that is right for it again."""
    return await _pinned(request, None)


async def _pinned(request: web.Request, tier: Tier | None) -> web.Response:
    house, name = request.app[HOUSE], await _known(request, request.match_info["id"])
    return await _said(house, Pinned(name, house.world.now_ms(), tier))


async def _known(request: web.Request, name: str) -> str:
    """The session as it is shown that this name means. Raises Refused."""
    row = await request.app[HOUSE].store.session(name)
    if row is None:
        raise Refused(f"there is no session {name}; `stepfare sessions` lists them")
    return row.opened.session


async def _said(house: House, annotation: Annotation, shown: str = "") -> web.Response:
    await house.books.annotate(annotation)
    name = house.state.shown.whole(shown or annotation.session)
    return message(protocol.Said(session=name))
