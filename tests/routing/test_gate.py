"""What becomes of a held answer: each rule of the gate as cases around one call."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfare.core.decision import Floor, GatePlan
from stepfare.core.step import StepKind, Tier
from stepfare.routing.gate import HELD_BYTES_MAX, SOURCE, TEXT_CHARS, TEXT_MS, CallSeen, Escalate, Pass, Seen, due_ms, verdict

HOLD_MS = 8_000


def floor(tier: Tier, words: str = "") -> Floor:
    return Floor(tier, "settings", words or f"it is {tier.word}")


FRUGAL, BALANCED, PREMIUM = floor(Tier.FRUGAL), floor(Tier.BALANCED), floor(Tier.PREMIUM)
PLAN = GatePlan(True, Tier.BALANCED, HOLD_MS, dict.fromkeys(StepKind, FRUGAL) | {StepKind.EDIT: BALANCED}, Tier.PREMIUM)

BEGUN, READ, EDIT, PLANNED = CallSeen(), CallSeen(FRUGAL, whole=True), CallSeen(BALANCED), CallSeen(PREMIUM, whole=True)
BROKEN = CallSeen(FRUGAL, whole=True, flaw="path is missing")

CASES: dict[str, tuple[Seen, Pass | Tier]] = {
    # Calls.
    "a call whose name says nothing yet": (Seen((BEGUN,)), Pass.NOTHING),
    "a whole call in a turn that may go on": (Seen((READ,)), Pass.NOTHING),
    "a whole call at the end": (Seen((READ,), finished=True), Pass.ALL),
    "many whole calls at the end": (Seen((READ, READ), finished=True), Pass.ALL),
    "a call that needs more, by its name": (Seen((EDIT,)), Tier.BALANCED),
    "a call that needs more beside one that does not": (Seen((READ, EDIT)), Tier.BALANCED),
    "the most demanding of several": (Seen((EDIT, PLANNED)), Tier.PREMIUM),
    "a call that fits no schema": (Seen((BROKEN,)), Tier.BALANCED),
    "one beside a plan": (Seen((BROKEN, PLANNED)), Tier.PREMIUM),
    "a call that needs more behind a text that was shown": (Seen((EDIT,), text_chars=700, shown=True), Tier.BALANCED),
    "a call that needs more at the end": (Seen((EDIT,), finished=True), Tier.BALANCED),
    # Where one call is all that is taken.
    "the one call, begun": (Seen((BEGUN,), one_call=True), Pass.NOTHING),
    "the one call, whole": (Seen((READ,), one_call=True), Pass.ALL),
    "a call where one too many has begun": (Seen((READ, BEGUN), one_call=True), Pass.NOTHING),
    "the one call, broken": (Seen((BROKEN,), one_call=True), Tier.BALANCED),
    "the one call behind a text that was shown": (Seen((READ,), text_chars=700, shown=True, one_call=True), Pass.ALL),
    # Texts.
    "a short text": (Seen(text_chars=TEXT_CHARS - 1, text_ms=TEXT_MS - 1), Pass.NOTHING),
    "a long text": (Seen(text_chars=TEXT_CHARS), Pass.TEXT),
    "a text that waited": (Seen(text_chars=1, text_ms=TEXT_MS), Pass.TEXT),
    "thinking that waited": (Seen(text_chars=0, text_ms=0, held_ms=TEXT_MS), Pass.NOTHING),
    "more of a text that was shown": (Seen(text_chars=700, shown=True), Pass.TEXT),
    "a long text before a call": (Seen((BEGUN,), text_chars=TEXT_CHARS), Pass.NOTHING),
    "a short text at the end": (Seen(text_chars=5, finished=True, needs=FRUGAL), Pass.ALL),
    "a short text at the end that needs more": (Seen(text_chars=5, finished=True, needs=BALANCED), Tier.BALANCED),
    "a text that needs more and was shown": (Seen(text_chars=700, finished=True, shown=True, needs=BALANCED), Pass.ALL),
    "nothing at the end": (Seen(finished=True, needs=FRUGAL), Pass.ALL),
    # Calls in the text.
    "a long text that may hold a call": (Seen(text_chars=9_000, may_call_in_text=True, text_ms=7_000, held_ms=7_000), Pass.NOTHING),
    "such a text when the hold ends": (Seen(text_chars=9_000, may_call_in_text=True, held_ms=HOLD_MS), Pass.TEXT),
    "more of such a text": (Seen(text_chars=9_000, may_call_in_text=True, shown=True), Pass.TEXT),
    "such a text that calls": (Seen((EDIT,), text_chars=9, may_call_in_text=True), Tier.BALANCED),
    # The bounds.
    "text when the hold ends": (Seen(text_chars=1, held_ms=HOLD_MS), Pass.TEXT),
    "thinking when the hold ends": (Seen(held_ms=HOLD_MS), Pass.TEXT),
    "thinking that is too much to hold": (Seen(held_bytes=HELD_BYTES_MAX), Pass.TEXT),
    "a call when the hold ends": (Seen((BEGUN,), held_ms=HOLD_MS), Tier.BALANCED),
    "a whole call when the hold ends": (Seen((READ,), held_ms=HOLD_MS), Tier.BALANCED),
    "a call that is too much to hold": (Seen((BEGUN,), held_bytes=HELD_BYTES_MAX), Tier.BALANCED),
    "a call behind a shown text when the hold ends": (Seen((BEGUN,), text_chars=700, shown=True, held_ms=HOLD_MS), Tier.BALANCED),
    "an end that comes when the hold ends": (Seen((READ,), finished=True, held_ms=HOLD_MS), Pass.ALL),
}


@pytest.mark.parametrize(("seen", "becomes"), CASES.values(), ids=CASES)
def test_what_becomes_of_an_answer(seen: Seen, becomes: Pass | Tier) -> None:
    found = verdict(seen, PLAN, Tier.FRUGAL)
    assert (found.floor.tier if isinstance(found, Escalate) else found) is becomes


def test_the_floor_of_the_setting_that_asks_for_it_is_told() -> None:
    found = verdict(Seen((READ, EDIT)), PLAN, Tier.FRUGAL)
    assert found == Escalate(BALANCED)


@pytest.mark.parametrize("tier", [Tier.FRUGAL, Tier.BALANCED])
def test_an_invalid_call_goes_to_the_next_tier(tier: Tier) -> None:
    found = verdict(Seen((BROKEN,)), PLAN, tier)
    assert isinstance(found, Escalate)
    assert (found.floor.tier, found.floor.source) == (tier + 1, SOURCE)
    assert found.floor.words == f"an answer of a {tier.word} model is of no use here: path is missing"


@pytest.mark.parametrize(
    ("seen", "tier", "to", "words"),
    [
        (Seen((BEGUN,), held_ms=HOLD_MS), Tier.FRUGAL, Tier.BALANCED, "not known for 8 s, and an edit needs balanced"),
        (Seen((BEGUN,), held_bytes=HELD_BYTES_MAX), Tier.FRUGAL, Tier.BALANCED, "not known for 64 KiB, and an edit needs balanced"),
        (Seen((BEGUN,), held_ms=HOLD_MS), Tier.BALANCED, Tier.PREMIUM, "not known for 8 s"),
    ],
)
def test_an_unknown_action_goes_to_whom_an_edit_would_go(seen: Seen, tier: Tier, to: Tier, words: str) -> None:
    found = verdict(seen, PLAN, tier)
    assert isinstance(found, Escalate)
    assert (found.floor.tier, found.floor.source) == (to, SOURCE)
    assert words in found.floor.words


@pytest.mark.parametrize(
    ("seen", "ms"),
    [
        (Seen(), HOLD_MS),
        (Seen((BEGUN,), held_ms=3_000), 5_000),
        (Seen(text_chars=5, held_ms=1_000, text_ms=400), TEXT_MS - 400),
        (Seen(text_chars=5, held_ms=7_000, text_ms=400), 1_000),
        (Seen(text_chars=5, held_ms=9_000), 0),
        (Seen((BEGUN,), text_chars=5, held_ms=1_000, text_ms=400), 7_000),
        (Seen(text_chars=5, may_call_in_text=True, held_ms=1_000, text_ms=1_000), 7_000),
    ],
)
def test_a_verdict_stands_until_time_alone_changes_it(seen: Seen, ms: int) -> None:
    assert due_ms(seen, PLAN) == ms
    if ms:
        before = replace(seen, held_ms=seen.held_ms + ms - 1, text_ms=seen.text_ms + ms - 1)
        then = replace(seen, held_ms=seen.held_ms + ms, text_ms=seen.text_ms + ms)
        assert verdict(before, PLAN, Tier.FRUGAL) == verdict(seen, PLAN, Tier.FRUGAL) != verdict(then, PLAN, Tier.FRUGAL)
