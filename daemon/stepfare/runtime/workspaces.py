"""Workspaces as they lie on disk: a folder's project, branch and project file, read when asked and again when they change.

The text of a project file is judged by `config`; who asks for which folder is the business of `state`.
"""

from __future__ import annotations

import os
import re
import stat
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from stepfare.config.check import DOTFILE_BYTES_MAX, Checked, check_dotfile
from stepfare.config.dotfile import DOTFILE_NAME, Dotfile, UserLimits
from stepfare.config.find import find_dotfile
from stepfare.core.problem import Problem

WORKSPACES_MAX = 500
HEAD_BYTES_MAX = 4096
CONFIG_BYTES_MAX = 64 * 1024
"""Of a repository's own settings, where its remote stands near the beginning."""
REPOSITORY_CHARS_MAX = 200
ROOT_CHARS_MAX = 4096
"""What a client writes into its prompt is looked up on disk: nothing longer than a path can be."""


_REMOTE = re.compile(r'^\s*\[remote "([^"\n]*)"\][^\[]*?^\s*url\s*=\s*([^\n]*)', re.MULTILINE)
_SECRETS = re.compile(r"\A[^:/]*://[^/]*@")
"""Who may come in, and by what word: it stands before the host."""
_ADDRESS_PARTS = re.compile(r"[^/:\s@]+")


@dataclass(frozen=True, slots=True)
class Workspace:
    """`root` is the folder as the client names it, `project` the repository's root (or the folder itself), `dotfile_path` the file
    that holds for it, and `dotfile` what of it is in force: the last good one where the present one cannot be read."""

    root: str
    project: str = ""
    branch: str = ""
    dotfile_path: str = ""
    dotfile: Dotfile | None = None
    problems: tuple[Problem, ...] = ()
    folder: str = ""
    """The folder that the file's globs are relative to."""
    repository: str = ""
    """The owner and name of the remote, or else the name of the repository's folder; empty where there is none."""
    git: str = ""
    """Where its repository keeps head and index; empty where there is none."""


@dataclass(slots=True)
class _Seen:
    workspace: Workspace
    marks: tuple[object, ...] = field(default=())


class Workspaces:
    """What is known of the folders that agents work in. A look costs a few stat calls where nothing changed."""

    def __init__(self, limits: Callable[[], UserLimits]) -> None:
        self.on_news: Callable[[Workspace], None] = lambda _: None
        """Told of each workspace when it is seen for the first time and when it has changed."""
        self._limits = limits
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._home = PurePath(os.path.expanduser("~"))

    def look(self, root: str) -> Workspace:
        """The workspace as it is now. An empty or relative root is no workspace at all."""
        if not root or len(root) > ROOT_CHARS_MAX or not os.path.isabs(root):
            return Workspace(root="")
        start = PurePath(os.path.normpath(root))
        found = find_dotfile(start, self._home, _exists)
        marks = (_mark(found), self._limits(), git_mark := _git_dir(start), _mark(git_mark / "HEAD" if git_mark else None))
        seen = self._seen.get(root)
        if seen is not None and seen.marks == marks:
            self._seen.move_to_end(root)
            return seen.workspace
        before = seen.workspace if seen else None
        workspace = self._read(root, start, found, git_mark, before)
        self._seen[root] = _Seen(workspace, marks)
        while len(self._seen) > WORKSPACES_MAX:
            self._seen.popitem(last=False)
        if before != workspace:
            self.on_news(workspace)
        return workspace

    def last_seen(self, root: str) -> Workspace:
        """The workspace as it was when it was last looked at; nothing is looked at for it."""
        seen = self._seen.get(root)
        return seen.workspace if seen else Workspace(root="")

    def apart(self) -> Workspaces:
        """The same for a dry run: it sees what this one knows, and what it finds out itself is news to nobody."""
        other = Workspaces(self._limits)
        other._seen = self._seen.copy()
        return other

    def look_again(self) -> None:
        """Look at every known workspace; what changed is news."""
        for root in list(self._seen):
            self.look(root)

    def known(self) -> tuple[Workspace, ...]:
        return tuple(seen.workspace for seen in self._seen.values())

    def _read(self, root: str, start: PurePath, found: PurePath | None, git: PurePath | None, before: Workspace | None) -> Workspace:
        project = str(_repository(start) or start)
        checked = _checked(found, self._limits()) if found else None
        kept = before.dotfile if before and before.dotfile_path == str(found) else None
        dotfile = None if checked is None else (checked.value if checked.readable else kept)
        return Workspace(
            root=root,
            project=project,
            branch=_branch(git) if git else "",
            repository=_remote(git) or PurePath(project).name if git else "",
            dotfile_path=str(found) if found else "",
            dotfile=dotfile,
            problems=checked.problems if checked else (),
            folder=str(found.parent) if found else str(start),
            git=str(git) if git else "",
        )


