"""Thinking blocks of Anthropic's: what they are bound to when they are made, and whether they still are when they come back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stepfare.simulator.fields import Fields, encoded, fields_of, items_of, parts_of, text_of, without
from stepfare.simulator.prefixes import MARK, Chain
from stepfare.simulator.refused import Refused
from stepfare.simulator.rules import Ask, named
from stepfare.simulator.seals import Seal, digest_of, opened, sealed

BOUND = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-fable-5-1", "claude-fable-5-2", "claude-mythos-5")
"""Models whose thinking is good only in the conversation that it was made in; that of the others only needs its signature."""


@dataclass(frozen=True, slots=True)
class Place:
    """A thinking block as it came back, with the digest of all that stands before it but other thinking."""

    where: str
    block: Fields
    prefix: str


def places(body: Mapping[str, object]) -> tuple[list[Place], str]:
    """All thinking blocks of a request, and the digest of the whole of it."""
    chain = Chain()
    for item in items_of(body.get("tools")):
        tool = fields_of(item)
        if tool.get("defer_loading") is not True:
            chain.add(encoded(without(tool, MARK)), 0)
    chain.add(b"system", 0)
    for block in parts_of(body.get("system")):
        chain.add(encoded(without(block, MARK)), 0)
    found: list[Place] = []
    role: object = None
    for i, item in enumerate(items_of(body.get("messages"))):
        message = fields_of(item)
        if message.get("role") != role:
            role = message.get("role")
            chain.add(encoded(role), 0)
        for j, block in enumerate(parts_of(message.get("content"))):
            if block.get("type") in ("thinking", "redacted_thinking"):
                found.append(Place(f"messages.{i}.content.{j}", block, chain.prefixes[-1].digest.hex()))
            else:
                chain.add(_bytes(block), 0)
    if role != "assistant":
        chain.add(encoded("assistant"), 0)  # The answer opens a turn of its own.
    return found, chain.prefixes[-1].digest.hex()


def _bytes(block: Fields) -> bytes:
    bare = without(block, MARK)
    if bare.get("type") == "tool_result":
        bare["content"] = [without(part, MARK) for part in parts_of(bare.get("content"))]
    return encoded(bare)


def seal_for(body: Mapping[str, object], model: str, account: str, name: str, text: str, *, redacted: bool) -> str:
    """The signature of a thinking block, or the data of a redacted one, that answers this request."""
    found, prefix = places(body)
    last = next((seal for place in reversed(found) if (seal := _seal(place.block)) is not None), None)
    kind = "redacted" if redacted else "thinking"
    return sealed(Seal(kind, model, account, name, digest_of(text), prefix, last.name if last else ""))


def broken(ask: Ask) -> Iterator[Refused]:
    """Blocks that were not made here, by this model, for this account; and for the newest models, in this conversation."""
    drops = fields_of(fields_of(ask.body.get("thinking")).get("block_binding")).get("prefix_mismatch_behavior") == "drop_block"
    before = ""
    for place in places(ask.body)[0]:
        kind = text_of(place.block.get("type"))
        seal = _seal(place.block)
        thought = text_of(place.block.get("thinking"))
        invalid = f"{place.where}: Invalid `{'signature' if kind == 'thinking' else 'data'}` in `{kind}` block"
        if seal is None or (seal.model, seal.account) != (ask.name, ask.account) or (thought and digest_of(thought) != seal.text):
            yield Refused(400, invalid)
            continue
        moved = seal.prefix != place.prefix or (before and seal.before and seal.before != before)
        if moved and named(ask.name, *BOUND) and not drops:
            why = "The block is bound to a different conversation."
            what = 'Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to "drop_block".'
            yield Refused(400, f"{invalid}. {why} {what}")
        before = seal.name


def _seal(block: Fields) -> Seal | None:
    if block.get("type") == "thinking":
        return opened(text_of(block.get("signature")), "thinking")
    return opened(text_of(block.get("data")), "redacted")
