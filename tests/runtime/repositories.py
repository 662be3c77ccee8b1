"""Repositories on disk as git leaves them, as far as they are read without it: head, index and reflog. No git is needed to make them."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from pathlib import Path

from stepfare.runtime.git_files import blob_of


@dataclass
class Repo:
    """A working tree with its repository. What was staged is what `restore` and `reset` put back."""

    root: Path
    staged: dict[str, bytes] = field(default_factory=dict)

    @property
    def git(self) -> str:
        return str(self.root / ".git")

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def add(self, *paths: str) -> None:
        self.staged |= {path: (self.root / path).read_bytes() for path in paths}
        self._write_index()

    def commit(self) -> None:
        self._log("commit: Go on")

    def restore(self, *paths: str) -> None:
        for path in paths:
            self.write(path, self.staged[path].decode())
        self._write_index()

    def reset(self) -> None:
        self.restore(*self.staged)
        self._log("reset: moving to HEAD")

    def checkout(self, branch: str) -> None:
        (self.root / ".git" / "HEAD").write_text(f"ref: refs/heads/{branch}\n")
        self._log(f"checkout: moving from main to {branch}")

    def _log(self, words: str) -> None:
        with (self.root / ".git" / "logs" / "HEAD").open("a") as log:
            log.write(f"{'0' * 40} {'1' * 40} A <a@localhost> 1780000000 +0000\t{words}\n")

    def _write_index(self) -> None:
        entries = b"".join(self._entry(path, data) for path, data in sorted(self.staged.items()))
        new = self.root / ".git" / "index.lock"
        new.write_bytes(b"DIRC" + struct.pack(">II", 2, len(self.staged)) + entries + bytes(20))
        new.replace(self.root / ".git" / "index")

    def _entry(self, path: str, data: bytes) -> bytes:
        about = os.lstat(self.root / path)
        seconds, rest = divmod(about.st_mtime_ns, 1_000_000_000)
        times = (0, 0, seconds, rest, 0, 0, 0o100644, 0, 0, len(data))
        entry = struct.pack(">10I20sH", *times, blob_of(data), len(path)) + path.encode()
        return entry + bytes(8 - len(entry) % 8)


def a_repository(root: Path, **files: str) -> Repo:
    """A repository with these files committed; `a_py` is the name of `a.py`, and `__` stands for a slash."""
    (root / ".git" / "logs").mkdir(parents=True)
    repo = Repo(root)
    (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    for name, text in files.items():
        repo.write(name.replace("__", "/").replace("_py", ".py"), text)
    repo.add(*(name.replace("__", "/").replace("_py", ".py") for name in files))
    repo.commit()
    return repo
