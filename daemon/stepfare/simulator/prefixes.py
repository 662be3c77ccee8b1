"""Prompts as chains of blocks: what each beginning of a prompt hashes to, how many tokens it has, and where a client marked it for caching.

Chains are made from the JSON as it came. Cache marks are no part of a block, and a bare string is the same as one part of text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from stepfare.simulator.fields import Fields, encoded, fields_of, items_of, parts_of, text_of, without
from stepfare.simulator.tokens import IMAGE_TOKENS, MESSAGE_TOKENS, tokens_of, tokens_of_bytes

DIGEST_BYTES = 16
MARK = "cache_control"
FIVE_MINUTES_S, HOUR_S = 300, 3600


@dataclass(frozen=True, slots=True)
class Prefix:
    """A prompt up to and including one block. `mark_s` is the lifetime that a cache mark at its end asks for, 0 without one."""

    digest: bytes
    tokens: int
    mark_s: int = 0


class Chain:
    """The prefixes of a prompt in the making."""

    def __init__(self) -> None:
        self.prefixes: list[Prefix] = []
        self._digest = b""
        self._tokens = 0

    def mix(self, data: bytes) -> None:
        """Something that all that follows depends on, though it is no block of its own."""
        self._digest = hashlib.blake2b(self._digest + data, digest_size=DIGEST_BYTES).digest()

    def add(self, data: bytes, tokens: int, mark_s: int = 0) -> None:
        self.mix(data)
        self._tokens += tokens
        self.prefixes.append(Prefix(self._digest, self._tokens, mark_s))

    def done(self) -> tuple[Prefix, ...]:
        """All prefixes; that of an empty prompt is one of its own."""
        return tuple(self.prefixes) or (Prefix(self._digest, self._tokens),)


def mark_of(block: Mapping[str, object]) -> int:
    """The lifetime in seconds that this block's cache mark asks for; 0 where it bears none."""
    mark = fields_of(block.get(MARK))
    if not mark:
        return 0
    return HOUR_S if mark.get("ttl") == "1h" else FIVE_MINUTES_S


def block_tokens(block: Mapping[str, object]) -> int:
    """The tokens of one part of a message, in whichever format."""
    kind = text_of(block.get("type"))
    if "image" in kind:
        return IMAGE_TOKENS
    if isinstance(block.get("text"), str):
        return tokens_of(text_of(block["text"]))
    if kind == "thinking":
        return tokens_of(text_of(block.get("thinking")))
    if kind in ("redacted_thinking", "reasoning"):
        return sum(tokens_of(text_of(fields_of(part).get("text"))) for part in items_of(block.get("summary")))
    if kind == "tool_result":
        return sum(block_tokens(part) for part in parts_of(block.get("content")))
    if kind == "tool_use":
        return tokens_of(text_of(block.get("name"))) + tokens_of_bytes(len(encoded(block.get("input"))))
    if kind == "refusal":
        return tokens_of(text_of(block.get("refusal")))
    return tokens_of_bytes(len(encoded(without(block, MARK))))


def chat_prefixes(body: Mapping[str, object]) -> tuple[Prefix, ...]:
    """A chat-completions prompt: its tools, then the parts of its messages."""
    chain = Chain()
    tools = [without(fields_of(tool), MARK) for tool in items_of(body.get("tools"))]
    if tools:
        data = encoded([tool.get("function", tool) for tool in tools])
        marks = [mark_of(fields_of(tool)) for tool in items_of(body.get("tools"))]
        chain.add(data, tokens_of_bytes(len(data)), marks[-1])
    for item in items_of(body.get("messages")):
        message = fields_of(item)
        opening = encoded([message.get("role"), message.get("name"), message.get("tool_call_id")])
        parts = parts_of(message.get("content"))
        tokens = MESSAGE_TOKENS + tokens_of(text_of(message.get("reasoning_content")))
        chain.mix(opening)
        rest = without(message, "role", "name", "tool_call_id", "content", MARK)
        for call in items_of(message.get("tool_calls")):
            function = fields_of(fields_of(call).get("function"))
            tokens += tokens_of(text_of(function.get("name"))) + tokens_of(text_of(function.get("arguments")))
        if rest:
            chain.mix(encoded(rest))
        if not parts:
            chain.add(b"", tokens, mark_of(message))
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            mark_s = mark_of(part) or (mark_of(message) if last else 0)
            chain.add(encoded(without(part, MARK)), block_tokens(part) + (0 if index else tokens), mark_s)
    return chain.done()


