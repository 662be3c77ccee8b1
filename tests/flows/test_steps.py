"""A step goes through: what the client gets, what the provider is asked, what the books say."""

from __future__ import annotations

import json

import aiohttp
import pytest

from tests.fakes.provider import USAGE, Play, chunk, event, refusal, stream, whole
from tests.flows.conftest import Start, ask


def comments(text: str) -> list[dict]:
    return [json.loads(line.removeprefix(": stepfare ")) for line in text.splitlines() if line.startswith(": stepfare {")]


def events(text: str) -> list[dict]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]


async def test_a_streamed_answer_keeps_the_name_that_was_asked_for(start: Start) -> None:
    running = await start(stream("Four words are here"))
    async with running.chat(ask(stream_options={"include_usage": True})) as answer:
        text = await answer.text()
        assert answer.headers["x-stepfare-model"] == "lab/middle"
        assert answer.headers["x-stepfare-tier"] == "balanced"
    assert {one["model"] for one in events(text)} == {"auto"}
    assert text.endswith("data: [DONE]\n\n")


async def test_the_last_comment_comes_before_the_end_mark_and_tells_the_cost(start: Start) -> None:
    running = await start(stream())
    async with running.chat(ask()) as answer:
        text = await answer.text()
    (told,) = comments(text)
    # 1,500 fresh at 2, 500 read at 0.20, 100 out at 10 dollars per million.
    assert told["cost_usd"] == "0.0041"
    assert text.index(": stepfare {") < text.index("data: [DONE]")


async def test_usage_is_asked_for_upstream_and_hidden_from_a_client_that_did_not(start: Start) -> None:
    running = await start(stream())
    async with running.chat(ask()) as answer:
        text = await answer.text()
    assert running.provider.asked[0].json["stream_options"] == {"include_usage": True}
    assert not [one for one in events(text) if one.get("usage")]
    detail = await running.last_session()
    assert detail["steps"][0]["usage"]["input_tokens"] == 2000


async def test_a_client_that_asks_for_usage_gets_it_with_the_cost(start: Start) -> None:
    running = await start(stream())
    async with running.chat(ask(stream_options={"include_usage": True, "other": 1})) as answer:
        text = await answer.text()
    (usage,) = [one["usage"] for one in events(text) if one.get("usage")]
    assert usage == {**USAGE, "cost": 0.0041}
    assert running.provider.asked[0].json["stream_options"] == {"include_usage": True, "other": 1}


async def test_every_other_byte_of_the_request_goes_through_untouched(start: Start) -> None:
    running = await start(stream())
    body = (
        b'{ "unheard_of" : [1.50, 1e5, {"x":"\\u00e9\\/"}],\n  "model":"auto","stream_options":{"include_usage":true}, "stream" : true,'
        b'\t"messages":[{"content":"Hi there","role":"user"}]}'
    )
    async with running.chat(body) as answer:
        assert answer.status == 200
    assert running.provider.asked[0].body == body.replace(b'"auto"', b'"middle"')
    assert running.provider.asked[0].headers["Authorization"] == "Bearer sk-lab"


async def test_a_whole_answer_keeps_its_bytes_but_for_model_and_cost(start: Start) -> None:
    running = await start(whole())
    async with running.chat(ask(stream=False)) as answer:
        got = await answer.text()
        assert answer.headers["x-stepfare-cost-usd"] == "0.0041"
    sent = whole().pieces[0].decode()
    cost = got.index(',"cost":0.0041')
    assert got.replace(',"cost":0.0041', "").replace('"auto"', '"served-name"') == sent, cost


async def test_our_own_headers_are_not_forwarded(start: Start) -> None:
    running = await start(stream())
    async with running.chat(ask(), x_stepfare_tier="premium", x_stepfare_session="mine") as answer:
        assert answer.headers["x-stepfare-tier"] == "premium"
        assert answer.headers["x-stepfare-session"] == "mine"
    assert not [name for name in running.provider.asked[0].headers if name.lower().startswith("x-stepfare")]


