"""What the player wants, as commands of a shell, and back from a command to what it was for."""

from __future__ import annotations

import posixpath
import re
import shlex

from stepfare.simulator import patches
from stepfare.simulator.intents import Intent, Look, Read, Replace, Run, Search

END_OF_FILE = "STEPFARE"

_LIST = "ls -R"
_READ_ONE = "cat "
_READ_MANY = "tail -n +1 "
_SEARCH = "grep "
_HEREDOC = re.compile(rf"\Acat > (\S+) <<'{END_OF_FILE}'\n(.*)\n{END_OF_FILE}\Z", re.DOTALL)
_PATCH = re.compile(rf"\Aapply_patch <<'{END_OF_FILE}'\n(.*)\n{END_OF_FILE}\Z", re.DOTALL)


def listing(path: str) -> str:
    return _LIST if path == "." else f"{_LIST} {shlex.quote(path)}"


def searching(pattern: str) -> str:
    return f"{_SEARCH}-rnE --include='*.*' {shlex.quote(pattern)} ."


def reading(paths: tuple[str, ...]) -> str:
    """One command for all files; where there are several, it prints a heading above each."""
    return (_READ_ONE if len(paths) == 1 else _READ_MANY) + " ".join(shlex.quote(path) for path in paths)


def patching(path: str, old: str, new: str) -> str:
    """For clients in whose shell `apply_patch` is a command."""
    return f"apply_patch <<'{END_OF_FILE}'\n{patches.envelope(path, old, new)}\n{END_OF_FILE}"


def writing(path: str, whole: str) -> str:
    return f"cat > {shlex.quote(path)} <<'{END_OF_FILE}'\n{whole.rstrip(chr(10))}\n{END_OF_FILE}"


def intent_of(command: str, cwd: str) -> Intent:
    """What a command was for; one that is not of the forms above was run for itself."""
    if command == _LIST or command.startswith(_LIST + " "):
        return Look(relative(command.removeprefix(_LIST).strip() or ".", cwd))
    if heredoc := _HEREDOC.match(command):
        return Replace(relative(heredoc[1], cwd), "", "", heredoc[2] + "\n")
    if (patch := _PATCH.match(command)) and (found := patches.in_envelope(patch[1])):
        return Replace(relative(found[0], cwd), found[1], found[2], "")
    for program in (_READ_ONE, _READ_MANY):
        if command.startswith(program):
            return Read(tuple(relative(path, cwd) for path in _words(command.removeprefix(program))))
    return Search(command) if command.startswith(_SEARCH) else Run(command)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def relative(path: str, cwd: str) -> str:
    """A path as seen from the workspace."""
    path = posixpath.normpath(path.strip().strip("'\"").replace("\\", "/"))
    root = cwd.rstrip("/").replace("\\", "/")
    if not root or not (path == root or path.startswith(root + "/")):
        return path
    return path[len(root) + 1 :] or "."
