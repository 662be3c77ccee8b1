"""An entry as canonical JSON bytes, and back: what the hash chain is made over and what an export repeats.

The form: UTF-8 without spaces; `v` and `phase` first, then every field of the entry in the order of its name; integers exact.
Fields that a newer version added are left out on reading; a newer `v` means that they may not be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

import msgspec

from stepfare.core.entry import Entry, Extended, Lost, Opened, Reserved, Settled, Voided
from stepfare.ledger.journal import PHASE_OF, Phase

VERSION = 1


class Unreadable(Exception):
    """Bytes that are no entry, or one of a newer version. The message says which, for a person."""


class _Header(msgspec.Struct):
    v: int
    phase: str


_ENCODER = msgspec.json.Encoder(order="sorted")
_HEADER = msgspec.json.Decoder(_Header)
_PREFIX: Mapping[type[Entry], bytes] = {kind: f'{{"v":{VERSION},"phase":"{phase}",'.encode() for kind, phase in PHASE_OF.items()}
_DECODERS: Mapping[str, msgspec.json.Decoder[Entry]] = {
    Phase.OPENED: msgspec.json.Decoder(Opened),
    Phase.RESERVED: msgspec.json.Decoder(Reserved),
    Phase.SETTLED: msgspec.json.Decoder(Settled),
    Phase.VOIDED: msgspec.json.Decoder(Voided),
    Phase.LOST: msgspec.json.Decoder(Lost),
    Phase.EXTENDED: msgspec.json.Decoder(Extended),
}


def encode(entry: Entry) -> bytes:
    """The canonical bytes. Half a character (a lone surrogate, as from a cut emoji) has none: pass the entry through `whole` first."""
    return _PREFIX[type(entry)] + _ENCODER.encode(entry)[1:]


def whole(entry: Entry) -> Entry:
    """The same entry with every half character replaced by U+FFFD; the entry itself where there is none."""
    try:
        _ENCODER.encode(entry)
    except UnicodeEncodeError:
        texts = {field.name: getattr(entry, field.name) for field in fields(entry)}
        return replace(entry, **{name: _whole_text(text) for name, text in texts.items() if isinstance(text, str)})
    return entry


def decode(data: bytes) -> Entry:
    """The entry of these bytes; raises Unreadable."""
    try:
        header = _HEADER.decode(data)
        if header.v > VERSION or header.phase not in _DECODERS:
            raise Unreadable(f"an entry of version {header.v}, phase {header.phase!r}: written by a newer stepfare; update to read it")
        return _DECODERS[header.phase].decode(data)
    except (msgspec.DecodeError, AssertionError, UnicodeDecodeError) as error:
        raise Unreadable(f"not an entry of the journal: {error}") from error


def _whole_text(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
