"""How long a prompt is, before any provider has counted it: in tokens of the o200k vocabulary, and in those of a model."""

from __future__ import annotations

from collections.abc import Mapping

from stepfare.core.session import Session

BYTES_PER_TOKEN = 4.0
"""Bytes of a JSON body per prompt token, for a conversation that nobody has counted yet."""
BYTES_PER_NEW_TOKEN = 3.6
"""Bytes per token of what agents append: tool output and code are denser than prose."""


def prompt_tokens(session: Session, body_bytes: int, counted_tokens: int = 0, factors: Mapping[str, float] | None = None) -> int:
    """Tokens of this prompt, in o200k. What the last model reported counts most, and then what was added since: as it was counted
    (`counted_tokens`, 0 where it was not), else by its length. `factors` are tokens of a model for one of o200k."""
    factor = (factors or {}).get(session.last_model, 1.0)
    grown_bytes = body_bytes - session.last_body_bytes
    if session.last_prompt_tokens and session.last_body_bytes and grown_bytes >= 0:
        known = session.last_prompt_tokens / factor
        if counted_tokens and session.last_counted_tokens:
            return round(known) + max(0, counted_tokens - session.last_counted_tokens)
        return round(known + grown_bytes / BYTES_PER_NEW_TOKEN)
    return counted_tokens or max(1, round(body_bytes / BYTES_PER_TOKEN))


def on_model(o200k_tokens: int, model: str, factors: Mapping[str, float]) -> int:
    """The same prompt in tokens of that model (its id)."""
    return round(o200k_tokens * factors.get(model, 1.0))
