"""How sure the books are of a cost, and why not surer; and what services and searches add to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfare.core.entry import Settled
from stepfare.core.model import Candidate, Capability
from stepfare.core.money import Price, Rates, Usage
from stepfare.core.request import Span
from stepfare.core.session import Session
from stepfare.dialects.base import Finished, StreamEvent, TextDelta, ThinkingDelta, UsageReported
from stepfare.routing.filters import ceiling_pusd
from stepfare.runtime.consumed import BROKEN_OFF, INCREDIBLE, THOUGHT_TOKENS_PER_S, UNREPORTED, reported_pusd
from stepfare.runtime.entries import closing, opening
from stepfare.runtime.state import State
from tests.routing.samples import NOW_MS, candidate, rates
from tests.runtime.samples import SMALL, TEXT, UNPRICED, a_run, a_state, asked

USAGE = Usage(10_000, cache_read_tokens=4_000, output_tokens=1_000)
SEEN = UsageReported(USAGE)
USUAL = Price(
    rates(100, 500, read=10),
    services={"priority": Price(rates(200, 1_000, read=20)), "flex": Price(rates(50, 250, read=5))},
)
SERVED = candidate("lab/served", price=USUAL)
SEARCHES = candidate("lab/searches", price=Rates(100, 10, 125, 200, 500, web_search=10_000_000_000))


def settled(one: Candidate = SMALL, *events: StreamEvent, finished: bool = True) -> Settled:
    entry = closing(asked(), a_run(one, *events, finished=finished), a_state(), NOW_MS + 500)
    assert isinstance(entry, Settled)
    return entry


@pytest.mark.parametrize(
    ("entry", "confidence", "doubts"),
    [
        (settled(SMALL, *TEXT, SEEN), "certain", ()),
        (settled(candidate("lab/bills", quirks=("billed-cost",)), *TEXT, UsageReported(USAGE, 77)), "certain", ()),
        (settled(SMALL, *TEXT), "guess", (UNREPORTED,)),
        (settled(SMALL, *TEXT, UsageReported(Usage(0, output_tokens=3))), "guess", (INCREDIBLE,)),
        (settled(SMALL, SEEN, TextDelta("x" * 9_000), finished=False), "likely", (BROKEN_OFF,)),
        (settled(UNPRICED, *TEXT, SEEN), "none", ()),
        (settled(UNPRICED, *TEXT), "none", (UNREPORTED,)),
        (
            settled(SMALL, *TEXT, UsageReported(USAGE, service="priority")),
            "likely",
            ("it was served as priority, of which no price is known: the usual price is taken",),
        ),
        (
            settled(SMALL, *TEXT, UsageReported(Usage(10_000, output_tokens=1_000, web_searches=2))),
            "likely",
            ("it searched the web 2 times, of which no price is known",),
        ),
        (settled(SMALL, *TEXT, UsageReported(USAGE, beside=("made images",))), "likely", ("it made images",)),
    ],
)
def test_an_entry_says_how_sure_its_cost_is(entry: Settled, confidence: str, doubts: tuple[str, ...]) -> None:
    assert (entry.confidence, entry.doubts) == (confidence, doubts)
    assert (entry.low_pusd is not None) == (entry.source == "estimated")


@pytest.mark.parametrize(
    ("service", "cost"),
    [
        ("", 6_000 * 100 + 4_000 * 10 + 1_000 * 500),
        ("priority", 6_000 * 200 + 4_000 * 20 + 1_000 * 1_000),
        ("flex", 6_000 * 50 + 4_000 * 5 + 1_000 * 250),
    ],
)
def test_another_service_has_another_price(service: str, cost: int) -> None:
    report = UsageReported(USAGE, service=service)
    entry = settled(SERVED, *TEXT, report)
    assert (entry.cost_pusd, entry.confidence, entry.service) == (cost, "certain", service)
    assert entry.rates == (USUAL.served(service) or USUAL).base
    assert reported_pusd(SERVED, report) == cost


def test_the_most_that_a_call_may_cost_is_that_of_the_service_it_asks_for() -> None:
    asks = asked(raw=b'{"service_tier":"priority"}').view
    usual = ceiling_pusd(SERVED, asks, 10_000)
    dearer = ceiling_pusd(SERVED, replace(asks, spans=(Span("service_tier", 16, 26),)), 10_000)
    cheaper = ceiling_pusd(SERVED, replace(asks, raw=b'{"service_tier":"flex"}', spans=(Span("service_tier", 16, 22),)), 10_000)
    assert usual is not None
    assert dearer == 2 * usual
    assert cheaper == usual


def test_a_search_costs_the_same_on_every_model_and_saves_nothing() -> None:
    entry = settled(SEARCHES, *TEXT, UsageReported(Usage(10_000, output_tokens=1_000, web_searches=2)))
    plain = settled(SEARCHES, *TEXT, UsageReported(Usage(10_000, output_tokens=1_000)))
    assert (entry.cost_pusd, plain.cost_pusd) == (20_000_000_000 + 1_500_000, 1_500_000)
    assert (entry.confidence, entry.doubts) == ("certain", ())
    for one, other in ((entry.always_premium_pusd, plain.always_premium_pusd), (entry.always_balanced_pusd, plain.always_balanced_pusd)):
        assert one is not None
        assert other is not None
        assert one - other == 20_000_000_000


def test_what_was_counted_by_the_way_is_not_estimated_again() -> None:
    """Some count after every piece: of what is broken off only what came after the last count is a guess."""
    said = (TextDelta("x" * 3_600), UsageReported(Usage(10_000, output_tokens=900)), TextDelta("x" * 360))
    entry = settled(SMALL, *said, finished=False)
    assert (entry.usage.output_tokens, entry.source) == (900 + 100, "estimated")


def test_a_report_that_counts_nothing_takes_nothing_back() -> None:
    entry = settled(SMALL, *TEXT, SEEN, UsageReported(Usage(0, output_tokens=0)))
    assert (entry.usage, entry.confidence) == (USAGE, "certain")


@pytest.mark.parametrize(
    ("events", "chars"),
    [
        ((ThinkingDelta("t" * 100), TextDelta("x" * 50)), 150),
        ((ThinkingDelta("t" * 100), TextDelta("x" * 50), UsageReported(Usage(10_000, output_tokens=90, reasoning_tokens=60))), 50),
    ],
)
def test_what_was_heard_is_kept_beside_what_was_counted(events: tuple[StreamEvent, ...], chars: int) -> None:
    entry = settled(SMALL, UsageReported(Usage(10_000, output_tokens=90)), *events, Finished("stop"))
    assert entry.heard_chars == chars


HIDDEN = UsageReported(Usage(10_000, output_tokens=1_500, reasoning_tokens=1_400))
"""3,600 characters would be 1,000 tokens: here they were 100, behind 1,400 of which nothing could be heard."""


def learned(state: State, one: Candidate, *events: StreamEvent) -> None:
    """The state after a whole answer of this model."""
    run = a_run(one, *events, finished=True)
    (opened,) = opening(asked(), run, titles=False)
    state.apply(opened)
    state.apply(closing(asked(), run, state, NOW_MS))


def test_what_a_model_uses_to_think_unseen_is_counted_once_it_speaks() -> None:
    state = a_state()
    learned(state, SMALL, TextDelta("x" * 360), Finished("stop"), HIDDEN)
    speaking = closing(asked(), a_run(SMALL, TextDelta("x" * 36)), state, NOW_MS)
    silent = closing(asked(), a_run(SMALL), state, NOW_MS)
    thinking = closing(asked(), a_run(SMALL, ThinkingDelta("t" * 36)), state, NOW_MS)
    assert isinstance(speaking, Settled)
    assert isinstance(silent, Settled)
    assert isinstance(thinking, Settled)
    assert (speaking.usage.output_tokens, silent.usage.output_tokens, thinking.usage.output_tokens) == (1_400 + 10, 0, 10)


def test_a_model_that_may_think_unseen_may_have_done_so_as_long_as_it_was_silent() -> None:
    thinker = candidate("lab/small", price=rates(100_000, 500_000), able=(Capability.TOOLS, Capability.REASONING))
    entry = closing(asked(), a_run(thinker, first_byte_ms=None), a_state(), NOW_MS + 20_000)
    assert isinstance(entry, Settled)
    assert entry.high_pusd == 10_000 * 100_000 + 20 * THOUGHT_TOKENS_PER_S * 500_000
    said = closing(asked(), a_run(thinker, *TEXT, finished=True, first_byte_ms=4_000), a_state(), NOW_MS + 20_000)
    assert isinstance(said, Settled)
    assert said.high_pusd == 10_000 * 100_000 + (1_800 + 4 * THOUGHT_TOKENS_PER_S) * 500_000


def test_a_prompt_that_nobody_counted_is_what_this_model_made_of_those_before() -> None:
    state = a_state()
    learned(state, SMALL, *TEXT, UsageReported(Usage(8_000, output_tokens=1_000)))  # 40,000 bytes: five for a token
    new = closing(asked(), a_run(SMALL, *TEXT), state, NOW_MS)
    grown = Session("s1", steps=3, last_model="lab/small", last_prompt_tokens=7_600, last_body_bytes=38_000)
    longer = closing(asked(session=grown), a_run(SMALL, *TEXT), state, NOW_MS)
    elsewhere = closing(asked(session=replace(grown, last_model="lab/large")), a_run(SMALL, *TEXT), state, NOW_MS)
    shorter = closing(asked(session=replace(grown, last_body_bytes=41_000)), a_run(SMALL, *TEXT), state, NOW_MS)
    counts = [entry.usage.input_tokens for entry in (new, longer, elsewhere, shorter) if isinstance(entry, Settled)]
    assert counts == [8_000, 7_600 + 400, 8_000, 8_000]


def test_a_model_learns_how_long_its_tokens_are() -> None:
    state = a_state()
    learned(state, SMALL, *TEXT, UsageReported(Usage(10_000, output_tokens=900)))
    cut = closing(asked(), a_run(SMALL, TextDelta("x" * 400)), state, NOW_MS)
    assert isinstance(cut, Settled)
    assert cut.usage.output_tokens == 100
