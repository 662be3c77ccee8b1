"""What a model's cache is worth to later steps: what opening it now saves, and what letting it die loses.

Each floor that steps of a session may have is served best, once caches are warm, by one model: its home. Only homes have caches worth
anything. A cache is worth the difference between writing and reading it, times the chance that it is needed before the next long pause;
and never more than what its model saves, over the steps expected until then, against the cheapest other one that could serve them. So
a cheap model is opened for a run that repays it, neighbours are not swapped for short runs, a segment in which an edit is nearly sure
begins on the model that edits, and a warm cache that is about to die unused is touched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from stepfare.core.model import Candidate
from stepfare.core.money import Rates
from stepfare.core.step import StepKind, Tier
from stepfare.routing.prospects import prospects
from stepfare.routing.snapshot import Snapshot
from stepfare.routing.warmth import outlives

PROBE_OUTPUT_TOKENS = 80
"""What an answer has written when its first action is known and turns out to need more: it is cancelled there."""
MARGIN = 3.0
"""How many times over the steps to come have to repay the opening of a cache: they may end sooner than expected. Between 1 and 3
recorded sessions cost the same within 0.15 points, and with 3 half as much is spent above what no routing would have cost."""
PASSING = frozenset({StepKind.COMPLETE, StepKind.SIDE})
"""Kinds that no later step goes on from."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the coming turn may turn out to be, and what each kind of it needs."""

    probabilities: Mapping[StepKind, float]
    floors: Mapping[StepKind, Tier]
    """The tier that each kind of action needs; a kind that is not named needs none."""
    gated: bool = False
    """Whether an answer of a lower tier is held until its action is known. Where it is not, whoever is first also answers."""


@dataclass(frozen=True, slots=True)
class Call:
    """The call that asks one candidate: its prompt in its own tokens, and what that costs (no rates: unpriced)."""

    candidate: Candidate
    prompt_tokens: int
    rates: Rates | None = None
    warm_tokens: int = 0
    write: int = 0
    """The rate of what is not warm."""
    outputs: Mapping[StepKind, int] = field(default_factory=dict[StepKind, int])
    mean_output: float = 0.0
    writes: bool = False
    """Whether what is not warm goes into a cache, rather than nowhere."""
    hour: bool = False
    """Whether it is written there to live an hour."""
    steady_pusd: float = 0.0
    """What a step of this length costs once its cache is warm."""

    @property
    def cold_tokens(self) -> int:
        return self.prompt_tokens - self.warm_tokens

    def pusd(self, kind: StepKind) -> int:
        """What it costs if it answers with an action of that kind."""
        assert self.rates is not None, self
        return self.warm_tokens * self.rates.cache_read + self.cold_tokens * self.write + self.outputs[kind] * self.rates.output

    def rewrite_pusd(self, tokens: int) -> int:
        """What it saves later to have so many tokens in the cache."""
        assert self.rates is not None, self
        return tokens * max(0, self.write - self.rates.cache_read) if self.writes else 0


@dataclass(frozen=True, slots=True)
class Future:
    """What using a model now is expected to save later: by what it newly writes into its cache, and by keeping alive what would else
    die there."""

    opened_pusd: float = 0.0
    dying_pusd: float = 0.0


NOTHING = Future()


def futures(priced: Sequence[Call], outlook: Outlook, snapshot: Snapshot) -> Mapping[str, Future]:
    """By the ids of all these candidates; of those that cost the same the first is the home."""
    later = dict.fromkeys((call.candidate.model.id for call in priced), NOTHING)
    if len(priced) < 2 or PASSING.issuperset(kind for kind, chance in outlook.probabilities.items() if chance > 0):
        return later
    ahead = prospects(snapshot.session.habits, snapshot.now_ms)
    homes = _homes(priced, outlook)
    for place, (call, kinds) in enumerate(homes):
        model, now_ms = call.candidate.model, snapshot.now_ms
        above = [kind for _, more in homes[place + 1 :] for kind in more]
        chance = 1.0 if place == 0 else ahead.chance([*kinds, *above])
        needing_more = ahead.share(above)
        served = 1 - needing_more if place == 0 else ahead.share(kinds)
        floor = max(outlook.floors[kind] for kind in kinds)
        others = [other for other in priced if other is not call and other.candidate.model.tier >= floor]
        most = _most(call, others, {id(home) for home, _ in homes}, chance, ahead.steps * served, ahead.steps * needing_more)
        dying = 0 if outlives(snapshot.session.warm.get(model.id), now_ms) else call.warm_tokens
        later[model.id] = Future(min(chance * call.rewrite_pusd(call.cold_tokens), most), min(chance * call.rewrite_pusd(dying), most))
    return later


def _homes(priced: Sequence[Call], outlook: Outlook) -> list[tuple[Call, list[StepKind]]]:
    """The home of each floor, lowest first, with the kinds of step that it serves."""
    homes: list[tuple[Call, list[StepKind]]] = []
    for floor in sorted(set(outlook.floors.values())):
        meeting = [call for call in priced if call.candidate.model.tier >= floor]
        if not meeting:
            continue
        home = min(meeting, key=lambda call: call.steady_pusd)
        kinds = [kind for kind, tier in outlook.floors.items() if tier == floor]
        if homes and homes[-1][0] is home:
            homes[-1][1].extend(kinds)
        else:
            homes.append((home, kinds))
    return homes


def _most(call: Call, others: Sequence[Call], homes: Set[int], chance: float, served: float, in_vain: float) -> float:
    """What a warm cache of this home saves at most, over the steps to come, so many of which it serves: against the cheapest other that
    could serve them, less what is probed on it in vain for those that need more. Without another there is no bound."""
    assert call.rates is not None, call
    probes = in_vain * (call.prompt_tokens * call.rates.cache_read + PROBE_OUTPUT_TOKENS * call.rates.output)

    def saved(other: Call) -> float:
        # Who is no home and cold would have to be opened instead.
        opening = 0.0 if other.warm_tokens or id(other) in homes else chance * other.rewrite_pusd(other.cold_tokens)
        return opening + max(0.0, served * (other.steady_pusd - call.steady_pusd) - probes) / MARGIN

    return min(map(saved, others), default=math.inf)
