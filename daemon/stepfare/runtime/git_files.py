"""What git's own files say, read without git: which content of which file is staged, and who moved the head.

Bounded and meant for a thread: nothing here is fit for the way of a request. What it means for a session is `surroundings`' business.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha1
from pathlib import Path
from typing import NamedTuple

INDEX_BYTES_MAX = 1024 * 1024
"""Of a larger index (some 10,000 files) nothing is read: it would take the processor from those who wait for answers."""
SCANNED_MAX = 2_000
"""So many staged files are compared with the working tree; of a larger repository only those that somebody touched."""
SUSPECTS_MAX = 64
"""So many files whose times have changed are read to see whether their content has."""
DIRTY_MAX = 64
FILE_BYTES_MAX = 1024 * 1024
REFLOG_BYTES_MAX = 16 * 1024

_ENTRY = struct.Struct(">10I20sH")
_LINK, _SUBMODULE = 0o120000, 0o160000
_EXTENDED, _STAGE, _NAME_LENGTH = 0x4000, 0x3000, 0x0FFF
_UNDOING = ("reset:", "checkout:", "revert:")


class Staged(NamedTuple):
    """A file as it is staged. `blob` is the digest of its content, as `blob_of` makes it."""

    blob: bytes
    size: int
    mtime_ns: int
    mode: int


class Mark(NamedTuple):
    """What changes when a file does."""

    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as it was seen last. Paths are relative to `root`, the folder of its working tree."""

    root: str
    staged: Mapping[str, Staged] = field(default_factory=dict[str, Staged])
    dirty: tuple[str, ...] = ()
    """Files that differ from what is staged, in the order of the index; none that git does not know."""
    undoings: int = 0
    """How often, while it was watched, somebody moved the head or the working tree to something else (reset, checkout, revert)."""
    index_mark: Mark | None = None
    reflog_size: int = -1


def look(git: str, root: str, before: Repository | None) -> Repository:
    """The repository now; `git` is the folder that holds its HEAD and index. What has not changed since `before` is not read again."""
    index = os.path.join(git, "index")
    mark = mark_of(index)
    reflog_size, undoings = _undoings(os.path.join(git, "logs", "HEAD"), before)
    if before is not None and before.index_mark == mark:
        return Repository(root, before.staged, before.dirty, undoings, mark, reflog_size)
    data = read_plain(index, INDEX_BYTES_MAX) if mark is not None else None
    staged: dict[str, Staged] = {}
    with suppress(IndexError, struct.error):  # It ends too soon: what was read before that is sound.
        staged.update(staged_in(data or b""))
    dirty = _dirty(root, staged) if len(staged) <= SCANNED_MAX else ()
    return Repository(root, staged, dirty, undoings, mark, reflog_size)


def staged_in(index: bytes) -> Iterator[tuple[str, Staged]]:
    """The plain files of an index, of versions 2 to 4; nothing of one that is written otherwise."""
    if index[:4] != b"DIRC" or len(index) < 12:
        return
    version, count = struct.unpack_from(">II", index, 4)
    if version not in (2, 3, 4):
        return
    at, name = 12, b""
    for _ in range(count):
        if at + _ENTRY.size > len(index):
            return
        *_, mtime_s, mtime_rest, _dev, _ino, mode, _uid, _gid, size, blob, flags = _ENTRY.unpack_from(index, at)
        start = at + _ENTRY.size + (2 if version >= 3 and flags & _EXTENDED else 0)
        if version == 4:
            cut, start = _varint(index, start)
            end = index.find(b"\0", start)
            name, at = name[: len(name) - cut] + index[start:end], end + 1
        else:
            length = flags & _NAME_LENGTH
            end = index.find(b"\0", start) if length == _NAME_LENGTH else start + length
            name = index[start:end]
            at += (end - at) // 8 * 8 + 8  # At least one NUL, and the next entry begins at a multiple of eight.
        if end < start:
            return
        if not flags & _STAGE and stat.S_IFMT(mode) not in (_LINK, _SUBMODULE):
            yield os.fsdecode(name), Staged(blob, size, mtime_s * 1_000_000_000 + mtime_rest, mode)


def blob_of(data: bytes) -> bytes:
    """The digest by which git knows this content."""
    return sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).digest()


def mark_of(path: str) -> Mark | None:
    """What tells whether this file has changed; None where there is no plain file. Links are not followed."""
    try:
        about = os.lstat(path)
    except (OSError, ValueError):
        return None
    return Mark(about.st_ino, about.st_size, about.st_mtime_ns) if stat.S_ISREG(about.st_mode) else None


def read_plain(path: str, bytes_max: int) -> bytes | None:
    """The content of a plain file of at most this size; None for everything else. Links are not followed, pipes not waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError):
        return None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_size > bytes_max:
            return None
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(bytes_max + 1)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return data if len(data) <= bytes_max else None


def is_dirty(root: str, path: str, staged: Staged) -> bool:
    """Whether the file differs from what is staged. One whose time alone has changed is read."""
    whole = os.path.join(root, path)
    mark = mark_of(whole)
    if mark is None or mark.size != staged.size:
        return True
    if mark.mtime_ns == staged.mtime_ns:
        return False
    data = read_plain(whole, FILE_BYTES_MAX)
    return data is None or blob_of(data) != staged.blob


def _dirty(root: str, staged: Mapping[str, Staged]) -> tuple[str, ...]:
    found: list[str] = []
    suspects = 0
    for path, entry in staged.items():
        mark = mark_of(os.path.join(root, path))
        if mark is not None and (mark.size, mark.mtime_ns) == (entry.size, entry.mtime_ns):
            continue
        suspects += 1
        if is_dirty(root, path, entry):
            found.append(path)
        if len(found) >= DIRTY_MAX or suspects >= SUSPECTS_MAX:
            break
    return tuple(found)


def _undoings(reflog: str, before: Repository | None) -> tuple[int, int]:
    """The reflog's length, and how many of its lines so far undo something. What was written before the first look is not counted."""
    try:
        size = os.stat(reflog).st_size
        if before is None or before.reflog_size < 0:
            return size, 0
        if size <= before.reflog_size:
            return size, before.undoings
        with Path(reflog).open("rb") as file:
            file.seek(max(before.reflog_size, size - REFLOG_BYTES_MAX))
            lines = file.read(REFLOG_BYTES_MAX).decode("utf-8", "replace").splitlines()
    except OSError:
        return -1, before.undoings if before else 0
    # OLD NEW NAME <MAIL> TIME ZONE, a tab, and what was done.
    return size, before.undoings + sum(line.partition("\t")[2].startswith(_UNDOING) for line in lines)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number as git writes it into indexes of version 4, and where it ends."""
    value = data[at] & 0x7F
    while data[at] & 0x80:
        at += 1
        value = ((value + 1) << 7) | (data[at] & 0x7F)
    return value, at + 1
