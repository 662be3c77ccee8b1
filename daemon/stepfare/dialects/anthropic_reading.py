"""Anthropic Messages, read as a prompt: all that the client asks, free of its wire format, and what no other format can say.

Each message is read by itself, and once: what was read of it is remembered by its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from stepfare.core.prompt import (
    EFFORTS,
    FIVE_MINUTES_S,
    HOUR_S,
    CallPart,
    FilePart,
    ImagePart,
    Loss,
    Message,
    OtherPart,
    OutputForm,
    Part,
    Prompt,
    ResultPart,
    TextPart,
    ThoughtPart,
    ToolOffer,
)
from stepfare.core.request import RequestView, Role
from stepfare.dialects import splice
from stepfare.dialects.anthropic_messages import as_json, is_billing, messages_of
from stepfare.dialects.anthropic_thoughts import has_thoughts, thought_in
from stepfare.dialects.base import BadRequest
from stepfare.dialects.numbers import number
from stepfare.dialects.remembered import Remembered

PLACEHOLDER = "DeferredToolPlaceholder"
"""A tool that Claude Code offers in the place of those that it has not loaded; it does nothing."""
DEPTH_MAX = 8
"""How deep the readable texts of a server's result are looked for."""

_BUDGETS = ((4_096, "low"), (16_000, "medium"))
"""Thinking budgets, in tokens up to which they mean that effort; above them it is high."""

_READABLE = ("title", "url", "text", "stdout", "stderr", "error_code", "tool_name", "content", "source", "data", "tool_references")
"""Where the results of tools that Anthropic runs itself hold what may be read, in the order in which it is told."""

_CHOICES = {"auto": "auto", "any": "required", "none": "none"}

_FIELDS: Mapping[str, tuple[str, bool]] = {
    "mcp_servers": ("MCP servers, which its own provider calls", True),
    "container": ("a container, which its own provider runs", True),
    "thread": ("a conversation that its own provider keeps", True),
    "inference_geo": ("the region in which it must run", True),
    "context_management": ("rules by which its own provider clears old thoughts and results", False),
    "compaction": ("compaction by its own provider", False),
    "top_k": ("top_k", False),
    "speed": ("a faster mode of service", False),
    "fallbacks": ("models that its own provider would fall back to", False),
}
"""What only this API can be asked: what a model of another format cannot be given, and whether the step needs it."""
_NOTHING_ASKED: tuple[object, ...] = (None, [], {}, "", "standard", "global", "not_available")


@dataclass(frozen=True, slots=True)
class _Read:
    """What one message says."""

    messages: tuple[Message, ...] = ()
    losses: tuple[Loss, ...] = ()
    named: tuple[str, ...] = ()
    """Tools that it makes available, by name."""
    offers: tuple[ToolOffer, ...] = ()
    """Tools that it defines."""
    effort: str = ""


@dataclass(slots=True)
class _Found:
    """What is found on the way through a message's blocks."""

    losses: list[Loss] = field(default_factory=list[Loss])
    named: list[str] = field(default_factory=list[str])
    offers: list[ToolOffer] = field(default_factory=list[ToolOffer])


def read_prompt(view: RequestView) -> Prompt:
    """The whole request."""
    obj = splice.JsonObject(view.raw, view.spans)
    fields = obj.decoded("messages", "system")
    first = obj.raw("system")
    reads = [] if first is None else [_MESSAGES.of(b'{"role":"system","content":' + first + b"}")]
    reads += [_MESSAGES.of(raw) for raw in messages_of(view).raws]
    offers, tool_losses = _offers(fields.get("tools"), reads)
    choice = _inner(fields, "tool_choice")
    thinking, config = _inner(fields, "thinking"), _inner(fields, "output_config")
    disabled = choice.get("disable_parallel_tool_use")
    form = config.get("format") or fields.get("output_format")
    return Prompt(
        messages=tuple(message for read in reads for message in read.messages),
        tools=offers,
        tool_choice=_choice(choice, offers),
        parallel=not disabled if isinstance(disabled, bool) else None,
        stream=view.stream,
        max_output_tokens=view.max_output_tokens,
        temperature=number(fields.get("temperature")),
        top_p=number(fields.get("top_p")),
        stop=tuple(text for text in _list(fields.get("stop_sequences")) if isinstance(text, str)),
        effort=_effort(thinking, config, reads),
        show_thoughts=shows_thoughts(thinking),
        form=_form(form),
        losses=(*dict.fromkeys(loss for read in reads for loss in read.losses), *tool_losses, *_field_losses(fields, config)),
    )


def shows_thoughts(thinking: Mapping[str, object]) -> bool:
    """Whether a client with these settings wants to be shown what the model thinks."""
    return thinks(thinking) and thinking.get("display") != "omitted"


def thinks(thinking: Mapping[str, object]) -> bool:
    """Whether a client with these settings expects thinking blocks."""
    return thinking.get("type") in ("adaptive", "enabled", "between_tools")


