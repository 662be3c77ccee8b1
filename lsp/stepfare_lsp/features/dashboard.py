"""The dashboard, opened in a browser by a link that works once."""

from __future__ import annotations

from lsprotocol import types

from stepfare.control.client import Daemon, address_of
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features.arguments import Arguments
from stepfare_lsp.features.asking import NoAnswer, Result, asked_of_daemon


async def open_dashboard(ls: StepfareServer, _: Arguments) -> Result:
    """Open it where the editor can open a browser; else say its address. Returns the link, which lets in once."""
    url = await asked_of_daemon(ls, _link)
    if url is None:
        return None
    if ls.shows_documents:
        answer = await ls.window_show_document_async(types.ShowDocumentParams(uri=url, external=True))
        if answer.success:
            ls.say("The dashboard was opened in the browser.")
            return {"url": url, "opened": True}
    ls.say(f"Open the dashboard in a browser on this machine (the link lets in once): {url}")
    return {"url": url, "opened": False}


async def _link(daemon: Daemon) -> str | NoAnswer:
    url = (await daemon.dashboard_link()).url
    # Whatever answers on the daemon's port: an editor must not be sent anywhere else by it.
    if not url.startswith(f"{address_of(daemon.file)}/"):
        return NoAnswer("The daemon gave a link that leads away from it, which was not opened. Restart the daemon.")
    return url
