"""From what the player wants to a call of whatever tools the client offers, and back from a call to what it was for."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias, cast

from stepfare.simulator import codexscript, patches, shells
from stepfare.simulator.intents import Finish, Intent, Look, Other, Present, Read, Replace, Run, Search
from stepfare.simulator.options import MARK
from stepfare.simulator.reply import OutCall
from stepfare.simulator.shapes import Shape, ToolSpec
from stepfare.simulator.toolboxes import Role, Toolbox, is_edit, role_of, slots
from stepfare.simulator.values import Json

Values: TypeAlias = Mapping[str, Sequence[str]]
"""What can be filled in, by slot; `script` is for tools that take code."""


def ways(intent: Intent, box: Toolbox) -> Iterator[tuple[OutCall, ...]]:
    """Every way to do this with these tools, the natural one first; each is one call, or several that can run side by side."""
    match intent:
        case Look(path):
            yield from _with(box, Role.LIST, {"path": (path,), "glob": ("**/*",), "yes": ("true",), "why": ("List the files",)})
            yield from _shell(box, shells.listing(path), "List the files")
        case Search(pattern):
            yield from _with(box, Role.SEARCH, {"query": (pattern,), "path": (".",), "why": ("Search the code",)})
            yield from _shell(box, shells.searching(pattern), "Search the code")
        case Read(paths):
            yield from _reads(box, paths)
            yield from _shell(box, shells.reading(paths), "Read the file")
        case Run(command):
            yield from _shell(box, command, "Run the tests")
        case Replace(path, old, new, whole):
            edit = {
                "path": (path,),
                "old": (old,),
                "new": (new,),
                "diff": (patches.search_replace(old, new),),
                "patch": (patches.envelope(path, old, new),),
                "script": (codexscript.patching(path, old, new),),
            }
            # Where nothing is known to stand, nothing can be replaced.
            if old:
                yield from _with(box, Role.EDIT, edit)
            if whole:
                yield from _with(box, Role.WRITE, {"path": (path,), "content": (whole,)})
            if box.patches and old:
                yield from _shell(box, shells.patching(path, old, new), "Edit the file")
            if whole:
                yield from _shell(box, shells.writing(path, whole), "Write the file")
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
        "command": (shells.listing("."),),
        "script": (codexscript.running(shells.listing(".")),),
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
        takes_many = any(shape.kind == "array" and "path" in slots(name) for name, shape in tool.takes.properties.items())
        if takes_many:
            yield (_call(tool, {"path": paths}, box.cwd),)
        else:
            yield tuple(_call(tool, {"path": (path,)}, box.cwd) for path in paths)


def _shell(box: Toolbox, command: str, why: str) -> Iterator[tuple[OutCall, ...]]:
    yield from _with(box, Role.RUN, {"command": (command,), "why": (why,), "script": (codexscript.running(command),)})


def _call(tool: ToolSpec, values: Values, cwd: str) -> OutCall:
    if tool.custom:
        text = values.get("script" if tool.name == codexscript.TOOL else "patch", (MARK.strip(),))[0]
    else:
        text = json.dumps(_object(tool.takes, values, cwd), ensure_ascii=False)
    return OutCall(tool.name, text, namespace=tool.namespace, custom=tool.custom)


def _object(shape: Shape, values: Values, cwd: str) -> dict[str, Json]:
    filled: dict[str, Json] = {}
    for name, inner in shape.properties.items():
        wanted = next((values[slot] for slot in slots(name) if slot in values), None)
        if wanted is not None:
            filled[name] = _value(name, inner, wanted, values, cwd)
        elif inner.kind == "array" and inner.items is not None and is_edit(inner.items) and "old" in values:
            filled[name] = [_object(inner.items, values, cwd)]
        elif name in shape.required:
            filled[name] = _nothing(inner)
    return filled


def _value(name: str, shape: Shape, wanted: Sequence[str], values: Values, cwd: str) -> Json:
    is_path = "path" in slots(name)
    if shape.kind == "array":
        items = shape.items or Shape()
        if items.kind == "object":
            # One object for each value: `files: [{path}, {path}]`.
            return [_object(items, {**values, "path": (value,)} if is_path else values, cwd) for value in wanted]
        if name == "command":
            # One command as a list is a program and its arguments.
            return [*_BY_SHELL, *wanted]
        return [_path(value, items, cwd) if is_path else value for value in wanted]
    if shape.kind == "boolean":
        return wanted[0] == "true"
    return _path(wanted[0], shape, cwd) if is_path else wanted[0]


_BY_SHELL = ("bash", "-lc")


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


def intent_of_text(name: str, text: str, cwd: str) -> Intent:
    """What a call with free text instead of arguments was for."""
    if name == codexscript.TOOL:
        return codexscript.intent_of(text, cwd)
    found = patches.in_envelope(text)
    return Replace(shells.relative(found[0], cwd), found[1], found[2], "") if found else Other(name)


def intent_of(name: str, arguments: Mapping[str, object], cwd: str) -> Intent:
    """What a call of the conversation so far was for."""
    role = role_of(name)
    found: dict[str, list[str]] = {}
    _collect(arguments, found)
    paths = tuple(shells.relative(path, cwd) for path in found.get("path", []))
    match role:
        case Role.LIST:
            return Look(paths[0] if paths else ".")
        case Role.SEARCH:
            return Search(next(iter(found.get("query", [])), ""))
        case Role.READ:
            return Read(paths)
        case Role.RUN:
            words = found.get("command", [])
            return shells.intent_of("\n".join(words[len(_BY_SHELL) :] if tuple(words[: len(_BY_SHELL)]) == _BY_SHELL else words), cwd)
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
                for slot in slots(name):
                    found.setdefault(slot, []).append(each)


def _edit_intent(paths: tuple[str, ...], found: Mapping[str, list[str]], cwd: str) -> Intent:
    path = paths[0] if paths else ""
    if "diff" in found and (block := patches.in_search_replace(found["diff"][0])):
        return Replace(path, block[0], block[1], "")
    if "patch" in found and (patch := patches.in_envelope(found["patch"][0])):
        return Replace(shells.relative(patch[0], cwd), patch[1], patch[2], "")
    if "old" in found:
        return Replace(path, found["old"][0], next(iter(found.get("new", [])), ""), "")
    return Replace(path, "", "", next(iter(found.get("content", [])), ""))
