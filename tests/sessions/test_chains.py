"""The digests of a conversation up to each of its turns."""

from __future__ import annotations

from stepfare.sessions.chains import CHAINS_KEPT_MAX, chain_of


def test_each_turn_has_the_digest_of_all_before_it() -> None:
    one, other = chain_of([b"a", b"b", b"c"]), chain_of([b"a", b"x", b"c"])
    assert one[0] == other[0]
    assert one[1] != other[1]
    assert one[2] != other[2]
    assert chain_of([b"ab"]) != chain_of([b"a", b"b"])[1:]
    assert chain_of([]) == ()


def test_a_turn_without_an_anchor_adds_nothing() -> None:
    one, *_, last = chain_of([b"a", b"", b"", b"b"])
    assert chain_of([b"a", b"", b"", b"b"])[:3] == (one, one, one)
    assert last == chain_of([b"a", b"b"])[1]


def test_a_chain_is_the_same_whatever_was_seen_before() -> None:
    turns = [bytes([number]) for number in range(1, 100)]
    grown = [chain_of(turns[:end]) for end in range(1, 100)][-1]
    for number in range(CHAINS_KEPT_MAX + 1):
        chain_of([b"other", bytes([number])])
    assert chain_of(turns) == grown
