"""The wiring: which LSP method and which command goes to which feature. Nothing is decided here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, cast

from lsprotocol import types

from stepfare.paths import Paths, paths_from
from stepfare_lsp import wire
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features import (
    actions,
    answers,
    budgets,
    commands,
    completion,
    diagnostics,
    hints,
    hover,
    lenses,
    showing,
    spent,
    symbols,
    watching,
    workspaces,
)
from stepfare_lsp.features.arguments import Arguments, arguments_of
from stepfare_lsp.features.palette import PALETTE_KIND
from stepfare_lsp.features.table import ROWS, Row
from stepfare_lsp.features.workspaces import Contexts
from stepfare_lsp.link import State


def stepfare_server(environ: Mapping[str, str] | None = None) -> StepfareServer:
    """A server for one editor, for the user of this environment."""
    paths: Paths = paths_from(os.environ if environ is None else environ)
    ls = StepfareServer(paths)
    ls.start = lambda: commands.start_daemon(ls, Arguments())
    contexts = workspaces.Contexts(ls)
    asking = budgets.Asking(ls)

    def news(state: State) -> None:
        asking.update(state)
        contexts.daemon_is(state)
        showing.renew_pages(ls)

    ls.watch = news
    _wire_life(ls, contexts)
    _wire_pages(ls, contexts)
    _wire_files(ls)
    for method in answers.requests():
        _wire_request(ls, method)
    for row in ROWS:
        _wire_command(ls, row)
    return ls


def _wire_life(ls: StepfareServer, contexts: Contexts) -> None:
    @ls.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        ls.take_options(params.initialization_options)

    @ls.feature(types.INITIALIZED)
    async def initialized(_: types.InitializedParams) -> None:
        ls.begin()
        contexts.look_again()
        await showing.offer_pages(ls)
        await watching.watch_files(ls)

    @ls.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def configured(params: types.DidChangeConfigurationParams) -> None:
        if isinstance(params.settings, dict):
            ls.take_options(cast("dict[str, Any]", params.settings).get("stepfare"))
            contexts.look_again()
            ls.refresh()

    @ls.feature("stepfare/context")
    async def told(params: Any) -> None:
        contexts.told(params)

    @ls.feature(types.SHUTDOWN)
    def shutdown(*_: object) -> None:
        ls.end()
        showing.clean_up(ls)

    @ls.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    async def folders(_: types.DidChangeWorkspaceFoldersParams) -> None:
        ls.spend.refresh()
        ls.forget_files()
        contexts.look_again()


def _wire_files(ls: StepfareServer) -> None:
    options = types.FileOperationRegistrationOptions([types.FileOperationFilter(types.FileOperationPattern("**"), scheme="file")])

    @ls.feature(types.WORKSPACE_DID_CREATE_FILES, options)
    async def created(_: types.CreateFilesParams) -> None:
        await watching.came_or_went(ls, [])

    @ls.feature(types.WORKSPACE_DID_RENAME_FILES, options)
    async def renamed(params: types.RenameFilesParams) -> None:
        await watching.came_or_went(ls, [file.old_uri for file in params.files])

    @ls.feature(types.WORKSPACE_DID_DELETE_FILES, options)
    async def deleted(params: types.DeleteFilesParams) -> None:
        await watching.came_or_went(ls, [file.uri for file in params.files])

    @ls.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def watched(params: types.DidChangeWatchedFilesParams) -> None:
        gone = [change.uri for change in params.changes if change.type is types.FileChangeType.Deleted]
        await watching.came_or_went(ls, gone)


def _wire_pages(ls: StepfareServer, contexts: Contexts) -> None:
    @ls.feature(types.WORKSPACE_TEXT_DOCUMENT_CONTENT, types.TextDocumentContentOptions(schemes=[showing.SCHEME]))
    async def content(params: types.TextDocumentContentParams) -> types.TextDocumentContentResult:
        return types.TextDocumentContentResult(text=await showing.content(ls, params.uri))

    @ls.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def opened(params: types.DidOpenTextDocumentParams) -> None:
        contexts.look_again()
        if (page := ls.page(params.text_document.uri)) is not None and page.is_dotfile:
            spent.ask_ahead(ls, os.path.dirname(page.path))
        await ls.warm(params.text_document.uri)
        await diagnostics.publish(ls, params.text_document.uri)

    @ls.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(params: types.DidChangeTextDocumentParams) -> None:
        diagnostics.publish_soon(ls, params.text_document.uri)

    @ls.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def saved(params: types.DidSaveTextDocumentParams) -> None:
        if ls.is_ours(params.text_document.uri):
            await diagnostics.publish_all(ls)

    @ls.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(params: types.DidCloseTextDocumentParams) -> None:
        diagnostics.clear(ls, params.text_document.uri)
        contexts.look_again()

    @ls.feature(types.TEXT_DOCUMENT_CODE_LENS, types.CodeLensOptions())
    def lens(params: types.CodeLensParams) -> list[types.CodeLens]:
        return lenses.lenses(ls, params.text_document.uri)

    @ls.feature(types.TEXT_DOCUMENT_INLAY_HINT, types.InlayHintOptions())
    async def hint(params: types.InlayHintParams) -> list[types.InlayHint]:
        page = await ls.page_read(params.text_document.uri)
        return hints.hints(ls, page, params.range.start.line, params.range.end.line) if page else []

    @ls.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, types.DocumentSymbolOptions())
    async def outline(params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
        page = await ls.page_read(params.text_document.uri)
        return symbols.symbols(page) if page else []

    @ls.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=list(completion.TRIGGERS)))
    async def complete(params: types.CompletionParams) -> types.CompletionList:
        return await completion.complete(ls, params.text_document.uri, params.position)

    @ls.feature(types.TEXT_DOCUMENT_HOVER)
    async def show(params: types.HoverParams) -> types.Hover | None:
        return await hover.hover(ls, params.text_document.uri, params.position)

    kinds: list[types.CodeActionKind | str] = [types.CodeActionKind.QuickFix, PALETTE_KIND]

    @ls.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=kinds))
    async def offer(params: types.CodeActionParams) -> list[types.CodeAction]:
        return await actions.actions(ls, params)


def _wire_request(ls: StepfareServer, method: wire.Method) -> None:
    @ls.feature(method.name)
    async def answer(params: Any) -> Mapping[str, Any]:
        return await answers.answered(ls, method, params)


def _wire_command(ls: StepfareServer, row: Row) -> None:
    # Whatever the editor sends along is taken and judged by us: pygls honours no defaults.
    @ls.command(row.id)
    async def run(*given: Any) -> Mapping[str, Any] | None:
        return await row.run(ls, arguments_of(row.id, given))
