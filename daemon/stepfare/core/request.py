"""What a client asked, free of its wire format; the client's own bytes stay beside it in `raw`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from stepfare.core.model import Capability


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the assistant made. `arguments` is the JSON text as it was sent, whole or not."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call gave back. `failed` only where the wire format itself says so."""

    id: str
    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Opaque:
    """Something that only the format it came in understands (thinking, files, audio)."""

    kind: str


Block: TypeAlias = Text | ToolCall | ToolResult | Image | Opaque


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation."""

    role: Role
    blocks: tuple[Block, ...]

    @property
    def text(self) -> str:
        """The texts of this turn, joined by line ends."""
        return "\n".join(block.text for block in self.blocks if isinstance(block, Text))


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the client offers; `parameters` are the property names of its schema."""

    name: str
    parameters: tuple[str, ...] = ()


class Hosted(NamedTuple):
    """What a request allows of tools that the provider runs itself: calls of them before the answer ends, and searches among these, which
    are billed apart. At most, where the request says so; else as many as are reckoned with."""

    uses: int = 0
    searches: int = 0

    def plus(self, other: Hosted) -> Hosted:
        return Hosted(self.uses + other.uses, self.searches + other.searches)

    def at_most(self, uses: int) -> Hosted:
        return Hosted(min(self.uses, uses), min(self.searches, uses))


NO_TOOLS = Hosted()


class Span(NamedTuple):
    """Where the value of a top-level key stands in a body, in bytes."""

    key: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RequestView:
    """One request. `turns` may decode its turns on first sight: reading few of a long conversation costs little.

    `turns` holds everything in order, system texts included. `digests` holds 16 bytes for each turn,
    equal where the turns are equal but for cache marks.
    """

    dialect: str
    endpoint: str
    """chat, or completion for the inline-completion endpoints."""
    raw: bytes
    headers: Mapping[str, str]
    """Lower-case names; no secrets."""
    model: str
    stream: bool
    turns: Sequence[Turn]
    digests: tuple[bytes, ...]
    tools: tuple[Tool, ...]
    needs: frozenset[Capability]
    max_output_tokens: int | None = None
    wants_usage: bool = True
    """Whether the client asked for usage in its stream."""
    body_digest: bytes = field(default=b"")
    spans: tuple[Span, ...] = ()
    """Where the values of `raw` stand, for the dialect that read it."""
    anchors: tuple[bytes, ...] = ()
    """For each turn by what it holds its place in the conversation, whatever the client writes into it anew; empty for a turn that holds
    none. Where there are no anchors at all, digests stand for them."""
    hosted: Hosted = NO_TOOLS