def _read_message(raw: bytes) -> _Read:
    try:
        message = splice.loads(raw)
        fields = cast("dict[str, object]", message) if isinstance(message, dict) else {}
        content = fields.get("content")
        if isinstance(content, list) and has_thoughts(raw):
            # A thought goes back byte for byte.
            blocks = [(block, splice.loads(block)) for block in splice.items(splice.scan(raw).raw("content") or b"[]")]
        else:
            blocks = [(b"", block) for block in (cast("list[object]", content) if isinstance(content, list) else [content])]
    except BadRequest:
        return _Read((Message(Role.USER, (OtherPart("unreadable"),)),))
    found = _Found()
    role = {"assistant": Role.ASSISTANT, "system": Role.SYSTEM}.get(str(fields.get("role")), Role.USER)
    parts = [part for block_raw, block in blocks for part in _parts(block, block_raw, found)]
    results = tuple(part for part in parts if isinstance(part, ResultPart))
    others = tuple(part for part in parts if not isinstance(part, ResultPart))
    messages = [Message(Role.TOOL, results)] if results else []
    if others or not (results or role is Role.SYSTEM):
        messages.append(Message(role, others))
    effort = _text(_inner(fields, "output_config").get("effort"))
    return _Read(tuple(messages), tuple(found.losses), tuple(found.named), tuple(found.offers), effort)


_MESSAGES = Remembered(_read_message)


def _parts(block: object, raw: bytes, found: _Found) -> Iterable[Part]:
    if isinstance(block, str):
        if block and not is_billing(block):
            yield TextPart(block)
        return
    if not isinstance(block, dict):
        if block is not None:
            yield OtherPart("unknown")
        return
    fields = cast("dict[str, object]", block)
    kind = str(fields.get("type", "unknown"))
    thought = thought_in(fields, raw or as_json(fields).encode("utf-8", "replace"))
    if thought is not None:
        yield ThoughtPart(thought)
    elif kind == "text":
        text = _text(fields.get("text"))
        if text and not is_billing(text):
            yield TextPart(text, _cache_s(fields))
    elif kind == "tool_use":
        arguments = as_json(fields.get("input", {})) or "{}"
        yield CallPart(_text(fields.get("id")), _text(fields.get("name")), arguments, cache_s=_cache_s(fields))
    elif kind == "tool_result":
        content = fields.get("content")
        items = cast("list[object]", content) if isinstance(content, list) else [content]
        inner = [part for item in items for part in _result_parts(item, found)]
        failed = fields.get("is_error") is True
        yield ResultPart(_text(fields.get("tool_use_id")), tuple(inner), failed, cache_s=_cache_s(fields))
    else:
        yield from _other(kind, fields, found)


def _result_parts(item: object, found: _Found) -> Iterable[TextPart | ImagePart | FilePart]:
    for part in _parts(item, b"", found):
        if isinstance(part, TextPart | ImagePart | FilePart):
            yield part
        elif isinstance(part, OtherPart):
            found.losses.append(Loss(part.kind, f"a tool's result of the kind {part.kind}"))


def _other(kind: str, fields: dict[str, object], found: _Found) -> Iterable[Part]:
    """Blocks besides texts, thoughts, calls and their results."""
    source = _inner(fields, "source")
    if kind in ("image", "document") and source.get("type") == "file":
        found.losses.append(Loss("file", "a file that was uploaded to its own provider", essential=True))
        yield OtherPart(kind)
    elif kind == "image":
        yield ImagePart(_text(source.get("media_type")), _text(source.get("data")), _text(source.get("url")), cache_s=_cache_s(fields))
    elif kind == "document":
        yield _document(fields, source)
    elif kind in ("tool_reference", "tool_addition", "tool_removal"):
        yield from _change_of_tools(kind, fields, found)
    elif kind == "search_result":
        # Here `source` is a text: where it was found.
        texts = [_text(fields.get("title")), _text(fields.get("source")), *_readable(fields.get("content"))]
        yield TextPart("\n".join(text for text in texts if text), _cache_s(fields))
    elif kind == "compaction" or kind.endswith("_tool_result"):
        found.named += [_text(one.get("tool_name")) for one in _references(fields.get("content"))]
        said = "\n".join(_readable(fields.get("content")))
        yield TextPart(said, _cache_s(fields)) if said else OtherPart(kind)
    else:
        yield OtherPart(kind)


def _document(fields: dict[str, object], source: dict[str, object]) -> FilePart:
    name, cache_s = _text(fields.get("title")), _cache_s(fields)
    data, media = _text(source.get("data")), _text(source.get("media_type"))
    if source.get("type") == "text":
        return FilePart(media or "text/plain", text=data, name=name, cache_s=cache_s)
    if source.get("type") == "content":
        return FilePart("text/plain", text="\n".join(_readable(source.get("content"))), name=name, cache_s=cache_s)
    return FilePart(media or "application/pdf", data, _text(source.get("url")), name=name, cache_s=cache_s)


