"""What an attempt consumed and what that costs: counted by its provider, or estimated within bounds, and how sure either is.

Which entries are made of it is the business of `entries`; how reports are read, of the dialects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stepfare.core.model import Billing, Candidate, Capability
from stepfare.core.money import Price, Rates, Usage, priced
from stepfare.dialects import meter
from stepfare.dialects.base import UsageReported
from stepfare.dialects.heard import Heard
from stepfare.providers.quirks import BILLED_COST
from stepfare.routing.filters import FOUND_TOKENS_MAX
from stepfare.routing.warmth import warm_tokens
from stepfare.runtime.consider import Asked

CHARS_OF_TOKEN_MAX = 400
"""No token says more: a report that counts fewer has forgotten what it counts."""
UNHEARD_TOKENS = 256
"""What a model may have written, or thought unseen, beyond what was heard of an answer that was broken off: some seconds' worth."""
THOUGHT_TOKENS_PER_S = 250
"""What a model may have thought unseen while nothing was heard of it: few are served faster."""
WINDOWS_MAX = 16
"""A call that goes round with tools of its provider's reads its window several times; what counts more than this many is garbage."""

FOUND_TOKENS = 5_000
"""What a search likely adds to the prompt that its answer goes on with."""

UNREPORTED = "its provider reported no usage"
BROKEN_OFF = "it was broken off before its usage was reported: what was said since is estimated"
INCREDIBLE = "its provider reported a usage that cannot be"


@dataclass(frozen=True, slots=True)
class Consumed:
    """The usage, and where it had to be estimated (`counted` is none or part, else whole) its lower and upper bound."""

    usage: Usage
    low: Usage
    high: Usage
    counted: str = "whole"
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Charge:
    """What is booked of it, as `core.entry.Settled` has it."""

    cost_pusd: int | None
    source: str
    confidence: str
    doubts: tuple[str, ...]
    service: str
    rates: Rates | None
    low_pusd: int | None = None
    high_pusd: int | None = None


@dataclass(frozen=True, slots=True)
class Telling:
    """What is known of how a model counts and answers: the tokens of this prompt, the characters of its tokens, the tokens that it thinks
    unseen; for how long it may have done so this time, before anything was heard; and whether it says what it says at once."""

    prompt_tokens: int
    chars_of_token: float
    unseen_tokens: int = 0
    silent_ms: int = 0
    streams: bool = True

    @property
    def long(self) -> float:
        """As many characters as a token may be."""
        return max(self.chars_of_token, meter.CHARS_PER_TOKEN_HIGH)

    @property
    def short(self) -> float:
        return min(self.chars_of_token, meter.CHARS_PER_TOKEN_LOW)


def consumed(asked: Asked, candidate: Candidate, heard: Heard, started_ms: int, told: Telling) -> Consumed:
    """What the provider counted; what it did not is estimated by the length of the prompt and of what was said."""
    usage = heard.usage.usage if heard.usage else None
    if usage is None or not _credible(usage, candidate, heard):
        return _guessed(asked, candidate, heard, started_ms, told, UNREPORTED if usage is None else INCREDIBLE)
    if heard.finished:
        return Consumed(usage, usage, usage)
    # A report that came before the answer's end counts the prompt, and of the answer what it had said by then.
    since = heard.output_chars - heard.reported_chars
    begun = usage.output_tokens if heard.reported_chars else _unseen(heard, told)
    likely, low, high = _said(since, begun, candidate, heard, told)
    least = usage.output_tokens
    usages = [replace(usage, output_tokens=max(least, tokens)) for tokens in (likely, low, high)]
    found = _searched(usages, heard.searches - usage.web_searches)
    if found[1] == found[2]:
        return Consumed(found[0], found[0], found[0])
    return Consumed(*found, counted="part", doubts=(BROKEN_OFF,))


def charge(candidate: Candidate, report: UsageReported | None, used: Consumed, asked_for: str = "") -> Charge:
    """What the usage costs at the price of this moment and of this service (`asked_for`, where the provider does not say which it was), or
    what the provider billed for it."""
    service = report.service if report else asked_for
    if candidate.billing is not Billing.TOKENS:
        # Doubts are of the tokens; that they are billed to nobody is sure.
        return Charge(0, candidate.billing.value, "certain", used.doubts, service, None)
    doubts = list(used.doubts)
    applied = _applied(candidate, service)
    rates = applied.rates_for(used.usage.input_tokens) if applied else None
    billed = _billed(candidate, report)
    if billed is not None:
        return Charge(billed, "provider-billed", "certain", (), service, rates)
    if applied is None or rates is None:
        return Charge(None, "unpriced", "none", tuple(doubts), service, None)
    if service and applied is candidate.price:
        doubts.append(f"it was served as {service}, of which no price is known: the usual price is taken")
    if used.usage.web_searches and rates.web_search is None:
        doubts.append(f"it searched the web {used.usage.web_searches} times, of which no price is known")
    doubts += [f"it {words}" for words in (report.beside if report else ())]
    cost = priced(applied, used.usage)
    if used.counted == "whole":
        return Charge(cost, "usage-priced", "likely" if doubts else "certain", tuple(doubts), service, rates)
    confidence = "likely" if used.counted == "part" else "guess"
    low, high = priced(applied, used.low), priced(applied, used.high)
    return Charge(cost, "estimated", confidence, tuple(doubts), service, rates, low, high)


