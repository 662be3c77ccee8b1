"""Asking the daemon for a command, which shows one line since many editors drop results, or for a silent request, which shows none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from stepfare.control.client import Daemon, Refused, Unreachable
from stepfare.control.protocol import Decision, Message, Overview, Session
from stepfare_lsp import present, wire
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features.arguments import Arguments
from stepfare_lsp.link import Online
from stepfare_lsp.spend import newest_session

SESSIONS_LOOKED_AT_FIRST, SESSIONS_LOOKED_AT_MAX = 20, 200

T = TypeVar("T")
Result: TypeAlias = Mapping[str, Any] | None
Command: TypeAlias = Callable[[StepfareServer, Arguments], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """There is nothing to answer with, which is no fault; its words say why."""

    words: str


class RequestFailed(JsonRpcException):
    """A silent request that was right and could not be answered; its message is for a person."""

    CODE = wire.REQUEST_FAILED


async def session_meant(ls: StepfareServer, daemon: Daemon, asked: Arguments) -> Session | NoAnswer:
    """The session that is named, else the newest of the workspace, as it is now; words where there is none."""
    if asked.session is not None:
        # The newest ones are known here as they are now; the daemon would tell all steps of another one too.
        state = ls.link.state
        held = state.overview.sessions if isinstance(state, Online) else ()
        return next((one for one in held if one.id == asked.session), None) or (await daemon.session(asked.session)).session
    folders = [asked.workspace] if asked.workspace else ls.folders()
    if len(folders) == 1:
        exact = await daemon.sessions(workspace=folders[0], limit=1)
        if exact.sessions:
            return exact.sessions[0]
    # An agent may work in a folder below, or name the same folder by another path.
    for limit in (SESSIONS_LOOKED_AT_FIRST, SESSIONS_LOOKED_AT_MAX):
        found = newest_session((await daemon.sessions(limit=limit)).sessions, folders)
        if found is not None:
            return found
    where = f"in {', '.join(folders)}" if folders else "on this machine"
    return NoAnswer(f"No session {where} yet. Point a coding agent at stepfare: `stepfare connect`.")


async def last_decision(ls: StepfareServer, daemon: Daemon, asked: Arguments) -> Decision | NoAnswer:
    """The decision of the last step of the session that is meant; words where there is none."""
    session = asked.session
    if session is None:
        meant = await session_meant(ls, daemon, asked)
        if isinstance(meant, NoAnswer):
            return meant
        session = meant.id
    return await daemon.decision(session=session)


async def asked_of_daemon(ls: StepfareServer, question: Callable[[Daemon], Awaitable[T | NoAnswer]]) -> T | None:
    """The answer, or None after saying in words why there is none."""
    try:
        answer = await ls.link.ask(question)
    except Unreachable as absent:
        ls.say(absent.words if absent.running else f"{absent.words} {present.START_IT}", types.MessageType.Warning)
        ls.offer_to_start(running=absent.running)
        return None
    except Refused as refused:
        ls.say(refused.failure.words, types.MessageType.Warning)
        return None
    if isinstance(answer, NoAnswer):
        ls.say(answer.words)
        return None
    return answer


def shown(ls: StepfareServer, message: Message, line: str) -> Result:
    ls.say(line)
    return message.model_dump(mode="json")


async def from_daemon(ls: StepfareServer, question: Callable[[Daemon], Awaitable[T]]) -> T:
    """The answer, with nothing said. Raises RequestFailed with why there is none."""
    try:
        return await ls.link.ask(question)
    except Unreachable as absent:
        raise RequestFailed(absent.words) from None
    except Refused as refused:
        raise RequestFailed(refused.failure.words) from None


async def overview_now(ls: StepfareServer) -> Overview | None:
    """The present state, which the daemon's feed keeps fresh here; None after saying why there is none."""
    state = ls.link.state
    return state.overview if isinstance(state, Online) else await asked_of_daemon(ls, lambda daemon: daemon.overview())


def mode_of(ls: StepfareServer) -> str:
    return ls.link.state.overview.mode if isinstance(ls.link.state, Online) else ""
