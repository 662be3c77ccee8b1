"""A JSON body in the making: top-level values are set and dropped, and every other byte stays as it was."""

from __future__ import annotations

from stepfare.dialects import splice
from stepfare.dialects.base import BadRequest

_EMPTY = splice.scan(b"{}")


class Draft:
    """A body and what is to change in it. Values are the bytes of JSON; they are joined once, by `body()`."""

    def __init__(self, base: splice.JsonObject = _EMPTY) -> None:
        self._base = base
        self._changes: dict[str, bytes | None] = {}

    def raw(self, key: str) -> bytes | None:
        """The bytes of that key's value as they stand now; None where it is missing."""
        return self._changes[key] if key in self._changes else self._base.raw(key)

    def get(self, key: str) -> object:
        """The value of that key, decoded; None where it is missing."""
        raw = self.raw(key)
        return None if raw is None else splice.loads(raw)

    def set(self, key: str, raw: bytes) -> None:
        self._changes[key] = raw

    def drop(self, key: str) -> None:
        if self.raw(key) is not None:
            self._changes[key] = None

    def keys(self) -> tuple[str, ...]:
        """The top-level keys as they stand now, in order."""
        standing = [span.key for span in self._base.spans if self._changes.get(span.key, b"") is not None]
        added = [key for key, raw in self._changes.items() if raw is not None and key not in standing]
        return tuple(dict.fromkeys((*standing, *added)))

    def body(self) -> bytes:
        return splice.replace(self._base, self._changes) if self._changes else self._base.body


def draft_of(body: bytes) -> Draft | None:
    """A draft of a whole body; None where it is no JSON object."""
    try:
        return Draft(splice.scan(body))
    except BadRequest:
        return None
