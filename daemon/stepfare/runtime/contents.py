"""What becomes of the files that an agent changes: content by content as digests, so that a file that goes back is seen to.

Nobody's text is kept. Files are read in a thread, after a step, and only plain ones inside the workspace; links lead nowhere.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from stepfare.runtime.git_files import FILE_BYTES_MAX, Mark, Repository, blob_of, is_dirty, mark_of, read_plain

FILES_MAX = 64
"""Of one session; those longest untouched go first."""
CONTENTS_MAX = 12
"""Of one file."""
_GONE = b""
"""Stands for a file that is not there."""


@dataclass(slots=True)
class _File:
    contents: list[bytes] = field(default_factory=list[bytes])
    """Digests of what it held, the oldest first, no two alike; the last is what it holds now."""
    undone: list[bytes] = field(default_factory=list[bytes])
    """What was taken back last, latest state last: to put it back again is no new content."""
    mark: Mark | None = None
    edited: bool = False
    seen: bool = False


@dataclass(slots=True)
class Contents:
    """The files of one session. `root` is the folder that its agent works in; nothing outside it is read."""

    root: str
    reverts: int = 0
    """How often a file that the agent had changed has gone back to an earlier content, and stayed so."""
    blind: bool = False
    """Whether the agent has changed files whose content cannot be seen: they are too large, or behind a link."""
    _undoings: int = 0
    _files: OrderedDict[str, _File] = field(default_factory=OrderedDict[str, _File])

    def look(self, read: Iterable[str], edited: Iterable[str], repository: Repository | None) -> None:
        """See what the files of this session hold now. `read` and `edited` are what its agent has read and changed of late, as it
        named them. What a file held before its first change is known where it was read before, or was staged as it was."""
        for path in read:
            self._file(path)
        for path in edited:
            file = self._file(path)
            if file is None:
                continue
            if not file.contents and repository is not None:
                staged = repository.staged.get(self._in(repository, path))
                if staged is not None:
                    file.contents.append(staged.blob)
            file.edited = True
        went_back = [self._see(path, file) for path, file in self._files.items()]
        undoings = repository.undoings if repository is not None else 0
        if self.blind and undoings > self._undoings and not any(went_back):
            self.reverts += 1
        self._undoings = undoings

    def dirty(self, repository: Repository) -> tuple[str, ...]:
        """The files that differ from what is staged, relative to the repository's root, those of this session first."""
        ours = [path for path in (self._in(repository, path) for path in self._files) if path in repository.staged]
        changed = [path for path in ours if is_dirty(repository.root, path, repository.staged[path])]
        return (*changed, *(path for path in repository.dirty if path not in ours))

    def _file(self, path: str) -> _File | None:
        """The file that the agent calls so; None for one outside its folder."""
        whole = os.path.normpath(os.path.join(self.root, path))
        if not whole.startswith(self.root.rstrip(os.sep) + os.sep):
            return None
        file = self._files.get(whole)
        if file is None:
            file = self._files[whole] = _File()
            while len(self._files) > FILES_MAX:
                self._files.popitem(last=False)
        self._files.move_to_end(whole)
        return file

    def _in(self, repository: Repository, path: str) -> str:
        return os.path.relpath(os.path.normpath(os.path.join(self.root, path)), repository.root)

    def _see(self, path: str, file: _File) -> bool:
        """Take in what the file holds; whether it has gone back."""
        mark = mark_of(path)
        if file.seen and mark == file.mark:
            return False
        file.mark, file.seen = mark, True
        data = self._read(path) if mark is not None else None
        if mark is not None and data is None:
            self.blind = self.blind or file.edited
            return False
        content = _GONE if data is None else blob_of(data)
        if file.contents and content == file.contents[-1]:
            return False
        if content in file.contents:
            at = file.contents.index(content)
            file.undone = file.contents[at + 1 :] if file.edited else []
            del file.contents[at + 1 :]
            self.reverts += file.edited
            return file.edited
        if content in file.undone:
            # A stash that is put back, an undo that is done again.
            self.reverts -= 1
            file.contents += file.undone[: file.undone.index(content) + 1]
        else:
            file.contents.append(content)
        file.undone = []
        del file.contents[:-CONTENTS_MAX]
        return False

    def _read(self, path: str) -> bytes | None:
        """The content of a file of at most FILE_BYTES_MAX, None where there is no such one, or where a link leads to it."""
        straight = os.path.join(os.path.realpath(self.root), os.path.relpath(path, self.root))
        return read_plain(path, FILE_BYTES_MAX) if os.path.realpath(path) == straight else None
