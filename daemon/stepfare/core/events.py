"""What the daemon announces: a closed list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from stepfare.core.decision import Decision
from stepfare.core.entry import Entry


@dataclass(frozen=True, slots=True)
class Decided:
    decision: Decision


@dataclass(frozen=True, slots=True)
class Posted:
    """An entry is durable in the journal."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class HealthChanged:
    provider: str
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    source: str


@dataclass(frozen=True, slots=True)
class BudgetCrossed:
    """A session, project or day has spent its `warn_at` share or its whole cap."""

    scope: str
    session: str
    spent_pusd: int
    cap_pusd: int
    words: str


Event: TypeAlias = Decided | Posted | HealthChanged | SettingsChanged | BudgetCrossed
