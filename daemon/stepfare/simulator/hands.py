"""From what the player wants to a call of whatever tools the client offers, and back from a call to what it was for."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, cast

from stepfare.simulator.options import MARK
from stepfare.simulator.reply import OutCall
from stepfare.simulator.shapes import Shape, ToolSpec
from stepfare.simulator.values import Json


@dataclass(frozen=True, slots=True)
class Look:
    """List a directory, relative to the workspace; "." is all of it."""

    path: str = "."


@dataclass(frozen=True, slots=True)
class Search:
    pattern: str


@dataclass(frozen=True, slots=True)
class Read:
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    command: str


@dataclass(frozen=True, slots=True)
class Replace:
    """Put `new` where `old` stands; `whole` is the file's content afterwards, for tools that can only write all of it (empty: unknown)."""

    path: str
    old: str
    new: str
    whole: str


@dataclass(frozen=True, slots=True)
class Finish:
    """End the task; `verified` only where a run was seen to pass."""

    text: str
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """Show a plan and wait for the human."""

    text: str


@dataclass(frozen=True, slots=True)
class Other:
    """A call whose purpose is not known here."""

    name: str


Intent: TypeAlias = Look | Search | Read | Run | Replace | Finish | Present | Other


class Role(StrEnum):
    LIST = "list"
    SEARCH = "search"
    READ = "read"
    RUN = "run"
    EDIT = "edit"
    WRITE = "write"
    FINISH = "finish"
    PRESENT = "present"


ROLES: tuple[tuple[Role, re.Pattern[str]], ...] = (
    # Order matters: the first match wins.
    (Role.FINISH, re.compile(r"^(submit_and_exit|attempt_completion|finish|submit|task_complete|complete_task)$")),
    (Role.PRESENT, re.compile(r"^plan_mode_respond$")),
    (Role.SEARCH, re.compile(r"^(grep|rg|search|grep_search|search_files|search_codebase|search_code|codebase_search|find_in_files)$")),
    (Role.LIST, re.compile(r"^(list|ls|glob|list_files|list_dir|list_directory|view_directory)$")),
    (Role.READ, re.compile(r"^(read|view|cat|read_files?|open_file|view_file|get_file|file_read)$")),
    (Role.EDIT, re.compile(r"^(edit|editor|replace|apply_patch|replace_in_file|edit_file|str_replace|search_replace|find_and_replace)$")),
    (Role.WRITE, re.compile(r"^(write|write_file|write_to_file|create_file|create_new_file|file_write)$")),
    (Role.RUN, re.compile(r"^(bash|shell|exec|run|terminal|run_commands?|execute_command|run_(shell|terminal)_command|exec_command)$")),
)

SLOTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("path", "filepath", "file", "filename", "targetfile", "absolutepath", "relativepath", "files", "paths"), ("path",)),
    **dict.fromkeys(("dirpath", "directory", "dir", "folder", "targetdirectory", "relativeworkspacepath"), ("path",)),
    **dict.fromkeys(("oldtext", "oldstring", "oldstr", "old", "original", "find", "oldcontent"), ("old",)),
    **dict.fromkeys(("newtext", "newstring", "newstr", "new", "replace", "replacement", "newcontent"), ("new", "content")),
    **dict.fromkeys(("content", "contents", "filetext", "filecontent", "code"), ("content",)),
    **dict.fromkeys(("command", "commands", "cmd", "script"), ("command",)),
    **dict.fromkeys(("query", "queries", "pattern", "regex", "patterns", "searchterm"), ("query", "glob")),
    **dict.fromkeys(("result", "summary", "response", "answer", "message", "text", "finalanswer"), ("text", "content")),
    **dict.fromkeys(("description", "explanation", "reason", "purpose", "intent"), ("why",)),
    "search": ("old", "query"),
    "diff": ("diff",),
    "patch": ("patch",),
    "input": ("patch", "command", "query", "text"),
    "verified": ("verified",),
    "recursive": ("yes",),
}
"""What a parameter of this name (lower case, no separators) is filled with: the first of these that the purpose has."""

NEEDS: dict[Role, tuple[tuple[str, ...], ...]] = {
    Role.LIST: ((),),
    Role.SEARCH: (("query",),),
    Role.READ: (("path",),),
    Role.RUN: (("command",),),
    Role.EDIT: (("path", "old", "new"), ("path", "diff"), ("patch",)),
    Role.WRITE: (("path", "content"), ("path", "new")),
    Role.FINISH: ((),),
    Role.PRESENT: (("text",),),
}
"""A tool serves a role when it has parameters for all of one of these."""

Values: TypeAlias = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The client's tools by role, and the workspace that paths are relative to."""

    by_role: Mapping[Role, tuple[ToolSpec, ...]]
    every: tuple[ToolSpec, ...]
    cwd: str
    xml: bool

    def has(self, role: Role) -> bool:
        return role in self.by_role


