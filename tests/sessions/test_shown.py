"""Sessions as people want to see them: what names, merges and splits make of the sessions of the journal, and how they are undone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfare.core.annotation import Annotation, Merged, Pinned, Renamed, Split
from stepfare.core.step import Tier
from stepfare.sessions import shown as shown_module
from stepfare.sessions.shown import Piece, Refused, Shown


def merged(session: str, into: str = "") -> Merged:
    return Merged(session, 1, into)


def split(session: str, part: str, *cuts: tuple[str, int]) -> Split:
    return Split(session, 1, part, cuts)


def check(said: Sequence[Annotation], places: dict[tuple[str, int], str]) -> Shown:
    shown = Shown.of_all(said)
    assert {place: shown.of(*place) for place in places} == places
    for (session, step), where in places.items():
        assert [piece for piece in shown.pieces(where) if piece.session == session and piece.holds(step)]
    return shown


def test_of_what_nothing_was_said_stays_as_it_is() -> None:
    shown = check([], {("a", 1): "a"})
    assert (shown.pieces("a"), shown.merged("a"), shown.going_on("a")) == ((Piece("a"),), (), "a")
    assert shown.pieces("a")[0].whole


def test_a_merged_session_goes_on_in_the_other() -> None:
    shown = check([merged("a", "b")], {("a", 1): "b", ("a", 99): "b", ("b", 1): "b"})
    assert (shown.pieces("b"), shown.merged("b")) == ((Piece("b"), Piece("a")), ("a",))
    assert shown.touched() == {"a": "b", "b": "b"}


def test_what_was_merged_is_taken_out_again() -> None:
    check([merged("a", "b"), merged("a")], {("a", 1): "a", ("b", 1): "b"})
    # What had been merged into it before comes along.
    check([merged("a", "b"), merged("b", "c"), merged("b")], {("a", 1): "b", ("b", 1): "b", ("c", 1): "c"})


def test_the_later_part_is_a_session_of_its_own() -> None:
    shown = check([split("a", "p", ("a", 3))], {("a", 2): "a", ("a", 3): "p", ("a", 99): "p"})
    assert (shown.going_on("a"), shown.pieces("p"), shown.pieces("a")) == ("p", (Piece("p"), Piece("a", 3)), (Piece("a", 1, 3),))


def test_a_split_is_undone_by_merging() -> None:
    check([split("a", "p", ("a", 3)), merged("p", "a")], {("a", 2): "a", ("a", 3): "a", ("a", 99): "a"})


def test_parts_are_split_again() -> None:
    said = [split("a", "p", ("a", 5)), split("p", "q", ("a", 8)), split("a", "r", ("a", 2))]
    check(said, {("a", 1): "a", ("a", 2): "r", ("a", 4): "r", ("a", 5): "p", ("a", 7): "p", ("a", 8): "q"})


def test_a_merged_session_is_split_across_what_it_is_made_of() -> None:
    said = [merged("a", "b"), split("b", "p", ("a", 1), ("b", 3))]
    shown = check(said, {("b", 2): "b", ("b", 3): "p", ("a", 1): "p", ("a", 9): "p"})
    assert Piece("a", 1, 1) not in shown.pieces("b")


def test_a_client_may_name_a_part_that_was_split_off() -> None:
    check([split("a", "p", ("a", 3))], {("p", 1): "p"})


def test_a_pin_holds_for_the_session_that_goes_on() -> None:
    shown = Shown.of_all([Pinned("a", 1, Tier.PREMIUM)])
    assert (shown.pin("a"), shown.pin("b")) == (Tier.PREMIUM, None)
    shown.apply(merged("b", "a"))
    assert shown.pin("b") is Tier.PREMIUM
    shown.apply(split("a", "p", ("a", 3)))
    assert (shown.pin("a"), shown.pin("b")) == (None, Tier.PREMIUM)
    shown.apply(Pinned("b", 1, None))
    assert shown.pins == {}


def test_a_name_stays_with_the_session_as_it_is_shown() -> None:
    shown = Shown.of_all([merged("a", "b"), Renamed("a", 1, "x" * 99)])
    assert shown.titles == {"b": "x" * 60}
    shown.apply(Renamed("b", 2, ""))
    assert shown.titles == {}


@pytest.mark.parametrize(
    ("before", "refused", "words"),
    [
        ([], merged("a", "a"), "one session already"),
        ([merged("a", "b")], merged("b", "a"), "one session already"),
        ([merged("a", "b"), merged("b", "c")], merged("c", "a"), "one session already"),
        ([], merged("a"), "a was not merged"),
        ([], split("a", "p"), "cannot be split"),
        ([], split("a", "p", ("a", 0)), "cannot be split"),
        ([], split("a", "p", ("b", 2)), "cannot be split"),
        ([split("a", "p", ("a", 3))], split("a", "q", ("a", 4)), "cannot be split"),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(before: list[Annotation], refused: Annotation, words: str) -> None:
    shown, same = Shown.of_all(before), Shown.of_all(before)
    with pytest.raises(Refused, match=words):
        shown.apply(refused)
    assert shown == same


def test_what_is_said_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown_module, "ANNOTATIONS_MAX", 1)
    shown = Shown.of_all([Renamed("a", 1, "x")])
    with pytest.raises(Refused, match="no more are kept"):
        shown.apply(Renamed("a", 2, "y"))


NAMES = ("a", "b", "c")
SAYINGS = st.lists(
    st.one_of(
        st.builds(merged, st.sampled_from([*NAMES, "p1", "p2"]), st.sampled_from(["", *NAMES, "p1", "p2"])),
        st.tuples(st.sampled_from(NAMES), st.integers(1, 6)),
    ),
    max_size=12,
)


@given(SAYINGS)
def test_every_step_is_in_one_session_whatever_is_said(sayings: list[Merged | tuple[str, int]]) -> None:
    shown = Shown()
    for number, saying in enumerate(sayings):
        match saying:
            case Merged():
                annotation: Annotation = saying
            case (session, step):
                annotation = split(shown.of(session, step), f"p{number}", (session, step))
        try:
            shown.apply(annotation)
        except Refused:
            continue
    for session in NAMES:
        for step in range(1, 9):
            holders = {
                where
                for where in {*shown.touched().values(), *NAMES}
                for piece in shown.pieces(where)
                if piece.session == session and piece.holds(step) and shown.whole(where) == where
            }
            assert holders == {shown.of(session, step)}
