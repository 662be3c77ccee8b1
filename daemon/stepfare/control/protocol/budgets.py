"""The door of budgets (`budgets/...`): caps and how they stand, what is asked of a person, what a person adds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stepfare.control.protocol.base import Message

OnLimit = Literal["ask", "frugal", "stop"]
ScopeName = Literal["session", "project", "project-month", "day", "month", "team"]


class Cap(Message):
    """A limit on spending and how it stands. `subject` is the session's id or the project's folder; empty for a day and a month.

    `cap_pusd` includes `extended_pusd`, which was added once; `spent_pusd` includes what was lost sight of in a crash. `source` is file
    and line of the setting, `since_ms` the begin of the day or month (0 for a session)."""

    scope: ScopeName
    subject: str = ""
    cap_pusd: int
    extended_pusd: int = 0
    spent_pusd: int
    reserved_pusd: int
    left_pusd: int
    burn_pusd_per_hour: int = 0
    warn_at: float = 0.8
    warned: bool = False
    on_limit: OnLimit = "ask"
    source: str = ""
    since_ms: int = 0


class Budget(Message):
    """The caps that hold for a session: the lowest of each scope, and all of them with what is used."""

    session_pusd: int | None = None
    project_day_pusd: int | None = None
    project_month_pusd: int | None = None
    day_pusd: int | None = None
    month_pusd: int | None = None
    warn_at: float = 0.8
    on_limit: OnLimit = "ask"
    caps: list[Cap] = Field(default_factory=list[Cap])


class Proposal(Message):
    """A sum by which a cap could be extended."""

    scope: ScopeName
    subject: str = ""
    pusd: int


class Question(Message):
    """A budget left no room for a step of this session, whose user was asked. The session goes on when each proposal is taken up."""

    session: str
    client: str = ""
    workspace: str = ""
    at_ms: int
    words: str
    proposals: list[Proposal]


class Extension(Message):
    """What a person added to a cap, once."""

    id: str
    at_ms: int
    scope: ScopeName
    subject: str = ""
    pusd: int
    by: str = ""
    user: str = ""
    """Whose day or month it is, in books that several share."""


class Extend(Message):
    """Add so much to a cap, once: for the life of a session, or until the day or month is over. The same `id` twice adds nothing twice."""

    pusd: int = Field(gt=0, le=10**18)
    id: str = Field(default="", max_length=100)
    by: str = Field(default="", max_length=40)


class Budgets(Message):
    """Every cap in force, the open questions, and what was added this month."""

    caps: list[Cap] = Field(default_factory=list[Cap])
    questions: list[Question] = Field(default_factory=list[Question])
    extensions: list[Extension] = Field(default_factory=list[Extension])
    burn_pusd_per_hour: int = 0
