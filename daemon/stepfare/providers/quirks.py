"""Quirks of providers that change no request: what a provider does of itself, by the names that rows of the catalogue use.

Those that do change a request are rules of the wire formats (`dialects.rules`).
"""

from __future__ import annotations

from collections.abc import Mapping

BILLED_COST = "billed-cost"
CLAUDE_CACHE_MARKS = "claude-cache-marks"
COUNTS_TOKENS = "counts-tokens"

QUIRKS: Mapping[str, str] = {
    BILLED_COST: "says in each answer what it billed, which is what is booked",
    CLAUDE_CACHE_MARKS: "caches of Claude's prompts only what is marked",
    COUNTS_TOKENS: "counts a prompt's tokens where it is asked to",
}
"""In words that complete the sentence "this provider ..."."""
