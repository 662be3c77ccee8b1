"""What a rule may know besides the request that it changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from stepfare.dialects.draft import Draft


@dataclass(frozen=True, slots=True)
class Limits:
    """One candidate and one session. `max_output_tokens` is the longest answer that the model gives, 0 where nobody knows;
    `cache_key` stands for the session where a provider wants to be told which requests belong together; empty for none."""

    max_output_tokens: int = 0
    cache_key: str = ""


NO_LIMITS = Limits()

Change: TypeAlias = Callable[[Draft, Limits], str | None]
"""Changes a request, and says in words what was changed: `temperature left out`. None, and not one other byte, where nothing was due.
May raise BadRequest for something too odd to be changed, which then stays."""
