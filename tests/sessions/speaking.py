"""Conversations in the three formats, as clients without headers of their own write them: what they move, invent and drop included."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Message = dict[str, Any]

THOUGHTS = "thoughts"
"""A key of an assistant's message: whether the client brings back what the model thought. It does where nothing is said."""


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str = "", *call_ids: str) -> Message:
    calls = [{"id": call_id, "type": "function", "function": {"name": "read", "arguments": "{}"}} for call_id in call_ids]
    return {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}


def tool(call_id: str, text: str = "output") -> Message:
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def pieces_of(text: str) -> list[str]:
    """Some models comment on what they do before they answer: a block or an item each. Here a bar stands between them."""
    return [piece for piece in text.split("|") if piece]


def body_of(dialect: str, messages: Sequence[Message], **fields: object) -> bytes:
    """A request of these messages, which are written as chat completions have them."""
    if dialect == "openai":
        plain = [{key: value for key, value in message.items() if key != THOUGHTS} for message in messages]
        return json.dumps({"model": "auto", "messages": plain, **fields}).encode()
    if dialect == "responses":
        items = [item for place, message in enumerate(messages) for item in _items(place, message)]
        return json.dumps({"model": "auto", "input": items, **fields}).encode()
    systems = [{"type": "text", "text": message["content"]} for message in messages if message["role"] == "system"]
    rest = [message for message in messages if message["role"] != "system"]
    last = len(rest) - 1
    turns = [_turn(message, marked=place == last) for place, message in enumerate(rest)]
    return json.dumps(
        {"model": "auto", "max_tokens": 999, **({"system": systems} if systems else {}), "messages": turns, **fields}
    ).encode()


def _turn(message: Message, *, marked: bool) -> Message:
    """A message of Anthropic's. The cache mark stands on the last one, and a text that loses it is a plain string again."""
    role, text = message["role"], message["content"]
    if role == "tool":
        blocks: list[Message] = [{"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": text}]
    else:
        blocks = [{"type": "text", "text": part} for part in (pieces_of(text) if role == "assistant" else [text]) if part]
    if role == "assistant":
        if message.get(THOUGHTS, True):
            blocks.insert(0, {"type": "thinking", "thinking": "", "signature": f"EqQB{len(text)}"})
        blocks += [
            {"type": "tool_use", "id": call["id"], "name": "read", "input": {"path": "a.py"}} for call in message.get("tool_calls", [])
        ]
    if marked and blocks:
        blocks[-1]["cache_control"] = {"type": "ephemeral"}
    plain = role == "user" and not marked
    return {"role": "assistant" if role == "assistant" else "user", "content": text if plain else blocks}


def _items(place: int, message: Message) -> Iterator[Mapping[str, object]]:
    """The items of an input. Ids and states of messages are the client's own inventions."""
    role, text = message["role"], message["content"]
    if role == "tool":
        yield {"type": "function_call_output", "call_id": message["tool_call_id"], "output": text}
        return
    if role == "assistant":
        if message.get(THOUGHTS, True):
            yield {"type": "reasoning", "id": f"rs_{len(text)}", "summary": [], "encrypted_content": f"gAAA{len(text)}"}
        for number, part in enumerate(pieces_of(text)):
            content = [{"type": "output_text", "text": part, "annotations": []}]
            yield {"type": "message", "id": f"msg_{place}_{number}", "role": "assistant", "status": "completed", "content": content}
        for call in message.get("tool_calls", []):
            yield {"type": "function_call", "id": f"fc_{place}", "call_id": call["id"], "name": "read", "arguments": "{}"}
        return
    yield {"role": "developer" if role == "system" else role, "content": [{"type": "input_text", "text": text}]}
