"""The files of a project as they lie on disk, within bounds of number and time; what is large and seldom meant is passed over."""

from __future__ import annotations

import os
from time import monotonic

FILES_MAX = 20_000
WALK_S_MAX = 1.0
PASSED_OVER = frozenset({".git", ".hg", ".jj", "node_modules", ".venv", "venv", "__pycache__", "target", "dist", "build", ".tox"})
"""Folders that are large and seldom meant; a glob that names one is taken to match."""


def files_below(folder: str) -> tuple[str, ...] | None:
    """The files below a folder, relative to it, links not followed; None where there are too many to look at in time."""
    until_s = monotonic() + WALK_S_MAX
    files: list[str] = []
    for at, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in PASSED_OVER]
        inside = os.path.relpath(at, folder).replace(os.sep, "/")
        files += names if inside == "." else [f"{inside}/{name}" for name in names]
        if len(files) > FILES_MAX or monotonic() > until_s:
            return None
    return tuple(files)
