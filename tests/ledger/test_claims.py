"""What a daemon may spend of a cap while the books cannot be asked."""

from __future__ import annotations

import pytest

from stepfare.ledger.claims import Claim, Heap, Purse, Shares

PURSE = Purse(Heap.USER, "ann")


@pytest.mark.parametrize(
    ("seen", "ceiling", "daemons", "room"),
    [
        (400, 200, 3, True),
        (400, 201, 3, False),
        (400, 600, 1, True),
        (1_000, 1, 1, False),
        (1_500, 1, 1, False),
        # What is free needs no room; what nobody knows the price of needs some; who never met the books has none.
        (1_500, 0, 3, True),
        (400, None, 3, True),
        (1_000, None, 3, False),
        (400, 1, 0, False),
        (400, 0, 0, True),
    ],
)
def test_a_share_is_an_equal_part_of_what_was_left(seen: int, ceiling: int | None, daemons: int, room: bool) -> None:
    claim = Claim(PURSE, 1_000, seen)
    assert (Shares().beyond([claim], ceiling, daemons) is None) is room


def test_what_is_spent_meanwhile_counts_against_the_share_until_the_books_are_back() -> None:
    shares = Shares()
    used, spent = 400, 0
    while shares.beyond([Claim(PURSE, 1_000, used)], 30, 3) is None:
        used, spent = used + 30, spent + 30
    assert spent == 180
    # What was reserved and cost less leaves room again.
    assert shares.beyond([Claim(PURSE, 1_000, used - 10)], 30, 3) is None
    shares.end()
    assert shares.beyond([Claim(PURSE, 1_000, used)], 30, 3) is None


def test_three_that_heard_the_same_never_pass_the_cap_together() -> None:
    total = 370
    for shares in (Shares(), Shares(), Shares()):
        used = 370
        while shares.beyond([Claim(PURSE, 1_000, used)], 7, 3) is None:
            used, total = used + 7, total + 7
    assert 1_000 - 3 * 7 < total <= 1_000