def _change_of_tools(kind: str, fields: dict[str, object], found: _Found) -> Iterable[Part]:
    tool = _inner(fields, "tool")
    definition = _inner(tool, "definition")
    name = _text(fields.get("tool_name")) or _text(tool.get("name")) or _text(definition.get("name"))
    if not name:
        yield OtherPart(kind)
        return
    if kind != "tool_removal":
        found.named.append(name)
        if definition and _is_function(definition):
            found.offers.append(_offer(definition))
    gone = "no longer" if kind == "tool_removal" else "now"
    yield TextPart(f"The tool {name} is {gone} available.", _cache_s(fields))


def _readable(value: object, depth: int = 0) -> list[str]:
    """The texts in a result, in order; encrypted and binary contents are none."""
    if isinstance(value, str):
        return [value] if value else []
    if depth > DEPTH_MAX:
        return []
    if isinstance(value, list):
        return [text for item in cast("list[object]", value) for text in _readable(item, depth + 1)]
    if not isinstance(value, dict):
        return []
    fields = cast("dict[str, object]", value)
    binary = fields.get("type") == "base64"
    return [text for key in _READABLE if not (binary and key == "data") for text in _readable(fields.get(key), depth + 1)]


def _references(content: object) -> list[dict[str, object]]:
    inner = cast("dict[str, object]", content).get("tool_references") if isinstance(content, dict) else content
    return [cast("dict[str, object]", item) for item in _list(inner) if isinstance(item, dict) and "tool_name" in item]


def _offers(tools: object, reads: Sequence[_Read]) -> tuple[tuple[ToolOffer, ...], tuple[Loss, ...]]:
    """The tools that the model may be offered, and those that only Anthropic has. A deferred one is offered once it was named."""
    named = {name for read in reads for name in read.named}
    offers: list[ToolOffer] = []
    served: list[str] = []
    for tool in _list(tools):
        fields = cast("dict[str, object]", tool) if isinstance(tool, dict) else {}
        name = _text(fields.get("name"))
        if name == PLACEHOLDER:
            continue
        if not _is_function(fields):
            served.append(name or _text(fields.get("type")) or "unknown")
        elif fields.get("defer_loading") is not True or name in named:
            offers.append(_offer(fields))
    offers += [offer for read in reads for offer in read.offers]
    by_name: dict[str, ToolOffer] = {}
    for offer in offers:
        by_name.setdefault(offer.name, offer)
    losses = [Loss(f"tool {name}", f"the tool {name}, which belongs to its own provider", essential=not offers) for name in served]
    return tuple(by_name.values()), tuple(losses)


def _is_function(fields: Mapping[str, object]) -> bool:
    return bool(fields.get("name")) and (fields.get("type") in (None, "custom") or isinstance(fields.get("input_schema"), dict))


def _offer(fields: dict[str, object]) -> ToolOffer:
    strict = fields.get("strict")
    return ToolOffer(
        _text(fields.get("name")),
        _text(fields.get("description")),
        _inner(fields, "input_schema"),
        strict=strict if isinstance(strict, bool) else None,
        cache_s=_cache_s(fields),
    )


def _choice(choice: dict[str, object], offers: Sequence[ToolOffer]) -> str:
    kind, name = choice.get("type"), _text(choice.get("name"))
    if kind == "tool":
        return f"tool:{name}" if any(offer.name == name for offer in offers) else ""
    return _CHOICES.get(str(kind), "")


def _effort(thinking: Mapping[str, object], config: Mapping[str, object], reads: Sequence[_Read]) -> str:
    """How hard to think. What a system message says of its turn counts before what the request says of all."""
    if thinking.get("type") == "disabled":
        return "none"
    said = next((read.effort for read in reversed(reads) if read.effort), "") or _text(config.get("effort"))
    if said:
        return said if said in EFFORTS else ""
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int):
        return ""
    return next((effort for tokens, effort in _BUDGETS if budget <= tokens), "high")


def _form(form: object) -> OutputForm | None:
    fields = cast("dict[str, object]", form) if isinstance(form, dict) else {}
    schema = fields.get("schema")
    if not isinstance(schema, dict):
        return None
    return OutputForm(_text(fields.get("name")), cast("dict[str, object]", schema))


def _field_losses(fields: Mapping[str, object], config: Mapping[str, object]) -> list[Loss]:
    losses = [Loss(key, words, essential=essential) for key, (words, essential) in _FIELDS.items() if fields.get(key) not in _NOTHING_ASKED]
    if config.get("task_budget"):
        losses.append(Loss("task_budget", "a budget of tokens for the whole task"))
    return losses


def _cache_s(fields: Mapping[str, object]) -> int:
    mark = _inner(fields, "cache_control")
    if not mark:
        return 0
    return HOUR_S if mark.get("ttl") == "1h" else FIVE_MINUTES_S


def _inner(fields: Mapping[str, object], key: str) -> dict[str, object]:
    inner = fields.get(key)
    return cast("dict[str, object]", inner) if isinstance(inner, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
