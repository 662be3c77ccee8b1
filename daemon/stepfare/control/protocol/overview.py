"""The doors that tell what is the case now: `overview`, its feed `events`, a status bar's `glance`, and `reload`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stepfare.control.protocol.base import PROTOCOL, Message, Severity, TierName, Totals
from stepfare.control.protocol.budgets import Cap, Question
from stepfare.control.protocol.sessions import Session, Step


class ProviderState(Message):
    """Whether a provider is in use: ok, resting (until its breaker closes), no-key."""

    id: str
    state: str
    since_ms: int
    why: str = ""


class Problem(Message):
    """Something wrong in a file that a person wrote. `line` and `column` count from 1; 0 where there is none."""

    source: str
    line: int = 0
    column: int = 0
    severity: Literal["error", "warning"] = "error"
    words: str


class Overview(Message):
    """The present state, and the number of the last event that it includes."""

    protocol: int = PROTOCOL
    version: str
    seq: int
    started_ms: int
    mode: Literal["live", "simulator"]
    today: Totals
    sessions: list[Session]
    providers: list[ProviderState]
    problems: list[Problem]
    budgets: list[Cap] = Field(default_factory=list[Cap])
    """The caps that hold whoever works: those of the day and of the month."""
    questions: list[Question] = Field(default_factory=list[Question])
    """What budgets ask, the newest first."""


class Event(Message):
    """One line of the feed: `seq` grows by one; `kind` is decided, posted, health, settings or budget."""

    seq: int
    kind: str
    at_ms: int
    session: str | None = None
    step: Step | None = None
    overview: Overview | None = None
    words: str = ""


class Glance(Message):
    """What a status bar shows: one session (None: there is none such), and today. Its sums and `severity`, how budgets stand, are those
    of its whole family; `spent_pusd` is None where nothing of it has a price, `saved_pusd` is against always premium, `tier` that of the
    session's last step."""

    mode: Literal["live", "simulator"]
    today_pusd: int
    session: str | None = None
    spent_pusd: int | None = None
    unbilled: str = ""
    today_unbilled: str = ""
    """What stands in the place of a sum, the session's and today's, where no step of it is billed by tokens: subscription or free."""
    saved_pusd: int = 0
    tier: TierName | None = None
    severity: Severity = "info"


class Reloaded(Message):
    problems: list[Problem]
