"""A fast estimate of tokens where nobody has counted yet."""

from __future__ import annotations

from stepfare.core.session import Session

BYTES_PER_TOKEN = 4.0
"""Bytes of a JSON body per prompt token, for a conversation that no provider has counted yet."""
BYTES_PER_NEW_TOKEN = 3.6
"""Bytes per token of what agents append: tool output and code are denser than prose."""


def prompt_tokens(session: Session, body_bytes: int) -> int:
    """Tokens of this prompt: what the provider counted last time and what has been added since, else by length alone."""
    grown_bytes = body_bytes - session.last_body_bytes
    if session.last_prompt_tokens and session.last_body_bytes and grown_bytes >= 0:
        return session.last_prompt_tokens + round(grown_bytes / BYTES_PER_NEW_TOKEN)
    return max(1, round(body_bytes / BYTES_PER_TOKEN))
