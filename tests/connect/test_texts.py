"""Single values in texts that people write by hand: JSON with remarks and lists, TOML, YAML, environment files."""

from __future__ import annotations

import tomllib

import pytest

from stepfare.cli.connect import env_text, json_text, toml_text, yaml_text
from stepfare.cli.connect.json_text import MISSING, Json, Keys, Unsuitable, parse_lenient, value_at

REMARKED: list[tuple[str, str, Keys, Json, str]] = [
    ("behind a remark on the last line", '{\n  "a": 1 // one\n}', ("b",), 2, '{\n  "a": 1, // one\n  "b": 2\n}'),
    ("behind a loose comma", '{\n  "a": 1, // one\n}', ("b",), 2, '{\n  "a": 1, // one\n  "b": 2,\n}'),
    ("below a remark at the head", '{\n  // mine\n  "a": 1\n}', ("b",), 2, '{\n  // mine\n  "a": 1,\n  "b": 2\n}'),
    ("in an object of remarks alone", "{\n  // none\n}", ("b",), 2, '{\n  // none\n  "b": 2\n}'),
    ("in place, a remark in between", '{"a": /* was 0 */ 1}', ("a",), 2, '{"a": /* was 0 */ 2}'),
    ("where text looks like a remark", '{"a": "http://x/*", "b": 1}', ("b",), 2, '{"a": "http://x/*", "b": 2}'),
    ("in a list", '{"l": [{"id": "x"}]}', ("l", "[id=y]"), {"id": "y"}, '{"l": [{"id": "x"}, {"id": "y"}]}'),
    ("in place in a list", '{"l": [{"id": "y", "n": 1}]}', ("l", "[id=y]"), {"id": "y"}, '{"l": [{"id": "y"}]}'),
    ("in a list that is made", "{}", ("l", "[id=y]"), {"id": "y"}, '{\n  "l": [{"id": "y"}]\n}'),
]


@pytest.mark.parametrize(("text", "keys", "value", "after"), [row[1:] for row in REMARKED], ids=[row[0] for row in REMARKED])
def test_a_value_is_put_among_remarks(text: str, keys: Keys, value: Json, after: str) -> None:
    assert json_text.put(text, keys, value) == after
    assert value_at(parse_lenient(after), keys) == value


DROPPED: list[tuple[str, str, Keys, str]] = [
    ("the last, before a loose comma", '{\n  "a": 1, // one\n  "b": 2,\n}', ("b",), '{\n  "a": 1, // one\n}'),
    ("the last, behind a remark", '{\n  "a": 1, // one\n  "b": 2\n}', ("b",), '{\n  "a": 1 // one\n}'),
    ("the first, below a remark", '{\n  // mine\n  "a": 1,\n  "b": 2\n}', ("a",), '{\n  // mine\n  "b": 2\n}'),
    ("the only one", '{\n  // mine\n  "a": 1\n}', ("a",), "{\n  // mine\n}"),
    ("an entry of a list", '{"l": [{"id": "x"}, {"id": "y"}]}', ("l", "[id=x]"), '{"l": [{"id": "y"}]}'),
    ("the only entry of a list", '{"l": [{"id": "x"}]}', ("l", "[id=x]"), '{"l": []}'),
]


@pytest.mark.parametrize(("text", "keys", "after"), [row[1:] for row in DROPPED], ids=[row[0] for row in DROPPED])
def test_a_value_is_dropped_and_remarks_stay(text: str, keys: Keys, after: str) -> None:
    assert json_text.drop(text, keys) == after
    assert value_at(parse_lenient(after), keys) is MISSING


