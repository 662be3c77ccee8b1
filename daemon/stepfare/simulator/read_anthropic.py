"""Anthropic Messages bodies as requests to play: system prompt, turns, tools and results in the normal form of `reading`."""

from __future__ import annotations

from collections.abc import Iterator

from stepfare.core.model import Model
from stepfare.simulator.fields import Fields, encoded, fields_of, integer_of, items_of, parts_of, text_of
from stepfare.simulator.prefixes import anthropic_prefixes
from stepfare.simulator.reading import Call, Function, Message, Part, Request, ResponseFormat, ToolFunction
from stepfare.simulator.refused import Refused


def read_messages(body: Fields, model: Model, family: str = "", *, thinks: bool | None = None) -> Request:
    """Raises `Refused` where there is nothing to answer."""
    messages = tuple(_system(body)) + tuple(message for item in items_of(body.get("messages")) for message in _turn(fields_of(item)))
    if not messages:
        raise Refused(400, "messages: at least one message is required", param="messages")
    choice = fields_of(body.get("tool_choice"))
    return Request(
        model=model,
        messages=messages,
        tools=tuple(_tools(body)),
        tool_choice=_choice(choice),
        parallel=choice.get("disable_parallel_tool_use") is not True,
        stream=body.get("stream") is True,
        wants_usage=True,
        max_tokens=integer_of(body.get("max_tokens")),
        response_format=_form(body),
        prefixes=anthropic_prefixes(body),
        dialect="anthropic",
        family=family,
        thinks=thinks,
    )


def too_long(model: Model, prompt_tokens: int) -> Refused:
    """The refusal after which clients compact; they know it by its wording."""
    return Refused(400, f"prompt is too long: {prompt_tokens} tokens > {model.context_tokens} maximum")


def _system(body: Fields) -> Iterator[Message]:
    parts = [Part("text", text_of(block.get("text"))) for block in parts_of(body.get("system"))]
    if parts:
        yield Message("system", parts)


def _turn(message: Fields) -> Iterator[Message]:
    """One message; the results of tools in it are messages of their own."""
    role = text_of(message.get("role"))
    blocks = parts_of(message.get("content"))
    if role == "assistant":
        yield _said(blocks)
        return
    parts: list[Part] = []
    for block in blocks:
        if block.get("type") == "tool_result":
            if parts:
                yield Message(role, parts)
                parts = []
            yield _result(block)
        else:
            parts.append(_part(block))
    if parts:
        yield Message(role, parts)


def _said(blocks: list[Fields]) -> Message:
    texts = [_part(block) for block in blocks if block.get("type") == "text"]
    thoughts = [text_of(block.get("thinking")) for block in blocks if block.get("type") == "thinking"]
    calls = [
        Call(Function(text_of(block.get("name")), encoded(block.get("input") or {}).decode()), text_of(block.get("id")))
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    return Message("assistant", texts or None, reasoning_content="".join(thoughts) or None, tool_calls=calls or None)


def _result(block: Fields) -> Message:
    parts = [_part(part) for part in parts_of(block.get("content"))]
    return Message("tool", parts, tool_call_id=text_of(block.get("tool_use_id")), failed=block.get("is_error") is True)


def _part(block: Fields) -> Part:
    if block.get("type") == "tool_reference":
        return Part("text", f"Loaded the tool {text_of(block.get('tool_name'))}.")
    return Part(text_of(block.get("type")), text_of(block.get("text")))


def _tools(body: Fields) -> Iterator[ToolFunction]:
    loaded = frozenset(_loaded(body))
    for item in items_of(body.get("tools")):
        tool = fields_of(item)
        name = text_of(tool.get("name"))
        # A tool with a type of its own runs at the provider; one that is deferred may be called only once it was looked up.
        if tool.get("type") not in (None, "custom") or (tool.get("defer_loading") is True and name not in loaded):
            continue
        yield ToolFunction(name, text_of(tool.get("description")), fields_of(tool.get("input_schema")))


def _loaded(body: Fields) -> Iterator[str]:
    for item in items_of(body.get("messages")):
        for block in parts_of(fields_of(item).get("content")):
            for part in parts_of(block.get("content")) if block.get("type") == "tool_result" else ():
                if part.get("type") == "tool_reference":
                    yield text_of(part.get("tool_name"))


def _choice(choice: Fields) -> str:
    kind = text_of(choice.get("type"))
    return {"any": "required", "none": "none"}.get(kind, text_of(choice.get("name")) if kind == "tool" else "auto")


def _form(body: Fields) -> ResponseFormat | None:
    form = fields_of(fields_of(body.get("output_config")).get("format"))
    return ResponseFormat("json_schema", {"schema": form["schema"]}) if "schema" in form else None
