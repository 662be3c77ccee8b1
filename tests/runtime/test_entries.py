"""The entries of one attempt: what it may cost, and what it did cost, worked out by hand for every way in which it can end."""

from __future__ import annotations

import pytest

from stepfare.core.attempt import Failure, Fault
from stepfare.core.digest import reply_digest
from stepfare.core.entry import Opened, Reserved, Settled, Voided
from stepfare.core.money import Usage
from stepfare.core.session import Session, Warmth
from stepfare.core.step import StepKind
from stepfare.dialects.base import Finished, StreamEvent, TextDelta, ToolCallDelta, ToolCallStarted, UsageReported
from stepfare.runtime.consumed import UNHEARD_TOKENS
from stepfare.runtime.entries import TITLE_CHARS_MAX, Run, closing, opening
from tests.routing.samples import NOW_MS, candidate, rates
from tests.runtime.samples import LARGE, MIDDLE, SMALL, TEXT, UNPRICED, a_run, a_state, asked

SEEN = UsageReported(Usage(10_000, cache_read_tokens=4_000, cache_write_tokens=5_000, output_tokens=1_000))
# 1,000 fresh, 4,000 read, 5,000 written, 1,000 out.
SEEN_ON_SMALL = 1_000 * 100_000 + 4_000 * 10_000 + 5_000 * 125_000 + 1_000 * 500_000


def closed(run: Run, **how) -> Settled | Voided:
    return closing(asked(**how), run, a_state(), NOW_MS + 500)


def settled(run: Run, **how) -> Settled:
    entry = closed(run, **how)
    assert isinstance(entry, Settled)
    return entry


def test_a_session_is_opened_with_its_first_step() -> None:
    entries = opening(asked(session=Session("s1")), a_run(), titles=True)
    assert [type(entry) for entry in entries] == [Opened, Reserved]
    assert entries[0] == Opened("s1", NOW_MS, "cline", "/ws/sub", "/ws", "main", "Fix the test " + "x" * (TITLE_CHARS_MAX - 13), "")


def test_titles_can_be_switched_off() -> None:
    first = opening(asked(session=Session("s1")), a_run(), titles=False)[0]
    assert isinstance(first, Opened)
    assert first.title == ""


def test_what_is_reserved_is_the_worst_case_and_by_what_the_step_is_known_again() -> None:
    made = asked(kind=StepKind.EDIT)
    (entry,) = opening(made, a_run(MIDDLE, floor=made.decision.floor), titles=True)
    assert entry == Reserved(
        attempt="a1",
        decision="d1",
        session="s1",
        step=4,
        at_ms=NOW_MS,
        model="lab/middle",
        tier="balanced",
        kind="edit",
        floor="balanced",
        floor_source="settings",
        ceiling_pusd=10_309 * 2_500_000 + 8_000 * 10_000_000,
        client="cline",
        turns=0,
        chain="chain",
        body="62" * 16,
        body_bytes=40_000,
    )


def test_a_side_call_says_that_it_stands_beside_the_conversation() -> None:
    (entry,) = opening(asked(side="title"), a_run(), titles=True)
    assert isinstance(entry, Reserved)
    assert (entry.side, entry.kind) == ("title", "explore")


def test_an_unpriced_model_reserves_no_sum() -> None:
    (entry,) = opening(asked(UNPRICED), a_run(UNPRICED), titles=True)
    assert isinstance(entry, Reserved)
    assert entry.ceiling_pusd is None


def test_a_whole_answer_is_priced_by_its_usage() -> None:
    entry = settled(a_run(SMALL, *TEXT, SEEN, finished=True, committed=True, first_byte_ms=120))
    assert (entry.outcome, entry.source, entry.cost_pusd) == ("ok", "usage-priced", SEEN_ON_SMALL)
    assert (entry.usage, entry.low_pusd, entry.high_pusd) == (SEEN.usage, None, None)
    assert entry.rates == rates(100_000, 500_000, read=10_000, write=125_000)
    assert (entry.attempt, entry.session, entry.at_ms, entry.first_byte_ms, entry.total_ms) == ("a1", "s1", NOW_MS + 500, 120, 500)
    assert (entry.reply, entry.committed, entry.call_ids) == (reply_digest("x" * 3600), True, ())


