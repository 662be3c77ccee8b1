"""The commands that write a project's file: set a tier, create the file. What is open in the editor is changed through the editor."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePath
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from stepfare.config.dotfile import DOTFILE_NAME
from stepfare.config.find import find_dotfile
from stepfare.config.profiles import PROFILES
from stepfare.core.step import StepKind, Tier
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features.arguments import Arguments
from stepfare_lsp.features.folders import folder_around, glob_of
from stepfare_lsp.places import Page, is_inside, page_of, uri_of
from stepfare_lsp.rewrite import TEMPLATE, CannotWrite, with_path_floor, with_profile, with_tier

TIERS = tuple(tier.word for tier in Tier)
KINDS = tuple(kind.value for kind in StepKind)


async def set_tier(ls: StepfareServer, asked: Arguments) -> dict[str, Any] | None:
    """Write a `[[paths]]` floor for `folder`, `[steps] KIND = TIER` for `kind`, else `profile = NAME`. The person is asked for a tier that
    is not named. Raises JsonRpcInvalidParams for a tier or kind unknown, and for a folder outside of the project."""
    names = TIERS if asked.kind or asked.folder else (*PROFILES, *ls.settings().value.user_profiles())
    if asked.tier is not None:
        _known("tier", asked.tier, names)
    elif not ls.can_ask:
        raise JsonRpcInvalidParams(message='stepfare.setTier needs a tier: {"tier": "balanced"}, and "kind" for one kind of step.')
    if asked.kind is not None:
        _known("kind", asked.kind, KINDS)
    path = _target(ls, asked)
    if path is None:
        return _no_folder(ls)
    wish = _wish(asked, path)
    tier = asked.tier or await ls.choose(wish.question, names)
    if tier is None:
        return None
    try:
        before = _text_of(ls, path)
        after = wish.write(TEMPLATE if before is None else before, tier)
    except (OSError, UnicodeError) as error:
        ls.say(f"{path} cannot be read ({error}). It was left as it is.", types.MessageType.Error)
        return None
    except CannotWrite as refused:
        ls.say(str(refused), types.MessageType.Error)
        return None
    line = wish.line(tier)
    place = wish.table + line
    if before is None:
        return await _create(ls, path, after, f"{path} was created with {place}.")
    if before == after:
        ls.say(f"{path} says {place} already.")
        return {"path": str(path), "text": line, "applied": True}
    return await _change(ls, path, before, after, place, line)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is to be written: how to ask for its value, the words of the line and of its table, and what writes it into a text."""

    question: str
    table: str
    line: Callable[[str], str]
    write: Callable[[str, str], str]


def _wish(asked: Arguments, path: Path) -> _Wish:
    if asked.folder is not None:
        if folder_around(os.path.join(asked.folder, "file"), str(path), str(path.parent)) is None:
            raise JsonRpcInvalidParams(message=f"stepfare.setTier: {asked.folder} is no folder below that of {path}.")
        glob = glob_of(asked.folder, str(path), str(path.parent))
        return _Wish(
            f"Which tier shall steps get at least that touch {glob}?",
            "[[paths]] ",
            lambda tier: f'match = ["{glob}"], floor = "{tier}"',
            lambda text, tier: with_path_floor(text, glob, Tier.of(tier)),
        )
    if asked.kind is not None:
        kind = StepKind(asked.kind)
        return _Wish(
            f"Which tier shall {kind} steps get at least?",
            "[steps] ",
            lambda tier: f'{kind} = "{tier}"',
            lambda text, tier: with_tier(text, kind, Tier.of(tier)),
        )
    return _Wish(f"From which profile shall {path.parent.name} start?", "", lambda name: f'profile = "{name}"', with_profile)


async def create_dotfile(ls: StepfareServer, asked: Arguments) -> dict[str, Any] | None:
    """Create the workspace's file with every key as an example; one that is there is shown, never overwritten."""
    path = _target(ls, asked)
    if path is None:
        return _no_folder(ls)
    if os.path.lexists(path):
        await _show(ls, path)
        ls.say(f"{path} is there already; it was left as it is.")
        return {"path": str(path), "created": False}
    return await _create(ls, path, TEMPLATE, f"{path} was created. Every key is in it as an example.")


def _known(what: str, word: str, known: tuple[str, ...]) -> None:
    if word not in known:
        close = get_close_matches(word[:64].lower(), known, n=1)
        meant = f' Did you mean "{close[0]}"?' if close else ""
        raise JsonRpcInvalidParams(message=f"stepfare.setTier knows no {what} of that name.{meant} Known: {', '.join(known)}.")


