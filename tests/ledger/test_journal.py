"""The legal order of entries, and what they leave in the three heaps of money."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfare.core.entry import Entry
from stepfare.ledger.journal import Balance, balance_of, post
from tests.ledger.samples import SOME, journals, lost, opened, reserved, settled, voided


def heaps(*entries: Entry) -> tuple[int, int, int, int]:
    """Spent, reserved, lost, unpriced."""
    balance = reduce(post, entries, Balance())
    return balance.spent_pusd, balance.reserved_pusd, balance.lost_pusd, balance.unpriced


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ((), (0, 0, 0, 0)),
        ((opened(), reserved()), (0, 900, 0, 0)),
        ((reserved(), settled()), (500, 0, 0, 0)),
        ((reserved(), voided()), (0, 0, 0, 0)),
        ((reserved(), lost()), (0, 0, 900, 0)),
        ((reserved(ceiling_pusd=None),), (0, 0, 0, 0)),
        ((reserved(), settled(cost_pusd=None)), (0, 0, 0, 1)),
        ((reserved(ceiling_pusd=None), lost(ceiling_pusd=None)), (0, 0, 0, 1)),
        ((reserved(), settled(), settled()), (500, 0, 0, 0)),
        ((reserved(), settled(), reserved()), (500, 0, 0, 0)),
        ((reserved(), reserved("a2"), settled()), (500, 900, 0, 0)),
    ],
)
def test_money_is_in_one_heap_only(entries: tuple[Entry, ...], expected: tuple[int, int, int, int]) -> None:
    assert heaps(*entries) == expected


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ((settled(),), "a1 is settled, but was never reserved"),
        ((opened(), lost()), "a1 is lost, but was never reserved"),
        ((reserved(), voided(), settled()), "a1 is settled, but was already voided"),
        ((reserved(), settled(), lost()), "a1 is lost, but was already settled"),
    ],
)
def test_an_order_that_only_a_mistake_of_ours_can_bring_is_refused(entries: tuple[Entry, ...], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        heaps(*entries)


@SOME
@given(entries=journals(), data=st.data())
def test_entries_that_come_again_change_nothing(entries: list[Entry], data: st.DataObject) -> None:
    again = [entry for entry in entries for _ in range(data.draw(st.integers(1, 2)))] + entries
    assert reduce(post, again, Balance()) == reduce(post, entries, Balance()) == balance_of(entries)
