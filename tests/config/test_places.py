"""Where keys and values of a TOML text stand."""

from __future__ import annotations

import tomllib
from datetime import date, datetime, time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stepfare.config.places import KeyPath, Place, Places, places_of

SAMPLE = '''\
# first
top = 1 # one
"quoted key"."dotted".'here' = "a # no comment"
[table] # comment
list = [ 1, # one
  [2, 3], "x",
]
inline = { a = 1, b = { c = "}" }, d.e = [ { f = 07:32:00 } ] }
[[items]]
name = """
two "" lines \\""" ""\"""
[[items]]
name = \'\'\'raw ' ''\'\'\'
[items.sub]
when = 1979-05-27 07:32:00Z   # spaces inside a value
[[items.deep]]
n = -1.5e3
[[items.deep]]
n = inf
'''


def at(text: str, place: Place) -> str:
    return text.split("\n")[place.line - 1][place.column - 1 : place.column - 1 + place.length]


def leaves(value: Any, path: KeyPath = ()) -> dict[KeyPath, Any]:
    if isinstance(value, dict):
        return {key: leaf for name, child in value.items() for key, leaf in leaves(child, (*path, name)).items()}
    if isinstance(value, list):
        return {key: leaf for index, child in enumerate(value) for key, leaf in leaves(child, (*path, index)).items()}
    return {path: value}


def test_every_value_of_a_text_has_its_place() -> None:
    places = places_of(SAMPLE)
    values = leaves(tomllib.loads(SAMPLE))
    assert set(values) <= set(places.values)
    several_lines = {path for path in values if at(SAMPLE, places.values[path]) == '"""'}
    assert several_lines == {("items", 0, "name")}
    for path in several_lines:
        del values[path]
    for path, value in values.items():
        assert tomllib.loads(f"x = {at(SAMPLE, places.values[path])}") == {"x": value}, path


def test_tables_stand_at_their_headers() -> None:
    places = places_of(SAMPLE)
    lines = {path: (place.line, at(SAMPLE, place)) for path, place in places.keys.items()}
    assert lines[("items",)] == (9, "items")
    assert lines[("items", 1)] == (12, "items")
    assert lines[("items", 1, "sub")] == (14, "sub")
    assert lines[("items", 1, "deep", 1)] == (18, "deep")
    assert lines[("quoted key", "dotted", "here")] == (3, "'here'")
    assert lines[("table", "inline", "b", "c")] == (8, "c")


def test_what_has_no_place_of_its_own_has_that_of_what_is_around_it() -> None:
    places = places_of("[a]\nb = 1\n")
    assert places.of(("a", "b", "c")) == Place(2, 5, 1)
    assert places.of(("a", "b"), key=True) == Place(2, 1, 1)
    assert Places().of(("a",)) is None


NAMES = st.one_of(st.sampled_from(["a", "b", "c-d", "1"]), st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=3))
SCALARS = st.one_of(
    st.integers(-(2**40), 2**40),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.dates(),
    st.times(),
    st.datetimes(),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)), max_leaves=8
)
DOCUMENTS = st.dictionaries(
    NAMES, st.one_of(VALUES, st.lists(st.dictionaries(NAMES, VALUES, max_size=3), min_size=1, max_size=3)), max_size=4
)
SPACES = st.sampled_from(["", " ", "  ", "\t"])
GAPS = st.sampled_from(["", " ", "\n", " # comment ]}\"'\n", "\n\n\t"])


def quoted(text: str) -> str:
    escapes = "".join(f"\\u{ord(char):04x}" if ord(char) < 32 or char in '"\\' or ord(char) == 127 else char for char in text)
    return f'"{escapes}"'


def written(draw: Any, value: Any) -> str:
    """The value as TOML, with blanks and comments strewn in."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}'" if "'" not in value and value.isprintable() and draw(st.booleans()) else quoted(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=draw(st.sampled_from("T ")))
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, list):
        return "[" + ",".join(draw(GAPS) + written(draw, item) + draw(GAPS) for item in value) + draw(GAPS) + "]"
    if isinstance(value, dict):
        pairs = [
            f"{draw(SPACES)}{quoted(key)}{draw(SPACES)}={draw(SPACES)}{written(draw, item)}{draw(SPACES)}" for key, item in value.items()
        ]
        return "{" + ",".join(pairs) + "}"
    return str(value)


@st.composite
def texts(draw: Any) -> str:
    """A TOML text: plain keys first, then tables and arrays of tables."""
    document = draw(DOCUMENTS)
    plain, tables = "", ""
    for name, value in document.items():
        as_tables = isinstance(value, list) and value and all(isinstance(item, dict) for item in value) and draw(st.booleans())
        if as_tables or (isinstance(value, dict) and draw(st.booleans())):
            several = value if isinstance(value, list) else [value]
            for table in several:
                tables += (
                    f"{draw(GAPS)}\n"
                    + (f"[[{draw(SPACES)}{quoted(name)} ]]" if as_tables else f"[{quoted(name)}{draw(SPACES)}]")
                    + " # t\n"
                )
                tables += "".join(f"{draw(SPACES)}{quoted(key)} = {written(draw, item)}{draw(SPACES)}\n" for key, item in table.items())
        else:
            plain += f"{draw(GAPS)}\n{quoted(name)}{draw(SPACES)}={draw(SPACES)}{written(draw, value)} # v\n"
    return plain + tables


@given(texts())
def test_the_text_at_a_values_place_reads_as_that_value(text: str) -> None:
    places = places_of(text)
    for path, value in leaves(tomllib.loads(text)).items():
        shown = at(text, places.values[path])
        assert tomllib.loads(f"x = {shown}") == {"x": value}, (path, shown)
        if isinstance(path[-1], str):
            assert tomllib.loads(f"{at(text, places.keys[path])} = 1") == {path[-1]: 1}
