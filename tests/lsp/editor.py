"""An editor for tests: a real language client on the real server's stdin and stdout, which keeps what it was shown."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from lsprotocol import types
from pytest_lsp import LanguageClient, client_capabilities, make_test_lsp_client

WAIT_S_MAX = 30.0
LOOK_EVERY_S = 0.02

T = TypeVar("T")


class Editor:
    """What a person sees of stepfare, and what they can do."""

    def __init__(self, client: LanguageClient) -> None:
        self.client = client
        self.spends: list[dict[str, Any]] = []
        self.spends_at_s: list[float] = []
        self.questions: list[types.ShowMessageRequestParams] = []
        self.answer_with: str | None = None
        """The button to press when asked."""
        self.takes_edits = True
        self.edits: list[types.WorkspaceEdit] = []
        self.texts: dict[str, str] = {}
        self.refreshed: list[str] = []
        """What the server asked to be shown anew."""
        self.registered: list[str] = []
        self._news = asyncio.Event()
        self._listen()

    def _listen(self) -> None:
        @self.client.feature("stepfare/spend")
        def spend(params: Any) -> None:
            self.spends.append(params._asdict())
            self.spends_at_s.append(asyncio.get_running_loop().time())
            self._news.set()

        @self.client.feature(types.WINDOW_SHOW_MESSAGE_REQUEST)
        def question(params: types.ShowMessageRequestParams) -> types.MessageActionItem | None:
            self.questions.append(params)
            self._news.set()
            return next((action for action in params.actions or () if action.title == self.answer_with), None)

        @self.client.feature(types.WORKSPACE_APPLY_EDIT)
        def edit(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
            self.edits.append(params.edit)
            return types.ApplyWorkspaceEditResult(applied=self.takes_edits, failure_reason=None if self.takes_edits else "read only")

        @self.client.feature(types.CLIENT_REGISTER_CAPABILITY)
        def register(params: types.RegistrationParams) -> None:
            self.registered += [one.method for one in params.registrations]

        for method in (types.WORKSPACE_CODE_LENS_REFRESH, types.WORKSPACE_INLAY_HINT_REFRESH):

            @self.client.feature(method)
            def refresh(*_: object, method: str = method) -> None:
                self.refreshed.append(method)
                self._news.set()

        @self.client.feature(types.WORKSPACE_TEXT_DOCUMENT_CONTENT_REFRESH)
        def refresh_page(params: types.TextDocumentContentRefreshParams) -> None:
            self.refreshed.append(params.uri)
            self._news.set()

    async def until(self, seen: Callable[[], object]) -> None:
        """Wait for news until something is so."""
        async with asyncio.timeout(WAIT_S_MAX):
            while not seen():
                self._news.clear()
                await self._news.wait()

    async def until_true(self, look: Callable[[], Awaitable[T]], so: Callable[[T], object]) -> T:
        """Look again with every piece of news until what is seen is so."""
        async with asyncio.timeout(WAIT_S_MAX):
            while True:
                self._news.clear()
                found = await look()
                if so(found):
                    return found
                await self._news.wait()

    async def until_so(self, so: Callable[[], object]) -> None:
        """Wait for what is seen elsewhere than in the editor."""
        async with asyncio.timeout(WAIT_S_MAX):
            while not so():  # noqa: ASYNC110  a daemon in a thread of its own tells of no news
                await asyncio.sleep(LOOK_EVERY_S)

    def configure(self, options: object) -> None:
        """The person changed their settings."""
        self.client.workspace_did_change_configuration(types.DidChangeConfigurationParams({"stepfare": options}))

    @property
    def last_spend(self) -> dict[str, Any]:
        return self.spends[-1] if self.spends else {}

    @property
    def said(self) -> list[str]:
        return [message.message for message in self.client.messages]

    async def run(self, command: str, *arguments: object) -> Any:
        """Run a command; what it returns."""
        return await self.client.workspace_execute_command_async(types.ExecuteCommandParams(f"stepfare.{command}", list(arguments)))

    async def ask(self, method: str, params: object) -> Any:
        """A silent request of ours."""
        return await self.client.protocol.send_request_async(method, params)

    def open(self, path: Path, text: str) -> str:
        """Open a file with a text that need not be on disk; its URI."""
        uri = path.as_uri()
        self.texts[uri] = text
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "toml", 1, text)))
        return uri

    def change(self, uri: str, text: str, version: int = 2) -> None:
        self.texts[uri] = text
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(uri=uri, version=version), [types.TextDocumentContentChangeWholeDocument(text)]
            )
        )

    async def problems(self, uri: str, count: int) -> Sequence[types.Diagnostic]:
        """The problems of a file, once there are so many."""
        async with asyncio.timeout(WAIT_S_MAX):
            while len(self.client.diagnostics.get(uri, [None] * (count + 1))) != count:
                await self.client.wait_for_notification(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        return self.client.diagnostics[uri]

    async def hover(self, uri: str, line: int, character: int) -> str:
        params = types.HoverParams(types.TextDocumentIdentifier(uri), types.Position(line, character))
        found = await self.client.text_document_hover_async(params)
        if found is None:
            return ""
        assert isinstance(found.contents, types.MarkupContent)
        return found.contents.value

    async def complete(self, uri: str, line: int, character: int) -> dict[str, types.TextEdit]:
        """Label -> what it would do."""
        items = await self.options(uri, line, character)
        return {item.label: item.text_edit for item in items if isinstance(item.text_edit, types.TextEdit)}

    async def options(self, uri: str, line: int, character: int) -> Sequence[types.CompletionItem]:
        params = types.CompletionParams(types.TextDocumentIdentifier(uri), types.Position(line, character))
        found = await self.client.text_document_completion_async(params)
        assert isinstance(found, types.CompletionList)
        return found.items

    async def actions(self, uri: str, diagnostics: Sequence[types.Diagnostic] = (), only: Sequence[str] | None = None) -> list[Any]:
        stretch = diagnostics[0].range if diagnostics else types.Range(types.Position(0, 0), types.Position(0, 0))
        context = types.CodeActionContext(list(diagnostics), only=only)
        return list(
            await self.client.text_document_code_action_async(types.CodeActionParams(types.TextDocumentIdentifier(uri), stretch, context))
            or ()
        )


def edited(text: str, edit: types.TextEdit) -> str:
    """A text of plain characters after an edit."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    start = starts[edit.range.start.line] + edit.range.start.character
    end = starts[edit.range.end.line] + edit.range.end.character
    return text[:start] + edit.new_text + text[end:]


