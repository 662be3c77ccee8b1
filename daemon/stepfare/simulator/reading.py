"""What the simulator is asked, free of its wire format, and the reader of chat completions.

Readers are lenient about what they do not know and clear about what cannot be served; whose rules a request must keep besides is in
`families`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast

import msgspec

from stepfare.core.model import Model
from stepfare.simulator.catalogue import MODEL_BY_NAME, MODELS
from stepfare.simulator.fields import Fields, fields_of
from stepfare.simulator.prefixes import Prefix, chat_prefixes
from stepfare.simulator.refused import Refused

DEPTH_MAX = 200


class Function(msgspec.Struct):
    name: str
    arguments: str = ""


class Call(msgspec.Struct, omit_defaults=True):
    """A tool call of an earlier assistant turn. A `custom` one carries free text for arguments instead of JSON."""

    function: Function
    id: str = ""
    namespace: str = ""
    custom: bool = False


class Part(msgspec.Struct):
    type: str
    text: str = ""
    refusal: str = ""


class Message(msgspec.Struct):
    role: str
    content: str | list[Part] | None = None
    reasoning_content: str | None = None
    name: str | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None
    failed: bool = False
    """Whether the format itself says so of a tool's result."""

    @property
    def texts(self) -> list[str]:
        """The text parts, in order."""
        if isinstance(self.content, str):
            return [self.content]
        return [part.text or part.refusal for part in self.content or [] if part.text or part.refusal]

    @property
    def text(self) -> str:
        return "\n".join(self.texts)

    @property
    def images(self) -> int:
        return 0 if isinstance(self.content, str) else sum(1 for part in self.content or [] if "image" in part.type)


class ToolFunction(msgspec.Struct, omit_defaults=True):
    """A tool on offer. A `custom` one takes free text instead of what `parameters` describes."""

    name: str
    description: str | None = ""
    parameters: dict[str, object] | None = None
    namespace: str = ""
    custom: bool = False


class Tool(msgspec.Struct):
    type: str = "function"
    function: ToolFunction | None = None


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = False


class ResponseFormat(msgspec.Struct):
    type: str = "text"
    json_schema: dict[str, object] | None = None


class Body(msgspec.Struct):
    model: str
    messages: list[Message]
    tools: list[Tool] | None = None
    tool_choice: object = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = 1
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request that can be served. `prefixes` are in order; the first is that of the tools and the first message."""

    model: Model
    messages: tuple[Message, ...]
    tools: tuple[ToolFunction, ...]
    tool_choice: str
    parallel: bool
    stream: bool
    wants_usage: bool
    max_tokens: int | None
    response_format: ResponseFormat | None
    prefixes: tuple[Prefix, ...]
    dialect: str = "openai"
    """The wire format that it came in: openai, anthropic or responses. Its messages are the same in all of them."""
    family: str = ""
    """Whose API it was sent to, as the catalogue calls providers; empty for the simulator's own models."""
    thinks: bool | None = None
    """Whether the model is to show what it thinks; None leaves it to the play."""

    @property
    def system(self) -> str:
        """The instructions above the conversation, joined."""
        return "\n".join(message.text for message in self.messages if message.role in ("system", "developer"))

    @property
    def prompt_tokens(self) -> int:
        return self.prefixes[-1].tokens


def read_request(body: bytes) -> Request:
    """The chat request in these bytes, for the simulator's own models; raises `Refused` where it is malformed or cannot be served."""
    fields = decoded(body)
    return read_chat(fields, own_model(fields.get("model")))


def own_model(name: object) -> Model:
    """The simulator's own model of this name; raises `Refused` where there is none."""
    if not isinstance(name, str):
        raise Refused(400, "The body does not fit: Object missing required field `model`.", "invalid_type", "model")
    model = MODEL_BY_NAME.get(name)
    if model is None:
        names = ", ".join(model.id for model in MODELS)
        raise Refused(404, f"The model `{name}` does not exist here. The simulator serves {names}.", "model_not_found", "model")
    return model


def read_chat(fields: Fields, model: Model, family: str = "", *, thinks: bool | None = None) -> Request:
    """A chat-completions body that was decoded."""
    parsed = converted(fields)
    if not parsed.messages:
        raise Refused(400, "Invalid 'messages': empty array. Send at least one message.", "empty_array", "messages")
    if parsed.n not in (None, 1):
        raise Refused(400, f"The simulator answers with one choice; 'n' was {parsed.n}. Leave it out.", "unsupported_value", "n")
    max_tokens = parsed.max_completion_tokens if parsed.max_completion_tokens is not None else parsed.max_tokens
    if max_tokens is not None and max_tokens < 1:
        raise Refused(400, f"Invalid 'max_tokens': {max_tokens} is below 1.", "integer_below_min_value", "max_tokens")
    return Request(
        model=model,
        messages=tuple(parsed.messages),
        tools=tuple(tool.function for tool in parsed.tools or [] if tool.function is not None),
        tool_choice=_tool_choice(parsed.tool_choice),
        parallel=parsed.parallel_tool_calls is not False,
        stream=bool(parsed.stream),
        wants_usage=bool(parsed.stream_options and parsed.stream_options.include_usage),
        max_tokens=max_tokens,
        response_format=parsed.response_format,
        prefixes=chat_prefixes(fields),
        family=family,
        thinks=thinks,
    )


def overflow(model: Model, prompt_tokens: int) -> Refused:
    """The refusal that clients recover from by compacting; they know it by its code and its wording."""
    return Refused(
        400,
        f"This model's maximum context length is {model.context_tokens} tokens. However, your messages resulted in {prompt_tokens} tokens. "
        "Please reduce the length of the messages.",
        "context_length_exceeded",
        "messages",
    )


def converted(fields: Fields) -> Body:
    try:
        return msgspec.convert(fields, Body)
    except msgspec.ValidationError as error:
        raise Refused(400, f"The body does not fit: {error}.", "invalid_type") from None


def decoded(body: bytes) -> Fields:
    """The JSON object in these bytes; raises `Refused` where there is none."""
    try:
        value = cast(object, msgspec.json.decode(body))
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        # The standard library accepts lone surrogates, which real clients do send when they cut a text within an emoji.
        try:
            value = _scrubbed(cast(object, json.loads(body)), 0)
        except (ValueError, RecursionError):
            raise Refused(400, "We could not parse the JSON body of your request. Send one JSON object.", "invalid_json") from None
    if not isinstance(value, dict):
        raise Refused(400, "The body does not fit: Expected `object`.", "invalid_type")
    return fields_of(cast(object, value))


def _scrubbed(value: object, depth: int) -> object:
    """The same value with lone surrogates replaced, so that it can be written as UTF-8 again."""
    if depth > DEPTH_MAX:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_scrubbed(item, depth + 1) for item in cast(list[object], value)]
    if isinstance(value, dict):
        return {key: _scrubbed(item, depth + 1) for key, item in cast(dict[str, object], value).items()}
    return value


def _tool_choice(choice: object) -> str:
    """auto, none, required, or the name of the one tool that must be called."""
    if isinstance(choice, dict):
        name = fields_of(fields_of(cast(object, choice)).get("function")).get("name")
        return name if isinstance(name, str) else "auto"
    return "required" if choice == "any" else choice if isinstance(choice, str) else "auto"
