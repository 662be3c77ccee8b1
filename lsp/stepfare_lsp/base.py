"""The server that the features share: the editor on one side, the daemon on the other. What does what is wired in `server`."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Hashable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar, cast
from uuid import uuid4

from lsprotocol import types
from pydantic import ValidationError
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from stepfare import __version__
from stepfare.config.check import SETTINGS_BYTES_MAX, Checked, check_settings
from stepfare.config.schema import Settings
from stepfare.control.client import Refused, Unreachable
from stepfare.control.protocol import ModelInfo, Prices, Session
from stepfare.paths import Paths
from stepfare_lsp.ahead import Ahead
from stepfare_lsp.context import Scanned, context_at
from stepfare_lsp.link import Link, Offline, State
from stepfare_lsp.places import Page, page_of, path_of, table_of
from stepfare_lsp.protocol import Protocol
from stepfare_lsp.spend import METHOD, SpendLine
from stepfare_lsp.wire import Options, Spend

FILES_KEPT_S = 30.0
MODELS_KEPT_S = 60.0
MODELS_SHOWN_S = 3_600.0
MODELS_WAIT_S = 1.0
"""Completion and hover wait this long for the daemon's catalogue the first time, then do without."""
FOLDERS_KEPT_MAX = 8
PAGES_MAX = 20

START = "Start it"

log = logging.getLogger(__name__)


T = TypeVar("T")


def _keep(kept: OrderedDict[str, T], name: str, value: T) -> None:
    kept[name] = value
    kept.move_to_end(name)
    while len(kept) > PAGES_MAX:
        kept.popitem(last=False)


