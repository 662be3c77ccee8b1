"""The commands, one row each: what it is called, what it does, when it is offered, and what it asks for.

The code-action palette, the status bar's menu, the commands of VS Code and those of other editors' plugins are made from these rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stepfare.config.profiles import PROFILES
from stepfare_lsp.features import budgets, commands, dashboard, offers, pins, showing, wishes
from stepfare_lsp.features.asking import Command
from stepfare_lsp.features.offers import TIERS, Offer, Scene

PREFIX = "stepfare."


@dataclass(frozen=True, slots=True)
class Ask:
    """An argument that a person can be asked for beforehand; the server asks itself where it is needed and the editor left it out.
    Without `options` any text will do."""

    name: str
    prompt: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A command. `title` names it where it stands alone; offers come with words of their own."""

    name: str
    title: str
    run: Command
    offers: Callable[[Scene], Iterable[Offer]]
    asks: tuple[Ask, ...] = ()

    @property
    def id(self) -> str:
        return PREFIX + self.name


ROWS = (
    Row("startDaemon", "Start the daemon", commands.start_daemon, offers.start_daemon),
    Row("sessionSpend", "Show what this session cost", commands.session_spend, offers.session_spend),
    Row("explainLast", "Explain the last step", commands.explain_last, offers.explain_last),
    Row("extendBudget", "Extend a budget", budgets.extend_budget, offers.extend_budget),
    Row("pinSession", "Pin this session to a tier", pins.pin_session, offers.pin_session, (Ask("tier", "Which tier at least?", TIERS),)),
    Row("unpinSession", "Unpin this session", pins.unpin_session, offers.unpin_session),
    Row("showSession", "Open this session step by step", showing.show_session, offers.show_session),
    Row("showDecision", "Open why the last step went where it went", showing.show_decision, offers.show_decision),
    Row("todaySpend", "Show what today cost", commands.today_spend, offers.today_spend),
    Row("sessions", "Show the latest sessions", commands.sessions, offers.sessions),
    Row(
        "setTier",
        "Set the tier or profile of this project",
        wishes.set_tier,
        offers.set_tier,
        (Ask("tier", "From which profile should this project start?", tuple(PROFILES)),),
    ),
    Row("createDotfile", "Create .stepfare.toml for this project", wishes.create_dotfile, offers.create_dotfile),
    Row("openDashboard", "Open the dashboard", dashboard.open_dashboard, offers.open_dashboard),
    Row("status", "Show how stepfare is", commands.status, offers.status),
)
"""In the order in which they are offered."""
