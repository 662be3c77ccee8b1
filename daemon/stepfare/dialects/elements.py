"""Changes elements of JSON lists, and fields of the objects in them, while every byte that is not theirs stays as it was.

What is changed and why is the callers' business. Text is written in one way only, so that equal changes are equal bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

from stepfare.dialects import splice
from stepfare.dialects.base import BadRequest
from stepfare.dialects.draft import Draft
from stepfare.dialects.remembered import Remembered

Change = Callable[[bytes], Sequence[bytes] | None]
"""What stands in an element's place: None where it stays, nothing where it goes, several where it becomes several."""

REMEMBERED_BYTES_MAX = 4 * 1024 * 1024
"""Of elements whose changes are kept, for each rule: a few long conversations, or dozens of usual ones."""

_BETWEEN = re.compile(rb"[ \t\r\n,]*")


def named(*texts: str) -> frozenset[str]:
    """The words of these texts, as a set."""
    return frozenset(word for text in texts for word in text.split())


def dumped(value: object) -> bytes:
    """A value as compact JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def remembering(change: Change) -> Change:
    """The same change for elements that come again with every step: what was made of one is kept, so that a step costs what is new.
    Only for a change that depends on nothing but its element."""
    return Remembered(lambda item: _changed(item, change), REMEMBERED_BYTES_MAX).of


def edited(raw: bytes, change: Change) -> bytes | None:
    """The list with its elements changed; None where none was. An element too odd to be read stays. Raises BadRequest for no list."""
    return _joined(raw, _split(raw), change)


def edit(draft: Draft, key: str, change: Change, *marks: bytes) -> bool:
    """Change the elements of the list under that key, and say whether any was. Where none of the marks stands in its bytes, nothing
    is read."""
    raw = draft.raw(key)
    if raw is None or not raw.startswith(b"[") or (marks and not any(mark in raw for mark in marks)):
        return False
    new = _joined(raw, _SPLITS.of(raw), change)
    if new is not None:
        draft.set(key, new)
    return new is not None


def elements_of(draft: Draft, key: str) -> list[bytes]:
    """The elements of the list under that key; none where it is no list. Raises BadRequest."""
    raw = draft.raw(key)
    return _SPLITS.of(raw)[0] if raw is not None and is_list(raw) else []


def with_fields(raw: bytes, values: Mapping[str, bytes | None]) -> bytes | None:
    """The object with these fields, None among them left out; None where it has them so already. Raises BadRequest for no object."""
    return with_own_fields(splice.scan(raw), values)


def with_own_fields(obj: splice.JsonObject, values: Mapping[str, bytes | None]) -> bytes | None:
    """The same for an object that was scanned."""
    due = {key: value for key, value in values.items() if obj.raw(key) != value}
    return splice.replace(obj, due) if due else None


def text_of(obj: splice.JsonObject, key: str) -> str:
    """That field where it is a string, else nothing."""
    value = obj.get(key)
    return value if isinstance(value, str) else ""


def is_list(raw: bytes | None) -> bool:
    return raw is not None and raw.startswith(b"[")


def is_object(raw: bytes | None) -> bool:
    return raw is not None and raw.startswith(b"{")


def _joined(raw: bytes, split: tuple[list[bytes], list[bytes], int], change: Change) -> bytes | None:
    items, gaps, end = split
    made = [_changed(item, change) for item in items]
    if not any(new is not None for new in made):
        return None
    pieces: list[bytes] = []
    for item, gap, new in zip(items, gaps, made, strict=True):
        for place, piece in enumerate((item,) if new is None else new):
            pieces += (_separator(gap, first=not pieces, added=place > 0), piece)
    return b"".join((raw[: raw.index(b"[") + 1], *pieces, raw[end:]))


class _Splits:
    """The elements of the list that was looked at last, for several rules look at the same one."""

    def __init__(self) -> None:
        self._raw = b""
        self._split: tuple[list[bytes], list[bytes], int] = ([], [], 0)

    def of(self, raw: bytes) -> tuple[list[bytes], list[bytes], int]:
        """The elements, what stands before each of them, and where the last one ends."""
        if raw != self._raw:
            self._split = _split(raw)
            self._raw = raw
        return self._split


def _split(raw: bytes) -> tuple[list[bytes], list[bytes], int]:
    items = splice.items(raw)
    gaps: list[bytes] = []
    position = raw.index(b"[") + 1
    for item in items:
        between = _BETWEEN.match(raw, position)
        start = between.end() if between else position
        gaps.append(raw[position:start])
        position = start + len(item)
    return items, gaps, position


_SPLITS = _Splits()


def _changed(item: bytes, change: Change) -> Sequence[bytes] | None:
    try:
        new = change(item)
    except BadRequest:
        return None
    return None if new is not None and tuple(new) == (item,) else new


def _separator(space: bytes, *, first: bool, added: bool) -> bytes:
    if first:
        return space.replace(b",", b"")
    return space if b"," in space and not added else b","
