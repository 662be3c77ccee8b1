"""Single values in the text of a JSON file."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.cli.connect.json_text import MISSING, Json, Keys, Unsuitable, drop, parse, put, value_at

PUTS: list[tuple[str, str, Keys, Json, str]] = [
    ("a value changes in place", '{"a": 1, "b": [ 2 ]}', ("a",), "x", '{"a": "x", "b": [ 2 ]}'),
    ("a nested value changes in place", '{"a":{"b":1 ,"c":2}}', ("a", "b"), None, '{"a":{"b":null ,"c":2}}'),
    ("a new key follows the last on one line", '{"a":1}', ("b",), 2, '{"a":1, "b": 2}'),
    ("a new key takes a line like the others", '{\n\t"a": 1\n}\n', ("b",), 2, '{\n\t"a": 1,\n\t"b": 2\n}\n'),
    ("an empty object opens", '{\n  "a": {}\n}', ("a", "b"), 1, '{\n  "a": {\n    "b": 1\n  }\n}'),
    (
        "objects on the way are made",
        '{\n  "z": 0\n}',
        ("a", "b", "c"),
        1,
        '{\n  "z": 0,\n  "a": {\n    "b": {\n      "c": 1\n    }\n  }\n}',
    ),
    ("line ends stay those of the file", '{\r\n  "a": 1\r\n}', ("b",), {"c": 1}, '{\r\n  "a": 1,\r\n  "b": {\r\n    "c": 1\r\n  }\r\n}'),
    ("the last of equal names is the one that counts", '{"a": 1, "a": 2}', ("a",), 3, '{"a": 1, "a": 3}'),
    ("braces in text are text", '{"}": "{\\"a\\":", "a": 1}', ("a",), 2, '{"}": "{\\"a\\":", "a": 2}'),
]
DROPS: list[tuple[str, str, Keys, str]] = [
    ("the last of several", '{\n  "a": 1,\n  "b": 2\n}', ("b",), '{\n  "a": 1\n}'),
    ("the first of several", '{\n  "a": 1,\n  "b": 2\n}', ("a",), '{\n  "b": 2\n}'),
    ("one between others", '{"a":1 , "b":2 , "c":3}', ("b",), '{"a":1 , "c":3}'),
    ("the only one", '{ "a": 1 }', ("a",), "{}"),
    ("equal names together", '{"a": 1, "b": 2, "a": 3}', ("a",), '{"b": 2}'),
    ("nothing where there is none", '{ "a" : 1 }', ("b", "c"), '{ "a" : 1 }'),
]


@pytest.mark.parametrize(("text", "keys", "value", "after"), [row[1:] for row in PUTS], ids=[row[0] for row in PUTS])
def test_a_value_is_put(text: str, keys: Keys, value: Json, after: str) -> None:
    assert put(text, keys, value) == after
    assert value_at(parse(after), keys) == value


@pytest.mark.parametrize(("text", "keys", "after"), [row[1:] for row in DROPS], ids=[row[0] for row in DROPS])
def test_a_value_is_dropped(text: str, keys: Keys, after: str) -> None:
    assert drop(text, keys) == after


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1,}', '{// c\n"a": 1}', "\ufeff{}", "[" * 100_000])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(Unsuitable):
        parse(text)


def test_a_value_is_not_put_below_one_that_holds_none() -> None:
    with pytest.raises(Unsuitable, match=r"`a\.b` is not an object"):
        put('{"a": {"b": 7}}', ("a", "b", "c"), 1)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@settings(max_examples=60, deadline=None)
@given(document=st.dictionaries(st.text(), VALUES, min_size=1), indent=st.sampled_from([None, 1, 2, 4, "\t"]), key=st.text(), value=VALUES)
def test_a_new_value_put_and_dropped_leaves_the_text_as_it_was(
    document: dict[str, Json], indent: int | None, key: str, value: Json
) -> None:
    text = json.dumps(document, indent=indent)
    after = put(text, (key,), value)
    assert json.loads(after) == {**document, key: value}
    if value_at(document, (key,)) is MISSING:
        assert drop(after, (key,)) == text
