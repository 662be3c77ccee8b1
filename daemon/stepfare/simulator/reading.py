"""A chat-completions body as the simulator reads it: lenient about what it does not know, clear about what it cannot serve."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import cast

import msgspec

from stepfare.core.model import Model
from stepfare.simulator.catalogue import MODEL_BY_NAME, MODELS
from stepfare.simulator.tokens import IMAGE_TOKENS, MESSAGE_TOKENS, tokens_of

DEPTH_MAX = 200


class Refused(Exception):
    """The request cannot be served; answered as an OpenAI-shaped error."""

    def __init__(self, status: int, words: str, code: str | None = None, param: str | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.code = code
        self.param = param


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
class Prefix:
    """A conversation up to and including one message: what it hashes to and how many tokens it has."""

    digest: bytes
    tokens: int


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

    @property
    def system(self) -> str:
        """The instructions above the conversation, joined."""
        return "\n".join(message.text for message in self.messages if message.role in ("system", "developer"))

    @property
    def prompt_tokens(self) -> int:
        return self.prefixes[-1].tokens


_DECODER = msgspec.json.Decoder(Body)
_ENCODER = msgspec.json.Encoder()


def read_request(body: bytes) -> Request:
    """The request in these bytes; raises `Refused` where they are malformed or ask for what the simulator does not do."""
    parsed = _parsed(body)
    model = MODEL_BY_NAME.get(parsed.model)
    if model is None:
        names = ", ".join(model.id for model in MODELS)
        raise Refused(404, f"The model `{parsed.model}` does not exist here. The simulator serves {names}.", "model_not_found", "model")
    if not parsed.messages:
        raise Refused(400, "Invalid 'messages': empty array. Send at least one message.", "empty_array", "messages")
    if parsed.n not in (None, 1):
        raise Refused(400, f"The simulator answers with one choice; 'n' was {parsed.n}. Leave it out.", "unsupported_value", "n")
    max_tokens = parsed.max_completion_tokens if parsed.max_completion_tokens is not None else parsed.max_tokens
    if max_tokens is not None and max_tokens < 1:
        raise Refused(400, f"Invalid 'max_tokens': {max_tokens} is below 1.", "integer_below_min_value", "max_tokens")
    tools = tuple(tool.function for tool in parsed.tools or [] if tool.function is not None)
    prefixes = _prefixes(tools, parsed.messages)
    if prefixes[-1].tokens > model.context_tokens:
        raise overflow(model, prefixes[-1].tokens)
    return Request(
        model=model,
        messages=tuple(parsed.messages),
        tools=tools,
        tool_choice=_tool_choice(parsed.tool_choice),
        parallel=parsed.parallel_tool_calls is not False,
        stream=bool(parsed.stream),
        wants_usage=bool(parsed.stream_options and parsed.stream_options.include_usage),
        max_tokens=max_tokens,
        response_format=parsed.response_format,
        prefixes=prefixes,
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


def _parsed(body: bytes) -> Body:
    try:
        return _DECODER.decode(body)
    except msgspec.ValidationError as error:
        raise Refused(400, f"The body does not fit: {error}.", "invalid_type") from None
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        pass
    # The standard library accepts lone surrogates, which real clients do send when they cut a text within an emoji.
    try:
        return msgspec.convert(_scrubbed(cast(object, json.loads(body)), 0), Body)
    except msgspec.ValidationError as error:
        raise Refused(400, f"The body does not fit: {error}.", "invalid_type") from None
    except (ValueError, RecursionError):
        raise Refused(400, "We could not parse the JSON body of your request. Send one JSON object.", "invalid_json") from None


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
        function = cast(dict[str, object], choice).get("function")
        name = cast(dict[str, object], function).get("name") if isinstance(function, dict) else None
        return name if isinstance(name, str) else "auto"
    return choice if isinstance(choice, str) else "auto"


def _prefixes(tools: tuple[ToolFunction, ...], messages: list[Message]) -> tuple[Prefix, ...]:
    # Re-encoding drops what we do not know, cache marks among it: moving a mark must not change the prefix.
    head = _ENCODER.encode(tools) if tools else b""
    digest = hashlib.blake2b(head, digest_size=16).digest()
    tokens = -(-len(head) // 4)
    prefixes: list[Prefix] = []
    for message in messages:
        digest = hashlib.blake2b(digest + _ENCODER.encode(message), digest_size=16).digest()
        tokens += message_tokens(message)
        prefixes.append(Prefix(digest, tokens))
    return tuple(prefixes)


def message_tokens(message: Message) -> int:
    calls = sum(tokens_of(call.function.name) + tokens_of(call.function.arguments) for call in message.tool_calls or [])
    texts = sum(tokens_of(text) for text in message.texts)
    return MESSAGE_TOKENS + texts + tokens_of(message.reasoning_content or "") + calls + IMAGE_TOKENS * message.images
