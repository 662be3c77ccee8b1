"""Money and tokens as exact integers: what a token costs, what an attempt used, and the one multiplication of the two.

Where prices come from is the business of `providers`; how money is shown, of the faces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NewType

Picodollars = NewType("Picodollars", int)
"""A trillionth of a dollar. A rate in picodollars per token reads as microdollars per million tokens: $3/M is 3_000_000."""

PUSD_PER_USD = 1_000_000_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """What one attempt consumed. Counts are inclusive: cached tokens are input tokens too, whatever the provider reports.

    `cache_write_1h_tokens` are those of `cache_write_tokens` that were written to live an hour;
    `reasoning_tokens` are those of `output_tokens` that the model thought; `audio_tokens` are those of the fresh input (no cache read or
    wrote them) that were sound. `web_searches` are those that the provider made itself.
    """

    input_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    audio_tokens: int = 0
    web_searches: int = 0

    def __post_init__(self) -> None:
        assert min(self.input_tokens, self.cache_read_tokens, self.cache_write_tokens, self.output_tokens, self.web_searches) >= 0, self
        assert 0 <= self.audio_tokens <= self.fresh_tokens, self
        assert 0 <= self.cache_write_1h_tokens <= self.cache_write_tokens, self
        assert 0 <= self.reasoning_tokens <= self.output_tokens, self

    @property
    def fresh_tokens(self) -> int:
        """Those of the input that no cache held or was to hold."""
        return self.input_tokens - self.cache_read_tokens - self.cache_write_tokens


@dataclass(frozen=True, slots=True)
class Rates:
    """Picodollars per token, one for each way in which a token is counted, and per thing that is counted otherwise.

    `audio` is for sound in the input, None where it costs what other input costs; `web_search` for one search that the provider makes,
    None where nobody knows its price.
    """

    input: int
    cache_read: int
    cache_write: int
    cache_write_1h: int
    output: int
    audio: int | None = None
    web_search: int | None = None

    def __post_init__(self) -> None:
        assert min(self.input, self.cache_read, self.cache_write, self.cache_write_1h, self.output) >= 0, self
        assert min(self.audio or 0, self.web_search or 0) >= 0, self


@dataclass(frozen=True, slots=True)
class LengthStep:
    """Rates for the whole request once its prompt has more than `above_tokens`."""

    above_tokens: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Price:
    """What a model's tokens cost at one moment: base rates, steps by prompt length (ascending), and where the figures are from.

    `services` are the prices of other ways to be served than the standard one, by the provider's name for each (flex, priority, fast).
    """

    base: Rates
    steps: tuple[LengthStep, ...] = ()
    source: str = ""
    as_of: str = ""
    services: Mapping[str, Price] = field(default_factory=dict[str, "Price"], hash=False)

    def __post_init__(self) -> None:
        marks = [step.above_tokens for step in self.steps]
        assert marks == sorted(set(marks)), marks

    def served(self, service: str) -> Price | None:
        """The price of this service; the standard one where it is empty, None where the service has no price."""
        return self.services.get(service) if service else self

    def rates_for(self, prompt_tokens: int) -> Rates:
        """The rates of the whole request for a prompt of this length."""
        rates = self.base
        for step in self.steps:
            if prompt_tokens > step.above_tokens:
                rates = step.rates
        return rates


def cost(rates: Rates, usage: Usage) -> Picodollars:
    """What this usage costs at these rates, exact to the picodollar; searches without a price add nothing."""
    write_5m_tokens = usage.cache_write_tokens - usage.cache_write_1h_tokens
    return Picodollars(
        (usage.fresh_tokens - usage.audio_tokens) * rates.input
        + usage.audio_tokens * (rates.input if rates.audio is None else rates.audio)
        + usage.cache_read_tokens * rates.cache_read
        + write_5m_tokens * rates.cache_write
        + usage.cache_write_1h_tokens * rates.cache_write_1h
        + usage.output_tokens * rates.output
        + usage.web_searches * (rates.web_search or 0)
    )


def priced(price: Price, usage: Usage) -> Picodollars:
    """What this usage costs under this price, its length step included."""
    return cost(price.rates_for(usage.input_tokens), usage)


def usd(pusd: int) -> str:
    """For a person: `$12.34`, and below a dollar up to four digits that count: `$0.02`, `$0.08015`."""
    dollars = Decimal(pusd) / PUSD_PER_USD
    places = 2 if dollars == 0 or dollars >= 1 else 3 - dollars.adjusted()
    whole, _, cents = f"{dollars.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN):,f}".partition(".")
    return f"${whole}.{cents.rstrip('0').ljust(2, '0')}"


def usd_text(pusd: int) -> str:
    """Dollars as a decimal number, exact: 4_200_000_000 is `0.0042`."""
    sign, whole = ("-" if pusd < 0 else ""), abs(pusd)
    digits = f"{whole // PUSD_PER_USD}.{whole % PUSD_PER_USD:012d}".rstrip("0")
    return sign + (digits + "0" if digits.endswith(".") else digits)
