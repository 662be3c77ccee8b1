"""Providers that fail, in every format, before clients of every format: what comes before any content is made good unseen, what comes
after it is told as what it is, and all of it is booked."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations

import pytest

from stepfare.routing import failover
from stepfare.upstream.client import Limits, Upstream
from tests.fakes.provider import Play
from tests.flows.answers import DIALECTS, INPUT_TOKENS, OTHER, OUTPUT_TOKENS, answer, ask, booked, error_frame, question, settings, whole
from tests.flows.conftest import Start

KEY = "sk-lab"
"""What the daemons of these tests hold as their provider's key."""
SAID = "Second here."
FIRST_PUSD = (INPUT_TOKENS + OUTPUT_TOKENS) * 1_000_000
SECOND_PUSD = (INPUT_TOKENS + OUTPUT_TOKENS) * 3_000_000

TOO_LONG = (
    "prompt is too long: 250000 tokens > 200000 maximum",
    "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length or `max_tokens` and try again",
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 140000 tokens.",
    "Your input exceeds the context window of this model. Please adjust your input and try again.",
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "Prompt contains 140000 tokens and 0 draft tokens, too large for model with 131072 maximum context length",
    "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
    "Please reduce the length of the messages or completion.",
    "Prompt exceeds max length",
    "Range of input length should be [1, 98304]",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. Given: 8000 `inputs` tokens",
    "Invalid request: Your request exceeded model token limit: 131072",
    "the request exceeds the available context size, try increasing it",
)
"""As Anthropic, OpenAI, Google, Mistral, xAI, Groq, Z.ai, Qwen, Hugging Face, Moonshot and llama.cpp say it."""


def error(status: int, words: str = f"no, and your key is {KEY}", **headers: str) -> Play:
    body = {"error": {"message": words, "type": "invalid_request_error", "code": None}}
    return Play(status, "application/json", [json.dumps(body).encode()], {name.replace("_", "-"): value for name, value in headers.items()})


def page(status: int) -> Play:
    return Play(status, "text/html", [b"<!doctype html><title>Bad gateway</title>"])


def refusals() -> dict[str, tuple[Play, str]]:
    """Answers that say no, by name, each with the outcome that is booked."""
    found = {
        "429": (error(429, retry_after="30"), "busy"),
        "500": (error(500), "down"),
        "503": (error(503), "busy"),
        "529": (error(529), "busy"),
        "a page of a gateway": (page(502), "down"),
        "402": (error(402), "key"),
        "401": (error(401), "key"),
        "403": (error(403), "key"),
        "404": (error(404), "down"),
        "a redirect": (error(307, location="http://127.0.0.1:1/"), "down"),
        "nothing to say": (Play(204, "application/json"), "down"),
        "a page of status 200": (page(200), "down"),
        "an error of status 200": (Play(200, "application/json", [b'{"error":{"message":"nope","code":500}}']), "down"),
        "another JSON": (Play(200, "application/json", [b'{"foo":1}']), "down"),
    }
    return found | {f"too long: {words[:24]}": (error(400, words), "overflow") for words in TOO_LONG}


def before_content(dialect: str) -> dict[str, tuple[Play, str]]:
    """Streams that end badly before anything was said."""
    opening = list(answer(dialect).opening)
    busy = error_frame(dialect, "Overloaded", {"anthropic": "overloaded_error", "responses": "server_is_overloaded"}.get(dialect, "503"))
    long = error_frame(dialect, TOO_LONG[3], "invalid_request_error" if dialect == "anthropic" else "context_length_exceeded")
    signs = b'event: ping\ndata: {"type": "ping"}\n\n' * 400
    return {
        "an error at once": (Play(pieces=[error_frame(dialect, f"bad key {KEY}")]), "down"),
        "an error after the opening": (Play(pieces=[*opening, error_frame(dialect)]), "down"),
        "an error that only has data": (Play(pieces=[b'data: {"error": {"message": "boo"}}\n\n']), "down"),
        "an overload": (Play(pieces=[*opening, busy]), "busy"),
        "an overflow": (Play(pieces=[*opening, long]), "overflow"),
        "an account without credit": (Play(pieces=[error_frame(dialect, "You exceeded your quota", "insufficient_quota")]), "key"),
        "a line that breaks at once": (Play(cut=True), "cut"),
        "an end at once": (Play(), "down"),
        "a line that breaks after the opening": (Play(pieces=opening, cut=True), "cut"),
        "an end after the opening": (Play(pieces=opening), "down"),
        "half a frame": (Play(pieces=[opening[0][:40]]), "down"),
        "words that are no stream": (Play(200, "text/plain", [b"hello there"]), "down"),
        "bytes that are no text": (Play(pieces=[bytes(range(256)) * 10]), "down"),
        "an event that is no JSON": (Play(pieces=[b"data: {oops\n\n"]), "down"),
        "an event without a bottom": (Play(pieces=[b"data: " + b"[" * 200_000 + b"\n\n"]), "down"),
        "what is not compressed": (Play(pieces=[b"not gzip at all"], headers={"content-encoding": "gzip"}), "cut"),
        "signs of life for ever": (Play(pieces=[*opening, *([signs] * 200)]), "down"),
    }


