"""The wire formats by name: each entry speaks the format that it names."""

from __future__ import annotations

import json

import pytest

from stepfare.core.attempt import Failure
from stepfare.dialects.care import Care
from stepfare.dialects.table import DIALECTS

BODIES = {
    "completions": b'{"model":"auto","stream":true,"prompt":"def add(","suffix":"    return a + b"}',
    "embeddings": b'{"model":"auto","input":"Hi"}',
    "anthropic": b'{"model":"auto","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Hi"}]}',
    "openai": b'{"model":"auto","stream":true,"messages":[{"role":"user","content":"Hi"}]}',
    "responses": b'{"model":"auto","stream":true,"input":[{"role":"user","content":"Hi"}]}',
}


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_a_dialect_reads_what_it_writes(name: str) -> None:
    dialect = DIALECTS[name]
    assert dialect.name == name
    assert dialect.path.startswith("/")
    view = dialect.read_request(BODIES[name], {})
    assert view.dialect == name
    assert json.loads(dialect.request_for(view, Care("lab/there", "there", 1000)).body())["model"] == "there"
    assert dialect.read_error(402, "application/json", dialect.write_error(402, "no money", "code")).words == "it answered 402: no money"
    stream = dialect.stream("auto", False, lambda _: None)
    stream.feed(dialect.error_event("gone", "cut"))
    assert stream.heard.fault is not None
    assert stream.heard.fault.words == "gone"
    assert not stream.complete
    assert dialect.read_error(500, "text/html", b"<html>").failure is Failure.DOWN