def _target(ls: StepfareServer, asked: Arguments) -> Path | None:
    """The file that holds for the workspace, or where it would lie."""
    folders = ls.folders()
    around = next((folder for folder in folders if asked.folder and is_inside(asked.folder, folder)), None)
    folder = asked.workspace or around or next(iter(folders), None)
    if folder is None:
        return None
    found = find_dotfile(PurePath(asked.folder or folder), PurePath(Path.home()), os.path.lexists)
    return Path(found) if found else Path(folder) / DOTFILE_NAME


def _no_folder(ls: StepfareServer) -> None:
    ls.say("No folder is open, so there is no project to write a .stepfare.toml for. Open the project's folder.", types.MessageType.Warning)


def _open_page(ls: StepfareServer, path: Path) -> Page | None:
    return next((page for page in ls.open_pages() if page.path and os.path.realpath(page.path) == os.path.realpath(path)), None)


def _text_of(ls: StepfareServer, path: Path) -> str | None:
    """What the editor holds, else what lies on disk; None where there is no file."""
    page = _open_page(ls, path)
    if page is not None:
        return page.text
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None


async def _create(ls: StepfareServer, path: Path, text: str, said: str) -> dict[str, Any] | None:
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        ls.say(f"{path} could not be created ({error.strerror or error}).", types.MessageType.Error)
        return None
    await _show(ls, path)
    ls.say(said)
    return {"path": str(path), "created": True, "applied": True}


async def _change(ls: StepfareServer, path: Path, before: str, after: str, place: str, line: str) -> dict[str, Any] | None:
    page = _open_page(ls, path)
    by_hand = f"Write it by hand: {place}"
    done = f"{path}: {place}. It holds from the next step on"
    workspace = ls.client_capabilities.workspace
    if workspace is not None and workspace.apply_edit:
        shown = page or page_of(uri_of(path), before, ls.workspace.position_codec, None, ls.paths.config_toml)
        assert shown is not None, path  # it has the name of a project's file
        edit = types.WorkspaceEdit(changes={shown.uri: [smallest_edit(before, after, shown)]})
        answer = await ls.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit=edit, label=f"stepfare: {place}"))
        if answer.applied:
            ls.say(f"{done}, once the file is saved.")
        else:
            why = f" ({answer.failure_reason})" if answer.failure_reason else ""
            ls.say(f"The editor did not take the change of {path}{why}. {by_hand}", types.MessageType.Error)
        return {"path": str(path), "text": line, "applied": answer.applied}
    if page is not None:
        ls.say(f"This editor lets no server change an open file. {by_hand}", types.MessageType.Warning)
        return {"path": str(path), "text": line, "applied": False}
    try:
        _replace(path, after)
    except OSError as error:
        ls.say(f"{path} could not be written ({error.strerror or error}). {by_hand}", types.MessageType.Error)
        return {"path": str(path), "text": line, "applied": False}
    ls.say(f"{done}.")
    return {"path": str(path), "text": line, "applied": True}


def smallest_edit(before: str, after: str, page: Page) -> types.TextEdit:
    """The one edit that leaves alone every line before and after what differs."""
    old, new = before.split("\n"), after.split("\n")
    first = 0
    while first < min(len(old), len(new)) and old[first] == new[first]:
        first += 1
    last = 0
    while last < min(len(old), len(new)) - first and old[-1 - last] == new[-1 - last]:
        last += 1
    lines = new[first : len(new) - last]
    if last:
        stretch = types.Range(page.position(first, 0), page.position(len(old) - last, 0))
        return types.TextEdit(stretch, "".join(f"{line}\n" for line in lines))
    # Without a common end the edit reaches to the end of the text; the last line in common goes along, with its line end.
    first = max(0, first - 1)
    end = page.position(len(old) - 1, len(page.lines[-1]))
    return types.TextEdit(types.Range(page.position(first, 0), end), "\n".join(new[first:]))


def _replace(path: Path, text: str) -> None:
    """Put a new file in place of the old one in one step, with its rights."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with fresh.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
        shutil.copymode(path, fresh)
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


async def _show(ls: StepfareServer, path: Path) -> None:
    """Open the file in the editor, where the editor lets us."""
    window = ls.client_capabilities.window
    if window is not None and window.show_document and window.show_document.support:
        await ls.window_show_document_async(types.ShowDocumentParams(uri=uri_of(path), take_focus=True))
