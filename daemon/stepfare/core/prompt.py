"""A request said in no wire format: what a conversation holds, so that one format can say what another one asked.

Pass-through never builds this; it is for the bridges between formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from stepfare.core.request import Role

HOUR_S = 3600
FIVE_MINUTES_S = 300

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""How hard a model is asked to think, in ascending order; each format says those that it knows."""


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of a model's thinking as its maker wrote it, which only that model may be sent again.

    `raw` is the JSON of the block or item in the maker's wire format, byte for byte; `text` what of it may be read.
    `digest` (hex) stands for its signature or its encrypted content, or for its text where it has neither.
    """

    dialect: str
    raw: bytes
    digest: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class TextPart:
    """`cache_s` is the lifetime that a cache mark of the client asks for at this part's end; 0 where there is no mark."""

    text: str
    cache_s: int = 0


@dataclass(frozen=True, slots=True)
class ImagePart:
    """Either `data` (base64) with its media type, or `url`."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    detail: str = ""
    cache_s: int = 0


@dataclass(frozen=True, slots=True)
class FilePart:
    """A document: `data` (base64), `url`, or plain `text`."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    text: str = ""
    name: str = ""
    cache_s: int = 0


@dataclass(frozen=True, slots=True)
class ThoughtPart:
    thought: Thought


@dataclass(frozen=True, slots=True)
class CallPart:
    """A tool call that the assistant made. `arguments` is JSON text, or free text where the tool is `custom`."""

    id: str
    name: str
    arguments: str
    namespace: str = ""
    custom: bool = False
    cache_s: int = 0


@dataclass(frozen=True, slots=True)
class ResultPart:
    """What a call gave back."""

    id: str
    parts: tuple[TextPart | ImagePart | FilePart, ...]
    failed: bool = False
    custom: bool = False
    cache_s: int = 0


@dataclass(frozen=True, slots=True)
class OtherPart:
    """Something that only the format it came in can say; `kind` is what that format calls it."""

    kind: str


Part: TypeAlias = TextPart | ImagePart | FilePart | ThoughtPart | CallPart | ResultPart | OtherPart


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. Results of tools stand in messages of role TOOL, and nothing else does; calls in those of role ASSISTANT."""

    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class ToolOffer:
    """A tool that the client offers and runs itself. `schema` is the JSON schema of its arguments; a `custom` tool takes free text."""

    name: str
    description: str = ""
    schema: Mapping[str, object] = field(default_factory=dict[str, object])
    namespace: str = ""
    custom: bool = False
    strict: bool | None = None
    cache_s: int = 0


@dataclass(frozen=True, slots=True)
class OutputForm:
    """JSON that the answer must be: any (`schema` is None), or what the schema allows."""

    name: str = ""
    schema: Mapping[str, object] | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that a request asks for and that another format cannot say. An essential one must not be lost: who cannot say it
    cannot serve the step. `words` complete the sentence "it cannot be given ..."."""

    what: str
    words: str
    essential: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """A whole request. System texts stand in `messages`, where the client put them.

    `tool_choice` is auto, none, required, or `tool:NAME` (NAME as in `tools`, without its namespace); empty where the client says
    nothing. `losses` is what reading found that no other format can say.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolOffer, ...] = ()
    tool_choice: str = ""
    parallel: bool | None = None
    stream: bool = False
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    effort: str = ""
    """One of EFFORTS, or empty where the client says nothing."""
    show_thoughts: bool = True
    """Whether the client wants to be shown what the model thinks, where it can be."""
    form: OutputForm | None = None
    cache_key: str = ""
    service: str = ""
    """The tier of service that the client asks for (`priority`, `flex`), as OpenAI calls them."""
    losses: tuple[Loss, ...] = ()
