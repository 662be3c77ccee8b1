"""Problems of our files, pushed once the person pauses; the daemon need not be there for that."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from lsprotocol import types

from stepfare.config.check import check_dotfile, check_settings, limits_of
from stepfare.config.dotfile import UserLimits
from stepfare.config.globs import BadGlob, compiled
from stepfare.config.places import KeyPath, Place
from stepfare.core.problem import Problem
from stepfare_lsp import present
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features.tree import PASSED_OVER, files_below
from stepfare_lsp.places import Page

PAUSE_S = 0.15
"""Of so much quiet after a change; while a person types, most texts are wrong."""


def publish_soon(ls: StepfareServer, uri: str) -> None:
    """Send the problems of a file when it has not changed for a moment."""
    if ls.is_ours(uri):
        ls.after_quiet(("problems", uri), PAUSE_S, lambda: publish(ls, uri))


async def publish(ls: StepfareServer, uri: str) -> None:
    """Send the problems of a file; those that need a look at the project's files follow."""
    page = ls.page(uri)
    if page is None:
        return
    limits = limits_of(ls.settings().value)
    problems = await asyncio.to_thread(_problems_of, page, limits) if page.is_large else _problems_of(page, limits)
    if not _is_shown(ls, page):
        return
    _send(ls, page, problems)
    if page.is_dotfile and page.path and (unmatched := await _unmatched(ls, page)) and _is_shown(ls, page):
        _send(ls, page, sorted([*problems, *unmatched], key=lambda problem: (problem.line, problem.column)))


async def publish_all(ls: StepfareServer) -> None:
    """Send them for every open file of ours: the user's settings have changed, or the folders."""
    for page in ls.open_pages():
        await publish(ls, page.uri)


def clear(ls: StepfareServer, uri: str) -> None:
    """A file that is closed or gone has no problems to show."""
    ls.forget_page(uri)
    if ls.is_ours(uri):
        ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri=uri, diagnostics=[]))


def _problems_of(page: Page, limits: UserLimits) -> tuple[Problem, ...]:
    """What the checker says of the text that the editor holds."""
    if page.is_dotfile:
        return check_dotfile(page.text, page.path, limits, found=page.found).problems
    return check_settings(page.text, page.path, found=page.found).problems


def _is_shown(ls: StepfareServer, page: Page) -> bool:
    """Whether the editor still has the file open, with this text."""
    document = ls.workspace.text_documents.get(page.uri)
    return document is not None and document.source == page.text


def _send(ls: StepfareServer, page: Page, problems: Sequence[Problem]) -> None:
    diagnostics = [present.diagnostic(problem, page) for problem in problems]
    ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri=page.uri, version=page.version, diagnostics=diagnostics))


async def _unmatched(ls: StepfareServer, page: Page) -> list[Problem]:
    """Globs of `[[paths]]` that take in no file of the project: a slip of the pen, as a rule."""
    spots = [(path, place) for path, place in page.found.places.values.items() if path[:1] == ("paths",) and "match" in path]
    named = [(_at(page.found.data, path), place) for path, place in spots]
    wanted = [(glob, place) for glob, place in named if isinstance(glob, str) and _is_checked(glob)]
    folder = os.path.dirname(page.path)
    files = await ls.files_of(folder, lambda: files_below(folder)) if wanted else None
    # Many globs over many files take a while, and the editor waits for other things too.
    return [] if files is None else await asyncio.to_thread(_without_files, page.path, wanted, files)


def _without_files(source: str, wanted: Sequence[tuple[str, Place]], files: Sequence[str]) -> list[Problem]:
    words = "No file of this project matches this glob now. It holds for files to come; check its spelling."
    unmatched: list[Problem] = []
    for glob, place in wanted:
        try:
            globs = compiled([glob])
        except BadGlob:
            continue
        if not any(globs.matching(file) is not None for file in files):
            unmatched.append(Problem(source, "unmatched-glob", words, "warning", place.line, place.column, place.length))
    return unmatched


def _at(data: Any, path: KeyPath) -> Any:
    for part in path:
        data = data[part]
    return data


def _is_checked(glob: str) -> bool:
    return not glob.startswith("!") and not PASSED_OVER & set(glob.split("/"))
