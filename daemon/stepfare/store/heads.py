"""Whether the journal still reaches what this machine saw of it last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stepfare.store import files, queries
from stepfare.store.database import Connection


def compare_heads(beside: Path, connection: Connection, clock_ms: Callable[[], int]) -> tuple[str, ...]:
    """Whether the journal still reaches the head that was written beside it. If not, the head is kept apart as evidence."""
    head = files.read_head(files.head_path(beside))
    if head is None:
        return ()
    flaw = queries.head_flaw(connection, head)
    if not flaw:
        return ()
    kept = files.lost_head_path(beside, clock_ms())
    files.head_path(beside).replace(kept)
    return (f"{flaw}. The books go on from where they end; {kept.name} keeps what is known of the rest, until you remove it.",)
