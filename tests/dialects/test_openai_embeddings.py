"""Embeddings: texts go out unchanged, vectors come back unread, and what they cost is known."""

from __future__ import annotations

import json

import pytest

from stepfare.core.model import Capability
from stepfare.core.money import Usage
from stepfare.core.request import Role, Text, Turn
from stepfare.dialects.base import BadRequest, Finished, Unreadable
from stepfare.dialects.bridge import Translation
from stepfare.dialects.care import Care
from stepfare.dialects.table import DIALECTS, EMBEDDINGS

CARE = Care("lab/there", "there", 1000)
BODY = b'{"input":["a", "b"],  "model":"auto","encoding_format":"base64"}'
ANSWER = (
    b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10, -1e-9]}],"model":"there",'
    b'"usage":{"prompt_tokens":5,"total_tokens":5}}'
)


def test_texts_are_read_and_sent_on_byte_for_byte() -> None:
    seen = EMBEDDINGS.read_request(BODY, {})
    assert (seen.endpoint, seen.model, seen.stream, seen.needs) == ("embedding", "auto", False, {Capability.EMBED})
    assert seen.turns == (Turn(Role.USER, (Text("a"), Text("b"))),)
    assert EMBEDDINGS.request_for(seen, CARE).body() == BODY.replace(b"auto", b"there")
    assert EMBEDDINGS.read_request(BODY.replace(b'"b"', b'"c"'), {}).digests != seen.digests


@pytest.mark.parametrize("body", [b'{"model":"auto"}', b'{"input":"a"}', b'{"model":"","input":"a"}', b"7"])
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        EMBEDDINGS.read_request(body, {})


def test_vectors_pass_untouched_with_their_cost() -> None:
    said, heard = EMBEDDINGS.read_body(ANSWER, "auto", lambda reported: f"0.00{reported.usage.input_tokens}")
    assert said == ANSWER.replace(b"there", b"auto").replace(b'"total_tokens":5', b'"total_tokens":5,"cost":0.005')
    assert (heard.started, heard.finished, heard.text) == (True, "stop", "")
    assert heard.usage is not None
    assert heard.usage.usage == Usage(5)
    assert EMBEDDINGS.events_of(ANSWER)[-1] == Finished("stop")


def test_an_error_in_place_of_vectors_is_heard() -> None:
    body = json.dumps({"error": {"message": "no such model", "code": 404}}).encode()
    _, heard = EMBEDDINGS.read_body(body, "auto", lambda _: None)
    assert heard.fault is not None
    assert (heard.fault.words, heard.fault.status, heard.finished) == ("no such model", 404, "")


@pytest.mark.parametrize("body", [b"{}", b"<html>", b'{"data":7}', b'{"choices":[]}'])
def test_what_holds_no_vectors_is_told(body: bytes) -> None:
    with pytest.raises(Unreadable):
        EMBEDDINGS.read_body(body, "auto", lambda _: None)


@pytest.mark.parametrize("other", sorted({*DIALECTS} - {"embeddings"}))
def test_no_bridge_leads_out_or_in(other: str) -> None:
    asked = Translation(EMBEDDINGS.read_request(BODY, {}))
    assert any(loss.essential for loss in asked.losses(other))
    assert any(loss.essential for loss in EMBEDDINGS.losses(asked.prompt))
    with pytest.raises(Unreadable):
        EMBEDDINGS.write_prompt(asked.prompt, CARE)
    with pytest.raises(Unreadable):
        EMBEDDINGS.writer(asked.view, "1", 0, "lab/there", lambda _: None)
    with pytest.raises(Unreadable):
        EMBEDDINGS.write_body(asked.view, (), "1", 0, "lab/there", lambda _: None)
