"""OpenAI Responses, a prompt written as a request: the provider's half of a bridge. What stands in a prompt of this format's own
clients is read by `responses_prompt`.

An item is written from its message, and from what calls stand open before it: so a conversation's prefix keeps its bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from hashlib import sha256

import msgspec

from stepfare.core.prompt import (
    CallPart,
    FilePart,
    ImagePart,
    Loss,
    Message,
    OutputForm,
    Part,
    Prompt,
    ResultPart,
    TextPart,
    ThoughtPart,
    ToolOffer,
)
from stepfare.core.request import Role
from stepfare.dialects.call_ids import SIXTY_FOUR, fitted
from stepfare.dialects.care import Care
from stepfare.dialects.draft import Draft
from stepfare.dialects.toolnames import FREE_TEXT_SCHEMA, NAME_CHARS_MAX, as_arguments, flat_name

OUTPUT_TOKENS_MIN = 16
"""The API refuses a lower limit."""
CACHE_KEY_CHARS_MAX = 64
NOT_KEPT = "(What this call gave back was not kept.)"
"""The API refuses a conversation with a call that has no output."""

_encode = msgspec.json.Encoder().encode


def write_prompt(prompt: Prompt, care: Care) -> Draft:
    """The prompt as a request that keeps nothing with the provider. Names of tools are those of `toolnames`."""
    draft = Draft()

    def put(key: str, value: object) -> None:
        draft.set(key, _encode(value))

    put("model", care.upstream)
    put("stream", prompt.stream)
    put("store", False)
    if prompt.effort != "none":
        # What the model thinks comes back with its next step, and nobody but us could bring it.
        put("include", ["reasoning.encrypted_content"])
    reasoning = {"effort": prompt.effort} if prompt.effort else {}
    if prompt.show_thoughts and prompt.effort != "none":
        reasoning["summary"] = "auto"
    for key, value in (
        ("reasoning", reasoning),
        ("text", {"format": _format(prompt.form)} if prompt.form else None),
        ("prompt_cache_key", _short(prompt.cache_key)),
        ("service_tier", prompt.service),
    ):
        if value:
            put(key, value)
    if prompt.max_output_tokens is not None:
        put("max_output_tokens", max(OUTPUT_TOKENS_MIN, min(prompt.max_output_tokens, care.max_output_tokens or prompt.max_output_tokens)))
    for key, number in (("temperature", prompt.temperature), ("top_p", prompt.top_p)):
        if number is not None:
            put(key, number)
    if prompt.tools:
        put("tools", [_tool(tool) for tool in prompt.tools])
        if prompt.tool_choice:
            put("tool_choice", _choice(prompt))
        if prompt.parallel is not None:
            put("parallel_tool_calls", prompt.parallel)
    draft.set("input", b"[" + b",".join(items_for(prompt.messages)) + b"]")
    return draft


def losses(prompt: Prompt) -> tuple[Loss, ...]:
    """What this format has no words for."""
    found = [Loss("stop", "the stop sequences, which end an answer early")] if prompt.stop else []
    answers = (part for message in prompt.messages if message.role is Role.ASSISTANT for part in message.parts)
    if any(isinstance(part, ImagePart | FilePart) for part in answers):
        found.append(Loss("assistant image", "what the assistant showed: an image or a file in its own words"))
    return tuple(found)


def items_for(messages: Sequence[Message]) -> list[bytes]:
    """The input items of these messages, each as its bytes."""
    writing = _Writing()
    for message in messages:
        writing.message(message)
    writing.close_calls()
    return writing.items


class _Writing:
    """Items in order, and the calls that wait for their outputs."""

    def __init__(self) -> None:
        self.items: list[bytes] = []
        self._open: dict[str, deque[str]] = {}
        """By the id that the conversation gives a call, the ids that it was written with."""

    def message(self, message: Message) -> None:
        match message.role:
            case Role.ASSISTANT:
                self.close_calls()
                self._answer(message.parts)
            case Role.TOOL:
                for part in message.parts:
                    if isinstance(part, ResultPart):
                        self._result(part)
            case Role.SYSTEM | Role.USER:
                content = _contents(message.parts)
                if content:
                    role = "developer" if message.role is Role.SYSTEM else "user"
                    self._add({"type": "message", "role": role, "content": content})

    def close_calls(self) -> None:
        """Calls whose output never came, before the conversation goes on."""
        for waiting in self._open.values():
            for call_id in waiting:
                self._add({"type": "function_call_output", "call_id": call_id, "output": NOT_KEPT})
        self._open.clear()

    def _answer(self, parts: Sequence[Part]) -> None:
        # A thought that nothing follows is refused; it has served.
        last = max((place for place, part in enumerate(parts) if _speaks(part)), default=-1)
        said: list[object] = []
        for part in parts[: last + 1]:
            if isinstance(part, TextPart):
                if part.text:
                    said.append({"type": "output_text", "text": part.text, "annotations": []})
                continue
            self._say(said)
            if isinstance(part, CallPart):
                self._call(part)
            elif isinstance(part, ThoughtPart) and part.thought.dialect == "responses":
                self.items.append(part.thought.raw)
        self._say(said)

    def _say(self, said: list[object]) -> None:
        if said:
            self._add({"type": "message", "role": "assistant", "content": said})
            said.clear()

    def _call(self, call: CallPart) -> None:
        waiting = self._open.setdefault(call.id, deque())
        # Some models give every call of a turn the same id, or none.
        call_id = fitted(f"{call.id}#{len(waiting)}" if waiting else call.id, SIXTY_FOUR)
        waiting.append(call_id)
        arguments = as_arguments(call.arguments) if call.custom else call.arguments or "{}"
        name = flat_name(call.name, call.namespace)
        self._add({"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments})

    def _result(self, result: ResultPart) -> None:
        waiting = self._open.get(result.id)
        if waiting:
            output = _output(result)
            self._add({"type": "function_call_output", "call_id": waiting.popleft(), "output": output})
            return
        # The API refuses an output without its call; what it says still counts.
        head: list[object] = [{"type": "input_text", "text": "What a tool gave back:"}]
        self._add({"type": "message", "role": "user", "content": head + _contents(result.parts)})

    def _add(self, item: dict[str, object]) -> None:
        self.items.append(_encode(item))


def _speaks(part: Part) -> bool:
    return isinstance(part, CallPart) or (isinstance(part, TextPart) and bool(part.text))


def _output(result: ResultPart) -> object:
    """A text where there is nothing but text, which every provider of this format takes."""
    if all(isinstance(part, TextPart) for part in result.parts):
        text = "\n".join(part.text for part in result.parts if isinstance(part, TextPart))
        return f"Error: {text}" if result.failed and "error" not in text.lower() else text
    return _contents(result.parts)


def _contents(parts: Sequence[Part]) -> list[object]:
    return [content for part in parts if (content := _content(part)) is not None]


def _content(part: Part) -> dict[str, str] | None:
    """A part of a message or of an output; None for what neither can hold."""
    match part:
        case TextPart(text) if text:
            return {"type": "input_text", "text": text}
        case ImagePart():
            return {
                "type": "input_image",
                "image_url": part.url or _data_url(part.media_type or "image/png", part.data),
                "detail": part.detail or "auto",
            }
        case FilePart(text=text) if text:
            return {"type": "input_text", "text": f"{part.name}:\n{text}" if part.name else text}
        case FilePart(url=url) if url:
            return {"type": "input_file", "file_url": url}
        case FilePart():
            media_type = part.media_type or "application/pdf"
            name = part.name or f"file.{media_type.rpartition('/')[2]}"
            return {"type": "input_file", "filename": name, "file_data": _data_url(media_type, part.data)}
        case _:
            return None


def _data_url(media_type: str, data: str) -> str:
    return f"data:{media_type};base64,{data}"


def _tool(tool: ToolOffer) -> dict[str, object]:
    schema: dict[str, object] = {"type": "object", "properties": {}, **tool.schema}
    return {
        "type": "function",
        "name": flat_name(tool.name, tool.namespace),
        **({"description": tool.description} if tool.description else {}),
        "parameters": FREE_TEXT_SCHEMA if tool.custom else schema,
        # Left out, it would mean that the API tries to be strict, and changes schemas to that end.
        "strict": tool.strict is True,
    }


def _choice(prompt: Prompt) -> object:
    word, _, name = prompt.tool_choice.partition(":")
    if word != "tool":
        return word
    namespace = next((tool.namespace for tool in prompt.tools if tool.name == name), "")
    return {"type": "function", "name": flat_name(name, namespace)}


def _format(form: OutputForm) -> dict[str, object]:
    if form.schema is None:
        return {"type": "json_object"}
    name = flat_name(form.name)[:NAME_CHARS_MAX] or "answer"
    strict = {} if form.strict is None else {"strict": form.strict}
    return {"type": "json_schema", "name": name, "schema": dict(form.schema), **strict}


def _short(key: str) -> str:
    return key if len(key) <= CACHE_KEY_CHARS_MAX else sha256(key.encode("utf-8", "replace")).hexdigest()
