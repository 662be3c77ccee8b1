"""By what a message holds its place in a conversation: its digest without what clients write into old messages anew at each step, and
nothing for what they set before, between or behind the conversation (system texts), since that changes as modes and clocks do.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import cast

import msgspec

from stepfare.dialects import splice
from stepfare.dialects.base import BadRequest
from stepfare.dialects.turns import DIGEST_BYTES

NOTHING = b""
"""The anchor of a message that does not count."""

_FIRST = re.compile(rb'\{\s*(?:"type"\s*:\s*"message"\s*,\s*)?"role"\s*:\s*"(?:system|developer)"')
_LAST = re.compile(rb'"role"\s*:\s*"(?:system|developer)"\s*\}\Z')
_LAST_BYTES = 64
_USER = re.compile(rb'"role"\s*:\s*"user"')
_INJECTED = (b"<system-reminder", b"<environment_details")
_ENVELOPE = re.compile(r"<(system-reminder|environment_details)\b[^>]{0,200}>.*?(?:</\1>|\Z)\s*", re.DOTALL)
_TEXTS = frozenset({"text", "input_text"})


def anchor_of(raw: bytes, digest: bytes) -> bytes:
    """16 bytes, or `NOTHING`. `digest` is the message's own, which is its anchor where nothing was injected into it."""
    if _FIRST.match(raw) is not None or _LAST.search(raw, max(0, len(raw) - _LAST_BYTES)) is not None:
        return NOTHING
    if not any(mark in raw for mark in _INJECTED) or _USER.search(raw) is None:
        return digest
    try:
        message = splice.loads(raw)
        return _without_envelopes(cast("dict[str, object]", message)) if isinstance(message, dict) else digest
    except (BadRequest, RecursionError, OverflowError, UnicodeEncodeError):
        return digest


def _without_envelopes(message: dict[str, object]) -> bytes:
    content = message.get("content")
    parts: list[object] = []
    for part in cast("list[object]", content) if isinstance(content, list) else [content]:
        text = _text_of(part)
        if text is None:
            parts.append(part)
        elif kept := _ENVELOPE.sub("", text).strip():
            parts.append(kept)
    if not parts:
        return NOTHING
    return sha256(b"user" + msgspec.json.encode(parts)).digest()[:DIGEST_BYTES]


def _text_of(part: object) -> str | None:
    if isinstance(part, str):
        return part
    fields = cast("dict[str, object]", part) if isinstance(part, dict) else {}
    text = fields.get("text")
    return text if fields.get("type") in _TEXTS and isinstance(text, str) else None
