"""A session or a decision as a page to read: a virtual document where the editor knows them, else a file of its own that nobody can write.

What the pages say is worded in `markdown`.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from pathlib import Path
from urllib.parse import quote, unquote

from lsprotocol import types

from stepfare.control.client import Daemon
from stepfare.control.protocol import Decision, Session
from stepfare_lsp import markdown
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features.arguments import Arguments
from stepfare_lsp.features.asking import RequestFailed, Result, asked_of_daemon, from_daemon, last_decision, mode_of, session_meant
from stepfare_lsp.link import Online
from stepfare_lsp.places import uri_of

SCHEME = "stepfare"
SERVED_MAX = 50
"""Pages that an editor is told to ask for anew when something was spent."""

RENEW_S = 1.0

_URI = re.compile(rf"{SCHEME}:/*(session|decision)/([^/]+)\.md")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


async def show_session(ls: StepfareServer, asked: Arguments) -> Result:
    """Open a session's page: of the given one, else of the newest of the workspace. Returns its URI."""
    session = await asked_of_daemon(ls, lambda daemon: session_meant(ls, daemon, asked))
    return None if session is None else await _show(ls, "session", session.id)


async def show_decision(ls: StepfareServer, asked: Arguments) -> Result:
    """Open a decision's page: of the given one, else of the last step of the session that is meant. Returns its URI."""
    if asked.decision is not None:
        return await _show(ls, "decision", asked.decision)
    decision = await asked_of_daemon(ls, lambda daemon: last_decision(ls, daemon, asked))
    return None if decision is None or decision.id is None else await _show(ls, "decision", decision.id)


async def content(ls: StepfareServer, uri: str) -> str:
    """The text of a virtual document. Raises RequestFailed."""
    found = _URI.fullmatch(uri)
    if found is None:
        raise RequestFailed(f"stepfare has pages of sessions and decisions only, none at {uri[:100]}")
    what, name = found[1], unquote(found[2])
    served = ls.pages_served
    served.pop(uri, None)
    served[uri] = _held(ls, name)
    while len(served) > SERVED_MAX:
        del served[next(iter(served))]
    return await from_daemon(ls, lambda daemon: _page(ls, daemon, what, name))


async def offer_pages(ls: StepfareServer) -> None:
    """Tell an editor that knows virtual documents of ours; the library does not announce them itself."""
    if ls.knows_pages:
        options = types.TextDocumentContentRegistrationOptions(schemes=[SCHEME])
        await ls.register(types.WORKSPACE_TEXT_DOCUMENT_CONTENT, options)


def renew_pages(ls: StepfareServer) -> None:
    """Something happened: pages of sessions that went on say more now."""
    if ls.knows_pages and ls.pages_served:
        ls.before_long("pages", RENEW_S, lambda: _renew(ls))


async def _renew(ls: StepfareServer) -> None:
    for uri, before in list(ls.pages_served.items()):
        found = _URI.fullmatch(uri)
        now = _held(ls, unquote(found[2])) if found else None
        if now is not None and now != before:
            ls.pages_served[uri] = now
            ls.workspace_text_document_content_refresh(types.TextDocumentContentRefreshParams(uri=uri))


def _held(ls: StepfareServer, name: str) -> Session | None:
    """A session as it stood when the daemon was last heard of."""
    state = ls.link.state
    return next((one for one in state.overview.sessions if one.id == name), None) if isinstance(state, Online) else None


async def _show(ls: StepfareServer, what: str, name: str) -> Result:
    if ls.knows_pages:
        uri = f"{SCHEME}:/{what}/{quote(name, safe='')}.md"
    else:
        text = await asked_of_daemon(ls, lambda daemon: _page(ls, daemon, what, name))
        if text is None:
            return None
        uri = uri_of(await asyncio.to_thread(_written, ls, f"{what}-{_UNSAFE.sub('_', name)[:100]}.md", text))
    opened = False
    if ls.shows_documents:
        opened = (await ls.window_show_document_async(types.ShowDocumentParams(uri=uri, take_focus=True))).success
    ls.say(f"The {what} was opened." if opened else f"Open {uri} to read the {what}.")
    return {"uri": uri}


async def _page(ls: StepfareServer, daemon: Daemon, what: str, name: str) -> str:
    if what == "session":
        return markdown.session_page(await daemon.session(name), mode_of(ls))
    decision: Decision = await daemon.decision(name)
    return markdown.decision_page(decision)


def _written(ls: StepfareServer, name: str, text: str) -> Path:
    """The page as a file that can only be read, in a folder that only its owner can enter."""
    if ls.scratch is None:
        ls.scratch = Path(tempfile.mkdtemp(prefix="stepfare-"))
    path = ls.scratch / name
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w", encoding="utf-8") as file:
        file.write(text)
    return path


def clean_up(ls: StepfareServer) -> None:
    """Remove what was written to be read."""
    if ls.scratch is not None:
        shutil.rmtree(ls.scratch, ignore_errors=True)
        ls.scratch = None
