"""Entries as canonical bytes and back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given

from stepfare.core.entry import Entry
from stepfare.ledger import codec
from tests.ledger.samples import SOME, journals, opened, reserved, settled, voided


@SOME
@given(entries=journals())
def test_an_entry_comes_back_as_it_went(entries: list[Entry]) -> None:
    assert [codec.decode(codec.encode(entry)) for entry in entries] == entries


def test_the_bytes_are_those_that_were_always_written() -> None:
    # Books on disk hold these bytes and their hashes: a change here would make every existing chain unprovable.
    assert codec.encode(voided("a1", "s1", 7)) == (
        b'{"v":1,"phase":"voided","at_ms":7,"attempt":"a1","outcome":"busy","session":"s1","total_ms":0,"why":"the provider asks to wait"}'
    )


def test_fields_stand_in_the_order_of_their_names_all_the_way_down() -> None:
    _, _, *names = read = json.loads(codec.encode(settled()))
    assert names == sorted(names)
    assert list(read["usage"]) == sorted(read["usage"])


def test_integers_stay_exact() -> None:
    cost_pusd = 2**63 - 1
    assert f'"cost_pusd":{cost_pusd},'.encode() in codec.encode(settled(cost_pusd=cost_pusd))


def test_a_field_of_a_newer_version_is_left_out() -> None:
    newer = codec.encode(reserved())[:-1] + b',"zeal":{"of":["tomorrow"]}}'
    assert codec.decode(newer) == reserved()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"v":2,"phase":"settled"}', "written by a newer stepfare"),
        (b'{"v":1,"phase":"forgiven"}', "written by a newer stepfare"),
        (b'{"v":1,"phase":"lost"}', "not an entry"),
        (b"{}", "not an entry"),
        (b"\xff\xfe", "not an entry"),
        (codec.encode(settled()).replace(b'"output_tokens":50', b'"output_tokens":-1'), "not an entry"),
    ],
)
def test_what_is_no_entry_is_said_in_words(data: bytes, words: str) -> None:
    with pytest.raises(codec.Unreadable, match=words):
        codec.decode(data)


def test_half_a_character_is_replaced_and_nothing_else() -> None:
    cut = replace(opened(title="Fix the \ud83d"), branch="br\u00e4nch \U0001f680")
    assert codec.whole(cut) == replace(cut, title="Fix the \ufffd")
    assert codec.whole(opened()) is not None
    assert codec.decode(codec.encode(codec.whole(cut))) == codec.whole(cut)
