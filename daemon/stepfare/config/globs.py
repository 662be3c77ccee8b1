"""Gitignore-style globs over the files of a project, matched in time linear in the path, whatever a stranger's file may say.

The usual translations into regular expressions backtrack: a glob of many stars against a long file name takes minutes, and a project's
file comes from whoever wrote the project. Here every star but the last of its stretch is atomic, which changes no verdict.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

GLOB_CHARS_MAX = 256
PATH_CHARS_MAX = 1024

_ANY_DEPTH = "**"
_DRIVE = re.compile(r"[A-Za-z]:")


class BadGlob(ValueError):
    """A glob that can never mean anything; its words say why and what to write instead."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    expression: re.Pattern[str]
    includes: bool


@dataclass(frozen=True, slots=True)
class Globs:
    """Globs in their order. As in a gitignore file, the last one that matches decides, and `!` takes files out again."""

    globs: tuple[str, ...]
    _patterns: tuple[_Pattern, ...]

    def matching(self, file: str) -> int | None:
        """The index of the glob that takes this file in; None where it stays outside. Files are relative to the globs' folder."""
        path = relative(file)
        if path is None:
            return None
        for index in range(len(self._patterns) - 1, -1, -1):
            pattern = self._patterns[index]
            if pattern.expression.match(path):
                return index if pattern.includes else None
        return None


def compiled(globs: Sequence[str]) -> Globs:
    """The globs made ready. Raises BadGlob with the words for the first one that cannot mean anything."""
    return Globs(tuple(globs), tuple(_pattern(glob) for glob in globs))


def relative(file: str) -> str | None:
    """The path with forward slashes and without a leading `./`; None for what lies outside the folder or is too long to be a path."""
    path = file.replace("\\", "/")
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    outside = path.startswith(("/", "~")) or _DRIVE.match(path) or ".." in path.split("/")
    return None if outside or not path or len(path) > PATH_CHARS_MAX else path


def _pattern(glob: str) -> _Pattern:
    if len(glob) > GLOB_CHARS_MAX:
        raise BadGlob(f"is longer than {GLOB_CHARS_MAX} characters")
    body = _without_trailing_spaces(glob)
    if body.startswith("#"):
        raise BadGlob("begins with #, which is a comment; write \\# for a file whose name begins so")
    includes = not body.startswith("!")
    body = body if includes else body[1:]
    only_inside = body.endswith("/")
    body = body.rstrip("/") if only_inside else body
    anchored = "/" in body
    segments = body.removeprefix("/").split("/") if anchored else [body]
    if not body or "" in segments:
        raise BadGlob("names no file")
    if "." in segments or ".." in segments:
        raise BadGlob("has a . or .. in it; globs are relative to the folder of this file, so write the path without")
    if not anchored:
        segments = [_ANY_DEPTH, *segments]
    try:
        return _Pattern(re.compile(_expression(segments, only_inside=only_inside), re.DOTALL), includes)
    except re.error as error:
        raise BadGlob(f"cannot be read: {error.msg}") from None


def _without_trailing_spaces(glob: str) -> str:
    body = glob.rstrip(" ")
    return body + " " if body.endswith("\\") and len(body) < len(glob) else body


def _expression(segments: Sequence[str], *, only_inside: bool) -> str:
    groups: list[list[str]] = [[]]
    for segment in segments:
        if segment == _ANY_DEPTH:
            if groups[-1] or len(groups) == 1:
                groups.append([])
        else:
            groups[-1].append(segment)
    first, *others = ["/".join(_segment(segment) for segment in group) for group in groups]
    tail = r"/.*\Z" if only_inside else r"(?:/.*)?\Z"
    if not others:
        return first + tail
    head = first + "/" if first else ""
    *middle, last = others
    # Taking the first place where a middle stretch fits loses nothing: any depth may follow it.
    head += "".join(f"(?>(?:[^/]+/)*?{stretch}/)" for stretch in middle)
    return head + (rf"(?:[^/]+/)*?{last}{tail}" if last else (r".+/.*\Z" if only_inside else r".+\Z"))


def _segment(segment: str) -> str:
    """One name between slashes as a regular expression."""
    if not segment.strip("*"):
        return "[^/]+"
    stretches = [""]
    at = 0
    while at < len(segment):
        char = segment[at]
        at += 1
        if char == "*":
            if stretches[-1] or len(stretches) == 1:
                stretches.append("")
        elif char == "?":
            stretches[-1] += "[^/]"
        elif char == "[":
            end = segment.find("]", at + 2 if segment[at : at + 1] in ("!", "^") else at + 1)
            if end < 0:
                raise BadGlob("has a [ without its ]; write \\[ for the character itself")
            stretches[-1] += _one_of(segment[at:end])
            at = end + 1
        elif char == "\\":
            if at == len(segment):
                raise BadGlob("ends with a backslash; separate folders with /")
            stretches[-1] += re.escape(segment[at])
            at += 1
        else:
            stretches[-1] += re.escape(char)
    first, *others = stretches
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>[^/]*?{stretch})" for stretch in middle) + "[^/]*" + last


def _one_of(inside: str) -> str:
    negated = inside[:1] in ("!", "^")
    chars = inside[1:] if negated else inside
    escaped = chars.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace("^", "\\^")
    escaped = escaped.replace("&&", "&\\&").replace("~~", "~\\~").replace("||", "|\\|").replace("--", "-\\-")
    return f"[^/{escaped}]" if negated else f"(?!/)[{escaped}]"