def test_what_the_turn_turned_out_to_be_is_booked() -> None:
    calls = (ToolCallStarted(0, "c1", "editor"), ToolCallDelta(0, '{"path":"a.py","new_text":"x"}'), Finished("tool_calls"), SEEN)
    entry = settled(a_run(SMALL, *calls, finished=True))
    assert (entry.kind, entry.call_ids, entry.reply) == ("edit", ("c1",), "")
    assert settled(a_run(SMALL, *TEXT, SEEN, finished=True), side="title").kind == "side"


# Nothing reported: the prompt as it was estimated, all of it to be written; 3,600 characters are 1,000 tokens, between 600 and 1,800.
ESTIMATED = 10_000 * 125_000 + 1_000 * 500_000
LOW = 10_000 * 10_000 + 600 * 500_000
HIGH = 10_000 * 125_000 + 1_800 * 500_000
# What the model may have written on, once nobody listened any more.
BEYOND = UNHEARD_TOKENS * 500_000


@pytest.mark.parametrize(
    ("run", "outcome", "high"),
    [
        (a_run(SMALL, *TEXT, finished=True), "ok", HIGH),
        (a_run(SMALL, TextDelta("x" * 3600)), "hang-up", HIGH + BEYOND),
        (a_run(SMALL, TextDelta("x" * 3600), fault=Fault(Failure.CUT, "broke")), "cut", HIGH + BEYOND),
        (a_run(SMALL, TextDelta("x" * 3600), fault=Fault(Failure.SLOW, "silent")), "slow", HIGH + BEYOND),
    ],
)
def test_an_answer_without_usage_is_estimated_within_bounds(run: Run, outcome: str, high: int) -> None:
    entry = settled(run)
    assert (entry.outcome, entry.source, entry.usage) == (outcome, "estimated", Usage(10_000, 0, 10_000, 1_000))
    assert (entry.low_pusd, entry.cost_pusd, entry.high_pusd) == (LOW, ESTIMATED, high)


def test_an_estimate_believes_in_what_is_warm() -> None:
    session = Session("s1", steps=3, warm={"lab/small": Warmth("lab/small", 8_000, NOW_MS + 1)})
    assert settled(a_run(SMALL, *TEXT), session=session).usage == Usage(10_000, 8_000, 2_000, 1_000)


def test_an_estimate_of_a_title_believes_in_nothing_of_the_conversation() -> None:
    session = Session("s1", steps=3, last_body_bytes=50_000, warm={"lab/small": Warmth("lab/small", 8_000, NOW_MS + 1)})
    assert settled(a_run(SMALL, *TEXT), session=session, side="title").usage == Usage(10_000, 0, 10_000, 1_000)


def test_an_estimate_writes_nothing_where_nothing_is_cached() -> None:
    plain = candidate("lab/plain", price=rates(100, 500), cache=None)
    entry = settled(a_run(plain, *TEXT))
    assert entry.usage == Usage(10_000, 0, 0, 1_000)
    assert (entry.low_pusd, entry.high_pusd) == (10_000 * 10 + 600 * 500, 10_000 * 100 + 1_800 * 500)


FAULTS = {failure: Fault(failure, failure.value) for failure in Failure}


@pytest.mark.parametrize(
    ("run", "outcome"),
    [
        (a_run(), "hang-up"),  # The client left before anything came.
        (a_run(fault=FAULTS[Failure.SLOW]), "slow"),
        (a_run(fault=FAULTS[Failure.CUT], answered=True), "cut"),
    ],
)
def test_what_was_sent_and_never_answered_may_have_cost_its_prompt(run: Run, outcome: str) -> None:
    entry = settled(run)
    assert (entry.outcome, entry.source, entry.committed) == (outcome, "estimated", False)
    assert (entry.low_pusd, entry.cost_pusd, entry.high_pusd) == (0, 10_000 * 125_000, 10_000 * 125_000)


@pytest.mark.parametrize(
    ("run", "outcome", "why"),
    [
        (a_run(fault=FAULTS[Failure.BUSY]), "busy", "busy"),
        (a_run(fault=FAULTS[Failure.DOWN]), "down", "down"),
        (a_run(fault=FAULTS[Failure.DOWN], answered=True), "down", "down"),
        (a_run(fault=FAULTS[Failure.REFUSED]), "refused", "refused"),
        (a_run(fault=FAULTS[Failure.OVERFLOW]), "overflow", "overflow"),
        (a_run(fault=FAULTS[Failure.KEY]), "key", "key"),
        (a_run(fault=FAULTS[Failure.CUT]), "cut", "cut"),
        (a_run(sent=False), "hang-up", "it was cancelled before it was sent"),
    ],
)
def test_what_was_refused_or_never_sent_costs_nothing(run: Run, outcome: str, why: str) -> None:
    assert closed(run) == Voided("a1", "s1", NOW_MS + 500, outcome, why, 500)


