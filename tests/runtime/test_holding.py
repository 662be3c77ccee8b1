"""An answer that is held and then released is, byte for byte, the answer that would have passed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.step import StepKind, Tier
from stepfare.dialects.bridge import Translation, stream_between
from stepfare.dialects.table import DIALECTS, Stream
from stepfare.dialects.tool_offers import offers_in
from stepfare.routing.gate import TEXT_CHARS
from stepfare.routing.policy import floors_for, gate_plan
from stepfare.routing.sight import Measure, Sight
from stepfare.routing.snapshot import Policy
from stepfare.runtime import holding
from stepfare.runtime.holding import Holding
from tests.dialects.test_going_on import NAMES, view
from tests.flows.answers import answer
from tests.routing.samples import features, request, snapshot, step

PAIRS = [(client, provider) for client in NAMES for provider in NAMES]
everybody = pytest.mark.parametrize(("client", "provider"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
READ, EDIT = ("call_1", "read", '{"path": "a.py"}'), ("call_2", "edit", '{"path": "secret"}')
SHORT, LONG = "I look.", " ".join(f"word{number}" for number in range(200))


def stream_of(client: str, provider: str) -> Stream:
    if client == provider:
        return DIALECTS[client].stream("auto", True, lambda _: "0.1")
    return stream_between(Translation(view(client)), provider, "a_1", 0, "lab/small", lambda _: "0.1")


def held(client: str, provider: str, *, one_call: bool = False) -> tuple[Holding, Stream]:
    asked = view(client)
    stream = stream_of(client, provider)
    world, seen = snapshot(policy=Policy(gate_enabled=True)), features(client="claude-code")
    plan = gate_plan(step(StepKind.EXPLORE), seen, floors_for(request(), seen, world), world, manual=False)
    measure = Measure(plan, seen, asked.tools, world, tuple, lambda: offers_in(DIALECTS[client].offered_in(asked)), one_call)
    return Holding(stream, Sight(measure, stream.heard), Tier.FRUGAL), stream


def cut(body: bytes, places: Sequence[int]) -> list[bytes]:
    at = sorted({min(place, len(body)) for place in places} | {0, len(body)})
    return [body[start:end] for start, end in pairwise(at)]


def passed(client: str, provider: str, chunks: Sequence[bytes]) -> bytes:
    stream = stream_of(client, provider)
    return b"".join((*map(stream.feed, chunks), stream.finish(), stream.tail))


def body_of(provider: str, text: str, *calls: tuple[str, str, str]) -> bytes:
    return b"".join(answer(provider, text, calls).pieces)


@settings(max_examples=8, deadline=None)
@given(places=st.lists(st.integers(0, 9_000), max_size=12))
@pytest.mark.parametrize("text", ["", SHORT, LONG], ids=["no text", "short", "long"])
@everybody
def test_what_is_released_is_what_would_have_passed(client: str, provider: str, text: str, places: list[int]) -> None:
    chunks = cut(body_of(provider, text, READ, READ), places)
    holding, stream = held(client, provider)
    said = b"".join(map(holding.feed, chunks)) + holding.finish() + stream.tail
    assert holding.needs is None
    assert said == passed(client, provider, chunks)


@settings(max_examples=8, deadline=None)
@given(places=st.lists(st.integers(0, 9_000), max_size=12))
@everybody
def test_what_needs_more_is_held_from_its_first_byte_on(client: str, provider: str, places: list[int]) -> None:
    for text in (SHORT, LONG):
        holding, _ = held(client, provider)
        said = b""
        for chunk in cut(body_of(provider, text, READ, EDIT), places):
            said += holding.feed(chunk)
            if holding.needs is not None:
                break
        assert holding.needs is not None
        assert holding.needs.tier is Tier.BALANCED
        assert b"secret" not in said
        assert b"call_1" not in said
        # A text is shown from the same character on, however it comes.
        assert (said == b"") is (text is SHORT)
        assert b"".join(holding.shown) == said


@everybody
def test_no_call_is_shown_before_the_turn_ends_and_then_all_of_it(client: str, provider: str) -> None:
    script = answer(provider, SHORT, [READ])
    holding, stream = held(client, provider)
    assert b"".join(map(holding.feed, (*script.opening, *script.content))) == b""
    rest = b"".join(map(holding.feed, (*script.reason, *script.mark))) + holding.finish() + stream.tail
    assert rest == passed(client, provider, script.pieces)


@everybody
def test_the_one_call_is_shown_as_soon_as_it_is_whole(client: str, provider: str) -> None:
    pieces = answer(provider, "", [READ]).pieces
    whole = next(place for place, piece in enumerate(pieces) if b"a.py" in piece)
    holding, _ = held(client, provider, one_call=True)
    for piece in pieces[:whole]:
        assert holding.feed(piece) == b""
    assert b"a.py" in holding.feed(pieces[whole])


def test_time_alone_lets_a_text_go_and_gives_an_unknown_call_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(holding, "monotonic", lambda: now)
    pieces = answer("openai", "I think", [READ]).pieces
    text, _ = held("openai", "openai")
    assert text.due_s() is None
    assert [text.feed(piece) for piece in pieces[:2]] == [b"", b""]
    due = text.due_s()
    assert due is not None
    assert 3.0 < due < 3.01
    now += 2.9
    assert text.wake() == b""
    now += 0.2
    assert b"I " in text.wake()
    assert (text.due_s(), text.held_ms) == (None, 3_100)
    # More of the text passes; the call is held for itself, and for no longer than anything is.
    assert b"think" in text.feed(pieces[2])
    assert text.feed(pieces[3]) == b""
    due = text.due_s()
    assert due is not None
    assert 8.0 < due < 8.01
    now += 8
    assert text.wake() == b""
    assert text.needs is not None
    assert text.held_ms == 11_100


def test_nothing_of_a_released_answer_is_kept() -> None:
    holding, _ = held("openai", "openai")
    for piece in answer("openai", LONG, [READ]).pieces:
        holding.feed(piece)
    assert (holding.shown, holding.holds) == ([], False)
    assert len(LONG) > TEXT_CHARS


def test_an_error_in_a_held_answer_takes_the_place_of_what_was_held() -> None:
    holding, stream = held("openai", "openai")
    for piece in answer("openai", SHORT, [READ]).pieces[:3]:
        assert holding.feed(piece) == b""
    said = holding.feed(b'data: {"error": {"message": "busy", "code": 503}}\n\n')
    assert stream.heard.fault is not None
    assert json.loads(said.removeprefix(b"data: "))["error"]["message"] == "busy"
