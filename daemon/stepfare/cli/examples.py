"""What the user's own steps looked like and turned out to be, from the ledger's file: examples to learn from. It only reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from stepfare.core.entry import Settled
from stepfare.core.step import StepKind
from stepfare.steps.learning import Row
from stepfare.steps.vector import FEATURE_NAMES, FEATURES_VERSION
from stepfare.store import queries
from stepfare.store.database import Database
from stepfare.store.queries import StepRow
from stepfare.store.readers import Readers

ESCALATED = "escalated"
"""How an attempt ended whose answer was for a better model to give: what it was about to do is known all the same."""


class _Features(msgspec.Struct):
    version: str
    values: list[float]


class _Record(msgspec.Struct):
    """As much of a decision's record as is learnt from; older records have no features, nor have those of steps that a rule told."""

    features: _Features | None = None


_decode = msgspec.json.Decoder(_Record).decode


async def examples(books: Database, progress: Callable[[int, int], None]) -> list[Row]:
    """Every step whose features were kept and whose turn is known, the oldest session first; `progress` is told how many sessions of how
    many have been read. Raises StoreError."""
    readers = Readers(books)
    try:
        found: list[Row] = []
        names = await readers.ask(queries.session_ids)
        for number, name in enumerate(names, 1):
            records = await readers.ask(lambda connection, name=name: queries.decisions(connection, name))
            steps = await readers.ask(lambda connection, name=name: queries.steps(connection, name))
            found += _of_session(name, steps, records)
            progress(number, len(names))
        return found
    finally:
        readers.close()


def _of_session(session: str, steps: Sequence[StepRow], records: Mapping[str, bytes]) -> Iterator[Row]:
    for step in steps:
        decision, kind = _outcome(step)
        features = _decode(records[decision]).features if decision in records else None
        # What was kept in the terms of another version says something else.
        if features is not None and features.version == FEATURES_VERSION and len(features.values) == len(FEATURE_NAMES):
            yield Row(tuple(features.values), StepKind(kind), session)


def _outcome(step: StepRow) -> tuple[str, str]:
    """The decision whose turn is known, and what that turned out to be: what the client was given counts before what was taken back."""
    known = [(row.reserved.decision, row.closing) for row in step.attempts if isinstance(row.closing, Settled)]
    told = [(decision, closing) for decision, closing in known if closing.committed or closing.outcome == ESCALATED]
    decision, closing = max(told, key=lambda one: one[1].committed, default=("", None))
    return decision, closing.kind if closing is not None else ""
