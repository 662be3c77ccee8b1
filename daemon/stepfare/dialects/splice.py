"""Changes single top-level values of a JSON object while every other byte stays as it was.

Prompt caches compare bytes, and clients send fields that we have never heard of: so nothing is parsed and written again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from stepfare.core.request import Span
from stepfare.dialects.base import BadRequest

_KEY = re.compile(rb'[ \t\r\n]*"((?:[^"\\]++|\\.)*+)"[ \t\r\n]*:[ \t\r\n]*')
_NEXT_KEY = re.compile(rb"[ \t\r\n]*," + _KEY.pattern)
_COMMA = re.compile(rb"[ \t\r\n]*,")
_CLOSE = re.compile(rb"[ \t\r\n]*\}[ \t\r\n]*\Z")
_OPEN = re.compile(rb"[ \t\r\n]*\{")
_SPACE = re.compile(r"[ \t\r\n]*")

_TOO_DEEP = "the JSON is nested too deeply to be read"

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class JsonObject:
    """The bytes of a JSON object with the places of its top-level values. Where a key stands twice, the last one counts."""

    body: bytes
    spans: tuple[Span, ...]

    def span(self, key: str) -> Span | None:
        """Where that key's value stands, or None."""
        for span in reversed(self.spans):
            if span.key == key:
                return span
        return None

    def raw(self, key: str) -> bytes | None:
        """The bytes of that key's value, or None."""
        span = self.span(key)
        return None if span is None else self.body[span.start : span.end]

    def get(self, key: str) -> object:
        """The value of that key, decoded; None where it is missing."""
        raw = self.raw(key)
        return None if raw is None else loads(raw)

    def decoded(self, *without: str) -> dict[str, object]:
        """All values but those, decoded, however many there are."""
        return {span.key: loads(self.body[span.start : span.end]) for span in self.spans if span.key not in without}


def loads(raw: bytes) -> object:
    """Decode JSON. What the fast decoder refuses and clients do send, half characters and broken UTF-8, is read as U+FFFD, so that
    every text can be encoded again. Raises BadRequest."""
    try:
        return msgspec.json.decode(raw)
    except RecursionError:
        raise BadRequest(_TOO_DEEP) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        value = json.loads(raw.decode("utf-8", "replace"), parse_constant=_refuse_constant)
        text = json.dumps(value, ensure_ascii=False)
        return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except RecursionError:
        raise BadRequest(_TOO_DEEP) from None
    except ValueError as error:
        raise BadRequest(f"not valid JSON: {error}") from None


def dumps(value: object) -> bytes:
    """Compact JSON, the same bytes for the same value whenever it is written; integers of any size."""
    try:
        return msgspec.json.encode(value)
    except OverflowError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def object_of(raw: bytes) -> dict[str, object] | None:
    """The fields of a JSON object; None where the bytes cannot be read or are something else."""
    try:
        value = loads(raw)
    except BadRequest:
        return None
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def scan(body: bytes) -> JsonObject:
    """Find the top-level values of a JSON object. What stands inside strings is not judged: broken UTF-8 goes through as it came.
    Raises BadRequest with words for a person."""
    try:
        fields = _decode_object(body)
    except RecursionError:
        raise BadRequest(_TOO_DEEP) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _scan_slowly(body)
    return _walk(body, fields) or _scan_slowly(body)


def items(raw: bytes | memoryview) -> list[bytes]:
    """The elements of a JSON array, as their own bytes. Raises BadRequest where it is no array."""
    try:
        return [bytes(item) for item in _decode_array(raw)]
    except RecursionError:
        raise BadRequest(_TOO_DEEP) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _items_slowly(bytes(raw))


def with_items(array: bytes, elements: Sequence[bytes], changed: Mapping[int, bytes]) -> bytes:
    """The JSON array with some of its elements, by their place, replaced; what stands between them stays. `elements` are its `items`."""
    pieces: list[bytes | memoryview] = []
    view = memoryview(array)
    copied, position = 0, 1
    for place, element in enumerate(elements):
        # Only space and a comma stand before it, so the first match is the element itself.
        start = array.index(element, position)
        position = start + len(element)
        if place in changed:
            pieces += (view[copied:start], changed[place])
            copied = position
    return b"".join((*pieces, view[copied:]))


def replace(obj: JsonObject, values: Mapping[str, bytes | None]) -> bytes:
    """The body with these top-level values; keys that it lacks are added at its end, those whose value is None are left out."""
    if any(value is None for value in values.values()):
        return _without(obj, values)
    body = memoryview(obj.body)  # Slices of a view copy nothing; the join copies once.
    pieces: list[bytes | memoryview] = []
    position = 0
    seen: set[str] = set()
    for span in obj.spans:
        value = values.get(span.key)
        if value is not None:
            pieces += (body[position : span.start], value)
            position = span.end
            seen.add(span.key)
    close = obj.body.rindex(b"}")
    added = [json.dumps(key).encode() + b":" + value for key, value in values.items() if key not in seen and value is not None]
    pieces.append(body[position:close])
    if added:
        pieces.append((b"," if obj.spans else b"") + b",".join(added))
    pieces.append(body[close:])
    return b"".join(pieces)