async def test_a_model_named_by_the_client_is_served_as_asked(start: Start) -> None:
    running = await start(stream())
    async with running.chat(ask(model="lab/small")) as answer:
        assert answer.headers["x-stepfare-model"] == "lab/small"
    assert running.provider.asked[0].json["model"] == "small"


async def test_a_busy_model_is_replaced_before_anything_is_shown(start: Start) -> None:
    running = await start(refusal(429, retry_after="30"), stream())
    async with running.chat(ask()) as answer:
        assert answer.status == 200
        assert answer.headers["x-stepfare-model"] == "lab/large"
        assert answer.headers["x-stepfare-attempts"] == "2"
        await answer.text()
    detail = await running.last_session()
    assert [one["outcome"] for one in detail["steps"][0]["attempts"]] == ["busy", "ok"]


async def test_an_error_inside_a_stream_of_status_200_is_not_shown_either(start: Start) -> None:
    overloaded = Play(pieces=[b": processing\n\n", event({"error": {"message": "overloaded", "code": 503}})])
    running = await start(overloaded, stream())
    async with running.chat(ask()) as answer:
        text = await answer.text()
    assert "overloaded" not in text
    assert text.count("[DONE]") == 1


@pytest.mark.parametrize(
    "play",
    [
        Play(content_type="text/html", pieces=[b"<html>502</html>"]),
        Play(status=502, content_type="text/html", pieces=[b"<html>Bad gateway</html>"]),
        Play(pieces=[b"data: not json\n\n"]),
        Play(pieces=[]),
        Play(content_type="application/json", pieces=[b"{}"]),
        Play(cut=True),
    ],
    ids=["html with 200", "html with 502", "no json", "empty", "one piece", "cut"],
)
async def test_garbage_from_a_provider_is_replaced_by_the_next_candidate(start: Start, play: Play) -> None:
    running = await start(play, stream())
    async with running.chat(ask()) as answer:
        assert answer.status == 200
        assert (await answer.text()).endswith("data: [DONE]\n\n")


async def test_a_refused_request_is_told_in_the_providers_own_words_and_tried_nowhere_else(start: Start) -> None:
    running = await start(refusal(400, "temperature is not allowed", "unsupported_parameter"))
    async with running.chat(ask()) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["message"] == "temperature is not allowed"
    assert len(running.provider.asked) == 1


async def test_a_prompt_too_long_for_one_window_goes_to_a_larger_one(start: Start) -> None:
    running = await start(refusal(400, "maximum context length is 200000", "context_length_exceeded"), stream())
    async with running.chat(ask()) as answer:
        assert answer.status == 200
        assert answer.headers["x-stepfare-model"] == "lab/large"


async def test_when_everybody_is_busy_the_client_is_told_when_to_come_back(start: Start) -> None:
    running = await start(refusal(429, retry_after="60"))
    async with running.chat(ask()) as answer:
        assert answer.status == 429
        assert answer.headers["retry-after"] == "60"
        assert (await answer.json())["error"]["code"] == "rate_limited"


async def test_a_wrong_provider_key_is_no_reason_for_a_client_to_retry(start: Start) -> None:
    running = await start(refusal(401, "bad key"))
    async with running.chat(ask()) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["code"] == "provider_key"


async def test_a_stream_that_breaks_after_content_breaks_for_the_client_too(start: Start) -> None:
    running = await start(Play(pieces=[chunk({"content": "Half an"})], pause_s=0.05, cut=True))
    with pytest.raises(aiohttp.ClientError):
        async with running.chat(ask()) as answer:
            await answer.text()
    detail = await running.last_session()
    (attempt,) = detail["steps"][0]["attempts"]
    assert attempt["outcome"] == "cut"
    assert detail["steps"][0]["cost_source"] == "estimated"


