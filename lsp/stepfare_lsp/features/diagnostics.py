"""Problems of our files, pushed as the person types; the daemon need not be there for that."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from time import monotonic
from typing import Any

from lsprotocol import types

from stepfare.config.check import DOTFILE_BYTES_MAX, check_dotfile, check_settings, limits_of
from stepfare.config.globs import BadGlob, compiled
from stepfare.config.places import KeyPath
from stepfare.config.read import read
from stepfare.core.problem import Problem
from stepfare_lsp import present
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.places import Page

FILES_MAX = 20_000
WALK_S_MAX = 1.0
PASSED_OVER = frozenset({".git", ".hg", ".jj", "node_modules", ".venv", "venv", "__pycache__", "target", "dist", "build", ".tox"})
"""Folders that are large and seldom meant; a glob that names one is taken to match."""


def problems_of(ls: StepfareServer, page: Page) -> tuple[Problem, ...]:
    """What the checker says of the text that the editor holds."""
    if page.is_dotfile:
        return check_dotfile(page.text, page.path, limits_of(ls.settings().value)).problems
    return check_settings(page.text, page.path).problems


async def publish(ls: StepfareServer, uri: str) -> None:
    """Send the problems of a file; those that need a look at the project's files follow."""
    page = ls.page(uri)
    if page is None:
        return
    problems = problems_of(ls, page)
    _send(ls, page, problems)
    if page.is_dotfile and page.path and (unmatched := await _unmatched(ls, page)):
        now = ls.page(uri)
        if now is not None and now.text == page.text:
            _send(ls, now, sorted([*problems, *unmatched], key=lambda problem: (problem.line, problem.column)))


async def publish_all(ls: StepfareServer) -> None:
    """Send them for every open file of ours: the user's settings have changed, or the folders."""
    for page in ls.open_pages():
        await publish(ls, page.uri)


def clear(ls: StepfareServer, uri: str) -> None:
    """A closed file has no problems to show."""
    if ls.is_ours(uri):
        ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri=uri, diagnostics=[]))


def _send(ls: StepfareServer, page: Page, problems: Sequence[Problem]) -> None:
    diagnostics = [present.diagnostic(problem, page) for problem in problems]
    ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri=page.uri, version=page.version, diagnostics=diagnostics))


async def _unmatched(ls: StepfareServer, page: Page) -> list[Problem]:
    """Globs of `[[paths]]` that take in no file of the project: a slip of the pen, as a rule."""
    found = read(page.text, page.path, DOTFILE_BYTES_MAX)
    spots = [(_at(found.data, path), place) for path, place in found.places.values.items() if path[:1] == ("paths",) and "match" in path]
    wanted = [(glob, place) for glob, place in spots if isinstance(glob, str) and _is_checked(glob)]
    folder = os.path.dirname(page.path)
    files = await ls.files_of(folder, lambda: files_below(folder)) if wanted else None
    if files is None:
        return []
    unmatched: list[Problem] = []
    for glob, place in wanted:
        await asyncio.sleep(0)  # Many globs over many files take a while, and the editor waits for other things too.
        try:
            globs = compiled([glob])
        except BadGlob:
            continue
        if not any(globs.matching(file) is not None for file in files):
            words = "No file of this project matches this glob now. It holds for files to come; check its spelling."
            unmatched.append(Problem(page.path, "unmatched-glob", words, "warning", place.line, place.column, place.length))
    return unmatched


def _at(data: Any, path: KeyPath) -> Any:
    for part in path:
        data = data[part]
    return data


def _is_checked(glob: str) -> bool:
    return not glob.startswith("!") and not PASSED_OVER & set(glob.split("/"))


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
