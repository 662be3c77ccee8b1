"""What every wire format says, whatever its bytes: the closed list of stream events, and the two ways in which bytes can be wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from stepfare.core.money import Usage
from stepfare.core.prompt import Thought


class BadRequest(Exception):
    """The client's request cannot be read; the client must act. The message is for a person."""


class Unreadable(Exception):
    """The provider's answer is not what its format says. The message is for a person."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """What may be read of the model's thinking, as it comes."""

    text: str


@dataclass(frozen=True, slots=True)
class ThoughtMade:
    """A piece of thinking is complete. It comes after its deltas; one that may not be read comes without any."""

    thought: Thought


@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    """`index` counts the calls of an answer from 0, whatever else stands between them. `namespace` and `custom` as in `core.prompt`."""

    index: int
    id: str
    name: str
    namespace: str = ""
    custom: bool = False


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    index: int
    arguments: str


@dataclass(frozen=True, slots=True)
class UsageReported:
    """Counts so far; a later report replaces an earlier one. `billed_pusd` is what the provider itself says that the call cost,
    where it says so.

    `service` is how the call was served where that is another way than the standard one (flex, priority, fast), by the provider's name
    for it. `beside` are things that it did and that no count tells the price of, in words that complete "it ...".
    """

    usage: Usage
    billed_pusd: int | None = None
    service: str = ""
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Searched:
    """The provider searches the web itself: so many times so far, begun ones among them. It is no content; whole answers count their
    searches in the report of their usage, and this one is for those that break off before it."""

    searches: int


STOP, CALLS, LENGTH, FILTER = "stop", "tool_calls", "length", "content_filter"
"""Why an answer ended, in the words of chat completions; readers use these where they fit, and the provider's own where none does."""


@dataclass(frozen=True, slots=True)
class Finished:
    """`sequence` is the stop sequence that ended the answer, where one did."""

    reason: str
    sequence: str = ""


@dataclass(frozen=True, slots=True)
class Faulted:
    """The provider reported an error inside an answer that began well."""

    words: str
    status: int = 0
    code: str = ""


StreamEvent: TypeAlias = (
    TextDelta | ThinkingDelta | ThoughtMade | ToolCallStarted | ToolCallDelta | UsageReported | Searched | Finished | Faulted
)

CostText = Callable[[UsageReported], str | None]
"""Dollars of a usage as decimal text, or None where the model is unpriced."""


class Listener(Protocol):
    """Understands the events of one streamed answer, in order."""

    def listen(self, name: str, fields: Mapping[str, object]) -> Iterable[StreamEvent]:
        """What this event says. `name` is that of the frame, or empty; `fields` the decoded data. Raises Unreadable."""
        ...


class Writer(Protocol):
    """Says stream events in one wire format. Bytes of all calls, joined, are a whole answer."""

    def resume(self, shown: Iterable[bytes]) -> None:
        """Go on with an answer that another one began: whole frames of this format, which the client has seen. Before anything is
        written."""
        ...

    def write(self, event: StreamEvent) -> bytes: ...
    def end(self) -> bytes:
        """The end mark, with whatever is still open before it closed."""
        ...
