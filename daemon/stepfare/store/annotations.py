"""What people say of sessions, on disk beside the journal: a table that only grows. What it means is `sessions.shown`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stepfare.core.annotation import Annotation, Merged, Pinned, Renamed, Split
from stepfare.sessions.shown import Shown
from stepfare.store.database import Connection
from stepfare.store.errors import StoreError

_KINDS: Mapping[str, type[Annotation]] = {"renamed": Renamed, "merged": Merged, "split": Split, "pinned": Pinned}
_NAMES: Mapping[type[Annotation], str] = {kind: name for name, kind in _KINDS.items()}


def add(connection: Connection, annotation: Annotation) -> list[Annotation]:
    """Put one more at the end, and say all that stands there then. Raises sessions.shown.Refused where it makes no sense behind what was
    said before, by whomever; and StoreError as `all_of` does."""
    said = all_of(connection)
    Shown.of_all(said).apply(annotation)
    body = msgspec.json.encode({"kind": _NAMES[type(annotation)], **msgspec.to_builtins(annotation)}).decode()
    connection.execute(
        "INSERT INTO annotations (row, at_ms, body) SELECT coalesce(max(row), 0) + 1, ?, ? FROM annotations", (annotation.at_ms, body)
    )
    return [*said, annotation]


def all_of(connection: Connection) -> list[Annotation]:
    """All of them in the order in which they were made. Raises StoreError for one that a newer stepfare wrote."""
    return [_read(body) for (body,) in connection.execute("SELECT body FROM annotations ORDER BY row")]


def _read(body: str) -> Annotation:
    try:
        fields = msgspec.json.decode(body, type=dict[str, object])
        return msgspec.convert(fields, _KINDS[str(fields.get("kind"))])
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError) as error:
        raise StoreError(f"what was said of a session cannot be read ({error}): a newer stepfare may have written it.") from error
