"""Tokens of a conversation, turn by turn: what was counted once is known by its digest, so that a step counts only what is new."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from stepfare.core.request import Image, RequestView, Text, ToolCall, ToolResult, Turn

Count = Callable[[str], int]
"""Tokens of a text."""

COUNTS_MAX = 100_000
"""Turns whose count is remembered; those longest unused go first. Some hundred sessions of four hundred turns."""
TURN_TOKENS = 4
"""What providers wrap around each message."""
IMAGE_TOKENS = 1_000
"""An image of a screen; providers count between 250 and 1,600."""
DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Piece:
    """What is to be counted under one digest: its texts, and the tokens that are no text."""

    digest: bytes
    texts: tuple[str, ...]
    beside: int

    @property
    def chars(self) -> int:
        return sum(map(len, self.texts))


class Counts:
    """Tokens by digest."""

    def __init__(self, counts_max: int = COUNTS_MAX) -> None:
        self._known: OrderedDict[bytes, int] = OrderedDict()
        self._counts_max = counts_max

    def of(self, view: RequestView) -> int:
        """Tokens of all that is known of this request."""
        known = self._known
        return sum(known.get(digest, 0) for digest in (*view.digests, *_tools_digest(view)))

    def missing(self, view: RequestView) -> Sequence[Piece]:
        """What of this request was never counted."""
        known = self._known
        pieces = [piece_of(digest, view.turns[place]) for place, digest in enumerate(view.digests) if digest not in known]
        tools = [Piece(digest, (_tools(view).decode("utf-8", "replace"),), 0) for digest in _tools_digest(view) if digest not in known]
        return [*pieces, *tools]

    def add(self, pieces: Sequence[Piece], count: Count) -> None:
        """Count these. May be called in a thread of its own."""
        for piece in pieces:
            self._known[piece.digest] = piece.beside + sum(count(text) for text in piece.texts if text)
        while len(self._known) > self._counts_max:
            self._known.popitem(last=False)


def piece_of(digest: bytes, turn: Turn) -> Piece:
    texts: list[str] = []
    beside = TURN_TOKENS
    for block in turn.blocks:
        match block:
            case Text() | ToolResult():
                texts.append(block.text)
            case ToolCall():
                texts += (block.name, block.arguments)
            case Image():
                beside += IMAGE_TOKENS
            case _:
                pass  # Thoughts and the like are counted by who made them.
    return Piece(digest, tuple(texts), beside)


def _tools(view: RequestView) -> bytes:
    span = next((span for span in view.spans if span.key == "tools"), None)
    return view.raw[span.start : span.end] if span else b""


def _tools_digest(view: RequestView) -> tuple[bytes, ...]:
    tools = _tools(view)
    return (sha256(tools).digest()[:DIGEST_BYTES],) if tools else ()