def test_usage_that_was_reported_counts_whatever_came_after() -> None:
    entry = settled(a_run(SMALL, SEEN, fault=FAULTS[Failure.DOWN]))
    assert (entry.outcome, entry.source, entry.cost_pusd) == ("down", "usage-priced", SEEN_ON_SMALL)


def test_usage_that_was_reported_before_the_end_counts_the_prompt_and_the_rest_is_estimated() -> None:
    """Anthropic counts the prompt when an answer begins, and its words when it ends."""
    begun = UsageReported(Usage(10_000, cache_read_tokens=4_000, cache_write_tokens=5_000, output_tokens=1))
    entry = settled(a_run(SMALL, begun, TextDelta("x" * 3600), fault=FAULTS[Failure.CUT]))
    assert (entry.source, entry.usage) == ("estimated", SEEN.usage)
    prompt = SEEN_ON_SMALL - 1_000 * 500_000
    bounds = (prompt + 600 * 500_000, prompt + 1_800 * 500_000 + BEYOND)
    assert (entry.low_pusd, entry.cost_pusd, entry.high_pusd) == (bounds[0], SEEN_ON_SMALL, bounds[1])


@pytest.mark.parametrize(
    "usage",
    [
        Usage(0),
        Usage(0, output_tokens=1_000),
        Usage(10_000, output_tokens=0),
        Usage(900_000_000, output_tokens=1_000),
        Usage(10_000, output_tokens=900_000_000),
    ],
)
def test_usage_that_cannot_be_is_not_believed(usage: Usage) -> None:
    entry = settled(a_run(SMALL, *TEXT, UsageReported(usage), finished=True))
    assert (entry.source, entry.usage) == ("estimated", Usage(10_000, 0, 10_000, 1_000))
    assert (entry.low_pusd, entry.cost_pusd, entry.high_pusd) == (LOW, ESTIMATED, HIGH)


BILLED = UsageReported(SEEN.usage, 77)


@pytest.mark.parametrize(
    ("quirks", "report", "cost", "source"),
    [
        (("billed-cost",), BILLED, 77, "provider-billed"),
        (("billed-cost",), UsageReported(SEEN.usage, 0), 0, "provider-billed"),
        (("billed-cost",), SEEN, SEEN_ON_SMALL, "usage-priced"),
        ((), BILLED, SEEN_ON_SMALL, "usage-priced"),
    ],
)
def test_a_bill_is_believed_of_providers_that_bill(quirks: tuple[str, ...], report: UsageReported, cost: int, source: str) -> None:
    one = candidate("lab/small", price=rates(100_000, 500_000, read=10_000, write=125_000), quirks=quirks)
    entry = settled(a_run(one, *TEXT, report, finished=True))
    assert (entry.cost_pusd, entry.source) == (cost, source)


@pytest.mark.parametrize("events", [(*TEXT, SEEN), TEXT])
def test_an_unpriced_model_is_unpriced_and_never_free(events: tuple[StreamEvent, ...]) -> None:
    entry = settled(a_run(UNPRICED, *events, finished=True))
    assert (entry.cost_pusd, entry.source, entry.rates, entry.low_pusd, entry.high_pusd) == (None, "unpriced", None, None, None)
    assert entry.switch_write_pusd == 0


def test_an_unpriced_model_with_a_bill_costs_what_is_billed() -> None:
    one = candidate("lab/unpriced", price=None, quirks=("billed-cost",))
    assert settled(a_run(one, *TEXT, BILLED, finished=True)).cost_pusd == 77


def always(session: Session, usage: Usage = SEEN.usage, **how) -> tuple[int | None, int | None]:
    entry = settled(a_run(SMALL, *TEXT, UsageReported(usage), finished=True), session=session, **how)
    return entry.always_premium_pusd, entry.always_balanced_pusd


def test_the_counterfactual_is_one_model_all_along_with_the_last_prompt_warm() -> None:
    session = Session("s1", steps=3, last_ms=NOW_MS - 1000, last_prompt_tokens=9_000)
    # 9,000 read, 1,000 written, 1,000 out, whatever happened on the model that served.
    assert always(session) == (
        9_000 * 400_000 + 1_000 * 5_000_000 + 1_000 * 20_000_000,
        9_000 * 200_000 + 1_000 * 2_500_000 + 1_000 * 10_000_000,
    )


