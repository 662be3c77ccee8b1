"""How long a model's tokens are, in an answer and in a request, and how many it thinks unseen: what is known of all models, then learned
from the usage that it reports.

With it, a call that is broken off before its usage is reported is counted by its length.
"""

from __future__ import annotations

from stepfare.core.entry import Entry, Lost, Reserved, Settled, Voided

WEIGHT = 0.1
"""Of a new answer: a model's length follows some ten answers."""
TOKENS_MIN = 16
"""Shorter answers teach little: the marks around them weigh too much."""
BYTES_LEARNED_MIN = 2_000
"""Shorter requests teach little either."""
CHARS_MIN, CHARS_MAX = 1.0, 12.0
"""No model's tokens are shorter or longer than this on text and code; what lies beyond is another thing counted."""


class Lengths:
    """A fold of journal entries; `apply` is its only way to change. `usual` are the characters of a token of any model."""

    def __init__(self, usual: float) -> None:
        self._usual = usual
        self._learned: dict[str, float] = {}
        self._unseen: dict[str, float] = {}
        self._bytes: dict[str, float] = {}
        self._open: dict[str, Reserved] = {}

    def of(self, model: str) -> float:
        """Characters of a token of this model (its id)."""
        return self._learned.get(model, self._usual)

    def unseen(self, model: str) -> int:
        """Tokens that this model thinks before an answer, of which nothing can be heard."""
        return round(self._unseen.get(model, 0.0))

    def bytes_of(self, model: str) -> float | None:
        """Bytes of a request's JSON for one token of its prompt; None where this model has counted none yet."""
        return self._bytes.get(model)

    def apply(self, entry: Entry) -> None:
        match entry:
            case Reserved():
                self._open[entry.attempt] = entry
            case Settled():
                reserved = self._open.pop(entry.attempt, None)
                if reserved is not None and entry.measured:
                    self._learn_all(reserved, entry)
            case Voided() | Lost():
                self._open.pop(entry.attempt, None)
            case _:
                pass

    def _learn_all(self, reserved: Reserved, entry: Settled) -> None:
        model, usage = reserved.model, entry.usage
        if reserved.body_bytes >= BYTES_LEARNED_MIN and usage.input_tokens:
            _learn(self._bytes, model, reserved.body_bytes / usage.input_tokens)
        if entry.heard_chars:
            before = self._unseen.get(model, entry.unseen_tokens)
            self._unseen[model] = before + WEIGHT * (entry.unseen_tokens - before)
            tokens = usage.output_tokens - usage.reasoning_tokens
            if tokens >= TOKENS_MIN:
                _learn(self._learned, model, entry.heard_chars / tokens)


def _learn(known: dict[str, float], model: str, seen: float) -> None:
    if not CHARS_MIN <= seen <= CHARS_MAX:
        return
    # What was seen once is better than what is true of all.
    before = known.get(model, seen)
    known[model] = before + WEIGHT * (seen - before)
