"""Elements of a list are changed in place: what stands between and beside them keeps its bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.dialects import elements
from stepfare.dialects.base import BadRequest
from stepfare.dialects.draft import draft_of


@pytest.mark.parametrize(
    ("raw", "changes", "made"),
    [
        (b"[1, 2 ,3]", {b"2": [b"x"]}, b"[1, x ,3]"),
        (b"[ 1,\n 2 ]", {b"1": []}, b"[\n 2 ]"),
        (b"[1, 2, 3]", {b"3": []}, b"[1, 2]"),
        (b"[1]", {b"1": []}, b"[]"),
        (b"[1, 2]", {b"1": [b"a", b"b"]}, b"[a,b, 2]"),
        (b"[1, 1]", {b"1": [b"2"]}, b"[2, 2]"),
        (b"[1, 2]", {b"1": [b"1"]}, None),
        (b"[]", {}, None),
    ],
)
def test_elements_are_changed_in_place(raw: bytes, changes: dict[bytes, Sequence[bytes]], made: bytes | None) -> None:
    assert elements.edited(raw, changes.get) == made
    assert elements.edited(raw, elements.remembering(changes.get)) == made


SPACE = st.sampled_from([b"", b" ", b"\n  "])
ITEM = st.sampled_from([b"1", b'"a, b"', b'{"a": [1, 2]}', b"[]", b'"\\u00e9"', b"null"])


@given(parts=st.lists(st.tuples(SPACE, ITEM, SPACE), max_size=6), gone=st.sets(ITEM))
@settings(max_examples=60, deadline=None)
def test_what_is_left_is_the_same_list(parts: list[tuple[bytes, bytes, bytes]], gone: set[bytes]) -> None:
    raw = b"[" + b",".join(b"".join(part) for part in parts) + b"]"
    made = elements.edited(raw, lambda item: [] if item in gone else None)
    kept = [json.loads(item) for _, item, _ in parts if item not in gone]
    assert json.loads(raw if made is None else made) == kept


def test_an_element_too_odd_for_a_change_stays() -> None:
    def refuse(item: bytes) -> None:
        raise BadRequest(item.decode())

    assert elements.edited(b"[1]", refuse) is None
    with pytest.raises(BadRequest):
        elements.edited(b"{}", refuse)


def test_what_was_seen_is_not_looked_at_again() -> None:
    seen: list[bytes] = []
    change = elements.remembering(seen.append)
    for raw in (b'{"a": [1]}', b'{"a": [1, 2]}', b'{"a": [1, 2, 3]}'):
        draft = draft_of(raw)
        assert draft is not None
        assert not elements.edit(draft, "a", change)
    assert seen == [b"1", b"2", b"3"]


def test_a_list_without_the_mark_is_not_read() -> None:
    draft = draft_of(b'{"a": ["x"], "b": 3}')
    assert draft is not None
    assert not elements.edit(draft, "a", lambda _: [b"1"], b'"y"')
    assert not elements.edit(draft, "b", lambda _: [b"1"])
    assert elements.edit(draft, "a", lambda _: [b"1"], b'"y"', b'"x"')
    assert draft.body() == b'{"a": [1], "b": 3}'
