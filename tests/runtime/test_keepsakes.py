"""Thoughts kept for clients that have no place for them."""

from __future__ import annotations

from stepfare.core.prompt import Thought
from stepfare.runtime.keepsakes import Keepsakes

THOUGHT = Thought("anthropic", b'{"type":"thinking"}', "d1", "hm")


def test_thoughts_are_found_by_the_first_call_or_else_by_the_text_and_by_their_maker_alone() -> None:
    kept = Keepsakes()
    kept.keep("lab/large", ("call_1", "call_2"), "said", (THOUGHT,))
    kept.keep("lab/large", (), "told", (THOUGHT, THOUGHT))
    mine, others = kept.of("lab/large"), kept.of("lab/small")
    assert mine("call_1") == (THOUGHT,)
    assert mine("told") == (THOUGHT, THOUGHT)
    assert [mine("call_2"), mine("said"), others("call_1")] == [(), (), ()]


def test_what_holds_nothing_to_be_found_by_is_not_kept() -> None:
    kept = Keepsakes()
    kept.keep("lab/large", (), "", (THOUGHT,))
    kept.keep("lab/large", ("call_1",), "", ())
    assert kept.of("lab/large")("") == ()
    assert kept.of("lab/large")("call_1") == ()


def test_what_is_longest_unused_goes_first_when_there_is_too_much() -> None:
    kept = Keepsakes(bytes_max=2 * len(THOUGHT.raw))
    mine = kept.of("lab/large")
    kept.keep("lab/large", ("one",), "", (THOUGHT,))
    kept.keep("lab/large", ("two",), "", (THOUGHT,))
    assert mine("one")
    kept.keep("lab/large", ("three",), "", (THOUGHT,))
    assert [bool(mine(call)) for call in ("one", "two", "three")] == [True, False, True]
    kept.keep("lab/large", ("three",), "", (THOUGHT,))
    assert [bool(mine(call)) for call in ("one", "three")] == [True, True]
