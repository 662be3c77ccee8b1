"""Limits on spending: a cap with what counts against it, and the question that a cap put.

What is spent is counted by `runtime`, whom a cap stops is decided by `routing`, what a cap costs nobody knows before a step is priced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

WARN_AT_DEFAULT = 0.8
_PARTS = 1_000_000
"""A share is taken as so many millionths: sums of money stay integers."""


class Scope(StrEnum):
    """What a cap is a cap on: whose spending, in which time. `TEAM` is a month of all who share one set of books."""

    SESSION = "session"
    PROJECT = "project"
    """A day in one project."""
    PROJECT_MONTH = "project-month"
    DAY = "day"
    MONTH = "month"
    TEAM = "team"

    @property
    def of_project(self) -> bool:
        return self in (Scope.PROJECT, Scope.PROJECT_MONTH)

    @property
    def has_subject(self) -> bool:
        """Whether there are many of the kind: each session and each project has its own."""
        return self is Scope.SESSION or self.of_project


@dataclass(frozen=True, slots=True)
class Cap:
    """A limit on spending: what counts against it already, who set it, and what happens when it is reached. Money is in picodollars.

    `cap_pusd` includes `extended_pusd`, which a person added once; `used_pusd` is what is spent, reserved and lost, and includes
    `reserved_pusd`. `subject` is the session or the project; empty where the scope needs none.
    """

    scope: str
    cap_pusd: int
    used_pusd: int
    source: str
    """File and line of the setting: `config.toml:14`."""
    on_limit: str
    warn_at: float = WARN_AT_DEFAULT
    subject: str = ""
    reserved_pusd: int = 0
    extended_pusd: int = 0

    @property
    def spent_pusd(self) -> int:
        """What is spent for good, calls lost sight of in a crash included."""
        return self.used_pusd - self.reserved_pusd

    @property
    def left_pusd(self) -> int:
        return max(0, self.cap_pusd - self.used_pusd)

    @property
    def warn_pusd(self) -> int:
        """The spend at which a warning is due."""
        return self.cap_pusd * round(self.warn_at * _PARTS) // _PARTS

    @property
    def warned(self) -> bool:
        return self.spent_pusd >= self.warn_pusd

    def short_pusd(self, ceiling_pusd: int | None) -> int:
        """What is missing for a call that may cost so much (None: nobody knows); 0 where there is room. What is free always has room."""
        if ceiling_pusd is None:
            return max(0, self.used_pusd - self.cap_pusd + 1)
        return max(0, self.used_pusd + ceiling_pusd - self.cap_pusd) if ceiling_pusd else 0


def crossed(caps: Sequence[Cap], cost_pusd: int) -> tuple[Cap, ...]:
    """The caps whose warning falls due by a call that was just booked at this cost. Spend only grows, so it does for each once."""
    return tuple(cap for cap in caps if cap.spent_pusd - cost_pusd < cap.warn_pusd <= cap.spent_pusd)


@dataclass(frozen=True, slots=True)
class Reached:
    """Caps that leave no room for a step. `short_pusd` is what the first lacks, `most_pusd` what the step may cost on `model` at most
    (None: nobody knows)."""

    caps: tuple[Cap, ...]
    model: str
    most_pusd: int | None

    def __post_init__(self) -> None:
        assert self.caps, self


@dataclass(frozen=True, slots=True)
class Question:
    """A cap asked its user and waits: the step of `session` goes on when each of `asks` is extended by its sum (picodollars)."""

    session: str
    client: str
    at_ms: int
    words: str
    asks: tuple[tuple[Cap, int], ...]
    workspace: str = ""
