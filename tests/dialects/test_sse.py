"""Frames are the same however the bytes are cut, whatever line ends a provider uses."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.dialects import sse
from stepfare.dialects.base import Unreadable
from stepfare.dialects.sse import FrameReader, comment, data_of

STREAM_PIECES = [b'data: {"a":1}', b"data:{}", b"data: [DONE]", b": comment", b"event: x", b"id: 7", b"data: one", b"data", b"", b""]
LINE_ENDS = [b"\n", b"\r\n", b"\r"]


def frames_of(chunks: Iterable[bytes]) -> list[bytes]:
    reader = FrameReader()
    frames = [frame for chunk in chunks for frame in reader.feed(chunk)]
    rest = reader.end()
    return [*frames, rest] if rest else frames


def pieces(stream: bytes, cuts: Iterable[int]) -> list[bytes]:
    marks = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(marks)]


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Lines with line ends of one kind, or of all kinds mixed."""
    ends = draw(st.sampled_from([*[[end] for end in LINE_ENDS], LINE_ENDS]))
    lines = draw(st.lists(st.tuples(st.sampled_from(STREAM_PIECES), st.sampled_from(ends)), max_size=12))
    return b"".join(line + end for line, end in lines)


@settings(max_examples=200)
@given(streams(), st.lists(st.integers(0, 200), max_size=8))
def test_a_stream_reads_the_same_however_it_is_cut(stream: bytes, cuts: list[int]) -> None:
    frames = frames_of(pieces(stream, cuts))
    assert frames == frames_of([stream])
    assert b"".join(frames) == stream


@settings(max_examples=60)
@given(streams())
def test_a_stream_reads_the_same_byte_by_byte(stream: bytes) -> None:
    assert frames_of(stream[at : at + 1] for at in range(len(stream))) == frames_of([stream])


@settings(max_examples=60)
@given(st.lists(st.sampled_from(STREAM_PIECES[:8]), min_size=1, max_size=5), st.sampled_from(LINE_ENDS))
def test_each_blank_line_ends_a_frame(lines: list[bytes], end: bytes) -> None:
    stream = b"".join(line + end + end for line in lines)
    assert [data_of(frame) for frame in frames_of([stream])] == [data_of(line + b"\n\n") for line in lines]


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        (b'data: {"a":1}\n\n', b'{"a":1}'),
        (b'data:{"a":1}\n\n', b'{"a":1}'),
        (b'data:  {"a":1}\n\n', b' {"a":1}'),
        (b'data: {"a":1}\r\n\r\n', b'{"a":1}'),
        (b'data: {"a":1}\r\r', b'{"a":1}'),
        (b'data: {"a":1}\n', b'{"a":1}'),
        (b'data: {"a":1}', b'{"a":1}'),
        (b'data: {"a":\ndata: 1}\n\n', b'{"a":\n1}'),
        (b'data: {"a":\r\ndata:1}\r\n\r\n', b'{"a":\n1}'),
        (b"event: x\ndata: 1\nid: 2\n\n", b"1"),
        (b": note\ndata: 1\n\n", b"1"),
        (b"data: 1\n: note\n\n", b"1"),
        (b"data: \n\n", b""),
        (b"data:\n\n", b""),
        (b": OPENROUTER PROCESSING\n\n", None),
        (b": data: 1\n\n", None),
        (b"event: ping\n\n", None),
        (b"database: 1\n\n", None),
        (b"\n", None),
        (b"", None),
    ],
)
def test_the_data_of_a_frame(frame: bytes, data: bytes | None) -> None:
    assert data_of(frame) == data


@pytest.mark.parametrize("filler", [b"x", b"x\n"])
def test_a_frame_without_end_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch, filler: bytes) -> None:
    monkeypatch.setattr(sse, "FRAME_BYTES_MAX", 10_000)
    with pytest.raises(Unreadable, match="longer than 10000 bytes"):
        frames_of([filler * 500] * 100)


def test_blank_lines_at_the_beginning_are_frames_that_say_nothing() -> None:
    assert frames_of([b"\n\ndata: 1\n\n"]) == [b"\n\n", b"data: 1\n\n"]


def test_a_long_frame_in_small_pieces_is_joined_once() -> None:
    data = b'{"content":"' + b"x" * 2_000_000 + b'"}'
    stream = b"data: " + data + b"\n\n"
    reader = FrameReader()
    fed: list[bytes] = []
    for at in range(0, len(stream), 1000):
        fed += reader.feed(stream[at : at + 1000])
    assert [data_of(frame) for frame in fed] == [data]
    assert reader.end() == b""


def test_a_comment_is_a_frame_that_says_nothing() -> None:
    assert frames_of([comment(b"wait")]) == [b": wait\n\n"]
    assert data_of(comment(b"wait")) is None
