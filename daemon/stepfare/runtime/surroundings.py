"""What is known of a session beside its conversation: the editor's word, its repository, and what becomes of the files that it changes.

A decision takes what is known at its moment and waits for nothing. Looking is done after a step has begun, and when git's files change,
in a thread of its own; nothing of it is stored, and only counts and names of files leave it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from stepfare.core.step import ActionKind, EditorFacts, GitFacts, StepFeatures
from stepfare.runtime import git_files
from stepfare.runtime.contents import Contents
from stepfare.runtime.editors import Editors
from stepfare.runtime.git_files import DIRTY_MAX, Repository
from stepfare.runtime.workspaces import Workspace

SESSIONS_MAX = 200
REPOSITORIES_MAX = 10
LOOKED_AGAIN_MAX = 20
"""So many sessions, the latest, are looked after when git's files change without a step."""
WAITING_MAX = 64
"""So many sessions wait to be looked after; more are looked after with their next step."""
PATHS_MAX = 256
GIT_FILES = frozenset({"index", "HEAD"})
"""What git writes in its folder when it changes the working tree."""

_EDITS = frozenset({ActionKind.EDIT, ActionKind.WRITE})
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What was seen of a session: how often a file of it went back, before and since the human's last words, and what is changed."""

    humans: int = 0
    reverts: int = 0
    reverts_before: int = 0
    dirty: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Look:
    """Where to look, and what the agent has read and changed there of late."""

    workspace: Workspace
    humans: int
    read: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()

    def and_then(self, later: _Look) -> _Look:
        """Both in one look."""
        return replace(later, read=(*self.read, *later.read)[-PATHS_MAX:], edited=(*self.edited, *later.edited)[-PATHS_MAX:])


class Surroundings:
    """Facts by session. `facts` is for decisions and reads memory only; everything else may take its time in the thread."""

    def __init__(self) -> None:
        self.editors = Editors()
        self._facts: dict[str, _Facts] = {}
        self._last: OrderedDict[str, _Look] = OrderedDict()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="stepfare-surroundings")
        self._waiting: dict[str, _Look] = {}
        self._lock = threading.Lock()  # Between asking for a look and taking one up; nobody looks while holding it.
        self._closed = False
        # Of the thread alone.
        self._contents: OrderedDict[str, Contents] = OrderedDict()
        self._repositories: OrderedDict[str, Repository] = OrderedDict()

    def facts(self, session: str, workspace: Workspace, humans: int) -> tuple[EditorFacts | None, GitFacts | None]:
        """What a step may know, `humans` being how often the human has spoken. None where there is no editor, or nothing was seen."""
        seen = self._facts.get(session)
        editor = self.editors.facts(session, workspace.root)
        if seen is None and not workspace.branch:
            return editor, None
        seen = seen or _Facts(humans)
        reverts = seen.reverts - seen.reverts_before if seen.humans == humans else 0
        return editor, GitFacts(workspace.branch, seen.dirty, max(0, reverts))

    def follow(self, session: str, workspace: Workspace, features: StepFeatures) -> None:
        """A step of this session has begun: see beside it what its files hold now."""
        if features.side or features.completion or not workspace.root:
            return
        self.editors.follow(session, workspace.root)
        acted = [action for action in features.recent if not action.failed]
        read = tuple(path for action in acted if action.kind is ActionKind.READ for path in action.paths)
        edited = tuple(path for action in acted if action.kind in _EDITS for path in action.paths)
        look = self._last[session] = _Look(workspace, features.history.humans, read, edited)
        self._last.move_to_end(session)
        while len(self._last) > SESSIONS_MAX:
            old, _ = self._last.popitem(last=False)
            self._facts.pop(old, None)
        self._submit(session, look)

    def look_again(self) -> None:
        """Git's files have changed: see what the latest sessions' files hold now."""
        for session, look in list(self._last.items())[-LOOKED_AGAIN_MAX:]:
            self._submit(session, replace(look, read=(), edited=()))

    def close(self) -> None:
        self._closed = True
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _submit(self, session: str, look: _Look) -> None:
        with self._lock:
            waiting = self._waiting.get(session)
            if waiting is not None:
                self._waiting[session] = waiting.and_then(look)
                return
            if self._closed or len(self._waiting) >= WAITING_MAX:
                return
            self._waiting[session] = look
        self._worker.submit(self._look_surely, session)

    def _look_surely(self, session: str) -> None:
        with self._lock:
            look = self._waiting.pop(session)
        try:
            if session in self._last:
                self._look(session, look)
        except Exception:  # noqa: BLE001 - nobody waits for this thread: what goes wrong in it is told, and the facts stay as they were
            _log.exception("a workspace could not be looked at")

    def _look(self, session: str, look: _Look) -> None:
        repository = self._repository(look.workspace)
        root = os.path.normpath(look.workspace.root)
        contents = self._contents.get(session)
        if contents is None or contents.root != root:
            contents = self._contents[session] = Contents(root)
        self._contents.move_to_end(session)
        while len(self._contents) > SESSIONS_MAX:
            self._contents.popitem(last=False)
        contents.look(look.read, look.edited, repository)
        before = self._facts.get(session, _Facts(look.humans))
        reverts_before = before.reverts_before if before.humans == look.humans else before.reverts
        dirty = contents.dirty(repository)[:DIRTY_MAX] if repository else ()
        self._facts[session] = _Facts(look.humans, contents.reverts, reverts_before, dirty)

    def _repository(self, workspace: Workspace) -> Repository | None:
        if not workspace.git:
            return None
        found = git_files.look(workspace.git, workspace.project, self._repositories.get(workspace.git))
        self._repositories[workspace.git] = found
        self._repositories.move_to_end(workspace.git)
        while len(self._repositories) > REPOSITORIES_MAX:
            self._repositories.popitem(last=False)
        return found
