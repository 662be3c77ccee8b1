"""The cost model of replay: what a call costs on a model whose cache holds so much, and what the cache holds afterwards.

A call reads the cached beginning of its prompt, writes the rest and pays its output. A model's cache is the whole prompt of its last
call; it lives as long as it was opened for since its last use; a compaction leaves only the session's shortest prompt in it. Above a
length step the whole call is dearer. A model whose window is nearly passed cannot serve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from stepfare.core.model import CacheRule, Candidate
from stepfare.core.money import Price, Rates, Usage
from stepfare.core.session import HOUR_MS
from stepfare.core.step import Tier
from stepfare.replay.recording import RecordedStep, kept_tokens

WINDOW_SHARE_MAX = 0.97


class Held(NamedTuple):
    """What a model's cache holds: so many tokens of the conversation's beginning, until when, and whether it was opened for an hour."""

    tokens: int = 0
    until_ms: int = 0
    hour: bool = False


NOTHING = Held()


@dataclass(frozen=True, slots=True)
class Rung:
    """A model that may serve, with what replay needs of it at hand."""

    candidate: Candidate
    price: Price
    window_tokens: int
    rule: CacheRule
    caches: bool = True

    @property
    def id(self) -> str:
        return self.candidate.model.id

    @property
    def tier(self) -> Tier:
        return self.candidate.model.tier

    def fits(self, prompt_tokens: int) -> bool:
        return prompt_tokens <= self.window_tokens

    def rates_at(self, prompt_tokens: int) -> tuple[Rates, int]:
        """The rates of a prompt of this length, and the one at which its new part is written."""
        rates = self.price.rates_for(prompt_tokens)
        return rates, rates.cache_write if self.caches else rates.input

    def alive(self, held: Held, at_ms: int) -> int:
        """Tokens that can still be read at that time."""
        return held.tokens if at_ms < held.until_ms and held.tokens >= self.rule.min_tokens else 0

    def after(self, held: Held, at_ms: int, prompt_tokens: int, *, hour: bool) -> Held:
        """What the cache holds after a call. A cache lives as long as it was opened for: who finds it warm keeps its lifetime."""
        hour = held.hour if self.alive(held, at_ms) else hour
        return Held(prompt_tokens, at_ms + (HOUR_MS if hour else self.rule.lifetime_ms), hour) if self.caches else NOTHING


def rung_of(candidate: Candidate) -> Rung:
    """The candidate must have a price."""
    assert candidate.price is not None, candidate
    rule = candidate.provider.cache
    return Rung(candidate, candidate.price, int(candidate.model.context_tokens * WINDOW_SHARE_MAX), rule or CacheRule(), rule is not None)


def fixed(rung: Rung) -> Rung:
    """The same model where no cache can be opened for an hour."""
    return _with_rule(rung, replace(rung.rule, hour=False))


def hourly(rung: Rung) -> Rung:
    """The same model where every cache is opened for an hour."""
    price = replace(
        rung.price,
        base=_hour_written(rung.price.base),
        steps=tuple(replace(step, rates=_hour_written(step.rates)) for step in rung.price.steps),
    )
    rule = replace(rung.rule, hour=False, lifetime_ms=max(HOUR_MS, rung.rule.lifetime_ms))
    return _with_rule(replace(rung, candidate=replace(rung.candidate, price=price)), rule)


def _hour_written(rates: Rates) -> Rates:
    return replace(rates, cache_write=rates.cache_write_1h)


def _with_rule(rung: Rung, rule: CacheRule) -> Rung:
    provider = rung.candidate.provider
    return rung_of(replace(rung.candidate, provider=replace(provider, cache=rule))) if rung.caches else rung_of(rung.candidate)


@dataclass(frozen=True, slots=True)
class Call:
    """One call on one model and what was paid for it, part by part. Money is in picodollars."""

    rung: Rung
    usage: Usage
    read_pusd: int
    output_pusd: int
    new_pusd: int
    """For writing what nobody had seen before: the beginning of the session and what each step adds."""
    expired_pusd: int
    """For writing again what this model's cache held and forgot by age."""
    carried_pusd: int
    """For writing what another model had already read: the price of changing models."""
    switch_pusd: int
    """The part of the cost that wrote what the model that served before still held warm, as the books count it."""
    probe: bool = False
    """Whether the answer was thrown away because it turned out to need a better model."""

    @property
    def pusd(self) -> int:
        return self.read_pusd + self.output_pusd + self.new_pusd + self.expired_pusd + self.carried_pusd


