"""What a person says of sessions: a name, that two are one, that one is two, which tier serves it from now on. The journal stays as it was
written; these stand beside it and only grow, and each is undone by a later one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from stepfare.core.step import Tier


@dataclass(frozen=True, slots=True)
class Renamed:
    """The session is called so from now on; an empty title gives it the one back that it began with."""

    session: str
    at_ms: int
    title: str


@dataclass(frozen=True, slots=True)
class Merged:
    """The session is part of another one; an empty `into` makes it one of its own again."""

    session: str
    at_ms: int
    into: str


@dataclass(frozen=True, slots=True)
class Split:
    """What came later in the session is one of its own, `part`. `cuts` says from which step on, in each session of the journal that
    goes on in it. To merge the part into the session again undoes it."""

    session: str
    at_ms: int
    part: str
    cuts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Pinned:
    """Every coming step of the session gets this tier, whatever it is for; None gives the choice back."""

    session: str
    at_ms: int
    tier: Tier | None


Annotation: TypeAlias = Renamed | Merged | Split | Pinned