class StepfareServer(LanguageServer):
    """One editor's server. `link` and `spend` come to life once the editor is ready."""

    def __init__(self, paths: Paths) -> None:
        # Whole texts rather than changes: our files are small, and positions of changes would depend on what counts as a line end.
        super().__init__(  # pyright: ignore[reportUnknownMemberType]  pygls leaves some of its arguments without types
            "stepfare-lsp", __version__, text_document_sync_kind=types.TextDocumentSyncKind.Full, protocol_cls=Protocol
        )
        self.paths = paths
        self.options = Options()
        self.spend = SpendLine(self._send_spend, self.folders, self._ask_tier)
        self.link = Link(paths, self._daemon_changed)
        self.start: Callable[[], Awaitable[object]] = self._cannot_start
        """What starts the daemon; a feature, so `server` puts it in."""
        self.watch: Callable[[State], None] = lambda _: None
        """Told of every new state of the daemon, besides the line of the spend."""
        self.pages_served: dict[str, Session | None] = {}
        """The virtual documents that the editor asked for, the latest last, each with how its session stood."""
        self.scratch: Path | None = None
        """The folder of what was written to be read, once there is one."""
        self.ahead = Ahead(self.link, self.run_aside, self.refresh)
        self._offered = False
        self._pages: OrderedDict[str, Page] = OrderedDict()
        self._scanned: OrderedDict[str, Scanned] = OrderedDict()
        self._settings: tuple[object, Checked[Settings]] | None = None
        self._timers: dict[Hashable, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._files: dict[str, tuple[float, tuple[str, ...] | None]] = {}

    def begin(self) -> None:
        """The editor is ready: look for the daemon from now on."""
        self.run_aside(self.link.run())

    def end(self) -> None:
        self.spend.stop()
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()

    def run_aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something while requests go on; a fault of it is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def take_options(self, given: object) -> None:
        """Options as the editor names them; what it does not name stays as it is. One that cannot be read changes nothing, but trust that
        is not plainly given is none."""
        if not isinstance(given, dict):
            return
        told = cast("dict[str, Any]", given)
        now = self.options.model_dump()
        lens = told.get("lens")
        if isinstance(lens, dict):
            told = {**told, "lens": {**now["lens"], **cast("dict[str, Any]", lens)}}
        try:
            self.options = Options.model_validate({**now, **told})
        except ValidationError as error:
            log.warning("the editor's options cannot be read: %s", error)
            self.options = self.options.model_copy(update={"trusted": self.options.trusted and told.get("trusted", True) is True})

    def after_quiet(self, key: Hashable, pause_s: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do something aside once nothing with the same key came for so long."""
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()

        def begin() -> None:
            self._timers.pop(key, None)
            self.run_aside(work())

        self._timers[key] = asyncio.get_running_loop().call_later(pause_s, begin)

    def before_long(self, key: Hashable, pause_s: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do something aside so long from now, for all that came with the same key until then."""
        if key not in self._timers:
            self.after_quiet(key, pause_s, work)

    def folders(self) -> list[str]:
        """The folders that the editor has open; the old single root where it knows no folders."""
        # Until `initialize` there is no workspace at all, and pygls says so with an exception.
        workspace = self.protocol._workspace  # pyright: ignore[reportPrivateUsage]
        if workspace is None:
            return []
        folders = [path_of(folder.uri) for folder in workspace.folders.values()]
        if not folders and workspace.root_path:
            folders = [os.path.normpath(workspace.root_path)]
        return [folder for folder in folders if folder]

    def page(self, uri: str) -> Page | None:
        """One of our files as the editor holds it; None for any other file and for what cannot be read."""
        if not self.is_ours(uri):
            return None
        document = self.workspace.get_text_document(uri)
        try:
            text = document.source
        except (OSError, UnicodeError):
            return None
        page = self._pages.get(uri)
        if page is None or page.version != document.version or page.text != text:
            page = page_of(uri, text, document.position_codec, document.version, self.paths.config_toml)
            if page is None:
                return None
            _keep(self._pages, uri, page)
        return page

    async def page_read(self, uri: str) -> Page | None:
        """The same with what it holds as TOML worked out, beside other requests where that takes long."""
        page = self.page(uri)
        if page is not None and page.is_large:
            await asyncio.to_thread(lambda: page.spots)
        return page

    async def warm(self, uri: str) -> None:
        """Work out beside all else what the first request for a long file would wait for."""
        page = self.page(uri)
        if page is None or not page.is_large:
            return
        scanned = Scanned()
        await asyncio.to_thread(context_at, page.text, scanned)
        if uri not in self._scanned:
            _keep(self._scanned, uri, scanned)
        await self.page_read(uri)

    def scanned(self, uri: str) -> Scanned:
        """What is remembered of scanning this file up to a cursor."""
        scanned = self._scanned.get(uri) or Scanned()
        _keep(self._scanned, uri, scanned)
        return scanned

    def forget_page(self, uri: str) -> None:
        self._pages.pop(uri, None)
        self._scanned.pop(uri, None)

    def forget_files(self) -> None:
        """Files came, went or were renamed."""
        self._files.clear()

    def is_ours(self, uri: str) -> bool:
        return table_of(uri, self.paths.config_toml) is not None

    def open_pages(self) -> list[Page]:
        pages = [self.page(document.uri) for document in self.workspace.text_documents.values()]
        return [page for page in pages if page is not None]

    def settings(self) -> Checked[Settings]:
        """The user's own settings as they lie on disk; those of an empty file where there is none."""
        path = self.paths.config_toml
        try:
            about = path.stat()
            mark: object = (about.st_ino, about.st_size, about.st_mtime_ns)
        except OSError:
            mark = None
        if self._settings is None or self._settings[0] != mark:
            self._settings = (mark, self._read_settings())
        return self._settings[1]

    def _read_settings(self) -> Checked[Settings]:
        try:
            with self.paths.config_toml.open("rb") as file:
                return check_settings(file.read(SETTINGS_BYTES_MAX + 1), str(self.paths.config_toml))
        except OSError:
            return check_settings("", str(self.paths.config_toml))

    async def files_of(self, folder: str, look: Callable[[], tuple[str, ...] | None]) -> tuple[str, ...] | None:
        """What `look` finds in a folder, remembered for a while: people type faster than disks change."""
        looked_s, files = self._files.get(folder, (float("-inf"), None))
        if monotonic() - looked_s > FILES_KEPT_S:
            async with self.takes_a_while("stepfare looks through the project's files"):
                files = await asyncio.to_thread(look)
            self._files[folder] = (monotonic(), files)
            while len(self._files) > FOLDERS_KEPT_MAX:
                del self._files[next(iter(self._files))]
        return files

    async def models(self) -> tuple[ModelInfo, ...]:
        """The catalogue's models that are in play or could be; none without the daemon."""
        if isinstance(self.link.state, Offline):
            return ()
        prices: Prices | None = await self.ahead.soon(
            "prices", lambda daemon: daemon.prices(), MODELS_WAIT_S, fresh_s=MODELS_KEPT_S, shown_s=MODELS_SHOWN_S
        )
        return tuple(prices.models) if prices is not None else ()

    def say(self, words: str, kind: types.MessageType = types.MessageType.Info) -> None:
        """One line where the editor shows messages; many editors drop the results of commands."""
        self.window_show_message(types.ShowMessageParams(kind, words))

    @property
    def shows_documents(self) -> bool:
        """Whether the editor opens a document that it is told to open."""
        window = self.client_capabilities.window
        return window is not None and window.show_document is not None and window.show_document.support

    @property
    def knows_pages(self) -> bool:
        """Whether the editor asks for the text of virtual documents."""
        workspace = self.client_capabilities.workspace
        return workspace is not None and workspace.text_document_content is not None

    @property
    def can_ask(self) -> bool:
        """Whether the editor can show a question with buttons."""
        window = self.client_capabilities.window
        return window is not None and window.show_message is not None

    async def choose(self, words: str, options: Sequence[str], kind: types.MessageType = types.MessageType.Info) -> str | None:
        """Ask the person to choose; None where they do not, and where the editor cannot show a question."""
        if not self.can_ask:
            return None
        buttons = [types.MessageActionItem(option) for option in options]
        answer = await self.window_show_message_request_async(types.ShowMessageRequestParams(kind, words, buttons))
        return answer.title if answer is not None and answer.title in options else None

    async def register(self, method: str, options: object) -> None:
        """Tell the editor of something that can only be told once it runs; one that does not listen goes without."""
        one = types.Registration(f"stepfare:{method}", method, register_options=options)
        try:
            await self.client_register_capability_async(types.RegistrationParams([one]))
        except JsonRpcException as error:
            log.info("the editor does not take %s: %s", method, error)

    @asynccontextmanager
    async def takes_a_while(self, title: str) -> AsyncGenerator[None]:
        """Show that something takes a while, in editors that show that."""
        window = self.client_capabilities.window
        if window is None or not window.work_done_progress:
            yield
            return
        token = str(uuid4())
        try:
            await self.work_done_progress.create_async(token)  # pyright: ignore[reportUnknownMemberType]
        except JsonRpcException as error:
            log.info("the editor shows no progress: %s", error)
            yield
            return
        self.work_done_progress.begin(token, types.WorkDoneProgressBegin(title))
        try:
            yield
        finally:
            self.work_done_progress.end(token, types.WorkDoneProgressEnd())

    def offer_to_start(self, *, running: bool) -> None:
        """Ask, once for an editor's life, whether to start the daemon: where it is down, and where the editor can show a question."""
        if running or self._offered or not self.can_ask or not self.options.offer_to_start:
            return
        self._offered = True
        self.run_aside(self._offer())

    async def _offer(self) -> None:
        if await self.choose("Start the stepfare daemon now?", [START]) == START:
            await self.start()

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Faults go to the log: a box in the editor for each would help nobody."""
        log.error("%s: %s", getattr(source, "__name__", source), error)

    async def _cannot_start(self) -> None:
        log.error("nothing was wired to start the daemon")

    def _daemon_changed(self, state: State) -> None:
        if isinstance(state, Offline):
            self.ahead.forget()
        self.spend.update(state)
        self.watch(state)

    def _send_spend(self, spend: Spend) -> None:
        self.protocol.notify(METHOD, spend.model_dump(mode="json"))
        self.refresh()

    def refresh(self) -> None:
        """Have the editor ask anew for what is shown beside texts, where it takes that hint."""
        workspace = self.client_capabilities.workspace
        if workspace is None:
            return
        if workspace.code_lens is not None and workspace.code_lens.refresh_support:
            self.workspace_code_lens_refresh(None)
        if workspace.inlay_hint is not None and workspace.inlay_hint.refresh_support:
            self.workspace_inlay_hint_refresh(None)

    def _ask_tier(self, session: str) -> None:
        self.run_aside(self._tell_tier(session))

    async def _tell_tier(self, session: str) -> None:
        try:
            detail = await self.link.ask(lambda daemon: daemon.session(session))
        except (Unreachable, Refused):
            return
        served = [step.tier for step in detail.steps if step.tier]
        if served:
            self.spend.tier_known(session, served[-1])

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task beside the requests failed", exc_info=error)
