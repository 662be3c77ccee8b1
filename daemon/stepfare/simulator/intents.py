"""What the player may want to do next, in no client's terms. How it is said is the business of `hands` and of what that uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Look:
    """List a directory, relative to the workspace; "." is all of it."""

    path: str = "."


@dataclass(frozen=True, slots=True)
class Search:
    pattern: str


@dataclass(frozen=True, slots=True)
class Read:
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    command: str


@dataclass(frozen=True, slots=True)
class Replace:
    """Put `new` where `old` stands; `whole` is the file's content afterwards, for tools that can only write all of it (empty: unknown)."""

    path: str
    old: str
    new: str
    whole: str


@dataclass(frozen=True, slots=True)
class Finish:
    """End the task; `verified` only where a run was seen to pass."""

    text: str
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """Show a plan and wait for the human."""

    text: str


@dataclass(frozen=True, slots=True)
class Other:
    """A call whose purpose is not known here."""

    name: str


Intent: TypeAlias = Look | Search | Read | Run | Replace | Finish | Present | Other
