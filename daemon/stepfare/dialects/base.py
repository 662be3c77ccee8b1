"""What every wire format says, whatever its bytes: the closed list of stream events, and the two ways in which bytes can be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from stepfare.core.money import Usage


class BadRequest(Exception):
    """The client's request cannot be read; the client must act. The message is for a person."""


class Unreadable(Exception):
    """The provider's answer is not what its format says. The message is for a person."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    index: int
    arguments: str


@dataclass(frozen=True, slots=True)
class UsageReported:
    """`billed_pusd` is what the provider itself says that the call cost, where it says so."""

    usage: Usage
    billed_pusd: int | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    reason: str


@dataclass(frozen=True, slots=True)
class Faulted:
    """The provider reported an error inside an answer that began well."""

    words: str
    status: int = 0
    code: str = ""


StreamEvent: TypeAlias = TextDelta | ThinkingDelta | ToolCallStarted | ToolCallDelta | UsageReported | Finished | Faulted