def toolbox(tools: Sequence[ToolSpec], cwd: str, *, xml: bool) -> Toolbox:
    by_role: dict[Role, tuple[ToolSpec, ...]] = {}
    for tool in tools:
        role = role_of(tool.name)
        if role is not None and _serves(tool.takes, role):
            by_role[role] = (*by_role.get(role, ()), tool)
    return Toolbox(by_role, tuple(tools), cwd, xml)


def role_of(tool_name: str) -> Role | None:
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", tool_name).replace("-", "_").lower()
    return next((role for role, pattern in ROLES if pattern.match(name)), None)


def _serves(takes: Shape, role: Role) -> bool:
    slots = {slot for name in takes.properties for slot in _slots(name)}
    return any(set(needs) <= slots for needs in NEEDS[role])


def _slots(parameter: str) -> tuple[str, ...]:
    return SLOTS.get(parameter.replace("_", "").replace("-", "").lower(), ())


def ways(intent: Intent, box: Toolbox) -> Iterator[tuple[OutCall, ...]]:
    """Every way to do this with these tools, the natural one first; each is one call, or several that can run side by side."""
    match intent:
        case Look(path):
            yield from _with(box, Role.LIST, {"path": (path,), "glob": ("**/*",), "yes": ("true",), "why": ("List the files",)})
            yield from _shell(box, "ls -R" if path == "." else f"ls -R {shlex.quote(path)}", "List the files")
        case Search(pattern):
            yield from _with(box, Role.SEARCH, {"query": (pattern,), "path": (".",), "why": ("Search the code",)})
            yield from _shell(box, f"grep -rnE --include='*.*' {shlex.quote(pattern)} .", "Search the code")
        case Read(paths):
            yield from _reads(box, paths)
            yield from _shell(box, "cat " + " ".join(shlex.quote(path) for path in paths), "Read the file")
        case Run(command):
            yield from _shell(box, command, "Run the tests")
        case Replace(path, old, new, whole):
            edit = {
                "path": (path,),
                "old": (old,),
                "new": (new,),
                "diff": (search_replace(old, new),),
                "patch": (envelope(path, old, new),),
            }
            yield from _with(box, Role.EDIT, edit)
            if not whole:
                return
            yield from _with(box, Role.WRITE, {"path": (path,), "content": (whole,)})
            yield from _shell(box, f"cat > {shlex.quote(path)} <<'STEPFARE'\n{whole.rstrip(chr(10))}\nSTEPFARE", "Write the file")
        case Finish(text, verified):
            yield from _with(box, Role.FINISH, {"text": (text,), "verified": (str(verified).lower(),)})
        case Present(text):
            yield from _with(box, Role.PRESENT, {"text": (text,)})
        case Other():
            return


def any_call(box: Toolbox, name: str, text: str) -> tuple[OutCall, ...]:
    """A harmless call, where the client insists on one: of the tool with this name, or of whichever only looks."""
    everything: Values = {
        "path": (".",),
        "query": ("def ",),
        "glob": ("**/*",),
        "command": ("ls -R",),
        "text": (text,),
        "why": ("Look around",),
    }
    tools = [tool for role in (Role.LIST, Role.SEARCH, Role.RUN, Role.READ) for tool in box.by_role.get(role, ())]
    chosen = next((tool for tool in box.every if tool.name == name), None) or next(iter(tools or box.every), None)
    return (_call(chosen, everything, box.cwd),) if chosen is not None else ()


def _with(box: Toolbox, role: Role, values: Values) -> Iterator[tuple[OutCall, ...]]:
    for tool in box.by_role.get(role, ()):
        yield (_call(tool, values, box.cwd),)


def _reads(box: Toolbox, paths: tuple[str, ...]) -> Iterator[tuple[OutCall, ...]]:
    for tool in box.by_role.get(Role.READ, ()):
        takes_many = any(shape.kind == "array" and "path" in _slots(name) for name, shape in tool.takes.properties.items())
        if takes_many:
            yield (_call(tool, {"path": paths}, box.cwd),)
        else:
            yield tuple(_call(tool, {"path": (path,)}, box.cwd) for path in paths)


def _shell(box: Toolbox, command: str, why: str) -> Iterator[tuple[OutCall, ...]]:
    yield from _with(box, Role.RUN, {"command": (command,), "why": (why,)})


def _call(tool: ToolSpec, values: Values, cwd: str) -> OutCall:
    return OutCall(tool.name, json.dumps(_object(tool.takes, values, cwd), ensure_ascii=False))


def _object(shape: Shape, values: Values, cwd: str) -> dict[str, Json]:
    filled: dict[str, Json] = {}
    for name, inner in shape.properties.items():
        wanted = next((values[slot] for slot in _slots(name) if slot in values), None)
        if wanted is not None:
            filled[name] = _value(inner, wanted, values, cwd, is_path="path" in _slots(name))
        elif name in shape.required:
            filled[name] = _nothing(inner)
    return filled


