"""Files that come, go or change behind the editor's back: what was known of them is looked at anew."""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol import types

from stepfare.config.dotfile import DOTFILE_NAME
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features import diagnostics


async def came_or_went(ls: StepfareServer, gone: Sequence[str]) -> None:
    """Files changed on disk, and those named are not there any more: an editor that keeps one open shows its problems on."""
    for uri in gone:
        if uri not in ls.workspace.text_documents:
            diagnostics.clear(ls, uri)
    ls.forget_files()
    await diagnostics.publish_all(ls)
    ls.refresh()


async def watch_files(ls: StepfareServer) -> None:
    """Ask the editor to tell of our files, where it can be asked."""
    workspace = ls.client_capabilities.workspace
    watched = workspace.did_change_watched_files if workspace else None
    if watched is None or not watched.dynamic_registration:
        return
    options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(f"**/{DOTFILE_NAME}")])
    await ls.register(types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
