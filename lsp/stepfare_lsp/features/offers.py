"""When each command is offered, and in which words: in the palette of code actions and in the menu of a status bar, which are one.

What is known is looked at, nobody is asked: a person who opens a menu does not wait for a daemon.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from stepfare.config.find import find_dotfile
from stepfare.control.protocol import Cap, Overview, Question, Session
from stepfare.core.step import Tier
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features.folders import folder_around, glob_of
from stepfare_lsp.link import Connecting, Online
from stepfare_lsp.markdown import saved, title_of
from stepfare_lsp.places import is_inside
from stepfare_lsp.present import add_button, in_short, left_of, money, whole
from stepfare_lsp.spend import newest_session

TIERS = tuple(tier.word for tier in Tier)
EXTENSION_PARTS = 2
"""Where nobody can be asked for a sum: half of what was allowed."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A command as it is offered now: the words, more words beside them, and the one object that it takes."""

    title: str
    detail: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Scene:
    """What decides on the offers. `session` is the newest of the editor's folders, `file` the path that is looked at (empty: none)."""

    overview: Overview | None
    connecting: bool
    session: Session | None
    folders: Sequence[str]
    file: str
    can_ask: bool

    @property
    def folder(self) -> str | None:
        """The editor's folder that the file lies in; the first one where it lies in none."""
        return next((folder for folder in self.folders if is_inside(self.file, folder)), next(iter(self.folders), None))

    @property
    def dotfile(self) -> str | None:
        folder = self.folder
        found = None if folder is None else find_dotfile(PurePath(folder), PurePath(Path.home()), os.path.lexists)
        return str(found) if found else None

    @property
    def question(self) -> Question | None:
        """The newest question of a budget, of the session looked at before all others."""
        questions = self.overview.questions if self.overview else ()
        own = [one for one in questions if self.session and one.session == self.session.id]
        return next(iter([*own, *questions]), None)


def scene(ls: StepfareServer, file: str = "") -> Scene:
    state, folders = ls.link.state, ls.folders()
    overview = state.overview if isinstance(state, Online) else None
    session = newest_session(overview.sessions, folders) if overview else None
    return Scene(overview, isinstance(state, Connecting), session, folders, file, ls.can_ask)


def session_spend(here: Scene) -> Iterable[Offer]:
    if here.session:
        yield Offer(f"this session {in_short(whole(here.session))}", title_of(here.session), {"session": here.session.id})


def explain_last(here: Scene) -> Iterable[Offer]:
    if here.session:
        yield Offer("explain the last step", title_of(here.session), {"session": here.session.id})


def show_session(here: Scene) -> Iterable[Offer]:
    if here.session:
        yield Offer("open this session step by step", title_of(here.session), {"session": here.session.id})


def show_decision(here: Scene) -> Iterable[Offer]:
    if here.session:
        yield Offer("open why the last step went where it went", title_of(here.session), {"session": here.session.id})


def today_spend(here: Scene) -> Iterable[Offer]:
    if here.overview:
        yield Offer(f"today {in_short(here.overview.today)}", saved(here.overview.today))


def sessions(here: Scene) -> Iterable[Offer]:
    if here.overview:
        yield Offer("sessions", "the latest ones of this machine")


def status(here: Scene) -> Iterable[Offer]:
    if here.overview:
        yield Offer("status", f"version {here.overview.version}")


def pin_session(here: Scene) -> Iterable[Offer]:
    """One offer that asks for the tier, or one for each tier where the editor cannot ask."""
    if here.session is None or here.session.pin:
        return
    session, title = here.session.id, title_of(here.session)
    if here.can_ask:
        yield Offer("pin this session to a tier", title, {"session": session})
    else:
        yield from (Offer(f"pin this session to {tier}", title, {"session": session, "tier": tier}) for tier in TIERS)


def unpin_session(here: Scene) -> Iterable[Offer]:
    if here.session and here.session.pin:
        yield Offer(f"unpin this session from {here.session.pin}", title_of(here.session), {"session": here.session.id})


def extend_budget(here: Scene) -> Iterable[Offer]:
    """What a budget asks for, word for word; else each cap that is warned of, or that holds for the session."""
    if here.question is not None:
        yield Offer(
            f"{add_button(here.question)[:1].lower()}{add_button(here.question)[1:]} to the budget",
            here.question.words,
            {"session": here.question.session},
        )
        return
    caps = here.session.budget.caps if here.session and here.session.budget else here.overview.budgets if here.overview else ()
    for cap in caps:
        if cap.scope != "team":
            yield _extension(here, cap)


def _extension(here: Scene, cap: Cap) -> Offer:
    arguments: dict[str, Any] = {"scope": cap.scope} | ({"session": here.session.id} if here.session else {})
    if here.can_ask:
        return Offer(f"extend the {cap.scope} budget", left_of(cap), arguments)
    pusd = (cap.cap_pusd - cap.extended_pusd) // EXTENSION_PARTS
    return Offer(f"add {money(pusd)} to the {cap.scope} budget", left_of(cap), {**arguments, "usd": money(pusd).replace(",", "")})


def set_tier(here: Scene) -> Iterable[Offer]:
    """A floor for the folder of the file that is looked at, a profile for the project."""
    folder = here.folder
    if folder is None:
        return
    inner = folder_around(here.file, here.dotfile, folder)
    if inner is not None:
        glob = glob_of(inner, here.dotfile, folder)
        if here.can_ask:
            yield Offer("set the tier for this folder", glob, {"folder": inner})
        else:
            yield from (Offer(f"set {tier} for this folder", glob, {"folder": inner, "tier": tier}) for tier in TIERS)
    if here.can_ask:
        yield Offer("set the profile of this project", folder, {"workspace": folder})


def create_dotfile(here: Scene) -> Iterable[Offer]:
    if here.folder is not None and here.dotfile is None:
        yield Offer("create .stepfare.toml for this project", here.folder, {"workspace": here.folder})


def open_dashboard(here: Scene) -> Iterable[Offer]:
    if here.overview:
        yield Offer("open the dashboard", "in the browser")


def start_daemon(here: Scene) -> Iterable[Offer]:
    if here.overview is None and not here.connecting:
        yield Offer("start the daemon", "it is not running")