def relative_to_folder(workspace: Workspace, files: tuple[str, ...]) -> tuple[str, ...]:
    """Files as the project file's globs see them: relative to its folder; what lies outside keeps its absolute path."""
    root = os.path.normpath(workspace.root) if workspace.root else ""
    # A model may write half a character into a path; the words that cite it have to be encoded.
    return tuple(_relative(file.encode("utf-8", "replace").decode(), root, workspace.folder) for file in files)


def within_project(workspace: Workspace, files: Iterable[str]) -> tuple[str, ...]:
    """Those files that lie in the workspace's project, relative to its folder, each once."""
    root, project = os.path.normpath(workspace.root or "/"), workspace.project
    if not project:
        return ()
    paths = (_relative(file.encode("utf-8", "replace").decode(), root, project) for file in files)
    return tuple(dict.fromkeys(path for path in paths if path != "." and not os.path.isabs(path)))


def _relative(file: str, root: str, folder: str) -> str:
    path = os.path.normpath(file if os.path.isabs(file) else os.path.join(root, file)) if root else file
    inside = bool(folder) and (path == folder or path.startswith(folder.rstrip("/") + "/"))
    return os.path.relpath(path, folder) if inside else path


def _checked(path: PurePath, limits: UserLimits) -> Checked[Dotfile] | None:
    """The project file, judged; None where it is not ours to follow (a link out of its folder, another user's file)."""
    try:
        about = os.lstat(path)
        if not stat.S_ISREG(about.st_mode):
            return _unreadable("it is not a plain file; links and devices are not followed")
        if about.st_uid not in (os.getuid(), 0):
            return _unreadable("it belongs to another user")
        with Path(path).open("rb") as file:
            return check_dotfile(file.read(DOTFILE_BYTES_MAX + 1), DOTFILE_NAME, limits)
    except FileNotFoundError:
        return None
    except OSError as error:
        return _unreadable(f"it cannot be read ({error.strerror})")


def _unreadable(why: str) -> Checked[Dotfile]:
    words = f"This file is not used: {why}. The last good settings stay in force."
    return Checked(Dotfile(), (Problem(DOTFILE_NAME, "unreadable", words),), {}, readable=False)


def _exists(path: PurePath) -> bool:
    return os.path.lexists(path)


def _mark(path: PurePath | None) -> tuple[str, int, int, int, int] | None:
    """What changes when the file does, or who may read it: its path, inode, size and times of writing and of any change."""
    try:
        about = os.lstat(path) if path else None
    except OSError:
        about = None
    return None if path is None or about is None else (str(path), about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


def _repository(start: PurePath) -> PurePath | None:
    return next((folder for folder in (start, *start.parents) if os.path.lexists(folder / ".git")), None)


def _git_dir(start: PurePath) -> PurePath | None:
    """Where the repository keeps its HEAD; a worktree's `.git` is a file that says so."""
    root = _repository(start)
    if root is None:
        return None
    git = root / ".git"
    if os.path.isdir(git):
        return git
    pointer = _first_line(git).removeprefix("gitdir:").strip()
    return PurePath(os.path.normpath(root / pointer)) if pointer else None


def _branch(git: PurePath) -> str:
    """The branch that is checked out; for a detached head the first characters of its commit."""
    head = _first_line(git / "HEAD")
    return head.removeprefix("ref:").strip().removeprefix("refs/heads/") if head.startswith("ref:") else head[:12]


def _remote(git: PurePath) -> str:
    """The owner and name that the address of `origin`, or else of the first remote, ends with; empty where there is none. A worktree
    shares the settings of the repository that it belongs to."""
    common = _first_line(git / "commondir")
    try:
        with Path(git / common / "config").open("rb") as file:
            settings = file.read(CONFIG_BYTES_MAX).decode("utf-8", "replace")
    except OSError:
        return ""
    remotes = {found.group(1): found.group(2) for found in _REMOTE.finditer(settings)}
    address = remotes.get("origin") or next(iter(remotes.values()), "")
    address = _SECRETS.sub("", address.strip())
    return "/".join(_ADDRESS_PARTS.findall(address.rstrip("/").removesuffix(".git"))[-2:])[:REPOSITORY_CHARS_MAX]


def _first_line(path: PurePath) -> str:
    try:
        with Path(path).open("rb") as file:
            return file.read(HEAD_BYTES_MAX).decode("utf-8", "replace").partition("\n")[0].strip()
    except OSError:
        return ""
