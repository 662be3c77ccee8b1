"""The o200k vocabulary that ships is tiktoken's own."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

import pytest
import tiktoken_ext.openai_public

from stepfare.counting import vocabulary

TEXTS = {
    "": 0,
    "hello world": 2,
    "def total(amounts):\n    return sum(amounts)\n": 11,
    "1234567890": 4,
    "<|endoftext|>": 7,
    "日本語のテキスト": 6,
}


@pytest.fixture(scope="module")
def ranks() -> dict[bytes, int]:
    return vocabulary.ranks(vocabulary.ASSET.read_bytes())


def test_the_packed_vocabulary_is_the_one_that_tiktoken_pins(ranks: dict[bytes, int]) -> None:
    text = b"".join(b64encode(token) + b" " + str(rank).encode() + b"\n" for token, rank in ranks.items())
    assert sha256(text).hexdigest() == vocabulary.SOURCE_SHA256


def test_texts_are_cut_and_special_tokens_named_as_tiktoken_does(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: list[str] = []

    def nothing_loaded(_url: str, expected_hash: str) -> dict[bytes, int]:
        pinned.append(expected_hash)
        return {}

    monkeypatch.setattr(tiktoken_ext.openai_public, "load_tiktoken_bpe", nothing_loaded)
    made = tiktoken_ext.openai_public.o200k_base()
    assert made["pat_str"] == vocabulary.PATTERN
    assert made["special_tokens"] == vocabulary.SPECIAL
    assert pinned == [vocabulary.SOURCE_SHA256]


def test_texts_have_as_many_tokens_as_everywhere_else() -> None:
    count = vocabulary.load()
    assert {text: count(text) for text in TEXTS} == TEXTS
