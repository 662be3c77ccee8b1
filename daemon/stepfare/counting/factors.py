"""How many tokens a model makes of one o200k token: seeded by what is known of its family, then learned from the usage that it reports."""

from __future__ import annotations

import re
from functools import lru_cache

from stepfare.core.entry import Entry, Lost, Reserved, Settled, Voided

WEIGHT = 0.1
"""Of a new observation: a model's factor follows some ten steps."""
MODELS_MAX = 2_000
"""Whose seeds are remembered."""
COUNTED_TOKENS_MIN = 1_000
"""Shorter prompts teach little: what providers put around them weighs too much."""
FACTOR_MIN, FACTOR_MAX = 0.4, 4.0
"""No tokenizer is further from o200k than this on text or code; what lies beyond is another thing counted."""

_CLAUDE = re.compile(r"claude(?:-[a-z]+)?-(\d+)(?:[.-](\d{1,2})(?!\d))?")
_CLAUDE_NEW, _CLAUDE_OLD = 1.5, 1.18
"""Measured offline over code, prose, JSON and tool output: the tokenizer of Claude 4.7 and later makes 1.43 to 2.03 tokens of one, that
of earlier ones 1.11 to 1.54."""


@lru_cache(MODELS_MAX)
def seed(model: str) -> float:
    """What to believe of a model that has reported nothing yet; `model` is its id."""
    found = _CLAUDE.search(model)
    if found is None:
        return 1.0
    version = (int(found[1]), int(found[2] or 0))
    return _CLAUDE_NEW if version >= (4, 7) else _CLAUDE_OLD


class Factors:
    """A fold of journal entries; `apply` is its only way to change."""

    def __init__(self) -> None:
        self._learned: dict[str, float] = {}
        self._open: dict[str, Reserved] = {}

    def of(self, model: str) -> float:
        """Tokens of this model for one of o200k."""
        return self._learned.get(model) or seed(model)

    def apply(self, entry: Entry) -> None:
        match entry:
            case Reserved():
                self._open[entry.attempt] = entry
            case Settled():
                reserved = self._open.pop(entry.attempt, None)
                if reserved is not None and entry.measured and reserved.counted_tokens >= COUNTED_TOKENS_MIN:
                    self._learn(reserved.model, entry.usage.input_tokens / reserved.counted_tokens)
            case Voided() | Lost():
                self._open.pop(entry.attempt, None)
            case _:
                pass

    def _learn(self, model: str, seen: float) -> None:
        if not FACTOR_MIN <= seen <= FACTOR_MAX:
            return
        before = self._learned.get(model)
        # What was seen once is better than any seed.
        self._learned[model] = seen if before is None else before + WEIGHT * (seen - before)
