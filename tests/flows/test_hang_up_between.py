"""Clients that leave, come back and crowd in while their answers are bridged: the provider is stopped at once, everything is booked,
nothing of one answer gets into another."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import permutations, product

import pytest
from aiohttp import web

from stepfare.routing import failover
from stepfare.server import reply
from tests.fakes.provider import Play
from tests.flows.answers import DIALECTS, INPUT_TOKENS, OTHER, PATHS, answer, ask, booked, question, settings
from tests.flows.conftest import Running, Start
from tests.flows.test_hang_up import until

PAIRS = list(permutations(DIALECTS, 2))


async def left(running: Running, client: str, body: object, after: int) -> int:
    """Ask, read so many pieces, and leave; how many bytes had come."""
    read = 0
    async with running.client.post(running.url + PATHS[client], json=body, headers=running.headers()) as response:
        for _ in range(after):
            read += len(await response.content.readany())
        response.close()
    return read


@pytest.mark.parametrize(("client", "provider"), PAIRS)
async def test_a_client_that_leaves_a_bridge_stops_the_provider_and_pays_for_what_came(start: Start, client: str, provider: str) -> None:
    slow = answer(provider, "word " * 2000)
    running = await start(slow.play(pause_s=0.005), settings=settings(provider))
    dice = random.Random(f"{client} {provider}")
    for number in range(1, 5):
        await left(running, client, question(client, f"question {number}"), dice.randint(1, 12))
        await until(lambda number=number: running.provider.cancelled == number, "the provider was stopped")
        step = await booked(running)
        assert [one["outcome"] for one in step["attempts"]] == ["hang-up"]
        assert step["cost_source"] == "estimated"
        assert 0 < step["cost_pusd"] < 4_000 * 1_000_000
        if provider == "anthropic":
            assert step["usage"]["input_tokens"] == INPUT_TOKENS


@pytest.mark.parametrize(("client", "provider"), PAIRS)
async def test_a_client_that_leaves_before_anything_came_stops_the_provider_too(start: Start, client: str, provider: str) -> None:
    running = await start(answer(provider).play(before_s=30), settings=settings(provider))
    for number, streamed in enumerate((True, False), 1):
        body = question(client, f"question {number}", stream=streamed)
        asking = asyncio.ensure_future(running.client.post(running.url + PATHS[client], json=body, headers=running.headers()))
        await until(lambda number=number: len(running.provider.asked) == number, "the provider was asked")
        asking.cancel()
        await until(lambda number=number: running.provider.cancelled == number, "the provider was stopped")
        assert [one["outcome"] for one in (await booked(running))["attempts"]] == ["hang-up"]


@pytest.mark.parametrize(("client", "provider"), PAIRS)
async def test_the_same_body_after_a_hang_up_is_a_retry_of_the_same_step(start: Start, client: str, provider: str) -> None:
    said = answer(provider)
    running = await start(answer(provider, "word " * 2000).play(pause_s=0.01), said.play(), settings=settings(provider))
    await left(running, client, question(client), 2)
    await booked(running)
    told = await ask(running, client, question(client))
    assert told.ended
    _, detail = await running.control("GET", f"sessions/{told.headers['x-stepfare-session']}")
    assert [[one["outcome"] for one in step["attempts"]] for step in detail["steps"]] == [["hang-up", "ok"]]


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(("client", "provider"), list(product(DIALECTS, DIALECTS)))
async def test_a_provider_is_stopped_without_another_byte_of_it(start: Start, client: str, provider: str, streamed: bool) -> None:
    """It falls silent at a random point, and only then does the client leave: whoever noticed that at the next byte never would."""
    dice = random.Random(f"{client} {provider}")
    said = answer(provider, "word " * 40)
    whole = [b"{", b'"id"', b': "1"', b"}"]
    points = [dice.randrange(len(said.pieces) if streamed else len(whole)) for _ in range(5)]
    plays = [
        said.play(silent_after=point) if streamed else Play(content_type="application/json", pieces=whole, silent_after=point)
        for point in points
    ]
    running = await start(*plays, settings=settings(provider))
    for number, point in enumerate(points, 1):
        before = running.provider.written
        asking = asyncio.ensure_future(listen(running, client, question(client, f"question {number}", stream=streamed)))
        await until(lambda: running.provider.written == before + point and len(running.provider.asked) == number, "it said so much")  # noqa: B023
        asking.cancel()
        await until(lambda: running.provider.cancelled == number, "the provider was stopped")  # noqa: B023
        assert [one["outcome"] for one in (await booked(running))["attempts"]] == ["hang-up"]
        assert running.provider.written == before + point


async def listen(running: Running, client: str, body: object) -> None:
    async with running.client.post(running.url + PATHS[client], json=body, headers=running.headers()) as response:
        await response.read()


class Echo:
    """A provider of all formats that repeats the number of each question, word by word and in a call."""

    def __init__(self) -> None:
        self.cancelled = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        number = (await request.text()).rpartition("question ")[2].partition(".")[0]
        dialect = next(dialect for dialect, path in PATHS.items() if path == request.path)
        call = (f"call_{number}", "read", f'{{"path": "{number}"}}')
        try:
            response = web.StreamResponse(headers={"content-type": "text/event-stream"})
            await response.prepare(request)
            for piece in answer(dialect, f"This answers {number}. " * 20, [call]).pieces:
                await response.write(piece)
                await asyncio.sleep(0.002)
            await response.write_eof()
            return response
        except (asyncio.CancelledError, ConnectionError):
            self.cancelled += 1
            raise


@asynccontextmanager
async def echoing() -> AsyncGenerator[tuple[Echo, str]]:
    echo, app = Echo(), web.Application()
    app.router.add_post("/{path:.*}", echo.answer)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield echo, f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def test_64_bridged_streams_of_which_some_hang_up_are_told_apart_and_booked(start: Start) -> None:
    """Clients of three formats before providers of three, all at once."""
    async with echoing() as (echo, base_url):
        models = "".join(settings(dialect).replace("first", f"of-{dialect}") for dialect in DIALECTS)
        running = await start(Play(), settings=models.replace("{base_url}", base_url))
        await crowded(running, echo)


async def crowded(running: Running, echo: Echo) -> None:
    dice = random.Random(64)

    async def one(number: int) -> None:
        client, dialect = dice.choice(DIALECTS), dice.choice(DIALECTS)
        body = question(client, f"question {number}.", model=f"of-{dialect}/one")
        if number % 5 == 0:
            await left(running, client, body, 3)
            return
        told = await ask(running, client, body, limit_s=60)
        assert told.ended, told.raw[-300:]
        assert set(told.text.replace("This answers", "").split()) == {f"{number}."}
        assert told.calls == [(f"call_{number}", "read", f'{{"path": "{number}"}}')]
        assert told.comment["model"] == f"of-{dialect}/one"

    await asyncio.gather(*(one(number) for number in range(64)))
    await until(lambda: echo.cancelled == 13, "every call that was left was stopped")
    await running.house.books.finish()
    _, found = await running.control("GET", "sessions?limit=100")
    assert len(found["sessions"]) == 64
    assert sum(session["totals"]["reserved_pusd"] for session in found["sessions"]) == 0
    assert all(session["totals"]["spent_pusd"] > 0 for session in found["sessions"])


@pytest.mark.parametrize("client", DIALECTS)
async def test_after_early_headers_a_failure_is_an_error_of_the_clients_own_and_a_broken_line(
    start: Start, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failover, "BACKOFF_MS", 1)
    monkeypatch.setattr(reply.HttpReply.__init__, "__defaults__", (0.03,))
    late = Play(500, "application/json", [b'{"error":{"message":"late"}}'], before_s=0.2)
    running = await start(late, settings=settings(OTHER[client]))
    told = await ask(running, client)
    assert (told.status, told.ended, told.broken) == (200, False, True)
    assert "late" in told.error
    assert told.raw.startswith(b": stepfare waits")
