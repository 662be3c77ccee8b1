"""Inline completion: what is asked, what passes, and that no bridge ever leads out of it or into it."""

from __future__ import annotations

import json

import pytest

from stepfare.core.model import Capability
from stepfare.core.money import Usage
from stepfare.core.request import RequestView, Role, Text, Turn
from stepfare.dialects.base import BadRequest, Finished, Unreadable
from stepfare.dialects.bridge import Translation
from stepfare.dialects.care import Care
from stepfare.dialects.table import COMPLETIONS, DIALECTS

CARE = Care("lab/there", "there", 1000)
FIM = b'{ "model":"auto", "prompt":"def add(", "suffix":"    return a", "max_tokens":64,"x":[1, 2]}'


def view(**fields: object) -> RequestView:
    return COMPLETIONS.read_request(json.dumps({"model": "auto", **fields}).encode(), {})


def chunk(text: str, reason: str | None = None, **fields: object) -> bytes:
    choice = {"index": 0, "text": text, "finish_reason": reason}
    return b"data: " + json.dumps({"object": "text_completion", "model": "there", "choices": [choice], **fields}).encode() + b"\n\n"


def test_a_gap_is_read_and_sent_on_byte_for_byte() -> None:
    seen = COMPLETIONS.read_request(FIM, {})
    assert (seen.endpoint, seen.model, seen.stream, seen.max_output_tokens) == ("completion", "auto", False, 64)
    assert seen.needs == {Capability.FILL}
    assert seen.turns == (Turn(Role.USER, (Text("def add("),)),)
    assert COMPLETIONS.request_for(seen, CARE).body() == FIM.replace(b'"auto"', b'"there"')


@pytest.mark.parametrize(
    ("prompt", "texts"), [("a", ["a"]), (["a", "b"], ["a", "b"]), ([1, 2], []), ([[1], [2]], []), (None, []), ("", []), ({"a": 1}, [])]
)
def test_a_prompt_is_read_in_every_shape(prompt: object, texts: list[str]) -> None:
    assert [block.text for block in view(prompt=prompt).turns[0].blocks if isinstance(block, Text)] == texts


def test_two_prompts_are_told_apart_and_one_is_recognised() -> None:
    assert view(prompt="a").digests != view(prompt="b").digests
    assert view(prompt="a").body_digest == view(prompt="a").body_digest != view(prompt="a", stream=True).body_digest


@pytest.mark.parametrize("body", [b"{}", b'{"model":7,"prompt":"a"}', b'{"model":"auto","stream":"yes"}', b"[]", b"{"])
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        COMPLETIONS.read_request(body, {})


def test_a_stream_passes_under_the_clients_name_with_its_cost() -> None:
    sent = json.loads(COMPLETIONS.request_for(view(prompt="a", stream=True), CARE).body())
    assert sent["stream_options"] == {"include_usage": True}
    usage = {"object": "text_completion", "model": "there", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}
    whole = chunk("x = ") + chunk("1", "stop") + b"data: " + json.dumps(usage).encode() + b"\n\ndata: [DONE]\n\n"
    for size in (1, 7, len(whole)):
        stream = COMPLETIONS.stream("auto", True, lambda _: "0.5")
        said = b"".join(stream.feed(whole[at : at + size]) for at in range(0, len(whole), size)) + stream.finish()
        assert b"there" not in said
        assert said.count(b'"auto"') == 3
        assert b'"cost":0.5' in said
        assert (stream.heard.text, stream.heard.finished, stream.complete) == ("x = 1", "stop", True)
        assert stream.heard.usage is not None
        assert stream.heard.usage.usage == Usage(9, output_tokens=2)
        assert stream.tail == b"data: [DONE]\n\n"


def test_a_whole_answer_passes_in_either_shape() -> None:
    body = b'{"model": "there", "choices": [ {"text":"x","finish_reason":"length"} ], "usage": {"prompt_tokens":3,"completion_tokens":1}}'
    said, heard = COMPLETIONS.read_body(body, "auto", lambda _: None)
    assert said == body.replace(b"there", b"auto")
    assert (heard.text, heard.finished) == ("x", "length")
    _, heard = COMPLETIONS.read_body(b'{"choices":[{"message":{"content":"y"},"finish_reason":"stop"}]}', "auto", lambda _: None)
    assert (heard.text, heard.finished) == ("y", "stop")
    assert COMPLETIONS.events_of(body)[-1] == Finished("length")


@pytest.mark.parametrize("body", [b"{}", b"<html>", b'{"text":"x"}'])
def test_what_is_no_completion_is_told(body: bytes) -> None:
    with pytest.raises(Unreadable):
        COMPLETIONS.read_body(body, "auto", lambda _: None)


@pytest.mark.parametrize("other", sorted({*DIALECTS} - {"completions"}))
def test_no_bridge_leads_out_or_in(other: str) -> None:
    asked = Translation(view(prompt="a"))
    assert any(loss.essential for loss in asked.losses(other))
    assert asked.losses("completions") == ()
    with pytest.raises(Unreadable):
        COMPLETIONS.write_prompt(asked.prompt, CARE)
    assert any(loss.essential for loss in COMPLETIONS.losses(asked.prompt))
    with pytest.raises(Unreadable):
        COMPLETIONS.writer(asked.view, "1", 0, "lab/there", lambda _: None)
    with pytest.raises(Unreadable):
        COMPLETIONS.write_body(asked.view, (), "1", 0, "lab/there", lambda _: None)
