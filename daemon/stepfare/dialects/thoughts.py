"""Thoughts on their way through a client whose format has a place for another maker's: sealed into the field that the client brings
back untouched, and opened again.

The seal carries who made the thought, so that it needs no memory of ours and outlives a restart. It is no secret and protects nothing:
a client that forges one fools only its own provider. What it holds is one JSON object, or it is none: bytes that end the place where
they are put could name another model than the one that is paid.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha256
from typing import cast

import msgspec

from stepfare.core.prompt import Thought

PREFIX = "stepfare.1."
DIGEST_BYTES = 16


class _Sealed(msgspec.Struct):
    maker: str
    dialect: str
    raw: str


def digest_of(secret: str) -> str:
    """What stands for a signature, an encrypted content or a text in the books."""
    return sha256(secret.encode("utf-8", "replace")).digest()[:DIGEST_BYTES].hex()


def sealed(thought: Thought, maker: str) -> str:
    """The text that carries a thought of that model (its id) through a client of another format."""
    inner = _Sealed(maker, thought.dialect, b64encode(thought.raw).decode())
    return PREFIX + b64encode(msgspec.json.encode(inner)).decode()


def unsealed(text: str) -> tuple[str, Thought] | None:
    """The maker and the thought that this text carries; None where it is no seal of ours."""
    if not text.startswith(PREFIX):
        return None
    try:
        inner = msgspec.json.decode(b64decode(text[len(PREFIX) :], validate=True), type=_Sealed)
        raw = b64decode(inner.raw, validate=True)
        return (inner.maker, Thought(inner.dialect, raw, digest_of(text))) if _is_object(raw) else None
    except (ValueError, msgspec.DecodeError, RecursionError):
        return None


def _is_object(raw: bytes) -> bool:
    return isinstance(msgspec.json.decode(raw), dict)


def opened(thought: Thought) -> tuple[str, Thought] | None:
    """The same for a thought as a client's dialect read it: what it carries, where its signature or encrypted content is our seal."""
    try:
        fields = msgspec.json.decode(thought.raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    for key in SEALED_FIELDS:
        value = cast("dict[str, object]", fields).get(key)
        if isinstance(value, str) and value.startswith(PREFIX):
            return unsealed(value)
    return None


SEALED_FIELDS = ("signature", "encrypted_content", "data")
"""Where a format keeps what it brings back untouched: Anthropic's thinking blocks, Responses' reasoning items, redacted thinking."""
