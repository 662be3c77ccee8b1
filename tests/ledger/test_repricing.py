"""What another table says stands beside what was booked, and only what both price is compared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfare.core.entry import Entry
from stepfare.core.money import Price, Rates, Usage
from stepfare.ledger.repricing import Repriced, in_all, repriced
from tests.ledger.samples import NOW_MS, lost, opened, reserved, settled, voided

# 1,000 input of which 800 read and 100 written, 50 out: 100 * 2 + 800 * 1 + 100 * 3 + 50 * 10 = 1,800.
OTHER = Price(Rates(2, 1, 3, 4, 10), services={"flex": Price(Rates(1, 1, 1, 1, 5))})
ANSWER = settled(cost_pusd=1_500)


def by_other(*entries: Entry, price: Price | None = OTHER, since_ms: int = 0) -> Repriced:
    models = repriced((opened(), reserved(), *entries), lambda _model, _at_ms: price, since_ms)
    return models.get("lab/large", Repriced())


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        (ANSWER, Repriced(1, 1_500, 1_800)),
        (replace(ANSWER, source="provider-billed"), Repriced(1, 1_500, 1_800, billed_pusd=1_500)),
        (replace(ANSWER, source="estimated"), Repriced(1, 1_500, 1_800, estimated_pusd=1_500)),
        # At half the price of the five: 100 + 800 + 100 + 250.
        (replace(ANSWER, service="flex"), Repriced(1, 1_500, 1_250)),
        (replace(ANSWER, service="unheard-of"), Repriced(1, 1_500, 1_800)),
        (settled(cost_pusd=None), Repriced(newly_priced_attempts=1, newly_priced_pusd=1_800)),
        (voided(), Repriced()),
        (lost(), Repriced()),
    ],
)
def test_an_attempt_is_priced_anew_by_its_usage(entry: Entry, found: Repriced) -> None:
    assert by_other(entry) == found


def test_what_the_other_table_does_not_know_is_no_saving() -> None:
    assert by_other(ANSWER, price=None) == Repriced(not_priced_attempts=1, not_priced_booked_pusd=1_500)
    assert by_other(ANSWER, price=None).difference_pusd == 0


def test_a_longer_prompt_is_priced_by_its_own_step() -> None:
    long = replace(ANSWER, usage=Usage(3_000))
    assert by_other(long).repriced_pusd == 6_000


def test_the_price_is_that_of_the_moment_at_which_the_attempt_was_sent() -> None:
    asked: list[tuple[str, int]] = []

    def price_of(model: str, at_ms: int) -> Price:
        asked.append((model, at_ms))
        return OTHER

    repriced((reserved(at_ms=NOW_MS), settled(at_ms=NOW_MS + 90_000)), price_of)
    assert asked == [("lab/large", NOW_MS)]


def test_only_what_was_booked_since_is_compared() -> None:
    assert by_other(ANSWER, since_ms=ANSWER.at_ms).attempts == 1
    assert by_other(ANSWER, since_ms=ANSWER.at_ms + 1).attempts == 0


def test_models_are_told_apart_and_added_up() -> None:
    small = replace(reserved("a2"), model="lab/small")
    entries = (reserved(), ANSWER, small, replace(ANSWER, attempt="a2"), reserved("a3"), settled("a3", cost_pusd=None))
    models = repriced(entries, lambda _model, _at_ms: OTHER)
    assert set(models) == {"lab/large", "lab/small"}
    assert in_all(models) == Repriced(2, 3_000, 3_600, newly_priced_attempts=1, newly_priced_pusd=1_800)
    assert in_all(models).difference_pusd == 600
