"""The commands: each asks the daemon, returns its message, and shows one line, since many editors drop results."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from lsprotocol import types

from stepfare.control.client import Daemon, Refused, Unreachable
from stepfare.control.protocol import Decision, Message, Session, Sessions
from stepfare_lsp import present
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features.arguments import Arguments
from stepfare_lsp.link import Online
from stepfare_lsp.spend import newest_session

SESSIONS_LOOKED_AT_MAX = 200
SESSIONS_SHOWN_MAX = 100
START_S_MAX = 60.0
SAID_CHARS_MAX = 2_000

T = TypeVar("T")
Result: TypeAlias = Mapping[str, Any] | None
Command: TypeAlias = Callable[[StepfareServer, Arguments], Awaitable[Result]]


async def session_spend(ls: StepfareServer, asked: Arguments) -> Result:
    """What a session has cost: the given one, else the newest of the workspace."""
    session = await asked_of_daemon(ls, lambda daemon: session_meant(ls, daemon, asked))
    if session is None:
        return None
    return shown(ls, session, present.session_line(session, _mode(ls)))


async def sessions(ls: StepfareServer, asked: Arguments) -> Result:
    """The sessions, newest first: of the given workspace, else all."""
    found = await asked_of_daemon(ls, lambda daemon: daemon.sessions(workspace=asked.workspace, limit=SESSIONS_SHOWN_MAX))
    if found is None:
        return None
    return shown(ls, found, present.sessions_line(found, f"in {asked.workspace}" if asked.workspace else "on this machine"))


async def today_spend(ls: StepfareServer, _: Arguments) -> Result:
    """What today has cost, in all projects."""
    overview = await asked_of_daemon(ls, lambda daemon: daemon.overview())
    return None if overview is None else shown(ls, overview.today, present.today_line(overview))


async def explain_last(ls: StepfareServer, asked: Arguments) -> Result:
    """Why the last step of a session went where it went."""
    decision = await asked_of_daemon(ls, lambda daemon: _last_decision(ls, daemon, asked))
    return None if decision is None else shown(ls, decision, present.decision_line(decision))


async def status(ls: StepfareServer, _: Arguments) -> Result:
    """How the daemon is."""
    overview = await asked_of_daemon(ls, lambda daemon: daemon.overview())
    return None if overview is None else shown(ls, overview, present.status_line(overview))


async def start_daemon(ls: StepfareServer, _: Arguments) -> Result:
    """Start the daemon in the background, unless it runs; the result is its overview."""
    if not isinstance(ls.link.state, Online):
        started, words = await _started(ls)
        if not started:
            ls.say(words, types.MessageType.Error)
            return None
        ls.link.wake()
    return await status(ls, Arguments())


async def _started(ls: StepfareServer) -> tuple[bool, str]:
    # Neither the editor's folder nor its input and output are the daemon's: a project must not slip modules of its own under it,
    # and what it prints would break the protocol.
    command = [sys.executable, "-P", "-m", "stepfare", "serve", "--detach", "--json"]
    folder = next(folder for folder in (ls.paths.home, Path.home(), Path(os.sep)) if folder.is_dir())
    try:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
    except OSError as error:
        return False, f"The daemon could not be started ({error}). Start it with `stepfare serve` in a terminal."
    try:
        said, _ = await asyncio.wait_for(process.communicate(), START_S_MAX)
    except TimeoutError:
        process.kill()
        await process.wait()
        return False, f"The daemon did not start within {START_S_MAX:.0f} s. Look with `stepfare serve` in a terminal."
    if process.returncode == 0:
        return True, ""
    words = present.clean(said.decode("utf-8", "replace")[-SAID_CHARS_MAX:])
    return await _runs_after_all(ls), f"The daemon did not start: {words}"


async def _runs_after_all(ls: StepfareServer) -> bool:
    """Whether somebody else has started it in the meantime."""
    try:
        await ls.link.ask(lambda daemon: daemon.overview())
    except (Unreachable, Refused):
        return False
    return True


async def session_meant(ls: StepfareServer, daemon: Daemon, asked: Arguments) -> Session | str:
    if asked.session is not None:
        return (await daemon.session(asked.session)).session
    folders = [asked.workspace] if asked.workspace else ls.folders()
    for folder in folders:
        exact = await daemon.sessions(workspace=folder, limit=1)
        if exact.sessions and len(folders) == 1:
            return exact.sessions[0]
    # An agent may work in a folder below, or name the same folder by another path.
    recent: Sessions = await daemon.sessions(limit=SESSIONS_LOOKED_AT_MAX)
    found = newest_session(recent.sessions, folders)
    if found is None:
        where = f"in {', '.join(folders)}" if folders else "on this machine"
        return f"No session {where} yet. Point a coding agent at stepfare: `stepfare connect`."
    return found


async def _last_decision(ls: StepfareServer, daemon: Daemon, asked: Arguments) -> Decision | str:
    session = await session_meant(ls, daemon, asked)
    if isinstance(session, str):
        return session
    detail = await daemon.session(session.id)
    if not detail.steps:
        return "This session has no steps yet."
    return await daemon.decision(detail.steps[-1].decision)


async def asked_of_daemon(ls: StepfareServer, question: Callable[[Daemon], Awaitable[T | str]]) -> T | None:
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
    if isinstance(answer, str):
        ls.say(answer)
        return None
    return answer


def shown(ls: StepfareServer, message: Message, line: str) -> Result:
    ls.say(line)
    return message.model_dump(mode="json")


def _mode(ls: StepfareServer) -> str:
    return ls.link.state.overview.mode if isinstance(ls.link.state, Online) else ""


QUESTIONS: Sequence[tuple[str, Command]] = (
    ("stepfare.sessionSpend", session_spend),
    ("stepfare.sessions", sessions),
    ("stepfare.todaySpend", today_spend),
    ("stepfare.explainLast", explain_last),
    ("stepfare.status", status),
    ("stepfare.startDaemon", start_daemon),
)
