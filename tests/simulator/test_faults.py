"""Every fault on demand, by header and by queue, and what is billed of the calls that they befall."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from stepfare.core.money import Usage
from stepfare.simulator.app import running
from stepfare.simulator.bill import Bill, BillLine, price_of
from stepfare.simulator.catalogue import MODEL_BY_NAME
from stepfare.simulator.faults import Fault, FaultQueue, parse_fault
from stepfare.simulator.options import HEADER_FAULT, MARK, QUEUED_FAULTS_MAX
from stepfare.simulator.tokens import tokens_of
from tests.simulator.clients import assembled, frames

BODY = {"model": "simulator/balanced", "messages": [{"role": "user", "content": "Hello there"}]}
STREAMED = {**BODY, "stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture
async def base_url() -> AsyncIterator[str]:
    async with running() as url:
        yield url


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


async def bill(session: aiohttp.ClientSession, base_url: str) -> dict[str, Any]:
    async with session.get(f"{base_url.removesuffix('/v1')}/simulator/bill") as answer:
        return await answer.json()


def call(session: aiohttp.ClientSession, base_url: str, fault: str, body: dict[str, Any] = STREAMED):
    return session.post(f"{base_url}/chat/completions", json=body, headers={HEADER_FAULT: fault})


@pytest.mark.parametrize("body", [BODY, STREAMED])
@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("429;retry-after=2", 429, "rate_limit_exceeded"),
        ("500", 500, None),
        ("529", 529, None),
        ("402;message=No credits;code=insufficient_quota", 402, "insufficient_quota"),
        ("overflow", 400, "context_length_exceeded"),
    ],
)
async def test_a_refusal_comes_before_any_content_and_costs_nothing(
    session: aiohttp.ClientSession, base_url: str, body: dict[str, Any], fault: str, status: int, code: str | None
) -> None:
    async with call(session, base_url, fault, body) as answer:
        assert answer.status == status
        assert answer.headers.get("retry-after") == ("2" if "retry" in fault else None)
        error = (await answer.json())["error"]
    assert error["code"] == code
    assert error["message"].startswith(MARK)
    line = (await bill(session, base_url))["lines"][0]
    assert (line["cost_pusd"], line["usage"]["input_tokens"], line["fault"]) == (0, 0, fault)


async def test_html_instead_of_json(session: aiohttp.ClientSession, base_url: str) -> None:
    async with call(session, base_url, "html") as answer:
        assert (answer.status, answer.content_type) == (502, "text/html")
    async with call(session, base_url, "html;status=200") as answer:
        assert answer.status == 200
        assert "stepfare simulator" in await answer.text()


@pytest.mark.parametrize("body", [BODY, STREAMED])
async def test_the_line_goes_dead_before_the_answer(session: aiohttp.ClientSession, base_url: str, body: dict[str, Any]) -> None:
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await call(session, base_url, "disconnect-before", body)
    assert (await bill(session, base_url))["cost_pusd"] == 0


async def test_the_line_goes_dead_after_some_chunks_and_those_are_billed(session: aiohttp.ClientSession, base_url: str) -> None:
    got, broke = b"", False
    async with call(session, base_url, "disconnect-after=4") as answer:
        try:
            async for chunk in answer.content.iter_any():
                got += chunk
        except aiohttp.ClientPayloadError:
            broke = True
    assert broke
    assert len(frames(got.decode())) == 4
    line = (await bill(session, base_url))["lines"][0]
    assert line["outcome"] == "disconnect-after"
    assert line["usage"]["output_tokens"] == tokens_of(assembled(got.decode())["content"])
    assert line["cost_pusd"] > 0


async def test_a_whole_answer_may_break_in_its_middle(session: aiohttp.ClientSession, base_url: str) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        async with call(session, base_url, "disconnect-after", BODY) as answer:
            await answer.read()


async def test_an_error_within_the_stream(session: aiohttp.ClientSession, base_url: str) -> None:
    async with call(session, base_url, "error-in-stream=2;message=It broke") as answer:
        told = frames(await answer.text())
    assert [("error" in frame) for frame in told] == [False, False, True]
    assert told[-1]["error"]["message"] == f"{MARK}It broke"
    async with call(session, base_url, "error-in-stream", BODY) as answer:
        assert answer.status == 200
        assert "error" in await answer.json()


async def test_a_fault_later_than_the_answer_is_long_happens_at_its_end(session: aiohttp.ClientSession, base_url: str) -> None:
    async with call(session, base_url, "error-in-stream=10000") as answer:
        text = await answer.text()
    assert "error" in frames(text)[-1]
    assert "[DONE]" not in text


@pytest.mark.parametrize("body", [BODY, STREAMED])
async def test_usage_may_be_missing_but_not_from_the_bill(session: aiohttp.ClientSession, base_url: str, body: dict[str, Any]) -> None:
    async with call(session, base_url, "no-usage", body) as answer:
        assert '"usage"' not in await answer.text()
    assert (await bill(session, base_url))["lines"][0]["usage"]["output_tokens"] > 0


async def test_a_stall_is_silent_until_the_client_hangs_up(session: aiohttp.ClientSession, base_url: str) -> None:
    async with call(session, base_url, "stall=3") as answer:
        got = b""
        while got.count(b"\n\n") < 3:
            got += await answer.content.readany()
    line = await billed(session, base_url)
    assert line["usage"]["output_tokens"] == tokens_of(assembled(got.decode())["content"])
    with pytest.raises(asyncio.TimeoutError):
        async with asyncio.timeout(0.2):
            await call(session, base_url, "stall")


async def billed(session: aiohttp.ClientSession, base_url: str, lines: int = 1) -> dict[str, Any]:
    """The newest line, as soon as there are so many."""
    while True:
        told = await bill(session, base_url)
        if told["calls"] >= lines:
            return told["lines"][-1]


async def test_a_client_that_hangs_up_pays_for_the_prompt_and_what_went_out(session: aiohttp.ClientSession, base_url: str) -> None:
    async with call(session, base_url, "words=5000;chunk-ms=5") as answer:
        got = b""
        while got.count(b"\n\n") < 5:
            got += await answer.content.readany()
        answer.close()
    line = await billed(session, base_url)
    assert (line["outcome"], line["cancelled"]) == ("cancelled", True)
    assert line["usage"]["input_tokens"] > 0
    assert tokens_of(assembled(got.decode())["content"]) <= line["usage"]["output_tokens"] < 5000


async def test_an_answer_of_any_length_for_measuring(session: aiohttp.ClientSession, base_url: str) -> None:
    async with call(session, base_url, "words=300") as answer:
        assert assembled(await answer.text())["content"].count("word") == 300


async def test_delays_hold_the_first_byte_and_each_chunk_back(session: aiohttp.ClientSession, base_url: str) -> None:
    async with call(session, base_url, "first-byte-ms=40;chunk-ms=2") as answer:
        chunks = len(frames(await answer.text()))
    line = (await bill(session, base_url))["lines"][0]
    assert line["total_ms"] >= 40 + 2 * (chunks - 3)


async def test_queued_faults_befall_the_next_calls_of_their_model(session: aiohttp.ClientSession, base_url: str) -> None:
    address = f"{base_url.removesuffix('/v1')}/simulator/faults"
    queued = {"faults": [{"spec": "503", "model": "simulator/premium"}, {"spec": "429;retry-after=1", "times": 2}]}
    async with session.post(address, json=queued) as answer:
        assert [row["spec"] for row in (await answer.json())["waiting"]] == ["503", "429;retry-after=1", "429;retry-after=1"]

    async def status(model: str) -> int:
        async with session.post(f"{base_url}/chat/completions", json={**BODY, "model": model}) as answer:
            return answer.status

    assert [await status("frugal"), await status("premium"), await status("frugal"), await status("frugal")] == [429, 503, 429, 200]
    await session.post(address, json={"faults": ["500"]})
    async with session.delete(address) as answer:
        assert (await answer.json())["waiting"] == []
    assert await status("frugal") == 200


@pytest.mark.parametrize(
    "body", [{"faults": ["explode"]}, {"faults": 3}, {"faults": [{"spec": "500", "times": QUEUED_FAULTS_MAX + 1}]}, []]
)
async def test_faults_that_are_not_understood_are_refused(session: aiohttp.ClientSession, base_url: str, body: Any) -> None:
    async with session.post(f"{base_url.removesuffix('/v1')}/simulator/faults", json=body) as answer:
        assert answer.status == 400
        assert "Faults not understood" in (await answer.json())["error"]["message"]


async def test_a_fault_header_that_is_not_understood_is_refused(session: aiohttp.ClientSession, base_url: str) -> None:
    async with call(session, base_url, "explode") as answer:
        assert answer.status == 400
        assert "429" not in (await answer.json())["error"]["message"]


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("429;retry-after=2", Fault("status", 429, retry_after="2")),
        (" disconnect-after = 7 ", Fault("disconnect-after", chunks=7)),
        ("stall", Fault("stall")),
        ("first-byte-ms=20; chunk-ms=1", Fault(first_byte_ms=20, chunk_ms=1)),
        ("", Fault()),
    ],
)
def test_how_faults_are_written(spec: str, fault: Fault) -> None:
    assert parse_fault(spec) == Fault(**{**{name: getattr(fault, name) for name in Fault.__dataclass_fields__}, "spec": spec})


@pytest.mark.parametrize("spec", ["200", "stall=soon", "chunk-ms=-1", "chunk-ms=99999999"])
def test_faults_that_make_no_sense(spec: str) -> None:
    with pytest.raises(ValueError, match=r"fault|expected"):
        parse_fault(spec)


def test_the_queue_is_first_in_first_out_for_each_model() -> None:
    queue = FaultQueue()
    queue.add(parse_fault("500"), "a")
    queue.add(parse_fault("503"))
    assert [queue.take("b").status, queue.take("b").status, queue.take("a").status, queue.take("a").status] == [503, 0, 500, 0]


def test_the_bill_forgets_lines_but_not_sums() -> None:
    book = Bill(lines_max=2)
    model = MODEL_BY_NAME["frugal"]
    usage = Usage(2_000, 1_000, 500, 10)
    price_pusd = price_of(model, usage)
    assert price_pusd == 500 * 100_000 + 1_000 * 10_000 + 500 * 125_000 + 10 * 400_000
    for number in range(3):
        book.add(BillLine(str(number), model.id, 0, "ok", usage, price_pusd, 1, stream=False))
    told = json.loads(json.dumps(book.as_json()))
    assert [line["id"] for line in told["lines"]] == ["1", "2"]
    assert (told["calls"], told["cost_pusd"]) == (3, 3 * price_pusd)


async def test_the_bill_agrees_with_the_usage_that_was_told(session: aiohttp.ClientSession, base_url: str) -> None:
    body = {**STREAMED, "model": "simulator/premium", "messages": [{"role": "user", "content": "word " * 2_000}]}
    for _ in range(2):
        async with session.post(f"{base_url}/chat/completions", json=body) as answer:
            told = frames(await answer.text())[-1]["usage"]
        line = (await bill(session, base_url))["lines"][-1]
        assert line["usage"]["input_tokens"] == told["prompt_tokens"]
        assert line["usage"]["cache_read_tokens"] == told["prompt_tokens_details"]["cached_tokens"]
        assert line["usage"]["cache_write_tokens"] == told["prompt_tokens_details"]["cache_write_tokens"]
        assert line["usage"]["output_tokens"] == told["completion_tokens"]
        assert line["usage"]["reasoning_tokens"] == told["completion_tokens_details"]["reasoning_tokens"]
        assert line["cost_pusd"] == price_of(MODEL_BY_NAME["premium"], Usage(**line["usage"]))