def _value(shape: Shape, wanted: Sequence[str], values: Values, cwd: str, *, is_path: bool) -> Json:
    if shape.kind == "array":
        items = shape.items or Shape()
        if items.kind == "object":
            # One object for each value: `files: [{path}, {path}]`.
            return [_object(items, {**values, "path": (value,)} if is_path else values, cwd) for value in wanted]
        return [_path(value, items, cwd) if is_path else value for value in wanted]
    if shape.kind == "boolean":
        return wanted[0] == "true"
    return _path(wanted[0], shape, cwd) if is_path else wanted[0]


def _path(path: str, shape: Shape, cwd: str) -> str:
    wants_absolute = "absolute" in shape.words.lower() and "relative" not in shape.words.lower().split("absolute")[0]
    return posixpath.normpath(posixpath.join(cwd, path)) if wants_absolute and cwd else path


def _nothing(shape: Shape) -> Json:
    """A harmless value for what a tool insists on and the player has no opinion about."""
    if shape.enum:
        return cast(Json, shape.enum[0])
    match shape.kind:
        case "boolean":
            return False
        case "integer" | "number":
            return 1
        case "array":
            empty: list[Json] = []
            return empty
        case "object":
            return {name: _nothing(inner) for name, inner in shape.properties.items() if name in shape.required}
        case _:
            # A manual in words has no types; its switches tell themselves by their explanation.
            return "false" if "boolean" in shape.words.lower() else MARK.strip()


def search_replace(old: str, new: str) -> str:
    return f"------- SEARCH\n{old}\n=======\n{new}\n+++++++ REPLACE"


def envelope(path: str, old: str, new: str) -> str:
    removed = "\n".join(f"-{line}" for line in old.split("\n"))
    added = "\n".join(f"+{line}" for line in new.split("\n"))
    return f"*** Begin Patch\n*** Update File: {path}\n@@\n{removed}\n{added}\n*** End Patch"


_SEARCH_REPLACE = re.compile(r"------- SEARCH\n(.*?)\n?=======\n(.*?)\n?\+{7} REPLACE", re.DOTALL)
_HEREDOC = re.compile(r"\Acat > (\S+) <<'STEPFARE'\n(.*)\nSTEPFARE\Z", re.DOTALL)


def intent_of(name: str, arguments: Mapping[str, object], cwd: str) -> Intent:
    """What a call of the conversation so far was for."""
    role = role_of(name)
    found: dict[str, list[str]] = {}
    _collect(arguments, found)
    paths = tuple(relative(path, cwd) for path in found.get("path", []))
    match role:
        case Role.LIST:
            return Look(paths[0] if paths else ".")
        case Role.SEARCH:
            return Search(next(iter(found.get("query", [])), ""))
        case Role.READ:
            return Read(paths)
        case Role.RUN:
            return _shell_intent("\n".join(found.get("command", [])), cwd)
        case Role.EDIT | Role.WRITE:
            return _edit_intent(paths, found, cwd)
        case Role.FINISH:
            return Finish(next(iter(found.get("text", [])), ""))
        case Role.PRESENT:
            return Present(next(iter(found.get("text", [])), ""))
        case None:
            return Other(name)


def _collect(value: Mapping[str, object], found: dict[str, list[str]]) -> None:
    for name, item in value.items():
        items = cast(list[object], item) if isinstance(item, list) else [item]
        for each in items:
            if isinstance(each, dict):
                _collect(cast(dict[str, object], each), found)
            elif isinstance(each, str):
                for slot in _slots(name):
                    found.setdefault(slot, []).append(each)


def _shell_intent(command: str, cwd: str) -> Intent:
    if command.startswith("ls -R"):
        rest = command.removeprefix("ls -R").strip()
        return Look(rest or ".")
    if heredoc := _HEREDOC.match(command):
        return Replace(relative(heredoc[1], cwd), "", "", heredoc[2] + "\n")
    if command.startswith("cat "):
        return Read(tuple(relative(path, cwd) for path in command.split()[1:]))
    if command.startswith("grep "):
        return Search(command)
    return Run(command)


def _edit_intent(paths: tuple[str, ...], found: Mapping[str, list[str]], cwd: str) -> Intent:
    path = paths[0] if paths else ""
    if "diff" in found and (block := _SEARCH_REPLACE.search(found["diff"][0])):
        return Replace(path, block[1], block[2], "")
    if "patch" in found and (target := re.search(r"\*\*\* Update File: (.+)", found["patch"][0])):
        lines = found["patch"][0].splitlines()
        old = "\n".join(line[1:] for line in lines if line.startswith("-"))
        new = "\n".join(line[1:] for line in lines if line.startswith("+"))
        return Replace(relative(target[1].strip(), cwd), old, new, "")
    if "old" in found:
        return Replace(path, found["old"][0], next(iter(found.get("new", [])), ""), "")
    return Replace(path, "", "", next(iter(found.get("content", [])), ""))


def relative(path: str, cwd: str) -> str:
    """A path as seen from the workspace."""
    path = posixpath.normpath(path.strip().strip("'\"").replace("\\", "/"))
    return posixpath.relpath(path, cwd) if cwd and path.startswith(cwd.rstrip("/") + "/") else path
