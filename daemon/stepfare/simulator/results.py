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
    """`parts` are the results of the several things that one call may have asked for, in order; without any, it was never answered.

    `exit_code` is what the client says that a command ended with; None where it says nothing.
    """

    parts: tuple[Part, ...]
    exit_code: int | None = None

    @property
    def text(self) -> str:
        return "\n".join(part.text for part in self.parts)

    @property
    def failed(self) -> bool:
        return all(part.failed for part in self.parts)


NONE_YET = Result(())

_ERROR = re.compile(
    r"\A\W*(the tool execution failed|script failed|ripgrep execution failed|tool_use_error|error\b|failed to\b"
    r"|apply_patch.{0,40}(failed|not found)|command .{0,80}failed to (start|run)|enoent|eacces|no such file|file not found"
    r"|unknown tool|tool .{0,60}not (found|available)|(the )?user (denied|rejected)|permission denied|invalid (tool|arguments|params))",
    re.IGNORECASE,
)
_CODE_KEYS = ("returncode", "exit_code", "exitCode")
_TEXT_KEYS = ("result", "output", "content", "stdout", "text", "error", "message", "stderr")


_REMINDER = re.compile(r"\n*<system-reminder>.*?</system-reminder>", re.DOTALL)
_SHELL_REPORT = re.compile(r"\A(?:Chunk ID: [^\n]*\n(?:[A-Z][^\n]*\n)*?Output:\n|Script completed\n(?:[A-Z][^\n]*\n)*?Output:\n\n?)")
_EXIT_CODE = re.compile(r"^(?:Process exited with code|Exit code:?|Command failed with exit code) (\d+)", re.IGNORECASE | re.MULTILINE)
REPORT_CHARS = 400
"""A shell's report stands within so much of a result's beginning."""
"""What some clients put around a tool's own words."""


def read_result(text: str) -> Result:
    """The result in a tool's answer; JSON wrappings are opened, plain text is taken as it is."""
    text = _REMINDER.sub("", text)
    said = _EXIT_CODE.search(text[:REPORT_CHARS])
    text = _SHELL_REPORT.sub("", text)
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
    return Result((Part(text, failed=bool(_ERROR.match(stripped[:REPORT_CHARS]))),), int(said[1]) if said else None)


def _unwrapped(value: object) -> Result | None:
    items = cast(list[object], value) if isinstance(value, list) else [value]
    parts: list[Part] = []
    exit_code: int | None = None
    for item in items:
        if not isinstance(item, dict):
            return None
        row = cast(dict[str, object], item)
        texts = [cast(str, row[key]) for key in _TEXT_KEYS if isinstance(row.get(key), str) and row[key]]
        if not texts and not any(key in row for key in _TEXT_KEYS):
            return None
        parts.append(Part("\n".join(texts), failed=row.get("success") is False))
        exit_code = next((code for key in _CODE_KEYS if isinstance(code := row.get(key), int)), exit_code)
    return Result(tuple(parts), exit_code)


_FENCE = re.compile(r"\A```\w*\n(.*)\n```\Z", re.DOTALL)
_FILE_TAG = re.compile(
    r"\A\s*(?:<(?:path|type)>[^<\n]*</(?:path|type)>\s*)*<(file_content|file|content)\b[^>]*>\n?(.*?)\n?</\1>", re.DOTALL
)
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


_HEADING = re.compile(r"^==> (.+) <==\n", re.MULTILINE)


def files_shown(text: str) -> dict[str, str]:
    """The contents of several files that one command printed, by the name in the heading above each; empty where there is none."""
    marks = list(_HEADING.finditer(text))
    if not marks or text[: marks[0].start()].strip():
        return {}
    ends = [*(mark.start() for mark in marks[1:]), len(text) + 1]
    return {mark[1]: text[mark.end() : end - 1] for mark, end in zip(marks, ends, strict=True)}


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
        # Some clients number the emptiness after the last line, too.
        labelled = lines[:-1] if len(lines) > 1 and lines[-1].strip() == str(len(lines)) else lines
        if all(label.match(line) or not line.strip() for line in labelled) and any(label.match(line) for line in labelled):
            lines = [label.sub("", line, count=1) for line in labelled]
            break
    content = "\n".join(lines).rstrip("\n")
    return f"{content}\n" if content else ""


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
