"""Tokens of a conversation, turn by turn: what was counted once is known by its digest, so that a step counts only what is new."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from stepfare.core.request import Image, RequestView, Text, ToolCall, ToolResult, Turn
from stepfare.core.tokens import BYTES_PER_NEW_TOKEN, BYTES_PER_TOKEN

Count = Callable[[str], int]
"""Tokens of a text."""

COUNTS_MAX = 100_000
"""Turns whose count is remembered; those longest unused go first. Some hundred sessions of four hundred turns."""
NEW_TURNS_MAX = 16
"""More turns than a step adds: such a conversation is new, and is not decoded to be estimated."""
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

    def tally(self, view: RequestView) -> tuple[int, int]:
        """Tokens of what is known of this request, and of the rest by its length."""
        known = self._known
        counts = list(map(known.get, view.digests))
        new = [place for place, count in enumerate(counts) if count is None] if None in counts else []
        if len(new) > NEW_TURNS_MAX:
            return 0, round(len(view.raw) / BYTES_PER_TOKEN)
        tokens = sum(filter(None, counts))
        pieces = [piece_of(view.digests[place], view.turns[place]) for place in new]
        new_chars, beside = sum(piece.chars for piece in pieces), sum(piece.beside for piece in pieces)
        for digest in _tools_digest(view):
            count = known.get(digest)
            if count is None:
                new_chars += len(_tools(view))
            else:
                tokens += count
        return tokens, beside + round(new_chars / BYTES_PER_NEW_TOKEN)

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
