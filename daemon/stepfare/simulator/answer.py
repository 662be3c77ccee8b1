"""An answer on its way out: what is said, to which request, by whose API. Wires make bytes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from stepfare.core.money import Usage
from stepfare.simulator.bill import price_of
from stepfare.simulator.families import Family
from stepfare.simulator.fields import Fields
from stepfare.simulator.reading import Request
from stepfare.simulator.refused import Refused
from stepfare.simulator.reply import Piece, Reply

REDACTED = "x-simulator-redacted"
"""A header of a request whose thinking is to come back unreadable."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`token` is what its ids are made of; `body` the request as it came, for what must be bound to it."""

    token: str
    at_ms: int
    family: Family
    request: Request
    reply: Reply
    body: Fields
    account: str
    redacted: bool = False

    @property
    def model(self) -> str:
        return self.request.model.upstream

    def cost_pusd(self, usage: Usage) -> int:
        return price_of(self.request.model, usage, self.at_ms)


class Frames(Protocol):
    """The frames of one streamed answer. What a format says in no bytes is empty."""

    def opening(self, usage: Usage | None) -> bytes: ...
    def piece(self, piece: Piece) -> bytes: ...
    def closing(self, usage: Usage | None) -> bytes:
        """The rest, the end mark included. `usage` is None where it is not to be told."""
        ...

    def error(self, refused: Refused) -> bytes: ...
