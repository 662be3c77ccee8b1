"""Which project file holds for a folder: the nearest ancestor's, never past the repository's root or the home folder.

It asks through `exists`; whether to follow what it finds (owner, links) is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

from stepfare.config.dotfile import DOTFILE_NAME

DEPTH_MAX = 64
REPOSITORY_MARKS = (".git", ".hg", ".jj")


def find_dotfile(start: PurePath, home: PurePath, exists: Callable[[PurePath], bool]) -> PurePath | None:
    """The file that holds for the absolute folder `start`; None where there is none."""
    for folder in (start, *start.parents)[:DEPTH_MAX]:
        if exists(folder / DOTFILE_NAME):
            return folder / DOTFILE_NAME
        if folder == home or any(exists(folder / mark) for mark in REPOSITORY_MARKS):
            return None
    return None
