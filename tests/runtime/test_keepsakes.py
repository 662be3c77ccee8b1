"""Thoughts kept for clients that have no place for them."""

from __future__ import annotations

from stepfare.core.prompt import Thought
from stepfare.runtime.keepsakes import Keepsakes

THOUGHT = Thought("anthropic", b'{"type":"thinking"}', "d1", "hm")


def kept(*places: tuple[str, str, str, int], bytes_max: int = 1_000_000) -> Keepsakes:
    made = Keepsakes(bytes_max)
    for place in places:
        made.keep(*place, (THOUGHT,))
    return made


def test_thoughts_are_found_by_session_and_maker_and_by_key_and_place_of_the_answer() -> None:
    made = kept(("s1", "lab/large", "call_1", 3))
    assert made.of("s1", "lab/large")("call_1", 3) == (THOUGHT,)
    others = (
        ("s2", "lab/large", "call_1", 3),
        ("s1", "lab/small", "call_1", 3),
        ("s1", "lab/large", "x", 3),
        ("s1", "lab/large", "call_1", 4),
    )
    assert [made.of(session, model)(key, place) for session, model, key, place in others] == [()] * 4


def test_what_holds_nothing_to_be_found_by_is_not_kept() -> None:
    made = kept(("s1", "lab/large", "", 0))
    made.keep("s1", "lab/large", "call_1", 0, ())
    assert made.of("s1", "lab/large")("", 0) == ()
    assert made.of("s1", "lab/large")("call_1", 0) == ()


def test_what_is_longest_unused_goes_first_when_there_is_too_much() -> None:
    made = kept(("s", "m", "one", 0), ("s", "m", "two", 0), bytes_max=2 * len(THOUGHT.raw))
    mine = made.of("s", "m")
    assert mine("one", 0)
    made.keep("s", "m", "three", 0, (THOUGHT,))
    assert [bool(mine(key, 0)) for key in ("one", "two", "three")] == [True, False, True]
    made.keep("s", "m", "three", 0, (THOUGHT,))
    assert [bool(mine(key, 0)) for key in ("one", "three")] == [True, True]


def test_what_a_provider_refused_is_forgotten_for_that_session_and_model_alone() -> None:
    made = kept(("s1", "m", "one", 0), ("s1", "m", "two", 1), ("s2", "m", "one", 0), ("s1", "n", "one", 0))
    made.forget("s1", "m")
    assert [bool(made.of(*whose)("one", 0)) for whose in (("s1", "m"), ("s2", "m"), ("s1", "n"))] == [False, True, True]
    assert made.of("s1", "m")("two", 1) == ()
    made.forget("s1")
    assert [bool(made.of(*whose)("one", 0)) for whose in (("s2", "m"), ("s1", "n"))] == [True, False]
