"""Changes that are thrown away again: by git, or by an edit that puts back what an earlier one replaced.

What counts is decided elsewhere (`trail` knows which files the agent had changed); here a call only says what it undoes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from stepfare.core.request import ToolCall

EVERYTHING = "."
"""Stands for every changed file of the working tree."""
SWAPS_MAX = 24
_OLD = ("old_string", "old_str", "oldString", "oldText", "old_text", "search", "old")
_NEW = ("new_string", "new_str", "newString", "newText", "new_text", "replace", "new")
_PATH = ("file_path", "path", "filePath", "filepath", "notebook_path", "target_file")
_LISTS = ("edits", "changes", "replacements")
_TEXT = ("input", "patch", "diff", "patchText", "content", "command")
_MARKS = ("<<<<<<< SEARCH", "------- SEARCH")


def undone_by(verb: str, rest: Sequence[str], paths: tuple[str, ...]) -> tuple[str, ...]:
    """What a git command throws away of the working tree; `paths` are the files that it names."""
    match verb:
        case "checkout":
            whole = "." in rest or "-f" in rest or "--force" in rest
            creates = any(word in ("-b", "-B", "--orphan", "-t", "--track") for word in rest)
            return () if creates else (EVERYTHING,) if whole else paths
        case "restore":
            staged = any(word in ("--staged", "-S") for word in rest) and not any(word in ("--worktree", "-W") for word in rest)
            return () if staged else paths or (EVERYTHING,)
        case "reset":
            return (EVERYTHING,) if "--hard" in rest else ()
        case "stash":
            saves = not rest or rest[0] in ("push", "save") or rest[0].startswith("-")
            return (paths or (EVERYTHING,)) if saves else ()
        case _:
            return ()


def swaps_of(call: ToolCall) -> tuple[tuple[int, int], ...]:
    """For each text that this edit replaces: what stands for the change, and what would stand for the change back.

    The values compare within one process only."""
    try:
        said: object = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return ()
    given = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    path = _first(given, _PATH)
    found: list[tuple[str, str]] = []
    for one in (given, *(inner for key in _LISTS for inner in _objects(given.get(key)))):
        old, new = _first(one, _OLD), _first(one, _NEW)
        if old or new:
            found.append((old, new))
    text = _first(given, _TEXT)
    if not found and text:
        found = _in_patch(text)
    return tuple((hash((path, old, new)), hash((path, new, old))) for old, new in found[:SWAPS_MAX] if old != new)


def _in_patch(text: str) -> list[tuple[str, str]]:
    """The lines that a patch takes out and puts in, one pair for all of it."""
    if "*** Begin Patch" not in text and "\n@@" not in text and not any(mark in text for mark in _MARKS):
        return []
    lines = text.split("\n")
    old = "\n".join(line[1:] for line in lines if line.startswith("-") and not line.startswith("---"))
    new = "\n".join(line[1:] for line in lines if line.startswith("+") and not line.startswith("+++"))
    return [(old, new)] if old and new else []


def _first(given: Mapping[str, Any], keys: Sequence[str]) -> str:
    return next((value for key in keys for value in (given.get(key),) if isinstance(value, str)), "")


def _objects(value: object) -> list[dict[str, Any]]:
    listed = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", one) for one in listed if isinstance(one, dict)]
