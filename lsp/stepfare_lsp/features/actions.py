"""Code actions: mends for problems, and behind them the palette of commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from lsprotocol import types

from stepfare.config.check import DOTFILE_BYTES_MAX, SETTINGS_BYTES_MAX
from stepfare.config.keys import Shape, key_at, table_at
from stepfare.config.places import KeyPath, Places
from stepfare.config.profiles import PROFILES
from stepfare.config.read import read
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features.palette import PALETTE_KIND, code_actions
from stepfare_lsp.places import Page, path_of
from stepfare_lsp.present import SOURCE

MENDS_MAX = 6


def actions(ls: StepfareServer, params: types.CodeActionParams) -> list[types.CodeAction]:
    """What can be done here, of the kinds that the editor asked for."""
    only = params.context.only
    offered: list[types.CodeAction] = []
    page = ls.page(params.text_document.uri)
    if page is not None and _wanted(types.CodeActionKind.QuickFix.value, only):
        offered += [mend for problem in params.context.diagnostics for mend in _mends(ls, page, problem)]
    if _wanted(PALETTE_KIND, only):
        offered += code_actions(ls, path_of(params.text_document.uri) or "")
    return offered


def _wanted(kind: str, only: Sequence[types.CodeActionKind | str] | None) -> bool:
    """Kinds are paths: who asks for `source` wants `source.stepfare` too, and who asks for the empty one wants all."""
    names = [one.value if isinstance(one, types.CodeActionKind) else one for one in only or ()]
    return not names or any(not name or kind == name or kind.startswith(f"{name}.") for name in names)


def _mends(ls: StepfareServer, page: Page, problem: types.Diagnostic) -> Iterable[types.CodeAction]:
    if problem.source != SOURCE or not isinstance(problem.code, str):
        return
    found = read(page.text, page.path, DOTFILE_BYTES_MAX if page.is_dotfile else SETTINGS_BYTES_MAX)
    match problem.code:
        case "unknown-key":
            path = _path_at(page, found.places, problem.range, keys=True)
            table = table_at(page.table, path[:-1]) if path else None
            close = get_close_matches(str(path[-1]), list(table.model_fields), n=MENDS_MAX) if path and table else []
            for index, name in enumerate(close):
                yield _edit(page, problem, f"Change to {name}", name, preferred=index == 0)
        case "wrong-value":
            path = _path_at(page, found.places, problem.range, keys=False)
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
        case _:
            return


def _path_at(page: Page, places: Places, stretch: types.Range, *, keys: bool) -> KeyPath | None:
    """The key whose name (or value) stands at that place."""
    line = stretch.start.line
    if line >= len(page.lines):
        return None
    column = page.column(line, stretch.start.character) + 1
    spots = places.keys if keys else places.values
    return next((path for path, place in spots.items() if (place.line, place.column) == (line + 1, column)), None)


def _edit(
    page: Page, problem: types.Diagnostic, title: str, text: str, *, where: types.Range | None = None, preferred: bool
) -> types.CodeAction:
    edit = types.WorkspaceEdit(changes={page.uri: [types.TextEdit(where or problem.range, text)]})
    return types.CodeAction(title=title, kind=types.CodeActionKind.QuickFix, diagnostics=[problem], is_preferred=preferred, edit=edit)
