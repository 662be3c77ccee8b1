"""Code lenses: above a project's file what it costs today and what the last session cost; above other files, where wished, what agents
spent on them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from lsprotocol import types

from stepfare_lsp import present
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features import spent
from stepfare_lsp.link import Connecting, Online
from stepfare_lsp.places import path_of
from stepfare_lsp.spend import OFF, newest_session

TOP = types.Range(types.Position(0, 0), types.Position(0, 0))


def lenses(ls: StepfareServer, uri: str) -> list[types.CodeLens]:
    path = path_of(uri)
    if path is None:
        return []
    page = ls.page(uri)
    if page is None:
        return list(_of_code(ls, path)) if ls.options.lens.files else []
    return list(_of_dotfile(ls, os.path.dirname(path))) if page.is_dotfile and ls.options.lens.dotfile else []


def _of_dotfile(ls: StepfareServer, folder: str) -> Iterable[types.CodeLens]:
    state = ls.link.state
    if not isinstance(state, Online):
        if not isinstance(state, Connecting):
            yield _lens(f"{OFF}: start it", "startDaemon", {})
        return
    sum_ = spent.today(ls, folder)
    if sum_ is not None:
        yield _lens(f"today {present.coins(sum_.spent_pusd)} in {present.steps(sum_.steps)}", "sessions", {"workspace": folder})
    session = newest_session(state.overview.sessions, [folder])
    if session is not None:
        yield _lens(f"last session {present.in_short(session.totals)}", "showSession", {"session": session.id})
    yield _lens("open dashboard", "openDashboard", {})


def _of_code(ls: StepfareServer, path: str) -> Iterable[types.CodeLens]:
    if not isinstance(ls.link.state, Online):
        return
    sum_ = spent.on_file(ls, path)
    if sum_ is not None:
        words = f"agents spent {present.coins(sum_.spent_pusd)} on this file in {spent.DAYS} days ({present.steps(sum_.steps)})"
        yield _lens(words, "sessions", {"workspace": spent.project_of(os.path.dirname(path))})


def _lens(title: str, command: str, argument: dict[str, Any]) -> types.CodeLens:
    return types.CodeLens(TOP, types.Command(title, f"stepfare.{command}", arguments=[argument]))