TOMLS = {
    "keys and tables": "a = 1  # one\n\n[t]\nb = 2\n\n[[list]]\nc = 3\n",
    "no tables": "a = 1\n# the end\n",
    "only tables": '# head\n[t]\nb = 2\n\n[model_providers.lab]\nname = "lab"\n',
    "a table with other tables between": '[model_providers.lab]\nname = "lab"\n[t]\nb = 2\n[model_providers.other]\nname = "o"\n',
    "windows line ends": "a = 1\r\n[t]\r\nb = 2\r\n",
    "nothing": "",
}
PUTS: dict[Keys, Json] = {
    ("model",): "stepfare/auto",
    ("model_providers", "stepfare", "name"): "s",
    ("model_providers", "stepfare", "n"): 7,
}


@pytest.mark.parametrize("text", TOMLS.values(), ids=TOMLS.keys())
def test_toml_keeps_what_it_said_and_says_ours(text: str) -> None:
    after = text
    for keys, value in PUTS.items():
        after = toml_text.put(after, keys, value)
    expected = tomllib.loads(text)
    expected["model"] = "stepfare/auto"
    expected.setdefault("model_providers", {})["stepfare"] = {"name": "s", "n": 7}
    assert tomllib.loads(after) == expected
    assert [line for line in text.splitlines() if line not in after.splitlines()] == []
    back = toml_text.drop(toml_text.drop(after, ("model_providers", "stepfare")), ("model",))
    left = tomllib.loads(back)
    if "model_providers" not in tomllib.loads(text):
        left.pop("model_providers", None)
    assert left == tomllib.loads(text)


@pytest.mark.parametrize("text", ["a = ", "[t", "a = 1\na = 2\n"])
def test_what_is_no_toml_is_refused(text: str) -> None:
    with pytest.raises(Unsuitable):
        toml_text.parse(text)


def test_toml_that_would_come_to_mean_something_else_is_refused() -> None:
    with pytest.raises(Unsuitable, match="without rewriting"):
        toml_text.put('model_providers.lab.name = "lab"\na = 1\n', ("model_providers", "stepfare", "name"), "s")


def test_a_value_is_not_put_below_one_that_is_no_table() -> None:
    with pytest.raises(Unsuitable, match=r"`model_providers` is not a table"):
        toml_text.put("model_providers = 7\n", ("model_providers", "stepfare", "name"), "s")


YAMLS = [
    ("in place", "a: 1  # one\nb: 2\n", "a", "x y", "a: x y  # one\nb: 2\n"),
    ("at the end", "a: 1", "b", True, "a: 1\nb: true\n"),
    ("where nothing stands", "a:\nb: 2\n", "a", "openai/x", 'a: "openai/x"\nb: 2\n'),
    ("in an empty file", "", "a", "x", "a: x\n"),
    ("below remarks alone", "# mine\n", "a", "x", "# mine\na: x\n"),
]


@pytest.mark.parametrize(("text", "key", "value", "after"), [row[1:] for row in YAMLS], ids=[row[0] for row in YAMLS])
def test_a_value_is_put_in_yaml(text: str, key: str, value: Json, after: str) -> None:
    assert yaml_text.put(text, (key,), value) == after


@pytest.mark.parametrize("text", ["a: [1]\n", "{a: 1}\n", "- a\n", "a: &x 1\nb: *x\n", "a: 1\n---\nb: 2\n"])
def test_yaml_that_would_have_to_be_rewritten_is_refused(text: str) -> None:
    with pytest.raises(Unsuitable):
        yaml_text.put(text, ("a",), "x")


def test_a_value_is_dropped_from_yaml() -> None:
    assert yaml_text.drop("# head\na: 1\nb: |\n  long\n  text\nc: 3  # three\n", ("b",)) == "# head\na: 1\nc: 3  # three\n"
    assert yaml_text.drop("a: 1\n", ("b",)) == "a: 1\n"


def test_names_of_an_environment_file_are_read_as_shells_read_them() -> None:
    assert env_text.names_in("A=1\n export B = 2\n# C=3\nnot a line\nA=4\n") == ["A", "B"]


def test_a_value_with_blanks_is_quoted_in_an_environment_file() -> None:
    assert env_text.value_of(env_text.put("A=1\n", "A", "two words # and more"), "A") == "two words # and more"
