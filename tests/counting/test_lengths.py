"""How long a token is, is learned from answers that their provider counted, and from no others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfare.core.entry import Lost, Settled, Voided
from stepfare.core.money import Usage
from stepfare.counting.lengths import Lengths
from tests.ledger.samples import reserved, settled

ANSWER = replace(settled("a1"), usage=Usage(10, output_tokens=100), heard_chars=400)


def after(*answers: Settled) -> float:
    lengths = Lengths(3.6)
    for answer in answers:
        lengths.apply(reserved("a1"))
        lengths.apply(answer)
    return lengths.of(reserved("a1").model)


def test_what_was_seen_once_is_better_than_what_is_true_of_all() -> None:
    assert after() == 3.6
    assert after(ANSWER) == 4.0
    assert after(ANSWER, replace(ANSWER, heard_chars=500)) == pytest.approx(4.1)


def test_what_was_thought_unseen_is_no_part_of_what_was_heard() -> None:
    assert after(replace(ANSWER, usage=Usage(10, output_tokens=900, reasoning_tokens=800))) == 4.0


@pytest.mark.parametrize(
    "answer",
    [
        replace(ANSWER, source="estimated"),
        replace(ANSWER, heard_chars=0),
        replace(ANSWER, usage=Usage(10, output_tokens=15)),
        replace(ANSWER, heard_chars=99),
        replace(ANSWER, heard_chars=1_201),
    ],
)
def test_guesses_and_oddities_teach_nothing(answer: Settled) -> None:
    assert after(answer) == 3.6


def test_what_was_void_or_lost_teaches_nothing() -> None:
    lengths = Lengths(3.6)
    for closing in (Voided("a1", "s1", 0, "down", "down"), Lost("a1", "s1", 0, 5)):
        lengths.apply(reserved("a1"))
        lengths.apply(closing)
        lengths.apply(ANSWER)
    assert lengths.of(reserved("a1").model) == 3.6
