"""Little ladders and sessions whose cost can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence

from stepfare.config.profiles import PROFILES
from stepfare.core.model import CacheRule, Candidate, Model, PriceRow, Provider
from stepfare.core.money import LengthStep, Price, Rates
from stepfare.core.step import StepKind, Tier
from stepfare.replay.costs import Call, Rung, rung_of
from stepfare.replay.floors import edits_only
from stepfare.replay.price_sets import Ladder
from stepfare.replay.recording import RecordedStep, Recording

FLOORS = edits_only(PROFILES["balanced"])
CACHING = Provider("lab", "openai", "http://127.0.0.1:9/v1", cache=CacheRule())


def a_rung(
    tier: Tier, rates: Rates, *steps: LengthStep, window_tokens: int = 1_000_000, provider: Provider = CACHING, name: str = ""
) -> Rung:
    price = Price(rates, steps)
    name = name or tier.word
    model = Model(f"lab/{name}", provider.id, name, tier, window_tokens, 8_000, frozenset(), (PriceRow(price),))
    return rung_of(Candidate(model, provider, price))


# Input, read, write, write for an hour, output, in picodollars per token.
FRUGAL = a_rung(Tier.FRUGAL, Rates(10, 1, 12, 20, 50))
BALANCED = a_rung(Tier.BALANCED, Rates(100, 10, 120, 200, 500))
PREMIUM = a_rung(Tier.PREMIUM, Rates(200, 20, 240, 400, 1000))


def a_ladder(*rungs: Rung) -> Ladder:
    return {rung.tier: rung for rung in rungs or (FRUGAL, BALANCED, PREMIUM)}


def a_step(at_s: float, prompt_tokens: int, output_tokens: int = 10, kind: StepKind = StepKind.EXPLORE) -> RecordedStep:
    return RecordedStep(round(at_s * 1000), prompt_tokens, output_tokens, kind, edits=kind is StepKind.EDIT)


def an_edit(at_s: float, prompt_tokens: int, output_tokens: int = 10) -> RecordedStep:
    return a_step(at_s, prompt_tokens, output_tokens, StepKind.EDIT)


def a_session(*steps: RecordedStep, name: str = "s", agent: str = "claude-code", project: str = "p") -> Recording:
    return Recording(name, agent, project, tuple(steps))


def costs(calls: Sequence[Call]) -> list[tuple[str, int, int]]:
    """Who was called, what it read and what it cost."""
    return [(call.rung.tier.word, call.usage.cache_read_tokens, call.pusd) for call in calls]
