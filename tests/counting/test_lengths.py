"""How long tokens are and how many are thought unseen is learned from calls that their provider counted, and from no others."""

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


def test_what_is_thought_unseen_is_known_by_the_model() -> None:
    lengths = Lengths(3.6)
    assert lengths.unseen("lab/large") == 0
    for tokens in (800, 1_800):
        lengths.apply(reserved("a1"))
        lengths.apply(replace(ANSWER, unseen_tokens=tokens))
    assert lengths.unseen("lab/large") == 900
    assert lengths.unseen("lab/small") == 0


@pytest.mark.parametrize(
    ("body_bytes", "input_tokens", "bytes_of"),
    [(8_000, 2_000, 4.0), (1_999, 500, None), (8_000, 0, None), (8_000, 10_000, None), (200_000, 2_000, None)],
)
def test_how_long_a_requests_tokens_are_is_learned_from_its_prompts(body_bytes: int, input_tokens: int, bytes_of: float | None) -> None:
    lengths = Lengths(3.6)
    lengths.apply(replace(reserved("a1"), body_bytes=body_bytes))
    lengths.apply(replace(ANSWER, usage=Usage(input_tokens, output_tokens=100)))
    assert lengths.bytes_of("lab/large") == bytes_of


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
