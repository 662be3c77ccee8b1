"""The hash chain: what was changed, taken out or put in is found and named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stepfare.ledger import codec
from stepfare.ledger.chain import GENESIS, Head, head_of, head_text, link, verify
from tests.ledger.samples import opened, reserved, settled

Rows = list[tuple[int, bytes, bytes]]


def rows() -> Rows:
    made: Rows = []
    last = GENESIS
    for number, entry in enumerate((opened(), reserved(), settled(), reserved("a2"), settled("a2")), start=1):
        data = codec.encode(entry)
        last = link(last, data)
        made.append((number, data, last))
    return made


def test_a_whole_chain_ends_in_its_head() -> None:
    verdict = verify(rows())
    assert verdict.whole
    assert (verdict.rows, verdict.head) == (5, Head(5, rows()[-1][2]))


def changed(rows: Rows) -> Rows:
    number, data, stored = rows[2]
    return [*rows[:2], (number, data.replace(b'"cost_pusd":500', b'"cost_pusd":400'), stored), *rows[3:]]


def rehashed(rows: Rows) -> Rows:
    number, data, _ = changed(rows)[2]
    return [*rows[:2], (number, data, link(rows[1][2], data)), *rows[3:]]


@pytest.mark.parametrize(
    ("spoil", "good", "words"),
    [
        (changed, 2, "row 3 does not fit its hash"),
        (rehashed, 3, "row 4 does not fit its hash"),
        (lambda rows: rows[1:], 0, "row 1 is missing: after row 0 comes row 2"),
        (lambda rows: rows[:1] + rows[2:], 1, "row 2 is missing: after row 1 comes row 3"),
        (lambda rows: [*rows[:3], (4, rows[4][1], rows[4][2])], 3, "row 4 does not fit its hash"),
        (lambda rows: [*rows, rows[-1]], 5, "row 6 is missing: after row 5 comes row 5"),
    ],
)
def test_the_first_bad_row_is_named(spoil: Callable[[Rows], Rows], good: int, words: str) -> None:
    verdict = verify(spoil(rows()))
    assert not verdict.whole
    assert verdict.rows == good
    assert words in verdict.problems[0]


def test_a_head_comes_back_from_its_file() -> None:
    head = Head(5, rows()[-1][2])
    assert head_of(head_text(head)) == head


@pytest.mark.parametrize("text", ["", "{", '{"count":1}', '{"count":1,"hash":"xyz"}', "[]"])
def test_a_file_that_holds_no_head_gives_none(text: str) -> None:
    assert head_of(text) is None