@pytest.mark.parametrize("provider", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
async def test_what_fails_before_any_content_is_made_good_unseen(
    start: Start, client: str, provider: str, streamed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    second = answer(OTHER[provider], SAID).play() if streamed else whole(OTHER[provider], SAID)
    running = await start(second, settings=settings(provider, OTHER[provider]))
    cases = refusals() | (before_content(provider) if streamed else {})
    for number, (name, (play, outcome)) in enumerate(cases.items()):
        running.house.state.health.clear()
        running.provider.script[:] = [play, second]
        told = await ask(running, client, question(client, f"question {number}", stream=streamed))
        assert (told.status, told.text.strip(), told.ended, told.broken) == (200, SAID, True, False), name
        step = await booked(running)
        first, then = step["attempts"]
        assert (first["outcome"], then["outcome"], then["cost_pusd"]) == (outcome, "ok", SECOND_PUSD), name
        # Some say what the prompt was, and some break off in the middle of their work: neither is free.
        assert first["cost_pusd"] < 2 * FIRST_PUSD, name
        model, attempts, cost = (
            told.headers["x-stepfare-model"],
            told.headers["x-stepfare-attempts"],
            told.headers.get("x-stepfare-cost-usd"),
        )
        if streamed:
            assert (told.comment["model"], told.comment["attempts"], told.comment["cost_usd"]) == ("second/one", 2, "0.00618"), name
        else:
            assert cost == "0.00618", name
        assert (model, attempts) == ("second/one", "2"), name
    kept = (running.home / "ledger.db").read_bytes() + caplog.text.encode()
    assert KEY.encode() not in kept


def after_content(dialect: str) -> Mapping[str, Play]:
    """Streams that end badly after something was said."""
    said = answer(dialect)
    body = [*said.opening, *said.content]
    joined = b"".join(body)
    half_a_letter = joined.index("ü".encode()) + 1
    called = [*said.opening, *answer(dialect, "", [("call_1", "read", '{"pa')]).content[:2]]
    return {
        "a broken line": Play(pieces=body[:-1], cut=True),
        "an end": Play(pieces=body),
        "an end within a letter": Play(pieces=[joined[:half_a_letter]]),
        "a break within a letter": Play(pieces=[joined[:half_a_letter]], cut=True),
        "an end within a frame": Play(pieces=[*body[:-2], body[-2][:-9]]),
        "a break before the end mark": Play(pieces=[*body, *said.reason], cut=True),
        "an error": Play(pieces=[*body[:-1], error_frame(dialect, f"bad key {KEY}")]),
        "an error that only has data": Play(pieces=[*body[:-1], b'data: {"error": {"message": "boo"}}\n\n']),
        "an error before an end": Play(pieces=[joined, b"".join([error_frame(dialect), *said.reason, *said.mark])], pause_s=0.01),
        "an error without its blank line": Play(pieces=[*body[:-1], error_frame(dialect).rstrip()]),
        "an event that is no JSON": Play(pieces=[*body[:-1], b"data: {oops\n\n", *said.reason, *said.mark]),
        "half a call": Play(pieces=called),
        "half a call on a broken line": Play(pieces=called, cut=True),
    }


@pytest.mark.parametrize("provider", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
async def test_what_fails_after_content_is_never_finished_politely_and_is_booked(
    start: Start, client: str, provider: str, caplog: pytest.LogCaptureFixture
) -> None:
    running = await start(answer(OTHER[provider], SAID).play(), settings=settings(provider, OTHER[provider]))
    for number, (name, play) in enumerate(after_content(provider).items()):
        running.provider.script[:] = [play, answer(OTHER[provider], SAID).play()]
        running.provider.asked.clear()
        told = await ask(running, client, question(client, f"question {number}"))
        assert (told.status, told.ended, told.broken) == (200, False, True), name
        assert SAID not in told.text, name
        assert not name.startswith("an error") or told.error or "only has data" in name, name
        assert KEY not in told.raw.decode("utf-8", "replace"), name
        assert len(running.provider.asked) == 1, name
        (attempt,) = (await booked(running))["attempts"]
        assert attempt["outcome"] == "cut", name
        assert 0 < attempt["cost_pusd"] <= FIRST_PUSD, name
    running.provider.script[:] = [answer(provider).play()]
    assert (await ask(running, client, question(client, "one more"))).ended
    assert KEY.encode() not in (running.home / "ledger.db").read_bytes() + caplog.text.encode()


@pytest.mark.parametrize("provider", DIALECTS)
async def test_a_provider_that_falls_silent_is_left(start: Start, provider: str) -> None:
    """Before any content somebody else answers; after it the line breaks."""
    second = answer(OTHER[provider], SAID).play()
    running = await start(second, settings=settings(provider, OTHER[provider]))
    await running.house.upstream.close()
    running.house.upstream = Upstream(Limits(first_byte_s=0.2, idle_s=0.2))
    said = answer(provider)
    silent = {
        "at once": replace(said.play(), before_s=30),
        "after its headers": Play(pieces=said.opening, pause_s=30),
    }
    for name, play in silent.items():
        running.provider.script[:] = [play, second]
        told = await ask(running, "anthropic", question("anthropic", f"Silent {name}."))
        assert (told.text.strip(), told.ended) == (SAID, True), name
        step = await booked(running)
        assert [one["outcome"] for one in step["attempts"]] == ["slow", "ok"], name
        assert step["attempts"][0]["cost_pusd"] > 0, name
    joined = b"".join([*said.opening, *said.content])
    running.provider.script[:] = [Play(pieces=[joined], pause_s=30)]
    told = await ask(running, "anthropic", question("anthropic", "Silent in the middle."))
    assert (told.ended, told.broken) == (False, True)
    assert (await booked(running))["attempts"][0]["outcome"] == "slow"


@pytest.mark.parametrize("client", DIALECTS)
async def test_an_enormous_frame_is_not_kept(start: Start, client: str) -> None:
    provider = OTHER[client]
    said = answer(provider)
    running = await start(answer(client, SAID).play(), settings=settings(provider, client))
    megabyte = b"x" * 1024 * 1024
    running.provider.script[:] = [Play(pieces=[*said.opening, b"data: ", *([megabyte] * 20)]), answer(client, SAID).play()]
    told = await ask(running, client, question(client, "before"))
    assert (told.text.strip(), told.ended) == (SAID, True)
    running.provider.script[:] = [Play(pieces=[*said.opening, *said.content, b"data: ", *([megabyte] * 20)])]
    told = await ask(running, client, question(client, "after"))
    assert (told.ended, told.broken) == (False, True)


@pytest.mark.parametrize(
    ("play", "status", "kinds", "words"),
    [
        (error(429, retry_after="30"), 429, ("rate_limit_error", "rate_limited", "rate_limited"), "429"),
        (error(500), 503, ("overloaded_error", "upstream_exhausted", "upstream_exhausted"), "500"),
        (error(401), 400, ("invalid_request_error", "provider_key", "provider_key"), "stepfare doctor"),
        (error(404), 400, ("invalid_request_error", "model_not_found", "model_not_found"), "stepfare models"),
        (error(400, TOO_LONG[1]), 400, ("invalid_request_error", "context_length_exceeded", "context_length_exceeded"), "too long"),
        (error(400, "the moon is full"), 400, ("invalid_request_error", "refused_by_provider", "refused_by_provider"), "the moon is full"),
        (page(502), 503, ("overloaded_error", "upstream_exhausted", "upstream_exhausted"), "502"),
    ],
    ids=["429", "500", "401", "404", "too long", "refused", "page"],
)
@pytest.mark.parametrize("provider", DIALECTS)
async def test_when_nobody_answers_each_client_is_told_in_its_own_format_what_happened(
    start: Start,
    provider: str,
    play: Play,
    status: int,
    kinds: tuple[str, str, str],
    words: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(failover, "BACKOFF_MS", 1)
    caplog.set_level(logging.DEBUG)
    running = await start(play, settings=settings(provider))
    for client, kind in zip(DIALECTS, kinds, strict=True):
        for streamed in (True, False):
            running.house.state.health.clear()
            told = await ask(running, client, question(client, f"The prompt of {client}.", stream=streamed))
            assert told.status == status, told.raw
            assert words in told.error
            assert KEY not in told.raw.decode()
            if client != provider:
                inner = json.loads(told.raw)["error"]
                assert inner["type" if client == "anthropic" else "code"] == kind, told.raw
            if kind == "context_length_exceeded":
                assert kind in told.raw.decode(), "by this word clients recover"
            if status in (429, 503):
                assert int(told.headers["retry-after"]) > 0
            assert told.headers["x-stepfare-attempts"] != "0"
    assert "The prompt of" not in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize("provider", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
async def test_answers_that_are_odd_and_whole_are_served(start: Start, client: str, provider: str) -> None:
    """Chunks of any size, line ends of any kind, unknown events, other content types, an answer in one piece, a mark that comes twice."""
    said = answer(provider)
    noise = b'event: sparkle\ndata: {"type": "sparkle", "choices": [null, 5]}\n\n: hm\n\ndata: null\n\ndata: [1]\n\n'
    surrogate = [piece.replace("für".encode(), b"f\\ud83dr") for piece in said.pieces]
    plays = {
        "byte by byte": Play(pieces=[bytes([byte]) for byte in b"".join(said.pieces)]),
        "CR LF": Play(pieces=[piece.replace(b"\n", b"\r\n") for piece in said.pieces]),
        "CR": Play(pieces=[piece.replace(b"\n", b"\r") for piece in said.pieces]),
        "unknown events": Play(pieces=[*(byte for piece in said.pieces[:-1] for byte in (piece, noise)), said.pieces[-1]]),
        "text/plain": said.play(content_type="text/plain"),
        "no type": said.play(content_type="application/octet-stream"),
        "called JSON": said.play(content_type="application/json"),
        "one piece": whole(provider),
        "compressed unasked": Play(pieces=[gzip.compress(b"".join(said.pieces))], headers={"content-encoding": "gzip"}),
        "[DONE] twice": Play(pieces=[*said.pieces, b"data: [DONE]\n\n", b"data: [DONE]\n\n"]),
        "half a letter escaped": Play(pieces=surrogate),
        "bytes that are no UTF-8": Play(pieces=[piece.replace("für".encode(), b"f\xffr") for piece in said.pieces]),
        "nothing said": answer(provider, "").play(),
    }
    running = await start(said.play(), settings=settings(provider))
    for number, (name, play) in enumerate(plays.items()):
        running.provider.script[:] = [play]
        told = await ask(running, client, question(client, f"question {number}"))
        assert (told.status, told.ended, told.error) == (200, True, ""), name
        assert told.text.startswith("" if name == "nothing said" else "I look f"), name
        step = await booked(running)
        assert (step["cost_pusd"], step["cost_source"]) == (FIRST_PUSD, "usage-priced"), name
        assert told.comment["cost_usd"] == "0.00206", name


@pytest.mark.parametrize("provider", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
async def test_a_stream_where_one_piece_was_asked_for_is_put_together(start: Start, client: str, provider: str) -> None:
    calls = [("call_1", "read", '{"path": "a"}'), ("call_2", "list", '{"path": "b"}')]
    running = await start(answer(provider, "Hm.", calls).play(), settings=settings(provider))
    told = await ask(running, client, question(client, stream=False))
    assert (told.status, told.text.strip(), told.calls, told.ended) == (200, "Hm.", calls, True)
    assert (await booked(running))["cost_pusd"] == FIRST_PUSD
    assert told.headers["x-stepfare-cost-usd"] == "0.00206"


async def test_a_stream_where_one_piece_was_asked_for_that_stops_is_no_answer(start: Start) -> None:
    said = answer("anthropic")
    running = await start(
        Play(pieces=[*said.opening, *said.content]), whole("responses", SAID), settings=settings("anthropic", "responses")
    )
    told = await ask(running, "openai", question("openai", stream=False))
    assert told.text == SAID
    first, _ = (await booked(running))["attempts"]
    assert first["outcome"] == "down"
    assert first["cost_pusd"] >= INPUT_TOKENS * 1_000_000


@pytest.mark.parametrize(("client", "provider"), list(permutations(DIALECTS, 2)))
async def test_calls_keep_apart_whatever_their_provider_calls_them(start: Start, client: str, provider: str) -> None:
    """Ids that come twice or never; arguments that are no JSON, or none."""
    running = await start(answer(provider).play(), settings=settings(provider))
    for ids in (("call_1", "call_1"), ("", "")):
        calls = [(ids[0], "read", '{"path": "a"}'), (ids[1], "list", '{"path": "b"}')]
        running.provider.script[:] = [answer(provider, "Hm.", calls).play()]
        told = await ask(running, client, question(client, f"ids {ids}"))
        assert [call[1:] for call in told.calls] == [call[1:] for call in calls]
        assert len({call[0] for call in told.calls} - {""}) == 2, told.calls
    for arguments in ('{"path": oops', "[1]", ""):
        running.provider.script[:] = [answer(provider, "Hm.", [("call_1", "read", arguments)]).play()]
        told = await ask(running, client, question(client, f"arguments {arguments}"))
        ((_, _, heard),) = told.calls
        assert (heard or "{}") == (arguments or "{}")
        assert client != "responses" or heard, "Codex reads arguments as JSON"


ABSURD = {
    "openai": [{"prompt_tokens": 0, "completion_tokens": 0}, {"prompt_tokens": 900_000_000, "completion_tokens": 5}, {"prompt_tokens": -5}],
    "anthropic": [{"output_tokens": 900_000_000}, {"input_tokens": 900_000_000}],
    "responses": [{"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 900_000_000, "output_tokens": 5}, {"input_tokens": "many"}],
}


@pytest.mark.parametrize("provider", DIALECTS)
async def test_usage_that_cannot_be_is_an_estimate_with_bounds(start: Start, provider: str) -> None:
    running = await start(answer(provider).play(), settings=settings(provider))
    for number, usage in enumerate(ABSURD[provider]):
        running.provider.script[:] = [answer(provider, usage=usage).play()]
        told = await ask(running, OTHER[provider], question(OTHER[provider], f"question {number}"))
        assert told.ended
        step = await booked(running)
        assert step["cost_source"] == "estimated", usage
        assert 0 < step["cost_pusd"] < FIRST_PUSD, usage
        assert told.comment["cost_usd"] != "0"


async def test_what_a_client_of_anthropic_left_in_the_middle_costs_what_was_said(start: Start) -> None:
    """The report that opens an answer counts one token of output, whatever follows."""
    said = answer("anthropic", "word " * 720)  # 3,600 characters: about 1,000 tokens.
    running = await start(Play(pieces=[*said.opening, *said.content[:-1]], cut=True), settings=settings("anthropic"))
    for client in DIALECTS:
        told = await ask(running, client, question(client, f"A question of {client}."))
        assert told.broken
        step = await booked(running)
        assert (step["cost_source"], step["usage"]["input_tokens"]) == ("estimated", INPUT_TOKENS)
        assert 900 < step["usage"]["output_tokens"] < 1_100


async def test_an_opening_that_repeats_a_long_request_is_no_endless_one(start: Start) -> None:
    """Responses repeat instructions and tools twice before they begin."""
    instructions = "Be brief. " * 20_000
    said = answer("responses")
    opening = [
        piece.replace(b'"output": []', b'"output": [], "instructions": ' + json.dumps(instructions).encode()) for piece in said.opening
    ]
    running = await start(Play(pieces=[*opening, *said.content, *said.mark]), settings=settings("responses"))
    told = await ask(running, "responses", question("responses", instructions=instructions))
    assert told.ended, told.raw[:300]
    assert told.headers["x-stepfare-attempts"] == "1"


async def test_an_answer_that_is_still_to_come_is_none(start: Start) -> None:
    body = json.loads(whole("responses").pieces[0]) | {"status": "queued", "output": []}
    running = await start(
        Play(200, "application/json", [json.dumps(body).encode()]), whole("openai", SAID), settings=settings("responses", "openai")
    )
    told = await ask(running, "anthropic", question("anthropic", stream=False))
    assert told.text == SAID


async def test_of_several_answers_the_first_is_told(start: Start) -> None:
    def piece(index: int, text: str, reason: str | None = None) -> bytes:
        choice = {"index": index, "delta": {"content": text}, "finish_reason": reason}
        return b"data: " + json.dumps({"object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"

    said = answer("openai")
    pieces = [piece(0, "One "), piece(1, "Two "), piece(0, "and on.", "stop"), piece(1, "or else.", "length"), said.reason[1], *said.mark]
    running = await start(Play(pieces=pieces), settings=settings("openai"))
    told = await ask(running, "anthropic")
    assert (told.text, told.reason) == ("One and on.", "end_turn")


def test_no_case_is_empty() -> None:
    """A fault that changes nothing would show nothing."""
    for dialect in DIALECTS:
        assert all(play.pieces != answer(dialect).pieces for play in after_content(dialect).values())
        assert all(play.pieces != answer(dialect).pieces for play, _ in before_content(dialect).values())
