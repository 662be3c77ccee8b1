"""The commands: each asks the daemon, returns its message, and shows one line, since many editors drop results."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from lsprotocol import types

from stepfare.control.client import Refused, Unreachable
from stepfare_lsp import present
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features.arguments import Arguments
from stepfare_lsp.features.asking import Result, asked_of_daemon, last_decision, mode_of, overview_now, session_meant, shown
from stepfare_lsp.link import Online

SESSIONS_SHOWN_MAX = 20
SAID_CHARS_MAX = 2_000


async def session_spend(ls: StepfareServer, asked: Arguments) -> Result:
    """What a session has cost: the given one, else the newest of the workspace."""
    session = await asked_of_daemon(ls, lambda daemon: session_meant(ls, daemon, asked))
    if session is None:
        return None
    return shown(ls, session, present.session_line(session, mode_of(ls)))


async def sessions(ls: StepfareServer, asked: Arguments) -> Result:
    """The sessions, newest first: of the given workspace, else all."""
    found = await asked_of_daemon(ls, lambda daemon: daemon.sessions(workspace=asked.workspace, limit=SESSIONS_SHOWN_MAX))
    if found is None:
        return None
    return shown(ls, found, present.sessions_line(found, f"in {asked.workspace}" if asked.workspace else "on this machine"))


async def today_spend(ls: StepfareServer, _: Arguments) -> Result:
    """What today has cost, in all projects."""
    overview = await overview_now(ls)
    return None if overview is None else shown(ls, overview.today, present.today_line(overview))


async def explain_last(ls: StepfareServer, asked: Arguments) -> Result:
    """Why the last step of a session went where it went."""
    decision = await asked_of_daemon(ls, lambda daemon: last_decision(ls, daemon, asked))
    return None if decision is None else shown(ls, decision, present.decision_line(decision))


async def status(ls: StepfareServer, _: Arguments) -> Result:
    """How the daemon is."""
    overview = await overview_now(ls)
    return None if overview is None else shown(ls, overview, present.status_line(overview))


async def start_daemon(ls: StepfareServer, _: Arguments) -> Result:
    """Start the daemon in the background, unless it runs; the result is its overview."""
    if not isinstance(ls.link.state, Online):
        async with ls.takes_a_while("stepfare starts"):
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
    # It waits by itself for as long as the daemon does something, which may be a minute where a large ledger is brought up to date.
    said, _ = await process.communicate()
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
