"""Whether a cache that nobody uses is worth a ping: a call with the same prompt and next to no answer, by which it lives on.

A ping costs one reading of the cache, and saves writing it again if the session goes on before the cache dies anew. It is paid from what
the session has saved against always-balanced so far, and from nothing else: what is kept in vain takes back a part of a gain, and never
makes a session dearer than it would have been without us. When the calls are made, and with which bytes, is for `runtime.keeping`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stepfare.core.money import Rates, Usage
from stepfare.core.session import ENDS_A_TURN, LEFT_ALONE, Habits, Session, Warmth
from stepfare.core.step import StepKind, Tier
from stepfare.routing.prospects import prospects

EARLY_MS = 20_000
"""So long before the end of its life a cache is pinged: a call has to reach its provider first."""
LIFETIMES_MS = (60_000, 900_000)
"""Lifetimes that pings prolong. One that lives an hour was paid for the pauses that it is to outlive."""
PING_OUTPUT_TOKENS = 16
"""The shortest answer that every provider lets one ask for."""
CUSHION = 2
"""How many pings a session must have saved before it is given one."""
SHARE_MIN = 0.5
"""A cache of which less was found than expected is not known well enough."""
RETURNS: Mapping[bool, tuple[float, ...]] = {
    False: (0.95, 0.45, 0.27, 0.20, 0.12, 0.10, 0.05),
    True: (0.70, 0.25, 0.14, 0.08, 0.08, 0.04),
}
"""The chance that a session goes on within the next five minutes, by how many five minutes it has been quiet, in the middle of a turn and
after its end (True): recorded sessions of Claude Code, 1,368 pauses, sessions that never went on among them."""
RESUMED, RESUMED_BEFORE = 0.8, 6.0
"""The part of ended turns after which those sessions went on, and for how many ended turns of a project that figure counts: who leaves
agents alone with a task never comes back to them."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A model whose cache may be kept, as it was last asked in this session: its prices for a prompt of that length, what it writes new
    prompts at, and the tier that each kind of step needed."""

    model: str
    tier: Tier
    rates: Rates
    write: int
    floors: Mapping[StepKind, Tier]


@dataclass(frozen=True, slots=True)
class Ping:
    """A call that keeps a cache: the usage that is expected of it, and what that costs."""

    model: str
    usage: Usage
    pusd: int


def due_ms(warmth: Warmth) -> int:
    """When a ping would be due."""
    return warmth.until_ms - EARLY_MS


def ping(kept: Kept, session: Session, project: Habits, now_ms: int) -> Ping | None:
    """The ping that this cache is worth now, `project` being how the sessions of its project went; None where it is to die in peace."""
    warmth = session.warm.get(kept.model)
    if warmth is None or not LIFETIMES_MS[0] <= warmth.lifetime_ms <= LIFETIMES_MS[1] or warmth.share < SHARE_MIN:
        return None
    tokens = warmth.tokens_at(now_ms)
    usage = Usage(tokens, tokens, 0, PING_OUTPUT_TOKENS)
    cost = tokens * kept.rates.cache_read + PING_OUTPUT_TOKENS * kept.rates.output
    saved = tokens * max(0, kept.write - kept.rates.cache_read)
    if not tokens or session.parent or CUSHION * cost > session.saved_pusd:
        return None
    chance = _returns(session, project, warmth, now_ms) * _needed(kept, session, now_ms)
    return Ping(kept.model, usage, cost) if chance * saved > cost else None


def _returns(session: Session, project: Habits, warmth: Warmth, now_ms: int) -> float:
    """The chance that the session goes on while this cache would live on."""
    ended = session.habits.last_kind in ENDS_A_TURN
    chances = RETURNS[ended]
    lives = (now_ms - session.habits.last_ms + EARLY_MS) // warmth.lifetime_ms
    chance = chances[lives] if lives < len(chances) else 0.0
    if not ended:
        return chance
    if session.client in LEFT_ALONE:
        return 0.0
    known = project if project.turns_ended else session.habits
    resumed = (known.turns_resumed + RESUMED_BEFORE * RESUMED) / (known.turns_ended + RESUMED_BEFORE)
    return chance * min(1.0, resumed / RESUMED)


def _needed(kept: Kept, session: Session, now_ms: int) -> float:
    """The chance that steps to come need this model: the cheapest serves whatever comes, one above it what its floor is for."""
    if kept.tier <= min(kept.floors.values(), default=kept.tier):
        return 1.0
    kinds = [kind for kind, floor in kept.floors.items() if floor == kept.tier]
    return prospects(session.habits, now_ms).chance(kinds)
