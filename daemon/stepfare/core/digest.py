"""Digests by which a conversation is recognised again without keeping its words."""

from __future__ import annotations

from hashlib import blake2b

DIGEST_BYTES = 16


def reply_digest(text: str) -> str:
    """Of an answer's text, in hex; empty for none. White space at the ends is left out: clients trim what they repeat."""
    stripped = text.strip()
    return blake2b(stripped.encode("utf-8", "replace"), digest_size=DIGEST_BYTES).hexdigest() if stripped else ""
