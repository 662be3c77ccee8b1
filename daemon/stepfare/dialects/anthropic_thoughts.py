"""Thinking blocks in the messages of an Anthropic request: whose they are, and the list without those of another model.

Where a message needs no change it keeps its bytes; what was found in a message is remembered, so that a long session costs what is new.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from stepfare.core.prompt import Thought
from stepfare.core.request import Span
from stepfare.dialects import splice
from stepfare.dialects.base import BadRequest
from stepfare.dialects.care import Care
from stepfare.dialects.remembered import Remembered
from stepfare.dialects.thoughts import digest_of, unsealed

DIALECT = "anthropic"
KINDS = ("thinking", "redacted_thinking")
SILENCE = b'{"role":"assistant","content":[{"type":"text","text":"(no answer)"}]}'
"""What an answer was of which only another model's thoughts are left, where a message must stand: this API takes a system text in the
middle of a conversation between a user and an answer only."""

_MARK = re.compile(rb'"type"[ \t\r\n]*:[ \t\r\n]*"(?:redacted_)?thinking"')
_CALL = re.compile(rb'"type"[ \t\r\n]*:[ \t\r\n]*"tool_use"')
_RESULT = re.compile(rb'"type"[ \t\r\n]*:[ \t\r\n]*"tool_result"')
_BETWEEN = re.compile(rb"[ \t\r\n]*,?[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class _Piece:
    """One block of a message: its bytes, and the thought that it is, where it is one. `maker` is who a seal of ours names."""

    raw: bytes
    thought: Thought | None = None
    maker: str = ""


@dataclass(frozen=True, slots=True)
class _Thoughtful:
    """A message that holds thoughts, in pieces: what stands before its content, the blocks, what stands behind."""

    head: bytes
    pieces: tuple[_Piece, ...]
    tail: bytes


def has_thoughts(raw: bytes) -> bool:
    """Whether thinking blocks stand in these bytes; in a string the quotes of the mark would be escaped."""
    return b'thinking"' in raw and _MARK.search(raw) is not None


def thought_of(raw: bytes) -> Thought | None:
    """The thought that this block is, or None. Its digest is that of what the client brings back untouched."""
    if not has_thoughts(raw):
        return None
    fields = splice.object_of(raw)
    return None if fields is None else thought_in(fields, raw)


def thought_in(fields: dict[str, object], raw: bytes) -> Thought | None:
    """The same for a block that is decoded already."""
    if fields.get("type") not in KINDS:
        return None
    text = fields.get("thinking")
    words = text if isinstance(text, str) else ""
    return Thought(DIALECT, raw, digest_of(_secret(fields) or words), words)


def with_own(body: bytes, place: Span, raws: Sequence[bytes], care: Care) -> bytes | None:
    """The list of messages for this candidate: thoughts of other models left out, its own byte for byte, those that we sealed opened.
    An assistant's message that is left empty goes, unless a system text needs it behind itself. None where nothing changes."""
    if not has_thoughts(body):
        return None
    changed = False
    pieces: list[bytes] = [b"["]
    position = place.start + 1
    before = b""
    for raw in raws:
        between = _BETWEEN.match(body, position)
        start = between.end() if between else position
        said = _for(raw, care)
        changed = changed or said is not raw
        if not said and _role(before) == "system":
            said = SILENCE
        if said:
            gap = body[position:start]
            pieces += (gap if len(pieces) > 1 else gap.replace(b",", b""), said)
            before = said
        position = start + len(raw)
    pieces.append(body[position : place.end])
    return b"".join(pieces) if changed else None


def calls_unthought(messages: bytes) -> bool:
    """Whether the turn that this list of messages leaves open called tools and kept nothing of what was thought before: models that
    think within a budget do not go on with such a turn while they are to think."""
    try:
        items = splice.items(messages)
    except BadRequest:
        return False
    called = answered = False
    for raw in reversed(items):
        if _role(raw) == "assistant":
            if has_thoughts(raw):
                return False
            called = called or _CALL.search(raw) is not None
        elif _RESULT.search(raw) is not None:
            answered = True
        elif _role(raw) != "system":
            break  # Here the user spoke: an earlier turn.
    return called and answered


def _for(raw: bytes, care: Care) -> bytes:
    """This message for that candidate: the same object where nothing changes, empty where nothing is left."""
    message = _THOUGHTFUL.of(raw) if has_thoughts(raw) else None
    if message is None:
        return raw
    kept: list[bytes] = []
    changed = False
    for piece in message.pieces:
        said = _piece_for(piece, care)
        changed = changed or said is not piece.raw
        if said:
            kept.append(said)
    if not changed:
        return raw
    return b"".join((message.head, b"[", b",".join(kept), b"]", message.tail)) if kept else b""


def _piece_for(piece: _Piece, care: Care) -> bytes:
    thought = piece.thought
    if thought is None:
        return piece.raw
    if piece.maker:
        return thought.raw if piece.maker == care.model and thought.dialect == DIALECT else b""
    return piece.raw if care.maker_of(thought.digest) == care.model else b""


def _read(raw: bytes) -> _Thoughtful | None:
    try:
        content = splice.scan(raw).span("content")
        if content is None or not raw.startswith(b"[", content.start):
            return None
        pieces = tuple(_piece(block) for block in splice.items(raw[content.start : content.end]))
    except BadRequest:
        return None
    if not any(piece.thought for piece in pieces):
        return None
    return _Thoughtful(raw[: content.start], pieces, raw[content.end :])


def _piece(block: bytes) -> _Piece:
    thought = thought_of(block)
    if thought is None:
        return _Piece(block)
    fields = splice.loads(block)
    sealed = unsealed(_secret(cast("dict[str, object]", fields)))
    return _Piece(block, thought) if sealed is None else _Piece(block, sealed[1], sealed[0])


def _role(raw: bytes) -> str:
    try:
        return str(splice.scan(raw).get("role")) if raw else ""
    except BadRequest:
        return ""


def _secret(fields: dict[str, object]) -> str:
    secret = fields.get("signature") or fields.get("data")
    return secret if isinstance(secret, str) else ""


_THOUGHTFUL = Remembered(_read)