def _without(obj: JsonObject, values: Mapping[str, bytes | None]) -> bytes:
    """The same where keys are left out: the commas are set anew, what stands between them stays."""
    body = memoryview(obj.body)
    pieces: list[bytes | memoryview] = []
    # Each key with the space before it begins where the value before it ended, after the comma.
    start = obj.body.index(b"{") + 1
    for span in obj.spans:
        if values.get(span.key, b"") is not None:
            value = values.get(span.key)
            pieces += (b"," if pieces else b"", body[start : span.start], body[span.start : span.end] if value is None else value)
        comma = _COMMA.match(obj.body, span.end)
        start = comma.end() if comma else span.end
    kept = {span.key for span in obj.spans}
    for key, value in values.items():
        if value is not None and key not in kept:
            pieces += (b"," if pieces else b"", json.dumps(key).encode(), b":", value)
    return b"".join((b"{", *pieces, b"}"))


def _walk(body: bytes, fields: Mapping[str, msgspec.Raw]) -> JsonObject | None:
    """Places of the values, known from their lengths; None where a key stands twice, so that lengths mislead."""
    opened = _OPEN.match(body)
    if opened is None:
        return None
    position = opened.end()
    spans: list[Span] = []
    for key, raw in fields.items():
        name = (_NEXT_KEY if spans else _KEY).match(body, position)
        if name is None or (name[1] != key.encode("utf-8", "replace") and json.loads(b'"' + name[1] + b'"') != key):
            return None
        value, start = memoryview(raw), name.end()
        # Lengths of another value of the same key would lead astray: what stands here must be what was decoded.
        if not body.startswith(value, start):
            return None
        position = start + len(value)
        spans.append(Span(key, start, position))
    return JsonObject(body, tuple(spans)) if _CLOSE.match(body, position) else None


def _scan_slowly(body: bytes) -> JsonObject:
    """The same by the standard library, which accepts what the fast decoder refuses and says where a mistake is."""
    text = body.decode("utf-8", "surrogateescape")
    if text.startswith("\ufeff"):
        raise BadRequest("the body begins with a byte order mark; send plain UTF-8")
    spans: list[tuple[str, int, int]] = []
    try:
        position = _after(text, 0, "{")
        while not text.startswith("}", position := _skip(text, position)):
            if spans:
                position = _after(text, position, ",")
            key, position = _SLOW.raw_decode(text, _skip(text, position))
            if not isinstance(key, str):
                raise BadRequest(f"the body is not valid JSON: a key was expected before character {position}")
            start = _skip(text, _after(text, position, ":"))
            _, position = _SLOW.raw_decode(text, start)
            spans.append((key, start, position))
        _nothing_after(text, position + 1)
    except RecursionError:
        raise BadRequest(_TOO_DEEP) from None
    except ValueError as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from None
    return JsonObject(body, tuple(_in_bytes(text, spans)))


def _items_slowly(raw: bytes) -> list[bytes]:
    text = raw.decode("utf-8", "surrogateescape")
    found: list[bytes] = []
    try:
        position = _after(text, 0, "[")
        while not text.startswith("]", position := _skip(text, position)):
            if found:
                position = _after(text, position, ",")
            start = _skip(text, position)
            _, position = _SLOW.raw_decode(text, start)
            found.append(_bytes(text[start:position]))
        _nothing_after(text, position + 1)
    except RecursionError:
        raise BadRequest(_TOO_DEEP) from None
    except ValueError as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from None
    return found


def _in_bytes(text: str, spans: list[tuple[str, int, int]]) -> list[Span]:
    byte, at = 0, 0
    places: list[Span] = []
    for key, start, end in spans:
        first = byte + len(_bytes(text[at:start]))
        byte = first + len(_bytes(text[start:end]))
        at = end
        places.append(Span(key, first, byte))
    return places


def _bytes(text: str) -> bytes:
    """The very bytes that this text was decoded from."""
    return text.encode("utf-8", "surrogateescape")


def _skip(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space else position


def _after(text: str, position: int, sign: str) -> int:
    position = _skip(text, position)
    if not text.startswith(sign, position):
        found = repr(text[position]) if position < len(text) else "the end"
        wanted = {"{": "a JSON object", "[": "a JSON list"}.get(sign, "valid JSON")
        raise BadRequest(f"the body is not {wanted}: {sign!r} was expected at character {position}, found {found}")
    return position + 1


def _nothing_after(text: str, position: int) -> None:
    if _skip(text, position) != len(text):
        raise BadRequest(f"the body is not valid JSON: something follows its end at character {position}")


def _refuse_constant(word: str) -> object:
    raise BadRequest(f"{word} is not JSON")


_SLOW = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=len)
"""Used for places only; numbers, which may have more digits than Python converts, are not looked at."""
