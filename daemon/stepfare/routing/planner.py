"""Which candidate first: what the step is expected to cost on each, with what it does to the caches that later steps will need.

The step itself is counted with what caches are believed to hold, and with the chance that the gate asks somebody else after all. What a
cache is worth later is for `futures`, which kinds of action need which tier for `policy`, who can serve at all for `filters`. Decides
live and in replay alike: whatever it knows of the world stands in the snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stepfare.core.decision import CostLine, Ranked
from stepfare.core.model import Candidate
from stepfare.core.money import Rates
from stepfare.core.step import StepKind, Tier
from stepfare.core.tokens import on_model
from stepfare.routing.futures import PROBE_OUTPUT_TOKENS, Call, Future, Outlook, futures
from stepfare.routing.snapshot import Snapshot
from stepfare.routing.warmth import held_tokens, lives_an_hour


def planned(able: Sequence[Candidate], outlook: Outlook, snapshot: Snapshot, prompt_tokens: int) -> tuple[Ranked, ...]:
    """The candidates with what starting on each is expected to cost, cheapest first; `prompt_tokens` are o200k tokens.

    Ties stay with the model that serves already, then follow the user's order, then the lower tier, then the name."""
    lowest = min(outlook.floors.values(), default=Tier.FRUGAL)
    order = {model: place for place, model in enumerate(snapshot.policy.tiers.get(lowest, ()))}

    def preference(candidate: Candidate) -> tuple[bool, int, int, str]:
        model = candidate.model
        return (model.id != snapshot.session.last_model, order.get(model.id, len(order)), model.tier, model.id)

    likely = {kind: chance for kind, chance in outlook.probabilities.items() if chance > 0}
    calls = [_call(candidate, likely, snapshot, prompt_tokens) for candidate in sorted(able, key=preference)]
    priced = [call for call in calls if call.rates is not None]
    later = futures(priced, outlook, snapshot)
    takers = _takers(priced, likely, outlook, later)
    rows = [_expected(call, likely, takers, later) for call in calls]
    # Sorting keeps the order of those that tie. An unpriced model may cost anything: it comes after all whose cost is known.
    return tuple(sorted(rows, key=lambda row: (row.expected_pusd is None, row.expected_pusd or 0)))


def _call(candidate: Candidate, likely: Mapping[StepKind, float], snapshot: Snapshot, o200k_tokens: int) -> Call:
    model = candidate.model.id
    prompt_tokens = on_model(o200k_tokens, model, snapshot.factors)
    if candidate.price is None:
        return Call(candidate, prompt_tokens)
    rates = candidate.price.rates_for(prompt_tokens)
    cache = candidate.provider.cache
    hour = lives_an_hour(candidate, rates, snapshot)
    # What is not warm is written where the provider caches prompts of this length, and read as fresh input where it does not.
    writes = cache is not None and prompt_tokens >= cache.min_tokens
    write = _write_rate(rates, writes=writes, hour=hour)
    habits = snapshot.outputs.get(model, snapshot.output_tokens)
    outputs = {kind: habits.get(kind, 0) for kind in likely}
    mean_output = sum([chance * outputs[kind] for kind, chance in likely.items()])
    steady = prompt_tokens * (rates.cache_read if writes else rates.input) + mean_output * rates.output
    warm = held_tokens(snapshot, model, prompt_tokens, o200k_tokens)
    return Call(candidate, prompt_tokens, rates, warm, write, outputs, mean_output, writes, writes and hour, steady)


def _write_rate(rates: Rates, *, writes: bool, hour: bool) -> int:
    if not writes:
        return rates.input
    return rates.cache_write_1h if hour else rates.cache_write


class _Taker(NamedTuple):
    """Who is asked in the end for an action that needs so much, and what that is expected to cost."""

    needed: Tier
    model: str
    pusd: float


def _takers(
    priced: Sequence[Call], likely: Mapping[StepKind, float], outlook: Outlook, later: Mapping[str, Future]
) -> Mapping[StepKind, _Taker]:
    """By kind; without a gate nobody takes over, nor where nobody is there that meets the floor."""
    takers: dict[StepKind, _Taker] = {}
    lowest = min((call.candidate.model.tier for call in priced), default=Tier.PREMIUM)
    for kind in likely if outlook.gated else ():
        needed = outlook.floors.get(kind, lowest)
        meeting = [call for call in priced if call.candidate.model.tier >= needed] if needed > lowest else ()
        if meeting:
            costs = [call.pusd(kind) - later[call.candidate.model.id].opened_pusd for call in meeting]
            least = min(costs)
            takers[kind] = _Taker(needed, meeting[costs.index(least)].candidate.model.id, least)
    return takers


def _expected(call: Call, likely: Mapping[StepKind, float], takers: Mapping[StepKind, _Taker], later: Mapping[str, Future]) -> Ranked:
    model, tier = call.candidate.model.id, call.candidate.model.tier
    if call.rates is None:
        return Ranked(call.candidate, None, (), call.prompt_tokens)
    written = call.mean_output
    upward: dict[str, tuple[float, float]] = {}
    for kind, taker in takers.items():
        if tier >= taker.needed:
            continue
        chance, output_tokens = likely[kind], call.outputs[kind]
        written += chance * (min(output_tokens, PROBE_OUTPUT_TOKENS) - output_tokens)
        chance_before, pusd_before = upward.get(taker.model, (0.0, 0.0))
        upward[taker.model] = (chance_before + chance, pusd_before + chance * taker.pusd)
    lines = [
        *_line("warm in its cache", call.warm_tokens, call.rates.cache_read),
        *_line(_written(call), call.cold_tokens, call.write),
        *_line("expected output", round(written), call.rates.output),
        *(CostLine(f"{chance:.0%} go on to {name}", 0, 0, round(pusd)) for name, (chance, pusd) in upward.items()),
    ]
    if later[model].opened_pusd:
        lines.append(CostLine("saved when its cache is needed later", 0, 0, -round(later[model].opened_pusd)))
    for name, future in later.items():
        if future.dying_pusd and name != model:
            unused = 1 - min(1.0, upward[name][0]) if name in upward else 1.0
            lines.append(CostLine(f"lets the cache of {name} die, which is needed again", 0, 0, round(future.dying_pusd * unused)))
    return Ranked(call.candidate, sum([line.pusd for line in lines]), tuple(lines), call.prompt_tokens, hour=call.hour)


def _line(what: str, tokens: int, rate: int) -> Sequence[CostLine]:
    return (CostLine(what, tokens, rate, tokens * rate),) if tokens else ()


def _written(call: Call) -> str:
    if not call.writes:
        return "not cached"
    return "to be written into its cache, for an hour" if call.hour else "to be written into its cache"
