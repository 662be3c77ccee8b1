"""What caches hold of the prompt to come, and how long they should live: beliefs and habits of the session applied to one moment."""

from __future__ import annotations

from stepfare.core.model import Candidate
from stepfare.core.money import Rates
from stepfare.core.session import Session, Warmth
from stepfare.routing.snapshot import Snapshot

TOUCH_SHARE = 0.55
"""A warm cache that went unused for this part of its life is taken to die before its next use, unless this step uses it: in recorded
sessions of Claude Code such touches save 0.8 to 2.7 points. Any share between 0.5 and 0.7 does the same within 0.4; late ones leave the
dearest sessions dearer."""


def warm_tokens(session: Session, model: str, prompt_tokens: int, now_ms: int) -> int:
    """Tokens of this prompt that the model is believed to hold in its cache now."""
    warmth = session.warm.get(model)
    return min(warmth.tokens_at(now_ms), prompt_tokens) if warmth else 0


def held_tokens(snapshot: Snapshot, model: str, prompt_tokens: int, o200k_tokens: int) -> int:
    """The same for the step to come, which may show that the history was summed up: then only its beginning is held."""
    session = snapshot.session
    held = warm_tokens(session, model, prompt_tokens, snapshot.now_ms)
    if held and session.compacted(o200k_tokens, o200k_tokens):
        return min(held, session.habits.least_tokens)
    return held


def outlives(warmth: Warmth | None, now_ms: int) -> bool:
    """Whether a cache is fresh enough to be there at its next use without being used in this step."""
    return warmth is not None and warmth.unused_share(now_ms) <= TOUCH_SHARE


def lives_an_hour(candidate: Candidate, rates: Rates, snapshot: Snapshot) -> bool:
    """Whether this model's cache should be written for an hour: one that was keeps it; a new one where the provider sells it and what
    came back after pauses so far, in this session and its project, would have repaid the dearer writes of all that was new."""
    rule, warmth = candidate.provider.cache, snapshot.session.warm.get(candidate.model.id)
    if rule is None or not rule.hour:
        return False
    if warmth is not None and warmth.tokens_at(snapshot.now_ms):
        return warmth.hour
    known = (snapshot.session.habits, snapshot.project)
    returned, new = sum(one.returned_tokens for one in known), sum(one.new_tokens for one in known)
    return returned * (rates.cache_write - rates.cache_read) > new * (rates.cache_write_1h - rates.cache_write)
