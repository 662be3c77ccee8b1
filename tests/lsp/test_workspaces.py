"""What the daemon is told of the editor: relative paths and counts of what lies in a trusted folder, and nothing else."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from stepfare.control.protocol import Workspace
from tests.lsp.editor import Editor, editor
from tests.lsp.standing import StandingDaemon, overview


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders of one editor; a link in the first leads out of it."""
    one, two = tmp_path / "one", tmp_path / "two"
    (one / "src").mkdir(parents=True)
    two.mkdir()
    (tmp_path / "secret").mkdir()
    (one / "out").symlink_to(tmp_path / "secret")
    return one, two


@pytest.fixture
async def daemon(stepfare_home: Path, folders: tuple[Path, Path]) -> AsyncGenerator[StandingDaemon]:
    with StandingDaemon(stepfare_home) as daemon:
        daemon.answer("overview", overview())
        for folder in folders:
            daemon.answer(f"workspaces/{str(folder).replace('/', '%2F')}", Workspace(root=str(folder)), method="PUT")
        yield daemon
        daemon.publish(None)


class Told:
    """What the daemon was told last of a folder."""

    def __init__(self, daemon: StandingDaemon, folder: Path) -> None:
        self._daemon, self._path = daemon, f"workspaces/{str(folder).replace('/', '%2F')}"

    def last(self) -> dict[str, Any]:
        bodies = self._daemon.told("PUT", self._path)
        told = json.loads(bodies[-1]) if bodies else {}
        files = [(one["path"], one["errors"], one["warnings"]) for one in told.get("documents", ())]
        return {"trusted": told.get("trusted"), "active": told.get("active"), "documents": files} if told else {}


def context(shown: Editor, folder: Path, *files: tuple[str, int, int], active: str | None = None, trusted: bool = True) -> None:
    documents = [{"uri": uri, "errors": errors, "warnings": warnings} for uri, errors, warnings in files]
    shown.client.protocol.notify(
        "stepfare/context", {"root": folder.as_uri(), "active": active, "documents": documents, "trusted": trusted}
    )


async def test_an_editor_that_tells_is_believed_within_its_folder(daemon: StandingDaemon, folders: tuple[Path, Path]) -> None:
    one, two = folders
    told, other = Told(daemon, one), Told(daemon, two)
    async with editor(one, two) as shown:
        await shown.until(lambda: shown.last_spend.get("mode") == "live")
        inside = (one / "src" / "main.py").as_uri()
        context(
            shown,
            one,
            (inside, 2, 1),
            ((one / "out" / "key").as_uri(), 1, 0),
            ((two / "b.py").as_uri(), 1, 0),
            ("untitled:Untitled-1", 1, 0),
            ("https://example.com/one/src/x", 1, 0),
            (f"{one.as_uri()}/src/../../two/b.py", 1, 0),
            active=inside,
        )
        await shown.until_so(lambda: told.last() == {"trusted": True, "active": "src/main.py", "documents": [("src/main.py", 2, 1)]})
        await shown.until_so(lambda: other.last() == {"trusted": True, "active": "", "documents": []})
        sent = len(daemon.told("PUT", "workspaces"))
        context(shown, one, (inside, 2, 1), active=inside)  # no news
        shown.client.protocol.notify("stepfare/context", {"root": 3})
        shown.client.protocol.notify("stepfare/context", None)
        context(shown, one, (inside, 0, 0), active=inside, trusted=False)
        await shown.until_so(lambda: told.last() == {"trusted": False, "active": "", "documents": []})
        assert len(daemon.told("PUT", "workspaces")) == sent + 1
        # A daemon that was started anew is told of all that is trusted.
        daemon.now(overview(seq=1).model_copy(update={"started_ms": 2}))
        await shown.until_so(lambda: len(daemon.told("PUT", "workspaces")) == sent + 2)
        shown.client.workspace_did_change_workspace_folders(
            types.DidChangeWorkspaceFoldersParams(types.WorkspaceFoldersChangeEvent([], [types.WorkspaceFolder(two.as_uri(), "two")]))
        )
        await shown.until_so(lambda: other.last()["trusted"] is False)


async def test_of_other_editors_the_documents_that_are_attached_are_known(daemon: StandingDaemon, folders: tuple[Path, Path]) -> None:
    one, _ = folders
    told = Told(daemon, one)
    async with editor(one, spec="emacs") as shown:
        await shown.until(lambda: shown.last_spend.get("mode") == "live")
        uri = shown.open(one / ".stepfare.toml", "")
        await shown.until_so(lambda: told.last().get("documents") == [(".stepfare.toml", 0, 0)])
        assert told.last()["active"] == ".stepfare.toml"
        shown.client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))
        await shown.until_so(lambda: told.last()["documents"] == [])
        shown.configure({"trusted": False})
        await shown.until_so(lambda: told.last()["trusted"] is False)


async def test_a_folder_that_is_not_trusted_is_never_told_of(daemon: StandingDaemon, folders: tuple[Path, Path]) -> None:
    one, _ = folders
    async with editor(one, options={"trusted": False}) as shown:
        await shown.until(lambda: shown.last_spend.get("mode") == "live")
        context(shown, one, ((one / "src" / "main.py").as_uri(), 2, 1), trusted=True)
        shown.open(one / ".stepfare.toml", "")
        shown.configure({"trusted": "yes"})  # nothing that could be taken for trust
        shown.configure({"hints": False})
        context(shown, one, ((one / "src" / "main.py").as_uri(), 3, 1), trusted=True)
        shown.configure({"trusted": True})
        await shown.until_so(lambda: daemon.told("PUT", "workspaces"))
        assert len(daemon.told("PUT", "workspaces")) == 1
        assert Told(daemon, one).last()["documents"] == [("src/main.py", 3, 1)]
