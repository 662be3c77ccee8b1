"""Which files a patch changes: patches in the envelope that OpenAI's models write, unified diffs, and patches quoted in a script."""

from __future__ import annotations

import re

_ENVELOPE = re.compile(r"^\*\*\* (?:(Add|Update|Delete) File|Move to): (.+?)\s*$", re.MULTILINE)
_DIFF = re.compile(r"^(?:\+\+\+|---) (?:[ab]/)?([^\s]+)", re.MULTILINE)
_QUOTED = re.compile(r"\*\*\* (?:(Add|Update|Delete) File|Move to): ([^\n\\\"'`]+)")
"""A line of a patch in a piece of code: it may end with an escaped line end, or with the quote that closes it."""


def files_in(patch: str) -> tuple[tuple[str, ...], bool]:
    """The files that this text changes, and whether all of them are new; none where it is no patch."""
    found = _ENVELOPE.findall(patch)
    if not found:
        return tuple(dict.fromkeys(_DIFF.findall(patch))), False
    return _told(found)


def files_quoted(source: str) -> tuple[tuple[str, ...], bool]:
    """The same for a patch within a script, or in text that is still escaped."""
    return _told(_QUOTED.findall(source))


def _told(found: list[tuple[str, str]]) -> tuple[tuple[str, ...], bool]:
    paths = tuple(dict.fromkeys(path.strip() for _, path in found))
    return paths, bool(found) and all(verb == "Add" for verb, _ in found)
