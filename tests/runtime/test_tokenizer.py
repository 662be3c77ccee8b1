"""Counting beside the requests: nobody waits, and the next step knows."""

from __future__ import annotations

import json

from stepfare.core.request import RequestView
from stepfare.dialects.openai_chat import read_request
from stepfare.runtime.tokenizer import AT_ONCE_CHARS_MAX, Tokenizer


def view(*texts: str) -> RequestView:
    return read_request(json.dumps({"model": "auto", "messages": [{"role": "user", "content": text} for text in texts]}).encode(), {})


def test_a_long_text_is_counted_beside_and_known_in_the_next_step() -> None:
    tokenizer = Tokenizer()
    long = view("word " * AT_ONCE_CHARS_MAX)
    assert tokenizer.count(long) == 0
    tokenizer._worker.shutdown(wait=True)
    assert tokenizer.count(long) == AT_ONCE_CHARS_MAX + 4 + 1  # each word, what wraps the message, and the space at the end


def test_what_is_new_and_short_is_counted_at_once_when_the_vocabulary_is_there() -> None:
    tokenizer = Tokenizer()
    first = tokenizer.count_surely(view("hello world"))
    assert first == 2 + 4
    assert tokenizer.count(view("hello world", "hello world again")) == first + 3 + 4
    tokenizer.close()


def test_a_closed_tokenizer_counts_nothing_more_and_breaks_nothing() -> None:
    tokenizer = Tokenizer()
    tokenizer.close()
    assert tokenizer.count(view("word " * AT_ONCE_CHARS_MAX)) == 0
