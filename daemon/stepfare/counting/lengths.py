"""How many characters of an answer a token of a model is: what is known of all models, then learned from the usage that it reports.

With it, an answer that is broken off before its usage is reported is counted by its length.
"""

from __future__ import annotations

from stepfare.core.entry import Entry, Lost, Reserved, Settled, Voided

WEIGHT = 0.1
"""Of a new answer: a model's length follows some ten answers."""
TOKENS_MIN = 16
"""Shorter answers teach little: the marks around them weigh too much."""
CHARS_MIN, CHARS_MAX = 1.0, 12.0
"""No model's tokens are shorter or longer than this on text and code; what lies beyond is another thing counted."""


class Lengths:
    """A fold of journal entries; `apply` is its only way to change. `usual` are the characters of a token of any model."""

    def __init__(self, usual: float) -> None:
        self._usual = usual
        self._learned: dict[str, float] = {}
        self._open: dict[str, str] = {}

    def of(self, model: str) -> float:
        """Characters of a token of this model (its id)."""
        return self._learned.get(model, self._usual)

    def apply(self, entry: Entry) -> None:
        match entry:
            case Reserved():
                self._open[entry.attempt] = entry.model
            case Settled():
                model = self._open.pop(entry.attempt, "")
                tokens = entry.usage.output_tokens - entry.usage.reasoning_tokens
                if model and entry.measured and entry.heard_chars and tokens >= TOKENS_MIN:
                    self._learn(model, entry.heard_chars / tokens)
            case Voided() | Lost():
                self._open.pop(entry.attempt, None)
            case _:
                pass

    def _learn(self, model: str, seen: float) -> None:
        if not CHARS_MIN <= seen <= CHARS_MAX:
            return
        before = self._learned.get(model)
        # What was seen once is better than what is true of all.
        self._learned[model] = seen if before is None else before + WEIGHT * (seen - before)