def reported_pusd(candidate: Candidate, report: UsageReported) -> int | None:
    """What a call costs of which this is the last report; None where the model is unpriced."""
    if candidate.billing is not Billing.TOKENS:
        return 0
    billed = _billed(candidate, report)
    applied = _applied(candidate, report.service)
    return priced(applied, report.usage) if billed is None and applied is not None else billed


def _billed(candidate: Candidate, report: UsageReported | None) -> int | None:
    return report.billed_pusd if report is not None and BILLED_COST in candidate.provider.quirks else None


def _applied(candidate: Candidate, service: str) -> Price | None:
    """The price of this service; the usual one where it has none of its own."""
    return (candidate.price.served(service) or candidate.price) if candidate.price else None


def _credible(usage: Usage, candidate: Candidate, heard: Heard) -> bool:
    """Some count nothing, some forget the output, some count what no window holds."""
    most = max(usage.input_tokens, usage.output_tokens)
    forgotten = heard.finished and heard.output_chars and heard.output_chars > usage.output_tokens * CHARS_OF_TOKEN_MAX
    return bool(usage.input_tokens) and not forgotten and most <= WINDOWS_MAX * candidate.model.context_tokens


def _guessed(asked: Asked, candidate: Candidate, heard: Heard, started_ms: int, told: Telling, doubt: str) -> Consumed:
    prompt = told.prompt_tokens
    warm = 0 if asked.apart else warm_tokens(asked.session, candidate.model.id, prompt, started_ms)
    cache = candidate.provider.cache
    written = prompt - warm if cache is not None and prompt >= cache.min_tokens else 0
    likely, least, most = _said(heard.output_chars, _unseen(heard, told), candidate, heard, told)
    usage = Usage(prompt, warm, written, likely)
    low = Usage(prompt, prompt, 0, least) if heard.started or heard.searches else Usage(0)
    high = Usage(prompt, 0, prompt if written else 0, most)
    return Consumed(*_searched([usage, low, high], heard.searches), counted="none", doubts=(doubt,))


def _searched(usages: Sequence[Usage], searches: int) -> Sequence[Usage]:
    """These usages (likely, at least, at most) with searches that no report counts. Behind each the prompt is read again, with all that was
    found so far: from the cache what the cache holds of it, likely; at least nothing was found, at most all of it is new."""
    if searches <= 0:
        return usages
    likely, low, high = usages
    rows = searches * (searches + 1) // 2
    kept = likely.cache_read_tokens + likely.cache_write_tokens
    return (
        replace(
            likely,
            input_tokens=likely.input_tokens * (searches + 1) + FOUND_TOKENS * rows,
            cache_read_tokens=likely.cache_read_tokens + searches * kept,
            web_searches=likely.web_searches + searches,
        ),
        replace(low, web_searches=low.web_searches + searches),
        replace(high, input_tokens=high.input_tokens * (searches + 1) + FOUND_TOKENS_MAX * rows, web_searches=high.web_searches + searches),
    )


def _said(chars: int, begun: int, candidate: Candidate, heard: Heard, told: Telling) -> tuple[int, int, int]:
    """Tokens of so many characters behind those that are known (`begun`): likely, at least, and at most."""
    beyond = UNHEARD_TOKENS if heard.started and not heard.finished else 0
    if (Capability.REASONING in candidate.model.capabilities and not heard.thinking_chars) or not (told.streams or heard.finished):
        beyond = max(beyond, THOUGHT_TOKENS_PER_S * told.silent_ms // 1_000)
    known = begun if heard.reported_chars else 0
    return begun + round(chars / told.chars_of_token), known + round(chars / told.long), begun + round(chars / told.short) + beyond


def _unseen(heard: Heard, told: Telling) -> int:
    """What the model thought unseen, as it does: before its first word, and of which nothing was heard."""
    return told.unseen_tokens if heard.output_chars and not heard.thinking_chars else 0
