"""What a report can be grouped by, and the name that an attempt has in each group. The sums are the business of `totals`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, TypeAlias

from stepfare.core.entry import Opened
from stepfare.ledger.calendar import day_of, month_of

Group: TypeAlias = Literal["session", "project", "branch", "user", "day", "month", "model", "tier", "kind", "client", "provider"]

CALENDAR = frozenset[Group]({"day", "month"})
"""The groups that follow one another in time."""
BY_MAX = 3
"""So many groups may be nested in one report."""


class Place(NamedTuple):
    """Where a session is at work: the folder as its client names it, the repository's root, the branch; and for whom."""

    workspace: str
    project: str
    branch: str
    who: str


class Labels(NamedTuple):
    """What tells one attempt from another in sums that are kept; a session and a time stand beside them."""

    workspace: str
    project: str
    branch: str
    who: str
    """The user that pays. (`user` is a word of SQL.)"""
    client: str
    model: str
    tier: str
    kind: str


NOWHERE = Place("", "", "", "")
"""Of an attempt whose session is not opened yet."""


def place_of(opened: Opened) -> Place:
    return Place(opened.workspace, opened.project, opened.branch, opened.user)


def provider_of(model: str) -> str:
    """The part of a model's id before its first slash."""
    return model.partition("/")[0]


def name_of(group: Group, labels: Labels, session: str, local_ms: int) -> str:
    """The name in that group. `local_ms` is the time that the clock on the wall shows, as if it were in UTC."""
    return _NAMES[group](labels, session, local_ms)


_NAMES: Mapping[Group, Callable[[Labels, str, int], str]] = {
    "session": lambda _, session, __: session,
    "project": lambda labels, _, __: labels.project,
    "branch": lambda labels, _, __: labels.branch,
    "user": lambda labels, _, __: labels.who,
    "day": lambda _, __, local_ms: day_of(local_ms),
    "month": lambda _, __, local_ms: month_of(local_ms),
    "model": lambda labels, _, __: labels.model,
    "tier": lambda labels, _, __: labels.tier,
    "kind": lambda labels, _, __: labels.kind,
    "client": lambda labels, _, __: labels.client,
    "provider": lambda labels, _, __: provider_of(labels.model),
}