@dataclass(slots=True)
class Course:
    """One session going on under one policy: what each model's cache holds, who served last, and the calls so far."""

    steps: Sequence[RecordedStep]
    calls: list[Call] = field(default_factory=list[Call])
    pings: list[Call] = field(default_factory=list[Call])
    """Calls between the steps that did nothing but keep a cache alive."""
    held: dict[str, Held] = field(default_factory=dict[str, Held])
    last: Rung | None = None
    at: int = -1
    _kept: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self._kept = kept_tokens(self.steps)

    def arrive(self, at: int) -> RecordedStep:
        """The next step begins; what a compaction threw away is in no cache any more."""
        self.at = at
        kept = self._kept[at]
        if at and kept < self.steps[at - 1].prompt_tokens:
            self.held = {name: held._replace(tokens=min(held.tokens, kept)) for name, held in self.held.items()}
        return self.steps[at]

    def warm(self, rung: Rung) -> int:
        """Tokens of the present prompt that this model can read."""
        step = self.steps[self.at]
        return min(rung.alive(self.held.get(rung.id, NOTHING), step.at_ms), step.prompt_tokens)

    def call(self, rung: Rung, output_tokens: int, *, hour: bool = False, anew: bool = False, probe: bool = False) -> Call:
        """Ask this model; `hour` opens a cold cache for an hour instead of the provider's usual time, `anew` a warm one too."""
        step = self.steps[self.at]
        prompt = step.prompt_tokens
        held = NOTHING if anew else self.held.get(rung.id, NOTHING)
        read = min(rung.alive(held, step.at_ms), prompt)
        after = rung.after(held, step.at_ms, prompt, hour=hour)
        rates, write = rung.rates_at(prompt)
        write = rates.cache_write_1h if after.hour else write
        written = prompt - read
        new = min(written, max(0, prompt - self._kept[self.at]))
        expired = min(written - new, max(0, min(held.tokens, prompt) - read))
        last = self.last
        of_last = self.warm(last) if last is not None and last.id != rung.id else 0
        writes = written if rung.caches else 0
        call = Call(
            rung,
            Usage(prompt, read, writes, output_tokens, writes if after.hour else 0),
            read_pusd=read * rates.cache_read,
            output_pusd=output_tokens * rates.output,
            new_pusd=new * write,
            expired_pusd=expired * write,
            carried_pusd=(written - new - expired) * write,
            switch_pusd=max(0, of_last - read) * write,
            probe=probe,
        )
        self.calls.append(call)
        self.held[rung.id] = after
        if not probe:
            self.last = rung
        return call

    def ping(self, rung: Rung, output_tokens: int, at_ms: int) -> Call:
        """Keep what this model's cache holds alive, at a time between two steps; it must be alive then."""
        held = self.held[rung.id]
        tokens = rung.alive(held, at_ms)
        assert tokens, (rung.id, at_ms)
        rates = rung.price.rates_for(tokens)
        call = Call(rung, Usage(tokens, tokens, 0, output_tokens), tokens * rates.cache_read, output_tokens * rates.output, 0, 0, 0, 0)
        self.pings.append(call)
        self.held[rung.id] = rung.after(held, at_ms, held.tokens, hour=False)
        return call


def cheapest_that_fits(ladder: Mapping[Tier, Rung], wanted: Tier, prompt_tokens: int) -> Rung:
    """The rung of this tier, else the next above whose window is wide enough, else the next below, else whoever has the widest."""
    above = sorted(tier for tier in ladder if tier >= wanted)
    below = sorted((tier for tier in ladder if tier < wanted), reverse=True)
    fitting = [ladder[tier] for tier in (*above, *below) if ladder[tier].fits(prompt_tokens)]
    return fitting[0] if fitting else max(ladder.values(), key=lambda rung: rung.window_tokens)