@pytest.mark.parametrize(
    "session",
    [
        Session("s1", steps=3),
        Session("s1", steps=3, last_ms=NOW_MS - 300_000, last_prompt_tokens=9_000),  # Its cache would have died too.
        Session("s1", steps=3, last_ms=NOW_MS - 1000, last_prompt_tokens=1_000),  # Too short to be cached.
    ],
)
def test_without_a_recent_prompt_the_counterfactual_is_written_cold(session: Session) -> None:
    assert always(session)[1] == 10_000 * 2_500_000 + 1_000 * 10_000_000


def test_a_short_prompt_is_cached_by_nobody() -> None:
    session = Session("s1", steps=3, last_ms=NOW_MS, last_prompt_tokens=9_000)
    assert always(session, Usage(1_000, output_tokens=10))[1] == 1_000 * 2_000_000 + 10 * 10_000_000


def test_a_title_reads_nothing_of_the_conversation_and_a_summary_reads_all_of_it() -> None:
    session = Session("s1", steps=3, last_ms=NOW_MS, last_prompt_tokens=9_000, last_body_bytes=36_000)
    cold = 10_000 * 2_500_000 + 1_000 * 10_000_000
    assert always(session, side="title", size_bytes=35_000)[1] == cold
    assert always(session, side="compaction", size_bytes=40_000)[1] == 9_000 * 200_000 + 1_000 * 2_500_000 + 1_000 * 10_000_000


def test_the_baselines_are_the_dearest_of_their_tier_or_the_users_choice() -> None:
    dearer = candidate("lab/dearer", LARGE.model.tier, rates(8_000_000, 40_000_000))
    run = a_run(SMALL, *TEXT, UsageReported(Usage(100, output_tokens=10)), finished=True)
    models = (SMALL, LARGE, dearer)
    by_default = closing(asked(), run, a_state(*models), NOW_MS)
    by_choice = closing(asked(), run, a_state(*models, settings='baseline = "lab/large"'), NOW_MS)
    assert isinstance(by_default, Settled)
    assert isinstance(by_choice, Settled)
    assert by_default.always_premium_pusd == 100 * 8_000_000 + 10 * 40_000_000
    assert by_choice.always_premium_pusd == 100 * 4_000_000 + 10 * 20_000_000
    assert by_choice.always_balanced_pusd is None  # Nobody of that tier is in play.


@pytest.mark.parametrize(
    ("session", "usage", "cold_pusd"),
    [
        # The last model held 8,000 of these 10,000; 3,000 of them were read here all the same, 5,000 were paid anew.
        (Session("s1", steps=3, last_model="lab/middle"), Usage(10_000, 3_000, 7_000), 5_000 * 125_000),
        (Session("s1", steps=3, last_model="lab/middle"), Usage(10_000, 3_000), 5_000 * 100_000),
        (Session("s1", steps=3, last_model="lab/middle"), Usage(10_000, 9_000, 1_000), 0),
        (Session("s1", steps=3, last_model="lab/small"), Usage(10_000, 0, 10_000), 0),
        (Session("s1", steps=3), Usage(10_000, 0, 10_000), 0),
        # A title repeats nothing that another model held.
        (Session("s1", steps=3, last_model="lab/middle", last_body_bytes=50_000), Usage(10_000, 0, 10_000), 0),
    ],
)
def test_what_leaving_a_warm_model_cost_is_told_apart(session: Session, usage: Usage, cold_pusd: int) -> None:
    warm = {"lab/middle": Warmth("lab/middle", 8_000, NOW_MS + 1), "lab/small": Warmth("lab/small", 8_000, NOW_MS + 1)}
    held = Session(session.id, steps=session.steps, last_model=session.last_model, last_body_bytes=session.last_body_bytes, warm=warm)
    run = a_run(SMALL, Finished("stop"), UsageReported(usage), finished=True)
    entry = settled(run, session=held, side="title" if session.last_body_bytes else "")
    assert entry.switch_write_pusd == cold_pusd


def test_what_had_run_out_anyway_is_no_cost_of_leaving() -> None:
    held = Session("s1", steps=3, last_model="lab/middle", warm={"lab/middle": Warmth("lab/middle", 8_000, NOW_MS)})
    assert settled(a_run(SMALL, *TEXT, UsageReported(Usage(10_000, 0, 10_000))), session=held).switch_write_pusd == 0
