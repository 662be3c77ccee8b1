"""Which candidate first: what the step is expected to cost on each, counted with what caches are believed to hold and with the chance
that the gate asks somebody else after all.

Decides live and in replay alike: whatever it knows of the world stands in the snapshot. Who can serve at all is for `filters`, which kinds
of action need which tier for `policy`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stepfare.core.decision import CostLine, Ranked
from stepfare.core.model import Candidate
from stepfare.core.money import Rates
from stepfare.core.session import Session
from stepfare.core.step import StepKind, Tier
from stepfare.core.tokens import on_model
from stepfare.routing.snapshot import Snapshot

PROBE_OUTPUT_TOKENS = 80
"""What an answer has written when its first action is known and turns out to need more: it is cancelled there."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the coming turn may turn out to be, and what each kind of it needs."""

    probabilities: Mapping[StepKind, float]
    floors: Mapping[StepKind, Tier]
    """The tier that each kind of action needs; a kind that is not named needs none."""
    gated: bool = False
    """Whether an answer of a lower tier is held until its action is known. Where it is not, whoever is first also answers."""


def planned(able: Sequence[Candidate], outlook: Outlook, snapshot: Snapshot, prompt_tokens: int) -> tuple[Ranked, ...]:
    """The candidates with what starting on each is expected to cost, cheapest first; `prompt_tokens` are o200k tokens.

    Ties stay with the model that serves already, then follow the user's order, then the lower tier, then the name."""
    likely = {kind: chance for kind, chance in outlook.probabilities.items() if chance > 0}
    calls = [_call(candidate, likely, snapshot, prompt_tokens) for candidate in able]
    rows = [_expected(call, calls, likely, outlook) for call in calls]
    lowest = min(outlook.floors.values(), default=Tier.FRUGAL)
    order = {model: place for place, model in enumerate(snapshot.policy.tiers.get(lowest, ()))}

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


@dataclass(frozen=True, slots=True)
class _Call:
    """The call that asks one candidate: its prompt in its own tokens, and what that costs (no rates: unpriced)."""

    candidate: Candidate
    prompt_tokens: int
    rates: Rates | None
    prompt: tuple[CostLine, ...] = ()
    outputs: Mapping[StepKind, int] | None = None
    prompt_pusd: int = 0

    def pusd(self, kind: StepKind) -> int:
        """What it costs if it answers with an action of that kind."""
        assert self.rates is not None, self
        assert self.outputs is not None, self
        return self.prompt_pusd + self.outputs[kind] * self.rates.output


def _call(candidate: Candidate, likely: Mapping[StepKind, float], snapshot: Snapshot, o200k_tokens: int) -> _Call:
    model = candidate.model.id
    prompt_tokens = on_model(o200k_tokens, model, snapshot.factors)
    if candidate.price is None:
        return _Call(candidate, prompt_tokens, None)
    rates = candidate.price.rates_for(prompt_tokens)
    warm = warm_tokens(snapshot.session, model, prompt_tokens, snapshot.now_ms)
    cache = candidate.provider.cache
    # What is not warm is written where the provider caches prompts of this length, and read as fresh input where it does not.
    writes = cache is not None and prompt_tokens >= cache.min_tokens
    cold_words, cold_rate = ("to be written into its cache", rates.cache_write) if writes else ("not cached", rates.input)
    lines = (_line("warm in its cache", warm, rates.cache_read), _line(cold_words, prompt_tokens - warm, cold_rate))
    outputs = {kind: snapshot.expected_output(model, kind) for kind in likely}
    return _Call(candidate, prompt_tokens, rates, lines, outputs, sum(line.pusd for line in lines))


def _expected(call: _Call, calls: Sequence[_Call], likely: Mapping[StepKind, float], outlook: Outlook) -> Ranked:
    if call.rates is None or call.outputs is None:
        return Ranked(call.candidate, None, (), call.prompt_tokens)
    tier = call.candidate.model.tier
    written = 0.0
    upward: dict[str, tuple[float, float]] = {}
    for kind, chance in likely.items():
        needed = outlook.floors.get(kind, tier)
        above = _cheapest(calls, needed, kind) if outlook.gated and needed > tier else None
        written += chance * (call.outputs[kind] if above is None else min(call.outputs[kind], PROBE_OUTPUT_TOKENS))
        if above is not None:
            chance_before, pusd_before = upward.get(above.candidate.model.id, (0.0, 0.0))
            upward[above.candidate.model.id] = (chance_before + chance, pusd_before + chance * above.pusd(kind))
    lines = [
        *call.prompt,
        _line("expected output", round(written), call.rates.output),
        *(CostLine(f"{chance:.0%} go on to {model}", 0, 0, round(pusd)) for model, (chance, pusd) in upward.items()),
    ]
    lines = [line for line in lines if line.pusd or line.tokens]
    return Ranked(call.candidate, sum(line.pusd for line in lines), tuple(lines), call.prompt_tokens)


def _cheapest(calls: Sequence[_Call], needed: Tier, kind: StepKind) -> _Call | None:
    """Who would be asked for an action that needs this tier; None where nobody is there that meets it."""
    meeting = [call for call in calls if call.rates is not None and call.candidate.model.tier >= needed]
    return min(meeting, key=lambda call: (call.pusd(kind), call.candidate.model.tier, call.candidate.model.id), default=None)


def _line(what: str, tokens: int, rate: int) -> CostLine:
    return CostLine(what, tokens, rate, tokens * rate)
