"""The simulator's signatures: what a model thought comes back only with the seal that it left with, bound to model, account and prompt.

A seal needs no memory: all that it binds is written in it, under a hash that nobody forges by accident. It guards nothing else.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode

import msgspec

_KEY = b"stepfare simulator"
_MAC_BYTES = 16
_HEADS = {"encrypted": b"\x80\x00\x00\x00"}
"""Bytes with which a kind of seal opens, where real ones are known by them."""


class Seal(msgspec.Struct, frozen=True):
    """`kind` is thinking, redacted, encrypted or call; `text` the digest of what was thought, `prefix` that of the prompt before it,
    `before` the name of the seal before this one in the conversation, `name` its own."""

    kind: str
    model: str
    account: str
    name: str
    text: str = ""
    prefix: str = ""
    before: str = ""


def digest_of(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def sealed(seal: Seal) -> str:
    inner = msgspec.json.encode(seal)
    mac = hashlib.blake2b(inner, key=_KEY, digest_size=_MAC_BYTES).digest()
    return b64encode(_HEADS.get(seal.kind, b"") + mac + inner).decode()


def opened(text: str, kind: str) -> Seal | None:
    """The seal in this text; None where it is of another kind or not one of ours, whole and unchanged."""
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        return None
    data = data.removeprefix(_HEADS.get(kind, b""))
    mac, inner = data[:_MAC_BYTES], data[_MAC_BYTES:]
    if hashlib.blake2b(inner, key=_KEY, digest_size=_MAC_BYTES).digest() != mac:
        return None
    try:
        seal = msgspec.json.decode(inner, type=Seal)
    except msgspec.DecodeError:
        return None
    return seal if seal.kind == kind else None
