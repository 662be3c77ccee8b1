"""The client's tools, sorted by what they are good for, and what their parameters are called."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from stepfare.simulator import codexscript
from stepfare.simulator.shapes import Shape, ToolSpec


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
    (Role.FINISH, re.compile(r"^(submit_and_exit|attempt_completion|finish|submit|task_complete|complete_task|structured_output)$")),
    (Role.PRESENT, re.compile(r"^plan_mode_respond$")),
    (Role.SEARCH, re.compile(r"^(grep|rg|search|grep_search|search_files|search_codebase|search_code|codebase_search|find_in_files)$")),
    (Role.LIST, re.compile(r"^(list|ls|glob|list_files|list_dir|list_directory|view_directory)$")),
    (Role.READ, re.compile(r"^(read|view|cat|read_files?|open_file|view_file|get_file|file_read)$")),
    (
        Role.EDIT,
        re.compile(
            r"^(edit|editor|multi_?edit|replace|apply_patch|replace_in_file|edit_file|str_replace|search_replace|find_and_replace)$"
        ),
    ),
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


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The client's tools by role, and the workspace that paths are relative to."""

    by_role: Mapping[Role, tuple[ToolSpec, ...]]
    every: tuple[ToolSpec, ...]
    cwd: str
    xml: bool
    patches: bool = False
    """Whether `apply_patch` is a command in this client's shell."""

    def has(self, role: Role) -> bool:
        return role in self.by_role


_PLACEHOLDER = re.compile("placeholder", re.IGNORECASE)
"""A tool that only holds a place must never be called."""


def toolbox(tools: Sequence[ToolSpec], cwd: str, *, xml: bool, patches: bool = False) -> Toolbox:
    by_role: dict[Role, tuple[ToolSpec, ...]] = {}
    callable_tools = tuple(tool for tool in tools if not _PLACEHOLDER.search(tool.name))
    for tool in callable_tools:
        for role in _roles(tool):
            by_role[role] = (*by_role.get(role, ()), tool)
    return Toolbox(by_role, callable_tools, cwd, xml, patches)


def role_of(tool_name: str) -> Role | None:
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", tool_name).replace("-", "_").lower()
    return next((role for role, pattern in ROLES if pattern.match(name)), None)


def slots(parameter: str) -> tuple[str, ...]:
    return SLOTS.get(parameter.replace("_", "").replace("-", "").lower(), ())


def _roles(tool: ToolSpec) -> tuple[Role, ...]:
    if tool.custom and tool.name == codexscript.TOOL:
        by_script = ((Role.RUN, codexscript.CAN_RUN), (Role.EDIT, codexscript.CAN_PATCH))
        return tuple(role for role, needed in by_script if codexscript.DECLARED[needed].search(tool.words))
    if tool.namespace not in ("", "functions"):
        return ()
    role = role_of(tool.name)
    if tool.custom:
        # Free text is understood of patches only.
        return (role,) if role is Role.EDIT and "patch" in tool.name else ()
    return (role,) if role is not None and _serves(tool.takes, role) else ()


def _serves(takes: Shape, role: Role) -> bool:
    known = set(_all_slots(takes))
    return any(set(needs) <= known for needs in NEEDS[role])


def _all_slots(takes: Shape) -> list[str]:
    """Those of the parameters, and of the rows where one takes a list of edits."""
    found: list[str] = []
    for name, inner in takes.properties.items():
        found += slots(name)
        if inner.kind == "array" and inner.items is not None and is_edit(inner.items):
            found += _all_slots(inner.items)
    return found


def is_edit(row: Shape) -> bool:
    """Whether an object of this shape says what to replace with what."""
    known = {slot for name in row.properties for slot in slots(name)}
    return {"old", "new"} <= known
