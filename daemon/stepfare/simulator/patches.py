"""Edits as texts that models write: SEARCH/REPLACE blocks and the envelope of apply_patch, written and read back."""

from __future__ import annotations

import re

BEGIN = "*** Begin Patch"
END = "*** End Patch"

_SEARCH_REPLACE = re.compile(r"------- SEARCH\n(.*?)\n?=======\n(.*?)\n?\+{7} REPLACE", re.DOTALL)
_TARGET = re.compile(r"^\*\*\* Update File: (.+)$", re.MULTILINE)


def search_replace(old: str, new: str) -> str:
    """A block of classic Cline's form."""
    return f"------- SEARCH\n{old}\n=======\n{new}\n+++++++ REPLACE"


def in_search_replace(text: str) -> tuple[str, str] | None:
    """What the first block in a text replaces, and with what."""
    block = _SEARCH_REPLACE.search(text)
    return (block[1], block[2]) if block else None


def hunk(old: str, new: str) -> str:
    """Whole lines out and in, as lines that begin with a minus and a plus."""
    return "\n".join([*(f"-{line}" for line in old.split("\n")), *(f"+{line}" for line in new.split("\n"))])


def envelope(path: str, old: str, new: str) -> str:
    """A patch that updates one place of one file."""
    return f"{BEGIN}\n*** Update File: {path}\n@@\n{hunk(old, new)}\n{END}"


def in_envelope(text: str) -> tuple[str, str, str] | None:
    """Path, old and new lines of a patch with one place in one file."""
    target = _TARGET.search(text)
    if target is None:
        return None
    lines = text[target.end() :].splitlines()
    old = "\n".join(line[1:] for line in lines if line.startswith("-"))
    new = "\n".join(line[1:] for line in lines if line.startswith("+"))
    return target[1].strip(), old, new
