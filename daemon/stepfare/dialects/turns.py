"""A conversation whose turns are decoded when they are first looked at, and the digests by which it is recognised again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import cast, overload

from stepfare.core.request import Turn
from stepfare.dialects import splice

DIGEST_BYTES = 16


class LazyTurns(Sequence[Turn]):
    """Looks like a tuple of turns; each is decoded once, on demand, so that a long conversation costs what is looked at."""

    __slots__ = ("_raws", "_read", "_seen")

    def __init__(self, raws: Sequence[bytes], read: Callable[[bytes], Turn]) -> None:
        self._raws = raws
        self._read = read
        self._seen: dict[int, Turn] = {}

    def __len__(self) -> int:
        return len(self._raws)

    @overload
    def __getitem__(self, index: int) -> Turn: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Turn]: ...
    def __getitem__(self, index: int | slice) -> Turn | Sequence[Turn]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self._raws)))]
        place = range(len(self._raws))[index]
        turn = self._seen.get(place)
        if turn is None:
            turn = self._seen[place] = self._read(self._raws[place])
        return turn


def digest(raw: bytes) -> bytes:
    """16 bytes that are equal for messages that differ only in cache marks, or in a text as a string or as one block."""
    if b'"cache_control"' in raw or b'"content":[{' in raw or b'"content": [{' in raw:
        raw = _normalised(raw)
    return blake2b(raw, digest_size=DIGEST_BYTES).digest()


def body_digest(body: bytes) -> bytes:
    """16 bytes that are equal for equal bodies: a client's retry repeats its body to the byte."""
    return blake2b(body, digest_size=DIGEST_BYTES).digest()


def _normalised(raw: bytes) -> bytes:
    message = splice.loads(raw)
    if not isinstance(message, dict):
        return raw
    plain = cast("dict[str, object]", _without_marks(cast(object, message)))
    content = plain.get("content")
    if isinstance(content, list) and len(cast("list[object]", content)) == 1:
        block = cast("list[object]", content)[0]
        if isinstance(block, dict) and cast("dict[str, object]", block).get("type") == "text":
            plain["content"] = cast("dict[str, object]", block).get("text")
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=True).encode()


def _without_marks(value: object) -> object:
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return {key: _without_marks(inner) for key, inner in items if key != "cache_control"}
    if isinstance(value, list):
        return [_without_marks(inner) for inner in cast("list[object]", value)]
    return value
