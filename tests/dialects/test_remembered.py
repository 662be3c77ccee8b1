"""Results kept by the bytes that they were made of."""

from __future__ import annotations

from stepfare.dialects.remembered import Remembered


def test_a_result_is_made_once_and_the_longest_unused_goes_first() -> None:
    made: list[bytes] = []

    def measure(raw: bytes) -> int:
        made.append(raw)
        return len(raw)

    kept = Remembered(measure, bytes_max=8)
    assert [kept.of(raw) for raw in (b"aaa", b"bbbb", b"aaa", b"cc", b"aaa", b"bbbb")] == [3, 4, 3, 2, 3, 4]
    assert made == [b"aaa", b"bbbb", b"cc", b"bbbb"]


def test_what_is_longer_than_all_that_is_kept_is_made_each_time() -> None:
    made: list[bytes] = []
    kept = Remembered(made.append, bytes_max=2)
    kept.of(b"long")
    kept.of(b"long")
    assert made == [b"long", b"long"]
