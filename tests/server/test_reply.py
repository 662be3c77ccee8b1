"""The client's side of an exchange over a real connection: when headers leave, what follows them, and what an honest end looks like."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from stepfare.server.reply import KEEP_ALIVE, HttpReply

Play = Callable[[HttpReply], Awaitable[None]]
HEADERS = {"x-stepfare-model": "lab/small"}
KNOWN = {"x-stepfare-decision": "d1"}


@asynccontextmanager
async def answering(play: Play, quiet_s: float = 30) -> AsyncGenerator[aiohttp.ClientResponse]:
    """A request to a server whose handler plays its reply so."""
    replies: list[HttpReply] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        reply = HttpReply(request, quiet_s)
        replies.append(reply)
        try:
            await play(reply)
        finally:
            reply.close()
        assert reply.response is not None
        return reply.response

    app = web.Application()
    app.router.add_post("/", handler)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with aiohttp.ClientSession() as client, client.post(f"http://127.0.0.1:{runner.addresses[0][1]}/") as answer:
            yield answer
    finally:
        await runner.cleanup()


async def opened_by_silence(reply: HttpReply) -> None:
    leaving = asyncio.Event()

    def headers() -> dict[str, str]:
        leaving.set()
        return KNOWN

    reply.waiting(headers)
    await leaving.wait()
    assert reply.opened


async def read_until_it_breaks(answer: aiohttp.ClientResponse) -> bytes:
    seen = bytearray()
    try:
        async for piece in answer.content.iter_any():
            seen += piece
    except aiohttp.ClientError:
        return bytes(seen)
    pytest.fail("the stream ended as if it were whole")


async def test_a_stream_leaves_with_its_headers_and_ends() -> None:
    async def play(reply: HttpReply) -> None:
        reply.waiting(lambda: KNOWN)
        await reply.stream(HEADERS, b"data: 1\n\n")
        await reply.stream(HEADERS, b"")
        await reply.stream(HEADERS, b"data: 2\n\n")
        assert reply.opened
        await reply.end()

    async with answering(play) as answer:
        assert answer.status == 200
        assert answer.headers["x-stepfare-model"] == "lab/small"
        assert "x-stepfare-decision" not in answer.headers
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        assert await answer.read() == b"data: 1\n\ndata: 2\n\n"


async def test_an_answer_in_one_piece_keeps_status_headers_and_bytes() -> None:
    async def play(reply: HttpReply) -> None:
        reply.waiting(lambda: KNOWN)
        assert not reply.opened
        await reply.whole(402, {"x-stepfare-decision": "d2", "retry-after": "3"}, b'{"error":{}}')

    async with answering(play) as answer:
        assert (answer.status, answer.content_type, await answer.read()) == (402, "application/json", b'{"error":{}}')
        assert (answer.headers["x-stepfare-decision"], answer.headers["retry-after"]) == ("d2", "3")


async def test_in_silence_headers_leave_with_what_is_known_and_comments_follow() -> None:
    go_on = asyncio.Event()

    async def play(reply: HttpReply) -> None:
        reply.waiting(lambda: KNOWN)
        await go_on.wait()
        assert reply.opened
        await reply.stream(HEADERS, b"data: 1\n\n")
        await reply.end()

    async with asyncio.timeout(10), answering(play, quiet_s=0.02) as answer:
        assert answer.headers["x-stepfare-decision"] == "d1"
        assert "x-stepfare-model" not in answer.headers
        assert await answer.content.readexactly(2 * len(KEEP_ALIVE)) == KEEP_ALIVE * 2
        go_on.set()
        rest = await answer.read()
    assert rest.endswith(b"data: 1\n\n")
    assert rest.removesuffix(b"data: 1\n\n") in (b"", KEEP_ALIVE, KEEP_ALIVE * 2, KEEP_ALIVE * 3)


async def test_after_the_first_content_no_comment_follows() -> None:
    async def play(reply: HttpReply) -> None:
        reply.waiting(lambda: KNOWN)
        await reply.stream(HEADERS, b"data: 1\n\n")
        await asyncio.sleep(0.1)  # Ten times as long as silence is borne.
        await reply.end()

    async with answering(play, quiet_s=0.01) as answer:
        assert await answer.read() == b"data: 1\n\n"


async def test_where_another_answer_is_waited_for_behind_the_first_words_comments_follow_again() -> None:
    go_on = asyncio.Event()

    async def play(reply: HttpReply) -> None:
        await reply.stream(HEADERS, b"data: 1\n\n")
        reply.waiting(lambda: KNOWN)
        await go_on.wait()
        await reply.stream(HEADERS, b"data: 2\n\n")
        await reply.end()

    async with asyncio.timeout(10), answering(play, quiet_s=0.02) as answer:
        assert await answer.content.readexactly(len(b"data: 1\n\n" + KEEP_ALIVE * 2)) == b"data: 1\n\n" + KEEP_ALIVE * 2
        go_on.set()
        assert (await answer.read()).endswith(b"data: 2\n\n")


async def test_a_stream_that_is_cut_is_no_stream_that_ended() -> None:
    async def play(reply: HttpReply) -> None:
        await reply.stream(HEADERS, b"data: half\n\n")
        await asyncio.sleep(0.05)
        reply.cut()

    async with answering(play) as answer:
        with pytest.raises(aiohttp.ClientError):
            await answer.read()


async def test_an_error_event_may_precede_the_cut_where_nobody_has_content_yet() -> None:
    async def play(reply: HttpReply) -> None:
        await opened_by_silence(reply)
        await reply.stream({}, b'data: {"error":{}}\n\n')
        await asyncio.sleep(0.05)
        reply.cut()

    async with answering(play, quiet_s=0.01) as answer:
        seen = await read_until_it_breaks(answer)
        assert seen.replace(KEEP_ALIVE, b"") == b'data: {"error":{}}\n\n'


async def test_once_it_is_closed_nothing_is_sent_however_long_the_connection_lives() -> None:
    closed = asyncio.Event()

    async def play(reply: HttpReply) -> None:
        await opened_by_silence(reply)
        reply.close()
        closed.set()
        await asyncio.sleep(0.1)
        await reply.end()

    async with answering(play, quiet_s=0.01) as answer:
        await closed.wait()
        seen = await answer.read()
    # What was under way when it was closed may still arrive, and nothing after that.
    assert seen in (KEEP_ALIVE, KEEP_ALIVE * 2)


async def test_a_whole_answer_after_a_stream_began_is_a_bug_of_ours_and_told() -> None:
    async def play(reply: HttpReply) -> None:
        await reply.stream(HEADERS, b"data: 1\n\n")
        with pytest.raises(AssertionError, match="after a stream began"):
            await reply.whole(200, {}, b"{}")
        await reply.end()

    async with answering(play) as answer:
        assert await answer.read() == b"data: 1\n\n"


async def test_a_client_that_leaves_in_the_silence_is_no_error() -> None:
    left = asyncio.Event()

    async def play(reply: HttpReply) -> None:
        reply.waiting(lambda: KNOWN)
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            left.set()
            raise

    async with asyncio.timeout(10):
        async with answering(play, quiet_s=0.01) as answer:
            await answer.content.readany()
            answer.close()
            await left.wait()