async def test_a_stream_that_ends_without_its_end_is_not_finished_politely(start: Start) -> None:
    running = await start(Play(pieces=[chunk({"content": "Half an"})]))
    with pytest.raises(aiohttp.ClientError):
        async with running.chat(ask()) as answer:
            await answer.text()


async def test_a_provider_without_an_end_mark_is_complete_once_it_said_why_it_stopped(start: Start) -> None:
    running = await start(Play(pieces=[chunk({"content": "All"}), chunk(None, "stop"), chunk(None, None, USAGE)]))
    async with running.chat(ask()) as answer:
        text = await answer.text()
    assert comments(text)[0]["cost_usd"] == "0.0041"


async def test_an_answer_without_usage_is_estimated_and_says_so(start: Start) -> None:
    running = await start(Play(pieces=[chunk({"content": "x" * 3600}), chunk(None, "stop")]))
    async with running.chat(ask()) as answer:
        await answer.text()
    step = (await running.last_session())["steps"][0]
    assert step["cost_source"] == "estimated"
    assert step["usage"]["output_tokens"] == 1000


async def test_an_unpriced_model_is_unpriced_and_never_free(start: Start) -> None:
    running = await start(stream())
    async with running.chat(ask(model="lab/unknown-model")) as answer:
        assert answer.status == 200
        assert comments(await answer.text())[0]["cost_usd"] is None
    detail = await running.last_session()
    assert detail["steps"][0]["cost_pusd"] is None
    assert detail["steps"][0]["cost_source"] == "unpriced"
    assert detail["session"]["totals"]["unpriced_steps"] == 1


async def test_the_cost_of_a_step_is_the_same_everywhere(start: Start) -> None:
    running = await start(stream())
    async with running.chat(ask()) as answer:
        await answer.text()
    _, overview = await running.control("GET", "overview")
    detail = await running.last_session()
    assert detail["steps"][0]["cost_pusd"] == 4_100_000_000
    assert overview["today"]["spent_pusd"] == detail["session"]["totals"]["spent_pusd"] == 4_100_000_000
    assert overview["sessions"][0]["totals"]["spent_pusd"] == 4_100_000_000


async def test_models_are_listed_with_the_smallest_window_for_a_profile(start: Start) -> None:
    running = await start(stream())
    async with running.client.get(f"{running.url}/v1/models", headers=running.headers()) as answer:
        rows = {row["id"]: row for row in (await answer.json())["data"]}
    assert rows["auto"]["context_length"] == 200_000
    assert rows["lab/large"]["context_length"] == 400_000
    assert {"frugal", "balanced", "careful", "premium"} <= set(rows)


async def test_an_answer_that_stands_in_one_unfinished_frame_is_an_answer(start: Start) -> None:
    body = {"model": "m", "choices": [{"index": 0, "delta": {"content": "All of it"}, "finish_reason": "stop"}], "usage": USAGE}
    running = await start(Play(pieces=[event(body).rstrip()]))
    async with running.chat(ask()) as answer:
        assert answer.status == 200
        assert events(await answer.text())[0]["choices"][0]["delta"]["content"] == "All of it"
    assert len(running.provider.asked) == 1


async def test_a_key_that_a_provider_repeats_goes_no_further(start: Start) -> None:
    running = await start(refusal(400, "Incorrect value near sk-lab, sorry"))
    async with running.chat(ask()) as answer:
        text = await answer.text()
    assert "near [key], sorry" in text
    _, detail = await running.control("GET", "sessions/last")
    assert "sk-lab" not in str(detail)


async def test_a_provider_that_always_breaks_comes_to_rest(start: Start) -> None:
    running = await start(Play(pieces=[b": hello\n\n"], cut=True))
    for number in range(2):
        async with running.chat(ask(f"question {number}")) as answer:
            assert answer.status == 503
    _, overview = await running.control("GET", "overview")
    assert [one["state"] for one in overview["providers"]] == ["resting"]
