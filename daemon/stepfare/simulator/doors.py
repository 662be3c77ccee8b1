"""The formats in which the simulator is spoken to: how each reads a request, and how each says an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from stepfare.core.model import Model
from stepfare.core.money import Usage
from stepfare.simulator import read_anthropic, read_responses, reading, wire, wire_anthropic, wire_responses
from stepfare.simulator.answer import Answer, Frames
from stepfare.simulator.fields import Fields
from stepfare.simulator.refused import Refused
from stepfare.simulator.values import JsonObject


class Reader(Protocol):
    def __call__(self, body: Fields, model: Model, family: str, /, *, thinks: bool | None) -> reading.Request: ...


@dataclass(frozen=True, slots=True)
class Door:
    """One format. `overflow` is its refusal of a prompt that is too long; `call_ids` how ids of calls begin, else the family says."""

    dialect: str
    read: Reader
    frames: Callable[[Answer], Frames]
    whole: Callable[[Answer, Usage | None], JsonObject]
    overflow: Callable[[Model, int], Refused]
    call_ids: str = ""
    fails_in_stream: bool = False
    """Whether a prompt that is too long is refused within the stream that was asked for."""


def _too_long(_model: Model, _tokens: int) -> Refused:
    return read_responses.too_long()


DOORS: Mapping[str, Door] = {
    door.dialect: door
    for door in (
        Door("openai", reading.read_chat, wire.ChatFrames, wire.whole, reading.overflow),
        Door(
            "anthropic", read_anthropic.read_messages, wire_anthropic.MessageFrames, wire_anthropic.whole, read_anthropic.too_long, "toolu_"
        ),
        Door(
            "responses",
            read_responses.read_responses,
            wire_responses.ResponseFrames,
            wire_responses.whole,
            _too_long,
            "call_",
            fails_in_stream=True,
        ),
    )
}
