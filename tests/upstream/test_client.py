"""Calls to providers over real connections: each way in which one can fail has its own fault, and nothing is kept of a call that ended."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stepfare.core.attempt import Failure, Fault, HttpCall
from stepfare.upstream.client import Answer, CallFailed, Limits, Upstream, proxy_for
from tests.fakes.provider import Play, event, playing, refusal

BODY = b'{"model":"m","messages":[]}'
SHORT = Limits(connect_s=0.2, first_byte_s=0.2, idle_s=0.2)


def call(base_url: str, key: str = "", auth: str = "bearer", body: bytes = BODY) -> HttpCall:
    headers = {"content-type": "application/json", "accept-encoding": "identity"}
    return HttpCall("POST", f"{base_url}/chat/completions", headers, body, key, auth)


@asynccontextmanager
async def upstream(limits: Limits | None = None) -> AsyncGenerator[Upstream]:
    made = Upstream(limits)
    try:
        yield made
    finally:
        await made.close()


async def read(made: Upstream, described: HttpCall) -> tuple[Answer, bytes]:
    async with made.open(described) as answer:
        return answer, await answer.body()


async def fault_of(described: HttpCall, limits: Limits | None = None) -> Fault:
    async with upstream(limits) as made:
        with pytest.raises(CallFailed) as told:
            await read(made, described)
    return told.value.fault


async def test_an_answer_comes_with_status_headers_and_chunks() -> None:
    play = Play(pieces=[event({"n": n}) for n in range(3)], headers={"X-Request-Id": "r1"}, pause_s=0.01)
    async with playing(play) as provider, upstream() as made, made.open(call(provider.base_url)) as answer:
        chunks = [chunk async for chunk in answer.chunks()]
        assert (answer.status, answer.content_type, answer.headers["x-request-id"]) == (200, "text/event-stream", "r1")
        assert b"".join(chunks) == b"".join(play.pieces)
        assert provider.asked[0].body == BODY
        assert provider.asked[0].headers["Content-Type"] == "application/json"
        assert provider.asked[0].headers["Accept-Encoding"] == "identity"


async def test_the_key_goes_on_the_wire_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", "sk-lab")
    async with playing(Play(pieces=[b"x"])) as provider, upstream() as made:
        described = call(provider.base_url, "env:LAB_KEY", "x-api-key")
        await read(made, described)
        assert provider.asked[0].headers["x-api-key"] == "sk-lab"
        assert "Authorization" not in provider.asked[0].headers
        assert "sk-lab" not in repr(described)


async def test_without_its_key_nothing_is_sent() -> None:
    async with playing(Play()) as provider:
        fault = await fault_of(call(provider.base_url, "env:LAB_KEY"))
        assert fault == Fault(Failure.KEY, "the environment variable LAB_KEY is not set")
        assert provider.asked == []


async def test_an_error_status_is_an_answer_too() -> None:
    async with playing(refusal(429, "slow down", retry_after="3")) as provider, upstream() as made:
        answer, body = await read(made, call(provider.base_url))
        assert (answer.status, answer.headers["retry-after"]) == (429, "3")
        assert b"slow down" in body


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


async def test_nobody_there_is_down() -> None:
    assert await fault_of(call(f"http://127.0.0.1:{free_port()}/v1")) == Fault(Failure.DOWN, "no connection (refused or unreachable)")


@pytest.mark.parametrize("base_url", ["http://[::1/v1", "http://127.0.0.1:99999/v1", "http:///v1", "nowhere"])
async def test_an_address_that_is_none_is_down(base_url: str) -> None:
    fault = await fault_of(call(base_url))
    assert (fault.failure, fault.words) == (Failure.DOWN, "no connection (its address cannot be used)")


async def test_a_connection_that_is_not_taken_is_down_and_says_how_long_was_waited() -> None:
    with socket.socket() as listening:
        # Nobody accepts, and the queue is full: the next connection waits.
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(("127.0.0.1", port))
        try:
            fault = await fault_of(call(f"http://127.0.0.1:{port}/v1"), Limits(connect_s=0.2, first_byte_s=5, idle_s=5))
        finally:
            for one in waiting:
                one.close()
    assert fault == Fault(Failure.DOWN, "no connection within 0.2 s")


async def test_no_answer_in_time_is_slow() -> None:
    async with playing(Play(before_s=5)) as provider:
        fault = await fault_of(call(provider.base_url), Limits(first_byte_s=0.1))
        assert fault == Fault(Failure.SLOW, "it did not begin to answer within 0.1 s")


async def test_a_stream_that_falls_silent_is_slow() -> None:
    async with playing(Play(pieces=[b"data: 1\n\n"], pause_s=5)) as provider:
        assert await fault_of(call(provider.base_url), SHORT) == Fault(Failure.SLOW, "it sent nothing for 0.2 s")


async def test_a_stream_that_breaks_is_cut_after_what_it_sent() -> None:
    async with playing(Play(pieces=[b"data: 1\n\n"], cut=True, pause_s=0.05)) as provider, upstream() as made:
        got: list[bytes] = []
        async with made.open(call(provider.base_url)) as answer:
            with pytest.raises(CallFailed) as told:
                got += [chunk async for chunk in answer.chunks()]
    assert told.value.fault.failure is Failure.CUT
    assert told.value.fault.words.startswith("its connection broke (")


async def test_a_longer_answer_than_is_read_is_refused() -> None:
    async with playing(Play(pieces=[b"x" * 1000] * 3)) as provider, upstream() as made, made.open(call(provider.base_url)) as answer:
        with pytest.raises(CallFailed) as told:
            await answer.body(2_999)
    assert told.value.fault == Fault(Failure.DOWN, "its answer is longer than 2,999 bytes", 200)


async def test_an_answer_of_just_the_limit_is_read() -> None:
    async with playing(Play(pieces=[b"x" * 1000] * 3)) as provider, upstream() as made, made.open(call(provider.base_url)) as answer:
        assert len(await answer.body(3_000)) == 3_000


async def test_a_big_answer_and_a_big_question_pass() -> None:
    async with playing(Play(pieces=[b"y" * 65_536] * 64)) as provider, upstream() as made:
        _, body = await read(made, call(provider.base_url, body=b"x" * 8_000_000))
        assert (len(body), len(provider.asked[0].body)) == (64 * 65_536, 8_000_000)


async def test_a_redirect_is_not_followed() -> None:
    async with playing(Play(pieces=[b"elsewhere"])) as other:
        async with playing(Play(status=307, headers={"location": f"{other.base_url}/chat/completions"})) as provider, upstream() as made:
            answer, _ = await read(made, call(provider.base_url))
        assert answer.status == 307
        assert other.asked == []


async def test_a_cookie_is_not_kept() -> None:
    async with playing(Play(headers={"set-cookie": "a=b; Path=/"}, pieces=[b"x"])) as provider, upstream() as made:
        await read(made, call(provider.base_url))
        await read(made, call(provider.base_url))
        assert "Cookie" not in provider.asked[1].headers


@dataclass
class Served:
    """A server of bytes: it keeps what each connection sent, and tells when one was closed from the other side."""

    url: str = ""
    connections: list[bytearray] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)


Serve = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve) -> AsyncGenerator[Served]:
    served = Served()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen = bytearray()
        served.connections.append(seen)
        try:
            while True:
                while b"\r\n\r\n" not in seen or not seen.endswith(BODY):
                    piece = await reader.read(65_536)
                    if not piece:
                        return
                    seen += piece
                await serve(writer)
                piece = await reader.read(65_536)
                if not piece:
                    return
                seen[:] = piece
        except ConnectionError:
            pass
        finally:
            served.left.set()
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    async with server:
        served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        yield served


def sending(raw: bytes) -> Serve:
    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return serve


WHOLE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


async def test_a_connection_is_used_again_after_an_answer_was_read_to_its_end() -> None:
    async with serving(sending(WHOLE)) as served, upstream() as made:
        for _ in range(3):
            assert (await read(made, call(served.url)))[1] == b"hi"
        assert len(served.connections) == 1


async def test_leaving_an_answer_early_closes_its_connection_so_that_the_provider_stops() -> None:
    endless = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n"
    async with serving(sending(endless)) as served, upstream() as made:
        async with made.open(call(served.url)) as answer:
            async for _ in answer.chunks():
                break
        async with asyncio.timeout(5):
            await served.left.wait()


async def test_a_cancelled_call_closes_its_connection() -> None:
    asked = asyncio.Event()

    async def never(writer: asyncio.StreamWriter) -> None:
        asked.set()

    async with serving(never) as served, upstream() as made:
        task = asyncio.create_task(read(made, call(served.url)))
        async with asyncio.timeout(5):
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await served.left.wait()


@pytest.mark.parametrize(
    "raw",
    [
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_down(raw: bytes) -> None:
    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        writer.close()

    async with serving(serve) as served:
        fault = await fault_of(call(served.url))
    assert fault.failure is Failure.DOWN
    assert fault.words in ("what it answered is not HTTP", "its connection broke before it answered (ServerDisconnectedError)")


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope",
    ],
)
async def test_a_body_that_breaks_is_cut(raw: bytes) -> None:
    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        writer.close()

    async with serving(serve) as served:
        fault = await fault_of(call(served.url))
    # Whether it breaks with its head or after it depends on how the bytes come.
    assert fault.failure is Failure.CUT or fault == Fault(Failure.DOWN, "what it answered is not HTTP")


async def test_many_answers_at_once_do_not_wait_for_each_other() -> None:
    gate = asyncio.Event()
    count = 150

    async def together(writer: asyncio.StreamWriter) -> None:
        if len(served.connections) == count:
            gate.set()
        await gate.wait()
        writer.write(WHOLE)

    async with serving(together) as served, upstream() as made, asyncio.timeout(20):
        await asyncio.gather(*(read(made, call(served.url)) for _ in range(count)))
    assert len(served.connections) == count


async def test_a_proxy_of_the_environment_is_asked_for_the_world_outside_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(sending(WHOLE)) as proxy, serving(sending(WHOLE)) as here, upstream() as made:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1").replace("//", "//me:pass@"))
        await read(made, call(here.url))
        assert (len(proxy.connections), len(here.connections)) == (0, 1)
        await read(made, call("http://provider.example/v1"))
        seen = bytes(proxy.connections[0])
        assert seen.startswith(b"POST http://provider.example/v1/chat/completions HTTP/1.1\r\n")
        assert b"Proxy-Authorization: Basic bWU6cGFzcw==" in seen


async def test_a_proxy_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    fault = await fault_of(call("http://provider.example/v1"))
    assert fault == Fault(Failure.DOWN, "no connection (the proxy that the environment names does not answer)")


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("https://a.example/v1", {}, None),
        ("https://a.example/v1", {"https_proxy": "http://p:1"}, "http://p:1"),
        ("http://a.example/v1", {"https_proxy": "http://p:1"}, None),
        ("https://a.example/v1", {"HTTPS_PROXY": "http://p:1", "no_proxy": "a.example"}, None),
        ("https://a.example/v1", {"https_proxy": "socks5://p:1"}, None),
        ("https://a.example/v1", {"https_proxy": ""}, None),
        ("http://127.0.0.1:9/v1", {"http_proxy": "http://p:1"}, None),
        ("http://127.8.8.8:9/v1", {"http_proxy": "http://p:1"}, None),
        ("http://localhost:9/v1", {"http_proxy": "http://p:1"}, None),
        ("http://models.localhost:9/v1", {"http_proxy": "http://p:1"}, None),
        ("http://[::1]:9/v1", {"http_proxy": "http://p:1"}, None),
        ("http://localhost.example/v1", {"http_proxy": "http://p:1"}, "http://p:1"),
    ],
)
def test_which_proxy_is_asked(monkeypatch: pytest.MonkeyPatch, url: str, environ: dict[str, str], proxy: str | None) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(url) == proxy


async def test_credentials_of_a_netrc_file_are_sent_to_nobody(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = home / ".netrc"
    netrc.write_text("default login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("LAB_KEY", "sk-lab")
    async with serving(sending(WHOLE)) as proxy, upstream() as made:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        for key in ("", "env:LAB_KEY"):
            await read(made, call("http://provider.example/v1", key))
            assert b"Basic" not in proxy.connections[-1]