@asynccontextmanager
async def editor(
    *folders: Path,
    spec: str = "visual_studio_code",
    encoding: str | None = None,
    capabilities: types.ClientCapabilities | None = None,
    options: dict[str, Any] | None = None,
) -> AsyncGenerator[Editor]:
    """An editor with these folders open; it must leave without an error."""
    client = make_test_lsp_client()
    shown = Editor(client)
    await client.start_io(sys.executable, "-P", "-m", "stepfare_lsp", "--stdio", env=dict(os.environ))
    abilities = capabilities or client_capabilities(spec)
    if encoding is not None:
        abilities.general = types.GeneralClientCapabilities(position_encodings=[encoding])
    opened = [types.WorkspaceFolder(folder.as_uri(), folder.name) for folder in folders]
    await client.initialize_session(
        types.InitializeParams(capabilities=abilities, workspace_folders=opened, process_id=os.getpid(), initialization_options=options)
    )
    try:
        yield shown
        await client.shutdown_session()
        assert client.error is None
    except BaseException:
        leave(client)  # or the wait for its end would have none
        raise
    finally:
        await client.stop()


def leave(client: LanguageClient) -> None:
    """End the server without a word, as an editor does that crashed."""
    server = client._server  # pyright: ignore[reportPrivateUsage]
    assert server is not None
    if server.returncode is None:
        server.kill()
