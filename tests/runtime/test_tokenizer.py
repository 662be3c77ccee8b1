"""Counting beside the requests: nobody waits, and the next step knows."""

from __future__ import annotations

import json

from stepfare.core.request import RequestView
from stepfare.dialects.openai_chat import read_request
from stepfare.runtime.tokenizer import Tokenizer

LONG = "word " * 1_000


def view(*texts: str) -> RequestView:
    return read_request(json.dumps({"model": "auto", "messages": [{"role": "user", "content": text} for text in texts]}).encode(), {})


def learned(*texts: str) -> Tokenizer:
    tokenizer = Tokenizer()
    tokenizer.learn(view(*texts))
    tokenizer._worker.shutdown(wait=True)
    return tokenizer


def test_a_conversation_that_nobody_counted_yet_has_no_count() -> None:
    assert Tokenizer().count(view(LONG)) == 0


def test_what_was_learned_from_one_step_is_known_in_the_next() -> None:
    assert learned(LONG).count(view(LONG)) == 1_000 + 4 + 1  # each word, what wraps the message, and the space at the end


def test_the_newest_words_are_estimated_where_they_are_few() -> None:
    tokenizer = learned(LONG)
    assert tokenizer.count(view(LONG, "x" * 360)) == 1_005 + 4 + 100
    assert tokenizer.count(view(LONG, "x" * 3_600)) == 0


def test_a_count_that_is_waited_for_is_exact() -> None:
    assert Tokenizer().count_surely(view("hello world", "hello world again")) == 2 + 4 + 3 + 4


def test_a_closed_tokenizer_learns_nothing_more_and_breaks_nothing() -> None:
    tokenizer = Tokenizer()
    tokenizer.close()
    tokenizer.learn(view(LONG))
    assert tokenizer.count(view(LONG)) == 0
