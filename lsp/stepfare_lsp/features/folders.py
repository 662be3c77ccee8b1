"""Which folder of a project a file is in, and the glob that takes in that folder and nothing else."""

from __future__ import annotations

import os
import re

from stepfare.config.dotfile import DOTFILE_NAME
from stepfare_lsp.places import is_inside

_SPECIAL = re.compile(r"([\\*?\[])")


def folder_around(file: str, dotfile: str | None, folder: str) -> str | None:
    """The folder of a file, where it is one below the project's; None for files of the project's own folder and from elsewhere."""
    base = os.path.dirname(dotfile) if dotfile else folder
    inner = os.path.dirname(file)
    if not file or os.path.basename(file) == DOTFILE_NAME or not is_inside(inner, base):
        return None
    return None if os.path.realpath(inner) == os.path.realpath(base) else inner


def glob_of(inner: str, dotfile: str | None, folder: str) -> str:
    """`src/crypto/**`, relative to the folder of the project's file, with what globs give a meaning escaped. Links are resolved on both
    sides, as the daemon sees the files."""
    base = os.path.dirname(dotfile) if dotfile else folder
    relative = os.path.relpath(os.path.realpath(inner), os.path.realpath(base)).replace(os.sep, "/")
    return _SPECIAL.sub(r"\\\1", relative) + "/**"
