"""Notices at once when a file changes that matters by its name: watchdog where the system can tell, polling where it cannot."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from watchdog.events import FileClosedEvent, FileCreatedEvent, FileDeletedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

FOLDERS_MAX = 64
POLL_S = 1.0
CALM_S = 0.02
"""Editors write a file in several strokes: a change is told once they have paused."""

# The ledger may lie beside the settings, and its log is written with every step: only files that were closed, moved or removed count.
_WRITTEN: list[type[FileSystemEvent]] = [FileClosedEvent, FileCreatedEvent, FileDeletedEvent, FileMovedEvent]

_log = logging.getLogger(__name__)


class Watch:
    """Calls on the event loop what stands beside a name in `changed`, after something of that name in a watched folder was written,
    moved or removed."""

    def __init__(self, changed: Mapping[str, Callable[[], None]]) -> None:
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._observer: BaseObserver | None = None
        self._folders: set[str] = set()
        self._due: dict[Callable[[], None], asyncio.TimerHandle] = {}

    def add(self, folder: Path | str) -> None:
        """Watch this folder (not those below it). A folder that is gone, or one too many, is left to the look at each request."""
        name = str(folder)
        if name in self._folders or len(self._folders) >= FOLDERS_MAX or not os.path.isdir(name):
            return
        self._folders.add(name)
        try:
            self._schedule(name)
        except OSError as error:
            _log.warning("the system gives no more watches (%s); changes are looked for every %s s", error.strerror, POLL_S)
            self._poll_instead()

    def close(self) -> None:
        for due in self._due.values():
            due.cancel()
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=2)
            self._observer = None

    def _schedule(self, folder: str) -> None:
        if self._observer is None:
            self._observer = Observer()
            self._observer.daemon = True
            self._observer.start()
        self._observer.schedule(_Handler(self), folder, recursive=False, event_filter=_WRITTEN if sys.platform == "linux" else None)

    def _poll_instead(self) -> None:
        old, self._observer = self._observer, None
        if old is not None:
            old.stop()
        self._observer = PollingObserver(timeout=POLL_S)
        self._observer.daemon = True
        self._observer.start()
        for folder in self._folders:
            self._observer.schedule(_Handler(self), folder, recursive=False)

    def noticed(self, event: FileSystemEvent) -> None:
        """Called on the observer's thread."""
        paths = (os.fsdecode(event.src_path), os.fsdecode(event.dest_path))
        for changed in {self._changed[name] for name in map(os.path.basename, paths) if name in self._changed}:
            self._loop.call_soon_threadsafe(self._soon, changed)

    def _soon(self, changed: Callable[[], None]) -> None:
        due = self._due.get(changed)
        if due is not None:
            due.cancel()
        self._due[changed] = self._loop.call_later(CALM_S, changed)


class _Handler(FileSystemEventHandler):
    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in ("opened", "closed_no_write"):
            self._watch.noticed(event)
