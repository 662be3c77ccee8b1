"""The silent requests: what trees, pickers and a language-model provider ask for. They show nothing; a fault is an error in words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pygls.exceptions import JsonRpcInvalidParams

from stepfare.control.client import Daemon, address_of
from stepfare.control.protocol import Message, Overview, Sessions
from stepfare_lsp import wire
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features import palette, rows
from stepfare_lsp.features.asking import from_daemon
from stepfare_lsp.link import Online
from stepfare_lsp.places import path_of

Answer = Callable[[StepfareServer, Any], Awaitable[Message]]


async def answered(ls: StepfareServer, method: wire.Method, params: object) -> Mapping[str, Any]:
    """The answer to one of our requests. Raises JsonRpcInvalidParams and RequestFailed."""
    try:
        asked = method.params.model_validate(params or {})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise JsonRpcInvalidParams(message=f"{method.name}: {place + ': ' if place else ''}{first['msg']}") from None
    return (await ANSWERS[method.name](ls, asked)).model_dump(mode="json")


async def overview(ls: StepfareServer, _: wire.Nothing) -> Overview:
    state = ls.link.state
    return state.overview if isinstance(state, Online) else await from_daemon(ls, lambda daemon: daemon.overview())


async def sessions(ls: StepfareServer, asked: wire.WhichSessions) -> Message:
    workspace = path_of(asked.workspace) if asked.workspace else None
    if asked.workspace and workspace is None:
        raise JsonRpcInvalidParams(message="stepfare/sessions: `workspace` must be an absolute path or a file: URI.")
    held = ls.link.state.overview.sessions if isinstance(ls.link.state, Online) else []
    if workspace is None and asked.limit <= len(held):
        return Sessions(sessions=held[: asked.limit])
    return await from_daemon(ls, lambda daemon: daemon.sessions(workspace=workspace, limit=asked.limit))


async def session(ls: StepfareServer, asked: wire.WhichSession) -> Message:
    return await from_daemon(ls, lambda daemon: daemon.session(asked.session))


async def decision(ls: StepfareServer, asked: wire.WhichDecision) -> Message:
    return await from_daemon(ls, lambda daemon: daemon.decision(asked.decision))


async def endpoint(ls: StepfareServer, _: wire.Nothing) -> wire.Endpoint:
    async def told(daemon: Daemon) -> wire.Endpoint:
        return wire.Endpoint(base_url=f"{address_of(daemon.file)}/v1", token=daemon.file.local_token)

    return await from_daemon(ls, told)


async def tree_rows(ls: StepfareServer, asked: wire.WhichRows) -> wire.Rows:
    if asked.session is None:
        return rows.of_sessions((await overview(ls, wire.Nothing())).sessions)
    name = asked.session
    return rows.of_steps(await from_daemon(ls, lambda daemon: daemon.session(name)))


async def menu(ls: StepfareServer, _: wire.Nothing) -> wire.Menu:
    return palette.menu(ls)


ANSWERS: Mapping[str, Answer] = {
    "stepfare/overview": overview,
    "stepfare/sessions": sessions,
    "stepfare/session": session,
    "stepfare/decision": decision,
    "stepfare/endpoint": endpoint,
    "stepfare/rows": tree_rows,
    "stepfare/menu": menu,
}


def requests() -> Sequence[wire.Method]:
    return [method for method in wire.METHODS if method.to_server and method.answer is not None]
