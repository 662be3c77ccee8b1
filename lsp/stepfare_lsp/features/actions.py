"""Code actions: mends for problems, and behind them the palette of commands."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, Sequence
from decimal import Decimal
from difflib import get_close_matches

from lsprotocol import types

from stepfare.config.check import limits_of
from stepfare.config.keys import Shape, key_at, table_at
from stepfare.config.places import KeyPath
from stepfare.config.profiles import PROFILES
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features.palette import PALETTE_KIND, code_actions
from stepfare_lsp.features.tree import files_below
from stepfare_lsp.places import Page, path_of
from stepfare_lsp.present import PUSD_PER_USD, SOURCE

MENDS_MAX = 6
GLOBS_OFFERED_MAX = 3


async def actions(ls: StepfareServer, params: types.CodeActionParams) -> list[types.CodeAction]:
    """What can be done here, of the kinds that the editor asked for."""
    only = params.context.only
    offered: list[types.CodeAction] = []
    if params.context.diagnostics and _wanted(types.CodeActionKind.QuickFix.value, only):
        page = await ls.page_read(params.text_document.uri)
        if page is not None:
            offered += [mend for problem in params.context.diagnostics async for mend in _mends(ls, page, problem)]
    if _wanted(PALETTE_KIND, only):
        offered += code_actions(ls, path_of(params.text_document.uri) or "")
    return offered


def _wanted(kind: str, only: Sequence[types.CodeActionKind | str] | None) -> bool:
    """Kinds are paths: who asks for `source` wants `source.stepfare` too, and who asks for the empty one wants all."""
    names = [one.value if isinstance(one, types.CodeActionKind) else one for one in only or ()]
    return not names or any(not name or kind == name or kind.startswith(f"{name}.") for name in names)


async def _mends(ls: StepfareServer, page: Page, problem: types.Diagnostic) -> AsyncGenerator[types.CodeAction]:
    if problem.source != SOURCE or not isinstance(problem.code, str):
        return
    match problem.code:
        case "unknown-key":
            path = _path_at(page, problem.range, keys=True)
            table = table_at(page.table, path[:-1]) if path else None
            close = get_close_matches(str(path[-1]), list(table.model_fields), n=MENDS_MAX) if path and table else []
            for index, name in enumerate(close):
                yield _edit(page, problem, f"Change to {name}", name, preferred=index == 0)
        case "wrong-value":
            path = _path_at(page, problem.range, keys=False)
            key = key_at(page.table, path) if path else None
            if path is None or key is None or key.shape not in (Shape.VALUE, Shape.LIST):
                return
            values = (*PROFILES, *ls.settings().value.user_profiles()) if path == ("profile",) else key.values
            said = page.lines[problem.range.start.line][page.column(problem.range.start.line, problem.range.start.character) :].strip(
                "\"' "
            )
            close = get_close_matches(said[:64], values, n=1)
            for value in sorted(values[:MENDS_MAX], key=lambda value: value not in close):
                text = value if values == ("true", "false") else f'"{value}"'
                yield _edit(page, problem, f"Change to {text}", text, preferred=value in close)
        case "forbidden":
            line = problem.range.start.line
            if "=" in page.lines[line] and page.lines[line].count('"""') % 2 == 0:
                whole = types.Range(page.position(line, 0), types.Position(line + 1, 0))
                yield _edit(page, problem, "Remove this line", "", where=whole, preferred=True)
        case "budget-above-user":
            cap = _lower_cap(ls, _path_at(page, problem.range, keys=False))
            if cap is not None:
                yield _edit(page, problem, f"Lower to {cap}", cap, preferred=True)
        case "unmatched-glob":
            line = problem.range.start.line
            start, end = (page.column(line, at.character) for at in (problem.range.start, problem.range.end))
            for index, near in enumerate(await _near_globs(ls, page, page.lines[line][start:end].strip("\"'"))):
                yield _edit(page, problem, f'Change to "{near}"', json.dumps(near, ensure_ascii=False), preferred=index == 0)
        case _:
            return


def _path_at(page: Page, stretch: types.Range, *, keys: bool) -> KeyPath | None:
    """The key whose name (or value) stands at that place."""
    line = stretch.start.line
    if line >= len(page.lines):
        return None
    column = page.column(line, stretch.start.character) + 1
    return next((one.path for one in page.spots.get(line + 1, ()) if one.is_value is not keys and one.place.column == column), None)


def _lower_cap(ls: StepfareServer, path: KeyPath | None) -> str | None:
    """The user's own cap of that name, as it is written."""
    limits = limits_of(ls.settings().value)
    caps: dict[KeyPath, int | None] = {("budget", "session_usd"): limits.session_pusd, ("budget", "day_usd"): limits.day_pusd}
    pusd = caps.get(path or ())
    return None if pusd is None else f"{Decimal(pusd) / PUSD_PER_USD:.2f}"


async def _near_globs(ls: StepfareServer, page: Page, glob: str) -> list[str]:
    """The glob with the first folder or file that does not exist replaced by one that does and has nearly that name."""
    folder = os.path.dirname(page.path)
    files = await ls.files_of(folder, lambda: files_below(folder)) or ()
    parts = glob.removeprefix("/").split("/")
    there: list[str] = []
    for index, part in enumerate(parts):
        if any(char in part for char in "*?[\\"):
            return []
        start = "".join(f"{one}/" for one in there)
        names = dict.fromkeys(file[len(start) :].split("/")[0] for file in files if file.startswith(start))
        if part not in names:
            close = get_close_matches(part, list(names), n=GLOBS_OFFERED_MAX)
            return ["/".join([*there, name, *parts[index + 1 :]]) for name in close]
        there.append(part)
    return []


def _edit(
    page: Page, problem: types.Diagnostic, title: str, text: str, *, where: types.Range | None = None, preferred: bool
) -> types.CodeAction:
    edit = types.WorkspaceEdit(changes={page.uri: [types.TextEdit(where or problem.range, text)]})
    return types.CodeAction(title=title, kind=types.CodeActionKind.QuickFix, diagnostics=[problem], is_preferred=preferred, edit=edit)
