"""What a tool gave back, freed of the client's wrapping: plain text, whether it failed, and the file names in it."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

FILES_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Part:
    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """`parts` are the results of the several things that one call may have asked for, in order; without any, it was never answered."""

    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        return "\n".join(part.text for part in self.parts)

    @property
    def failed(self) -> bool:
        return all(part.failed for part in self.parts)


NONE_YET = Result(())

_ERROR = re.compile(
    r"\A\W*(the tool execution failed|error\b|failed to\b|command .{0,80}failed to (start|run)|enoent|eacces|no such file|file not found"
    r"|unknown tool|tool .{0,60}not (found|available)|(the )?user (denied|rejected)|permission denied|invalid (tool|arguments|params))",
    re.IGNORECASE,
)
_TEXT_KEYS = ("result", "output", "content", "stdout", "text", "error", "message", "stderr")


_REMINDER = re.compile(r"\s*<system-reminder>.*?</system-reminder>", re.DOTALL)
_SHELL_REPORT = re.compile(r"\AChunk ID: [^\n]*\n(?:[A-Z][^\n]*\n)*?Output:\n")
"""What some clients put around a tool's own words."""


def read_result(text: str) -> Result:
    """The result in a tool's answer; JSON wrappings are opened, plain text is taken as it is."""
    text = _SHELL_REPORT.sub("", _REMINDER.sub("", text))
    stripped = text.strip()
    if stripped[:1] in "[{" and stripped[-1:] in "]}":
        try:
            value = cast(object, json.loads(stripped))
        except (ValueError, RecursionError):
            pass
        else:
            unwrapped = _unwrapped(value)
            if unwrapped is not None:
                return unwrapped
    return Result((Part(text, failed=bool(_ERROR.match(stripped[:400]))),))


def _unwrapped(value: object) -> Result | None:
    items = cast(list[object], value) if isinstance(value, list) else [value]
    parts: list[Part] = []
    for item in items:
        if not isinstance(item, dict):
            return None
        row = cast(dict[str, object], item)
        texts = [cast(str, row[key]) for key in _TEXT_KEYS if isinstance(row.get(key), str) and row[key]]
        if not texts and not any(key in row for key in _TEXT_KEYS):
            return None
        parts.append(Part("\n".join(texts), failed=row.get("success") is False))
    return Result(tuple(parts))


_FENCE = re.compile(r"\A```\w*\n(.*)\n```\Z", re.DOTALL)
_FILE_TAG = re.compile(r"\A\s*<(file_content|file|content)\b[^>]*>\n?(.*?)\n?</\1>", re.DOTALL)
_ABOVE = re.compile(r"\A(?:(?:\[(?:Showing lines|File|Lines)\b[^\n]*\]|Content of [^\n]*:)\n)+")
_BELOW = re.compile(r"\n*\((?:File has \d+ lines total\.|End of file[^\n]*)\)\s*\Z")
"""What clients write above and below a file's own lines."""
_LABELS = (
    re.compile(r"^\s*\d+ \| ?"),
    re.compile(r"^\s*\d+→"),
    re.compile(r"^\s*\d+\t"),
    re.compile(r"^0\d+\| ?"),
    re.compile(r"^\s*\d+: ?"),
)


_PARTIAL = re.compile(r"\[Showing lines|\btruncated\b|lines? (?:omitted|not shown)|\(File has more lines", re.IGNORECASE)


def is_partial(text: str) -> bool:
    """Whether the client says, above or below, that there is more of the file than this."""
    return bool(_PARTIAL.search(text[:200]) or _PARTIAL.search(text[-300:]))


def file_text(text: str) -> str:
    """A file's own content: without tags, fences and line labels around it."""
    if tag := _FILE_TAG.match(text):
        text = tag[2]
    if fence := _FENCE.match(text.strip()):
        text = fence[1]
    lines = _BELOW.sub("", _ABOVE.sub("", text)).rstrip("\n").split("\n")
    for label in _LABELS:
        if lines and all(label.match(line) or not line.strip() for line in lines) and any(label.match(line) for line in lines):
            lines = [label.sub("", line, count=1) for line in lines]
            break
    return "\n".join(lines) + "\n"


_PATH = re.compile(r"(?<![\w/.:@-])\.{0,2}/?(?:[\w.@+-]+/)*[\w@+-][\w.@+-]*\.[A-Za-z]\w{0,7}(?![\w/])")
_LS_HEADING = re.compile(r"^(\.?[\w./@+-]*):$")


def files_in(text: str, base: str = ".") -> Iterator[str]:
    """Names of files in a listing or in the hits of a search, relative to the workspace."""
    folder = base
    for line in text.splitlines()[:FILES_MAX]:
        if heading := _LS_HEADING.match(line.strip()):
            folder = heading[1] or "."
            continue
        if line.rstrip().endswith(":"):
            continue
        for found in _PATH.finditer(line):
            path = found[0]
            yield posixpath.normpath(path if path.startswith("/") else posixpath.join(folder, path))


_HIT = re.compile(r"^[\s│|>]*(\.{0,2}/?(?:[\w.@+-]+/)*[\w@+-][\w.@+-]*\.[A-Za-z]\w{0,7})(?::|\s*$)")


def files_hit(text: str) -> Iterator[str]:
    """Names of files in the results of a search: at the start of a line, not within what was found."""
    for line in text.splitlines()[:FILES_MAX]:
        if hit := _HIT.match(line):
            yield posixpath.normpath(hit[1])


_FOLDER = re.compile(r"^[\s*-]*(?:\[(?:dir|d)\]\s*(\S+)|d(?:ir)?:\s*(\S+)|([\w.@+-]+)/?\s+\(directory\)|([\w.@+-]+)/\s*$)", re.IGNORECASE)


def folders_in(text: str, base: str = ".") -> Iterator[str]:
    """Names of folders in a listing that does not go into them."""
    for line in text.splitlines()[:FILES_MAX]:
        if found := _FOLDER.match(line):
            name = next(group for group in found.groups() if group)
            yield posixpath.normpath(posixpath.join(base, name.rstrip("/")))
