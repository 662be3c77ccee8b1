"""A client that leaves stops the provider at once, and what was consumed is booked; a slow provider keeps the line open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import aiohttp
import pytest

from stepfare.server import reply
from tests.fakes.provider import DONE, USAGE, Play, chunk, refusal, stream
from tests.flows.conftest import Running, Start, ask

SLOW = Play(pieces=[chunk({"content": f"word{n} "}) for n in range(1000)], pause_s=0.02)


async def until(condition: Callable[[], object], what: str) -> None:
    """The limit is for what never happens; how soon things happen is measured by `scripts/bench.py`."""
    for _ in range(3_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"never happened: {what}")


async def drain(answer: aiohttp.ClientResponse, got: list[bytes]) -> None:
    while piece := await answer.content.readany():
        got.append(piece)


async def settled(running: Running) -> dict:
    """The last step once no attempt is open."""
    for _ in range(300):
        status, detail = await running.control("GET", "sessions/last")
        if status == 200 and all(one["outcome"] != "open" for one in detail["steps"][0]["attempts"]):
            return detail["steps"][0]
        await asyncio.sleep(0.01)
    raise AssertionError("the attempt stayed open")


async def test_a_client_that_leaves_in_the_middle_cancels_upstream_and_is_billed_for_what_came(start: Start) -> None:
    running = await start(SLOW)
    async with running.chat(ask()) as answer:
        await answer.content.readany()
    await until(lambda: running.provider.cancelled == 1, "the provider's call was cancelled")
    step = await settled(running)
    assert step["attempts"][0]["outcome"] == "hang-up"
    assert step["cost_source"] == "estimated"
    assert step["cost_pusd"] > 0


async def test_a_client_that_leaves_before_the_first_byte_cancels_upstream_too(start: Start) -> None:
    running = await start(stream(before_s=30))
    task = asyncio.ensure_future(running.client.post(f"{running.url}/v1/chat/completions", json=ask(), headers=running.headers()))
    await until(lambda: running.provider.asked, "the provider was asked")
    task.cancel()
    await until(lambda: running.provider.cancelled == 1, "the provider's call was cancelled")
    step = await settled(running)
    assert step["attempts"][0]["outcome"] == "hang-up"
    assert len(running.provider.asked) == 1


async def test_the_same_body_after_a_hang_up_is_a_retry_of_the_same_step(start: Start) -> None:
    running = await start(SLOW, stream())
    async with running.chat(ask()) as answer:
        await answer.content.readany()
        first = answer.headers["x-stepfare-session"]
    await settled(running)
    async with running.chat(ask()) as answer:
        assert answer.headers["x-stepfare-session"] == first
        await answer.text()
    _, detail = await running.control("GET", f"sessions/{first}")
    assert [len(step["attempts"]) for step in detail["steps"]] == [2]


async def test_a_silent_provider_is_bridged_by_keep_alive_comments(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply, "QUIET_S", 0.05)
    monkeypatch.setattr(reply.HttpReply.__init__, "__defaults__", (0.05,))
    running = await start(stream(before_s=0.4))
    async with running.chat(ask()) as answer:
        assert answer.headers["x-stepfare-step"] == "answer"
        text = await answer.text()
    assert text.startswith(": stepfare waits")
    (told,) = [json.loads(line.removeprefix(": stepfare ")) for line in text.splitlines() if line.startswith(": stepfare {")]
    assert told["model"] == "lab/middle"


async def test_a_failure_after_early_headers_is_an_error_event_and_a_broken_line(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply.HttpReply.__init__, "__defaults__", (0.05,))
    late = Play(status=500, content_type="application/json", pieces=[b'{"error":{"message":"late"}}'], before_s=0.3)
    running = await start(late, refusal(400, "still no"))
    got: list[bytes] = []
    async with running.chat(ask()) as answer:
        with pytest.raises(aiohttp.ClientError):
            await drain(answer, got)
    assert b'data: {"error"' in b"".join(got)
    assert b"[DONE]" not in b"".join(got)


async def test_64_streams_of_which_every_fifth_hangs_up_are_all_booked(start: Start) -> None:
    running = await start(
        Play(pieces=[*(chunk({"content": "word "}) for _ in range(20)), chunk(None, "stop"), chunk(None, None, USAGE), DONE], pause_s=0.01)
    )

    async def one(number: int) -> None:
        async with running.chat(ask(f"question number {number}")) as answer:
            if number % 5:
                await answer.text()
            else:
                await answer.content.readany()

    await asyncio.gather(*(one(number) for number in range(64)))
    await running.house.books.finish()
    await until(lambda: running.provider.cancelled == 13, "every hung-up call was cancelled")
    _, found = await running.control("GET", "sessions?limit=100")
    assert len(found["sessions"]) == 64
    assert sum(one["totals"]["reserved_pusd"] for one in found["sessions"]) == 0
    assert all(one["totals"]["spent_pusd"] > 0 for one in found["sessions"])
