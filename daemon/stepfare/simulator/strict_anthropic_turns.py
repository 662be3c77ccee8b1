"""What Anthropic asks of the order of turns: whose they are, that they say something, and that each call has its result at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

from stepfare.simulator.fields import Fields, fields_of, items_of, parts_of, text_of
from stepfare.simulator.refused import Refused
from stepfare.simulator.rules import Ask

CALL_ID = re.compile(r"\A[a-zA-Z0-9_-]+\Z")
Turn: TypeAlias = tuple[str, list[tuple[str, Fields]]]

SYSTEM_TURN_BETAS = ("per-turn-control", "mid-conversation")


def broken_roles(ask: Ask) -> Iterator[Refused]:
    messages = [fields_of(item) for item in items_of(ask.body.get("messages"))]
    if "messages" not in ask.body:
        yield Refused(400, "messages: Field required")
    if not messages:
        yield Refused(400, "messages: at least one message is required")
    system_turns = any(beta in ask.headers.get("anthropic-beta", "") for beta in SYSTEM_TURN_BETAS)
    for i, message in enumerate(messages):
        role = message.get("role")
        if role == "system" and system_turns:
            before = messages[i - 1].get("role") if i else None
            after = messages[i + 1].get("role") if i + 1 < len(messages) else "assistant"
            if before != "user" or after != "assistant":
                must = "must follow a user message and be last or followed by an assistant message"
                yield Refused(400, f"messages.{i}: a `system` message {must}")
        elif role not in ("user", "assistant"):
            yield Refused(400, f"messages.{i}.role: Input should be 'user' or 'assistant'")
    if messages and messages[0].get("role") == "assistant":
        yield Refused(400, 'messages: first message must use the "user" role')


def broken_texts(ask: Ask) -> Iterator[Refused]:
    messages = [fields_of(item) for item in items_of(ask.body.get("messages"))]
    for i, message in enumerate(messages):
        content = message.get("content")
        given = parts_of(content)
        if content is None or isinstance(content, bool | int | float | dict):
            yield Refused(400, f"messages.{i}.content: Input should be a valid list")
        last_said = i == len(messages) - 1 and message.get("role") == "assistant"
        if not content and not last_said:
            yield Refused(400, f"messages.{i}: all messages must have non-empty content except for the optional final assistant message")
        for block in given:
            for part in (block, *map(fields_of, items_of(block.get("content")))):
                yield from _text(part, "messages")
    for block in map(fields_of, items_of(ask.body.get("system"))):
        if block.get("type") != "text":
            yield Refused(400, "system.0.type: Input should be 'text'")
        yield from _text(block, "system")


def _text(block: Fields, where: str) -> Iterator[Refused]:
    if block.get("type") != "text":
        return
    if not isinstance(block.get("text"), str):
        yield Refused(400, f"{where}: text: Input should be a valid string")
    elif not text_of(block["text"]):
        yield Refused(400, f"{where}: text content blocks must be non-empty")
    elif not text_of(block["text"]).strip():
        yield Refused(400, f"{where}: text content blocks must contain non-whitespace text")


def broken_pairs(ask: Ask) -> Iterator[Refused]:
    seen: set[str] = set()
    turns = _turns(ask.body)
    asked: list[str] = []
    for number, (role, blocks) in enumerate(turns):
        calls = [(place, block) for place, block in blocks if block.get("type") == "tool_use"]
        for place, block in calls:
            call_id = text_of(block.get("id"))
            if not CALL_ID.match(call_id):
                yield Refused(400, f"{place}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
            if call_id in seen:
                yield Refused(400, "messages: `tool_use` ids must be unique")
            seen.add(call_id)
            if not isinstance(block.get("input"), dict):
                yield Refused(400, f"{place}.tool_use.input: Input should be a valid dictionary")
            if role != "assistant":
                yield Refused(400, f"{place}: `tool_use` blocks can only be in `assistant` messages")
        yield from _results(role, blocks, asked)
        asked = [text_of(block.get("id")) for _, block in calls if role == "assistant"]
        if calls and role == "assistant" and number + 1 < len(turns):
            yield from _unanswered(calls, turns[number + 1][1])
        elif calls and role == "assistant":
            yield from _unanswered(calls, [])


def _results(role: str, blocks: list[tuple[str, Fields]], asked: list[str]) -> Iterator[Refused]:
    answered: list[str] = []
    for place, block in blocks:
        if block.get("type") != "tool_result":
            continue
        call_id = text_of(block.get("tool_use_id"))
        if role != "user":
            yield Refused(400, f"{place}: `tool_result` blocks can only be in `user` messages")
        if call_id not in asked:
            must = "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            yield Refused(400, f"{place}: unexpected `tool_use_id` found in `tool_result` blocks: {call_id}. {must}")
        if call_id in answered:
            found = f"Found multiple `tool_result` blocks with id: {call_id}"
            yield Refused(400, f"{place}: each tool_use must have a single result. {found}")
        answered.append(call_id)


def _unanswered(calls: list[tuple[str, Fields]], after: list[tuple[str, Fields]]) -> Iterator[Refused]:
    """Results must open the next turn: what stands behind a text is not immediately after."""
    answered: set[str] = set()
    for _, block in after:
        if block.get("type") != "tool_result":
            break
        answered.add(text_of(block.get("tool_use_id")))
    missing = [text_of(block.get("id")) for _, block in calls if block.get("id") not in answered]
    if missing:
        where = calls[0][0].partition(".content")[0]
        found = f"`tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(missing)}."
        must = "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
        yield Refused(400, f"{where}: {found} {must}")


def _turns(body: Fields) -> list[Turn]:
    """Role and blocks with their places; consecutive messages of one role are one turn, and system turns are none."""
    turns: list[Turn] = []
    for i, item in enumerate(items_of(body.get("messages"))):
        message = fields_of(item)
        role = text_of(message.get("role"))
        if role == "system":
            continue
        blocks = [(f"messages.{i}.content.{j}", block) for j, block in enumerate(parts_of(message.get("content")))]
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        else:
            turns.append((role, blocks))
    return turns
