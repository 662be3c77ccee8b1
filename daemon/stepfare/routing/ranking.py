"""Which candidate first: what the step is expected to cost on each, counted with what its cache is believed to hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stepfare.core.decision import CostLine, Floor, Ranked
from stepfare.core.model import Candidate
from stepfare.core.session import Session
from stepfare.core.tokens import on_model
from stepfare.routing.snapshot import Snapshot


def ranked(candidates: Iterable[Candidate], floor: Floor, snapshot: Snapshot, prompt_tokens: int, output_tokens: int) -> tuple[Ranked, ...]:
    """Cheapest first; `prompt_tokens` are o200k tokens.

    Ties stay with the model that serves already, then follow the user's order, then the lower tier, then the name."""
    order = {model: place for place, model in enumerate(snapshot.policy.tiers.get(floor.tier, ()))}
    rows = [_expected(candidate, snapshot, prompt_tokens, output_tokens) for candidate in candidates]

    def key(row: Ranked) -> tuple[bool, int, bool, int, int, str]:
        model = row.candidate.model
        stays = model.id == snapshot.session.last_model
        # An unpriced model may cost anything: it comes after all whose cost is known.
        return (row.expected_pusd is None, row.expected_pusd or 0, not stays, order.get(model.id, len(order)), model.tier, model.id)

    return tuple(sorted(rows, key=key))


def warm_tokens(session: Session, model: str, prompt_tokens: int, now_ms: int) -> int:
    """Tokens of this prompt that the model is believed to hold in its cache now."""
    warmth = session.warm.get(model)
    return min(warmth.tokens_at(now_ms), prompt_tokens) if warmth else 0


def _expected(candidate: Candidate, snapshot: Snapshot, prompt_tokens: int, output_tokens: int) -> Ranked:
    prompt_tokens = on_model(prompt_tokens, candidate.model.id, snapshot.factors)
    if candidate.price is None:
        return Ranked(candidate, None, (), prompt_tokens)
    lines = _arithmetic(candidate, snapshot, prompt_tokens, output_tokens)
    return Ranked(candidate, sum(line.pusd for line in lines), tuple(lines), prompt_tokens)


def _arithmetic(candidate: Candidate, snapshot: Snapshot, prompt_tokens: int, output_tokens: int) -> Sequence[CostLine]:
    assert candidate.price is not None
    rates = candidate.price.rates_for(prompt_tokens)
    warm = warm_tokens(snapshot.session, candidate.model.id, prompt_tokens, snapshot.now_ms)
    cache = candidate.provider.cache
    # What is not warm is written where the provider caches prompts of this length, and read as fresh input where it does not.
    writes = cache is not None and prompt_tokens >= cache.min_tokens
    cold = "to be written into its cache" if writes else "not cached"
    cold_rate = rates.cache_write if writes else rates.input
    parts = (
        ("warm in its cache", warm, rates.cache_read),
        (cold, prompt_tokens - warm, cold_rate),
        ("expected output", output_tokens, rates.output),
    )
    return [CostLine(what, tokens, rate, tokens * rate) for what, tokens, rate in parts if tokens]
