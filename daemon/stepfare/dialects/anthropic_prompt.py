"""Anthropic Messages, said and read as a prompt: the request half of a bridge.

What is read is the business of `anthropic_reading`; the messages that are written, of `anthropic_history`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile

from stepfare.core.prompt import (
    HOUR_S,
    CallPart,
    FilePart,
    ImagePart,
    Loss,
    Message,
    OtherPart,
    Part,
    Prompt,
    ResultPart,
    TextPart,
    ToolOffer,
)
from stepfare.core.request import Role
from stepfare.dialects.anthropic_history import Block, Marks, encoded, messages_for, text_of, unsaid
from stepfare.dialects.anthropic_messages import as_json
from stepfare.dialects.anthropic_reading import read_prompt
from stepfare.dialects.anthropic_schema import answer_schema, tool_schema
from stepfare.dialects.care import Care
from stepfare.dialects.draft import Draft
from stepfare.dialects.toolnames import FREE_TEXT_SCHEMA, flat_name

__all__ = ["losses", "read_prompt", "write_prompt"]

MARKS_MAX = 4
"""Cache marks that this API takes in one request."""
JSON_ONLY = "Answer with a single JSON object and nothing else."
"""What the model is told where any JSON will do: this API can hold an answer to a schema only."""

_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
_FORCED = ("any", "tool")
_TEMPERATURE_MAX = 1.0


def write_prompt(prompt: Prompt, care: Care) -> Draft:
    """The body for a candidate that speaks this format."""
    marks: Marks = []
    tools = _tools(prompt, marks)
    opening = tuple(takewhile(lambda message: message.role is Role.SYSTEM, prompt.messages))
    system = _system(opening, prompt, marks)
    messages = messages_for(prompt.messages[len(opening) :], marks)
    _mark(marks)
    choice = _choice(prompt, tools)
    thinking, config = _thinking(prompt, choice), _config(prompt)
    top_p = prompt.top_p if prompt.temperature is None else None  # Newer models take one of the two.
    temperature = None if prompt.temperature is None else min(prompt.temperature, _TEMPERATURE_MAX)
    if thinking.get("type") == "adaptive":
        temperature = top_p = None  # A model that thinks samples as it was made to.
    body: dict[str, object] = {
        "model": care.upstream,
        "max_tokens": max(1, min(prompt.max_output_tokens or care.max_output_tokens, care.max_output_tokens)),
        "system": system,
        "tools": tools,
        "messages": messages,
        "tool_choice": choice,
        "thinking": thinking,
        "output_config": config,
        "stop_sequences": [text for text in prompt.stop if text.strip()],
        "temperature": temperature,
        "top_p": top_p,
        "stream": True if prompt.stream else None,
    }
    draft = Draft()
    for key, value in body.items():
        if value not in (None, [], {}):
            draft.set(key, as_json(value).encode("utf-8", "replace"))
    return draft


def losses(prompt: Prompt) -> tuple[Loss, ...]:
    """What of this prompt cannot be said in this format."""
    found: dict[Loss, None] = {}
    for message in prompt.messages:
        for part in message.parts:
            for inner in (part, *(part.parts if isinstance(part, ResultPart) else ())):
                loss = _loss(inner, message.role)
                if loss is not None:
                    found[loss] = None
    if prompt.form is not None and prompt.form.schema is None:
        found[Loss("response_format", "a promise of JSON without a schema; it is told so in words")] = None
    if prompt.service:
        found[Loss("service_tier", f"the tier of service {prompt.service}")] = None
    if prompt.temperature is not None and prompt.top_p is not None:
        found[Loss("top_p", "top_p beside a temperature")] = None
    return tuple(found)


def _loss(part: Part, role: Role) -> Loss | None:
    if isinstance(part, OtherPart):
        return Loss(part.kind, f"a part of the kind {part.kind}", essential="audio" in part.kind or "video" in part.kind)
    if isinstance(part, ImagePart | FilePart) and role in (Role.ASSISTANT, Role.SYSTEM) and not (isinstance(part, FilePart) and part.text):
        return Loss("file", f"an image or a file in a message of the {role.value}")
    words = unsaid(part)
    return Loss(words.split()[1], words, essential=True) if words else None


def _system(opening: tuple[Message, ...], prompt: Prompt, marks: Marks) -> list[Block]:
    blocks: list[Block] = []
    for message in opening:
        for part in message.parts:
            text = text_of(part)
            if text.strip():
                blocks.append({"type": "text", "text": text})
                if isinstance(part, TextPart) and part.cache_s:
                    marks.append((blocks[-1], part.cache_s))
    if prompt.form is not None and prompt.form.schema is None:
        blocks.append({"type": "text", "text": JSON_ONLY})
    return blocks


def _tools(prompt: Prompt, marks: Marks) -> list[Block]:
    tools: dict[str, Block] = {}
    for offer in prompt.tools or _called(prompt):
        name = flat_name(offer.name, offer.namespace)
        if not name or name in tools:
            continue
        tool: Block = {"name": name}
        if offer.description:
            tool["description"] = offer.description
        tool["input_schema"] = encoded(dict(FREE_TEXT_SCHEMA) if offer.custom else tool_schema(offer.schema))
        if offer.strict and not offer.custom and offer.schema.get("additionalProperties") is False:
            tool["strict"] = True
        if offer.cache_s:
            marks.append((tool, offer.cache_s))
        tools[name] = tool
    return list(tools.values())


def _called(prompt: Prompt) -> tuple[ToolOffer, ...]:
    """The tools of the calls in a conversation that offers none any more: this API wants every tool named that was called."""
    calls = [part for message in prompt.messages for part in message.parts if isinstance(part, CallPart)]
    return tuple(ToolOffer(call.name, namespace=call.namespace) for call in calls)


def _choice(prompt: Prompt, tools: list[Block]) -> Block:
    if not tools:
        return {}
    if not prompt.tools:
        return {"type": "none"}
    kind, _, name = prompt.tool_choice.partition(":")
    choice: Block = {"type": _CHOICES.get(kind, "")} if kind != "tool" else {}
    named = next((offer for offer in prompt.tools if offer.name == name), None) if kind == "tool" else None
    if named is not None:
        choice = {"type": "tool", "name": flat_name(named.name, named.namespace)}
    if not choice.get("type"):
        choice = {}
    if prompt.parallel is False and choice.get("type") != "none":
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    return choice


def _thinking(prompt: Prompt, choice: Mapping[str, object]) -> Block:
    if prompt.effort == "none":
        return {"type": "disabled"}
    if prompt.effort not in _EFFORTS or choice.get("type") in _FORCED:  # It does not think where it must call.
        return {}
    return {"type": "adaptive", "display": "summarized" if prompt.show_thoughts else "omitted"}


def _config(prompt: Prompt) -> Block:
    config: Block = {}
    if prompt.effort in _EFFORTS:
        config["effort"] = _EFFORTS[prompt.effort]
    if prompt.form is not None and prompt.form.schema is not None:
        config["format"] = {"type": "json_schema", "schema": encoded(answer_schema(prompt.form.schema))}
    return config


def _mark(marks: Marks) -> None:
    """Of too many cache marks the first stays, which most conversations share, and the last, which read the longest prefix. Marks that
    live an hour must stand before those that live less."""
    kept = marks if len(marks) <= MARKS_MAX else [marks[0], *marks[-(MARKS_MAX - 1) :]]
    short = False
    for block, cache_s in kept:
        short = short or cache_s < HOUR_S
        block["cache_control"] = {"type": "ephemeral"} if short else {"type": "ephemeral", "ttl": "1h"}
