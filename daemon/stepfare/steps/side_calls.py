"""Calls beside an agent's loop: titles, commit messages, compaction, memory. Each is recognised by the very words that its client sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from stepfare.core.request import RequestView, Role, Text, Turn
from stepfare.steps.clients import openings

USER_CHARS_MAX = 16_384
TAIL_TURNS_MAX = 3
"""A client's own notes may follow its request for a summary."""


@dataclass(frozen=True, slots=True)
class SideMark:
    """`place` is system (near the beginning of a system text) or user (the texts of the last turn); with `opens` a text has to begin so.

    `toolless` marks count only where no tools are offered: their words could be a human's."""

    side: str
    place: str
    words: str
    opens: bool = False
    toolless: bool = False


MARKS: tuple[SideMark, ...] = (
    SideMark("title", "system", "You are a title generator"),  # opencode, kilo
    SideMark("title", "system", "You are naming a coding session"),  # Claude Code
    SideMark("title", "user", "please reply with a title for the chat that is 3-4 words in length", toolless=True),  # Continue
    SideMark("compaction", "system", "You are a context summarization agent"),  # opencode, kilo
    SideMark("compaction", "system", "You are the component that summarizes internal chat history"),  # qwen, gemini
    SideMark("compaction", "system", "*Briefly* summarize this partial conversation"),  # aider
    SideMark("compaction", "user", "*Briefly* summarize this partial conversation", opens=True, toolless=True),  # aider
    SideMark("compaction", "user", "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.", opens=True),  # Claude Code, tools and all
    SideMark(
        "compaction", "user", "Please provide a concise summary of our conversation so far, capturing the key context", opens=True
    ),  # Continue
    SideMark("compaction", "user", "You are performing a CONTEXT CHECKPOINT COMPACTION.", opens=True),  # Codex
    SideMark("compaction", "user", '<explicit_instructions type="summarize_task">'),  # classic Cline
    SideMark("memory", "system", "You are now acting as the managed memory extraction subagent"),  # qwen
    SideMark("web search", "system", "You run a web search for another Claude model"),  # Claude Code
    SideMark("commit message", "system", "generates concise, one-line Git commit messages"),  # aider
    SideMark("commit message", "system", "generates informative git commit messages", toolless=True),  # Cline in VS Code
)


def side_of(view: RequestView) -> str:
    """What side call this is (title, compaction, memory, web search, commit message, warm-up), or empty."""
    if not view.turns:
        return ""
    kind = _codex_kind(view.headers.get("x-codex-turn-metadata", ""))
    if kind in ("compaction", "prewarm"):
        return "compaction" if kind == "compaction" else "warm-up"
    systems = openings(view)
    said = _last_texts(view)
    for mark in MARKS:
        if mark.toolless and view.tools:
            continue
        if mark.place == "system":
            if any(mark.words in text for text in systems):
                return mark.side
        elif any(text.startswith(mark.words) if mark.opens else mark.words in text for text in said):
            return mark.side
    return ""


def _last_texts(view: RequestView) -> list[str]:
    """The texts of the last turn, where that is a user's; a client's notes behind it are passed over."""
    last = next((turn for turn in _tail(view) if turn.role is not Role.SYSTEM), None)
    if last is None or last.role is not Role.USER:
        return []
    return [block.text[:USER_CHARS_MAX].lstrip() for block in last.blocks if isinstance(block, Text)]


def _tail(view: RequestView) -> Iterator[Turn]:
    for place in range(len(view.turns) - 1, max(-1, len(view.turns) - 1 - TAIL_TURNS_MAX), -1):
        yield view.turns[place]


def _codex_kind(header: str) -> str:
    if not header:
        return ""
    try:
        said: object = json.loads(header)
    except (ValueError, RecursionError):
        return ""
    return str(cast("dict[str, Any]", said).get("request_kind", "")) if isinstance(said, dict) else ""