def anthropic_prefixes(body: Mapping[str, object]) -> tuple[Prefix, ...]:
    """A Messages prompt: each tool that is loaded from the start, each block of the system prompt, each block of each message."""
    chain = Chain()
    for item in items_of(body.get("tools")):
        tool = fields_of(item)
        if tool.get("defer_loading") is not True:
            data = encoded(without(tool, MARK))
            chain.add(data, tokens_of_bytes(len(data)), mark_of(tool))
    chain.mix(b"system")
    for block in parts_of(body.get("system")):
        chain.add(encoded(without(block, MARK)), block_tokens(block), mark_of(block))
    # What a change of makes all messages new, though neither tools nor system prompt.
    thinking = without(fields_of(body.get("thinking")), "display", "block_binding")
    chain.mix(encoded(["messages", without(fields_of(body.get("tool_choice")), "disable_parallel_tool_use"), thinking]))
    role: object = None
    for item in items_of(body.get("messages")):
        message = fields_of(item)
        opens = message.get("role") != role
        role = message.get("role")
        if opens:
            chain.mix(encoded(role))
        for index, block in enumerate(parts_of(message.get("content"))):
            chain.add(_bytes_of(block), block_tokens(block) + (0 if index else MESSAGE_TOKENS), mark_of(block))
    prefixes = chain.done()
    if isinstance(body.get(MARK), dict):  # A mark for the whole request stands at its end.
        last = prefixes[-1]
        prefixes = (*prefixes[:-1], Prefix(last.digest, last.tokens, mark_of(body)))
    return prefixes


def _bytes_of(block: Fields) -> bytes:
    bare = without(block, MARK)
    if bare.get("type") == "tool_result":
        bare["content"] = [without(part, MARK) for part in parts_of(bare.get("content"))]
    return encoded(bare)


def responses_prefixes(body: Mapping[str, object]) -> tuple[Prefix, ...]:
    """A Responses prompt: its tools, its instructions, its items. Ids of items are no part of what the model reads."""
    chain = Chain()
    tools = items_of(body.get("tools"))
    if tools:
        data = encoded(tools)
        chain.add(data, tokens_of_bytes(len(data)))
    if text_of(body.get("instructions")):
        chain.add(encoded(["developer", body["instructions"]]), MESSAGE_TOKENS + tokens_of(text_of(body["instructions"])))
    given = body.get("input")
    items: list[object] = [{"role": "user", "content": given}] if isinstance(given, str) else items_of(given)
    for item in map(fields_of, items):
        chain.add(*_item(item))
    return chain.done()


def _item(item: Fields) -> tuple[bytes, int]:
    kind = text_of(item.get("type")) or "message"
    bare = without(item, "id", "status", "type")
    if kind == "message":
        parts = parts_of(item.get("content"))
        texts = [without(part, "annotations", "logprobs", "type") for part in parts]
        return encoded([item.get("role"), texts]), MESSAGE_TOKENS + sum(block_tokens(part) for part in parts)
    if kind == "reasoning":
        return encoded([kind, bare.get("encrypted_content")]), MESSAGE_TOKENS + block_tokens(item)
    if kind.endswith("_call"):
        words = (item.get("name"), item.get("arguments"), item.get("input"))
        return encoded([kind, bare]), MESSAGE_TOKENS + sum(tokens_of(text_of(word)) for word in words)
    if kind.endswith("_output"):
        return encoded([kind, bare]), MESSAGE_TOKENS + sum(block_tokens(part) for part in parts_of(item.get("output")))
    data = encoded([kind, bare])
    return data, MESSAGE_TOKENS + tokens_of_bytes(len(data))
