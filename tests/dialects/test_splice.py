"""Splicing changes the named values and not one other byte, whatever a client writes around them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfare.dialects import splice
from stepfare.dialects.base import BadRequest
from stepfare.dialects.splice import JsonObject, items, loads, replace, scan

LONE = rb"\ud83d"
SPACE = st.sampled_from([b"", b"", b" ", b"\n  ", b"\t", b"\r\n"])
STRING = st.sampled_from(
    [
        b'""',
        b'"a"',
        b'"\\"model\\":1"',
        b'"}"',
        b'"\\\\"',
        b'"\\u00e9\\/"',
        '"é→"'.encode(),
        b'"' + LONE + b'"',
        b'"\xff\xfe"',
        b'",\\"b\\":"',
    ]
)
NUMBER = st.sampled_from([b"0", b"-0", b"1.50", b"1e5", b"-2E-3", b"123456789012345678901234567890", b"1e999", b"12"])
LEAF = st.one_of(STRING, NUMBER, st.sampled_from([b"true", b"false", b"null", b"{}", b"[]"]))


def joined(parts: list[tuple[bytes, bytes, bytes]], opened: bytes, closed: bytes) -> bytes:
    return opened + b",".join(before + part + after for before, part, after in parts) + closed


VALUE = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(st.tuples(SPACE, inner, SPACE), max_size=3).map(lambda parts: joined(parts, b"[", b"]")),
        st.lists(st.tuples(SPACE, st.tuples(STRING, inner).map(lambda pair: pair[0] + b":" + pair[1]), SPACE), max_size=3).map(
            lambda parts: joined(parts, b"{", b"}")
        ),
    ),
    max_leaves=6,
)
# The same key in several spellings: plain, with escapes, and others that merely look like it.
KEYS = {
    b'"model"': "model",
    b'"mod\\u0065l"': "model",
    b'"a"': "a",
    b'"b"': "b",
    b'"\\u0062"': "b",
    b'"model "': "model ",
    b'"x\\"model\\""': 'x"model"',
    b'""': "",
    b'"' + LONE + b'"': "\ud83d",
}


@dataclass(frozen=True)
class Member:
    key: bytes
    value: bytes
    spaces: tuple[bytes, bytes, bytes, bytes]

    def with_value(self, value: bytes) -> bytes:
        before, after_key, before_value, after = self.spaces
        return before + self.key + after_key + b":" + before_value + value + after


MEMBER = st.builds(Member, st.sampled_from(sorted(KEYS)), VALUE, st.tuples(SPACE, SPACE, SPACE, SPACE))
MEMBERS = st.lists(MEMBER, max_size=6)


def body_of(members: list[Member], values: dict[str, bytes], before: bytes, after: bytes) -> bytes:
    inner = b",".join(member.with_value(values.get(KEYS[member.key], member.value)) for member in members)
    return before + b"{" + inner + b"}" + after


@given(MEMBERS, SPACE, SPACE, st.sampled_from(["model", "a", "b", ""]))
def test_only_the_named_value_changes_and_every_other_byte_stays(members: list[Member], before: bytes, after: bytes, key: str) -> None:
    body = body_of(members, {}, before, after)
    replaced = replace(scan(body), {key: b'"new"'})
    if any(KEYS[member.key] == key for member in members):
        assert replaced == body_of(members, {key: b'"new"'}, before, after)
    else:
        added = json.dumps(key).encode() + b':"new"'
        end = len(body) - len(after) - 1
        assert replaced == body[:end] + (b"," if members else b"") + added + body[end:]


@given(MEMBERS, SPACE)
def test_both_ways_of_scanning_find_the_same_places(members: list[Member], after: bytes) -> None:
    body = body_of(members, {}, b"", after)
    quick, slow = scan(body), splice._scan_slowly(body)
    assert [(span.start, span.end) for span in quick.spans] == [(span.start, span.end) for span in slow.spans]
    assert [body[span.start : span.end] for span in quick.spans] == [member.value for member in members]


@given(MEMBERS)
def test_where_a_key_stands_twice_the_last_one_counts(members: list[Member]) -> None:
    obj = scan(body_of(members, {}, b"", b""))
    for key in ("model", "a", "b"):
        last = next((member.value for member in reversed(members) if KEYS[member.key] == key), None)
        assert obj.raw(key) == last


@given(st.lists(st.tuples(SPACE, VALUE, SPACE), max_size=5), SPACE, SPACE)
def test_the_items_of_a_list_keep_their_bytes(parts: list[tuple[bytes, bytes, bytes]], before: bytes, after: bytes) -> None:
    assert items(before + joined(parts, b"[", b"]") + after) == [part for _, part, _ in parts]


@given(VALUE)
def test_what_is_decoded_can_always_be_encoded_again(value: bytes) -> None:
    text = json.dumps(loads(value), ensure_ascii=False)
    assert text.encode()  # A lone surrogate would raise here, and later in books and headers.


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"1.50", 1.5),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b'"' + LONE + b'"', "\ufffd"),
        (rb'"\ud83d\ude00"', "😀"),
        (b'"\xff"', "\ufffd"),
        (b'{"a":1,"a":2}', {"a": 2}),
        (rb'["\ud83d", 1e999]', ["\ufffd", float("inf")]),
    ],
)
def test_decoding_accepts_what_clients_do_send(raw: bytes, value: object) -> None:
    assert loads(raw) == value


def test_a_long_value_of_a_repeated_key_does_not_lead_astray() -> None:
    # Walked by the lengths of the last values alone, the inner "b" would be taken for the outer one.
    body = b'{"a":1,"b":1234,"a":[{"z":1      ,"b":22}]}'
    assert replace(scan(body), {"b": b"3"}) == body.replace(b"1234", b"3")


DEEP = 1024 * 1024


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not a JSON object: '{' was expected at character 0, found the end"),
        (b"   ", "found the end"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"{", "found the end|not valid JSON"),
        (b'{"a"', "':' was expected at character 4, found the end"),
        (b'{"a":}', "not valid JSON"),
        (b'{"a":1,}', "not valid JSON"),
        (b'{"a":1 "b":2}', "',' was expected"),
        (b"{1:2}", "a key was expected|not valid JSON"),
        (b"{'a':1}", "not valid JSON"),
        (b'{"a":1}{"b":2}', "something follows its end at character 7"),
        (b'{"a":1}\x00', "something follows"),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'{"a":-Infinity}', "-Infinity is not JSON"),
        (b'{"a":"\n"}', "not valid JSON"),
        (b'{"a":"\\q"}', "not valid JSON"),
        (b'{"a":01}', "not valid JSON"),
        (b'{"a":1 // one\n}', "was expected"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ('{"a":1}'.encode("utf-16"), "not a JSON object|not valid JSON"),
        (b"\x1f\x8b\x08\x00", "not a JSON object"),
        (b'{"a":' + b"[" * DEEP, "nested too deeply"),
        (b'{"a":' * DEEP, "nested too deeply"),
        (b'{"' + LONE + b'":' + b"[" * DEEP, "nested too deeply"),
        (b"[" * DEEP, "not a JSON object"),
    ],
)
def test_a_bad_body_is_told_in_words(body: bytes, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        scan(body)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"{}", "not a JSON list"),
        (b"[1,]", "not valid JSON"),
        (b"[1 2]", "',' was expected"),
        (b"[1]]", "something follows"),
        (b'["' + LONE + b'", NaN]', "NaN"),
        (b"[" * DEEP, "nested too deeply"),
        (b'["' + LONE + b'",' + b"[" * DEEP, "nested too deeply"),
    ],
)
def test_a_bad_list_is_told_in_words(raw: bytes, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        items(raw)


@pytest.mark.parametrize("raw", [b"", b"nul", b"NaN", b'"\\q"', b"[" * DEEP, b'{"a":' * DEEP, b"9" * 5000])
def test_what_cannot_be_decoded_is_a_bad_request(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        loads(raw)


@given(st.binary(max_size=60) | MEMBERS.map(lambda members: body_of(members, {}, b"", b"")[:-1]))
def test_any_bytes_are_read_or_refused_in_words_and_never_worse(body: bytes) -> None:
    for read in (scan, items, loads):
        assert words_of(read, body) != ""


def words_of(read: Callable[[bytes], object], body: bytes) -> str | None:
    """What a refusal says; None where there was none."""
    try:
        read(body)
    except BadRequest as error:
        return str(error)
    return None


def test_a_number_with_more_digits_than_python_converts_passes_untouched() -> None:
    body = b'{"a":' + b"9" * 5000 + b',"b":"' + LONE + b'","model":"x"}'
    assert replace(scan(body), {"model": b'"y"'}) == body.replace(b'"x"', b'"y"')


def test_an_object_of_one_megabyte_is_not_copied_value_by_value() -> None:
    body = b'{"messages":[' + b",".join([b'{"role":"user","content":"' + b"x" * 1000 + b'"}'] * 1000) + b'],"model":"auto"}'
    obj = scan(body)
    assert obj.body is body
    assert replace(obj, {"model": b'"m"'}) == body.replace(b'"auto"', b'"m"')


def test_an_empty_replacement_gives_the_same_bytes() -> None:
    body = b' { "a" : 1 } '
    assert replace(scan(body), {}) == body
    assert replace(JsonObject(b"{}", ()), {"a": b"1", "b": b"2"}) == b'{"a":1,"b":2}'


def test_a_long_key_is_read_in_bounded_memory() -> None:
    key = b"k" * (2 * 1024 * 1024)
    assert scan(b'{"' + key + b'":1}').raw(key.decode()) == b"1"


def test_the_oracle_of_these_tests_writes_json() -> None:
    assert msgspec.json.decode(body_of([Member(b'"a"', b"1", (b" ", b"\t", b"", b"\n"))], {}, b"", b"")) == {"a": 1}


@pytest.mark.parametrize("gap", ["", " ", "\n  "])
def test_elements_of_a_list_are_replaced_where_they_stand(gap: str) -> None:
    array = f'[{gap}{{"a":1}}{gap},{gap}[[]],{gap}"x",1{gap}]'.encode()
    elements = splice.items(array)
    assert splice.with_items(array, elements, {}) == array
    changed = splice.with_items(array, elements, {0: b"null", 2: b'"y"'})
    assert changed == array.replace(b'{"a":1}', b"null").replace(b'"x"', b'"y"')


@pytest.mark.parametrize("value", [{"a": [1, 2.5, "\u00e9\n"]}, 10**40, {"n": -(10**30), "t": True}, None, "\u2028"])
def test_a_written_value_reads_the_same_and_holds_no_space(value: object) -> None:
    assert splice.loads(splice.dumps(value)) == value
    assert b" " not in splice.dumps(value)
