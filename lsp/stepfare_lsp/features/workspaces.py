"""What the editor has open, told to the daemon: relative paths and counts, nothing outside of the folder, nothing of one not trusted.

Editors that know more tell it themselves (`stepfare/context`); of others only the documents that this server is attached to are known.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable

from pydantic import ValidationError

from stepfare.control.client import Refused, Unreachable
from stepfare.control.protocol import EditorDocument, Workspace
from stepfare_lsp import wire
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.link import Online, State
from stepfare_lsp.places import inside_of, path_of

PAUSE_S = 0.3
DOCUMENTS_MAX = 500
FOLDERS_MAX = 50

log = logging.getLogger(__name__)


class Contexts:
    """What each folder's context is, and what the daemon was told last."""

    def __init__(self, ls: StepfareServer) -> None:
        self._ls = ls
        self._told: dict[str, wire.EditorContext] = {}
        """What the editor itself said, by the folder's path."""
        self._sent: dict[str, Workspace] = {}
        self._started_ms: int | None = None
        self._sending = asyncio.Lock()

    def told(self, params: object) -> None:
        """The editor's own words; what cannot be read is passed over."""
        try:
            context = wire.EditorContext.model_validate(params)
        except ValidationError as error:
            log.warning("a context cannot be read: %s", error)
            return
        root = path_of(context.root)
        if root is None:
            log.warning("a context without a folder")
            return
        self._told.pop(root, None)
        self._told[root] = context
        while len(self._told) > FOLDERS_MAX:
            del self._told[next(iter(self._told))]
        self.look_again()

    def look_again(self) -> None:
        """Something may have changed: tell the daemon before long."""
        self._ls.before_long("context", PAUSE_S, self._send)

    def daemon_is(self, state: State) -> None:
        """One that was started anew knows nothing."""
        if isinstance(state, Online) and state.overview.started_ms != self._started_ms:
            self._started_ms = state.overview.started_ms
            self._sent.clear()
            self.look_again()

    async def _send(self) -> None:
        async with self._sending:  # What is told later must not arrive earlier.
            if isinstance(self._ls.link.state, Online):
                await self._tell()

    async def _tell(self) -> None:
        wanted = {root: self._context(root) for root in dict.fromkeys([*self._ls.folders(), *self._told])}
        gone = {root: Workspace(root=root, trusted=False) for root, sent in self._sent.items() if root not in wanted and sent.trusted}
        for root, workspace in {**wanted, **gone}.items():
            # Of a folder that was never told of there is nothing to forget.
            if workspace == self._sent.get(root) or (not workspace.trusted and root not in self._sent):
                continue
            try:
                await self._ls.link.ask(lambda daemon, workspace=workspace: daemon.put_workspace(workspace))
            except (Unreachable, Refused) as trouble:
                log.info("the daemon was not told of %s: %s", root, trouble)
                return
            self._sent[root] = workspace
        for root in gone:
            del self._sent[root]

    def _context(self, root: str) -> Workspace:
        told = self._told.get(root) or self._attached(root)
        if not (told.trusted and self._ls.options.trusted):
            return Workspace(root=root, trusted=False)
        documents = [
            EditorDocument(path=path, errors=one.errors, warnings=one.warnings)
            for one in told.documents[: 2 * DOCUMENTS_MAX]
            if (path := _relative(one.uri, root)) is not None
        ]
        active = _relative(told.active, root) if told.active else None
        return Workspace(root=root, active=active or "", documents=documents[:DOCUMENTS_MAX])

    def _attached(self, root: str) -> wire.EditorContext:
        """What this server sees by itself: the documents that it is attached to, the last opened taken for the one looked at."""
        uris = list(self._ls.workspace.text_documents)
        return wire.EditorContext(root=root, active=uris[-1] if uris else None, documents=list(_documents(uris)))


def _documents(uris: Iterable[str]) -> Iterable[wire.ContextDocument]:
    return (wire.ContextDocument(uri=uri) for uri in uris)


def _relative(uri: str, root: str) -> str | None:
    path = path_of(uri) if uri.startswith("file:") or os.path.isabs(uri) else None
    return inside_of(path, root) if path else None
