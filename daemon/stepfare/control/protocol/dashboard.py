"""The door of the dashboard (`dashboard-links`), and what its page asks for that no other program does."""

from __future__ import annotations

from pydantic import Field

from stepfare.control.protocol.base import Message, TierName


class DashboardLink(Message):
    """An address that opens the dashboard in a browser of this machine: once, and only within `lasts_ms`."""

    url: str
    lasts_ms: int


class Notch(Message):
    """One step in a session's strip. `cost_pusd` is null while it is open or unpriced."""

    decision: str
    at_ms: int
    kind: str
    tier: TierName
    model: str
    cost_pusd: int | None = None
    escalated: bool = False


class Strip(Message):
    """The latest steps of a session, oldest first."""

    session: str
    notches: list[Notch] = Field(default_factory=list[Notch])


class Strips(Message):
    strips: list[Strip]
