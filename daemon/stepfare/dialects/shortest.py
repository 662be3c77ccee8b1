"""The same call with the shortest answer that may be asked for: it reads what its provider has cached of the prompt, and so keeps it.

Only fields behind the prompt change: whatever changes before it, the provider would find another prompt.
"""

from __future__ import annotations

from typing import NamedTuple

from stepfare.dialects import splice
from stepfare.dialects.anthropic_messages import NAME as ANTHROPIC
from stepfare.dialects.draft import Draft, draft_of
from stepfare.dialects.responses_request import NAME as RESPONSES

RESPONSES_OUTPUT_TOKENS_MIN = 16
"""Responses refuse to be asked for less."""


class Shortest(NamedTuple):
    """The body, and whether its answer streams: then it is to be broken off at its first report of usage."""

    body: bytes
    streams: bool


def shortest(dialect: str, body: bytes) -> Shortest | None:
    """None where the body cannot be read."""
    draft = draft_of(body)
    if draft is None:
        return None
    if dialect == ANTHROPIC and (budget := _thinking_budget(draft)):
        # To think less would be another prompt; this one is left when it has said what it read.
        draft.set("max_tokens", b"%d" % (budget + 1))
        draft.set("stream", b"true")
        return Shortest(draft.body(), streams=True)
    name, tokens = _limit(dialect, draft)
    draft.set(name, b"%d" % tokens)
    draft.set("stream", b"false")
    draft.drop("stream_options")
    return Shortest(draft.body(), streams=False)


def _limit(dialect: str, draft: Draft) -> tuple[str, int]:
    """The field that limits the answer, and the least that it may say."""
    if dialect == RESPONSES:
        return "max_output_tokens", RESPONSES_OUTPUT_TOKENS_MIN
    newer = "max_completion_tokens"
    return (newer if dialect != ANTHROPIC and draft.raw(newer) is not None else "max_tokens"), 1


def _thinking_budget(draft: Draft) -> int:
    """Tokens that the model is given to think; 0 where it has no budget of its own."""
    thinking = splice.object_of(draft.raw("thinking") or b"{}") or {}
    budget = thinking.get("budget_tokens")
    return budget if isinstance(budget, int) and thinking.get("type") == "enabled" else 0
