"""Makes the calls: one connection pool, time limits, and an answer as status, headers and chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from types import SimpleNamespace
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from stepfare.core.attempt import Failure, Fault, HttpCall
from stepfare.upstream import keys

OK = 200
CONNECT_S = 10.0
FIRST_BYTE_S = 120.0
IDLE_S = 300.0
"""Models may think for minutes before the first byte and between two."""
ERROR_BODY_BYTES_MAX = 256 * 1024
ANSWER_BYTES_MAX = 64 * 1024 * 1024
HEADER_BYTES_MAX = 64 * 1024


class CallFailed(Exception):
    """The call gave no answer, or broke; `fault` says how."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.words)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds; tests and settings may shorten them."""

    connect_s: float = CONNECT_S
    first_byte_s: float = FIRST_BYTE_S
    idle_s: float = IDLE_S


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider sends back, as it comes."""

    status: int
    headers: Mapping[str, str]
    _response: aiohttp.ClientResponse
    _limits: Limits
    without_key: Callable[[bytes], bytes] = bytes
    """Blots out our key: some providers repeat one that they refuse, and words of an error are kept."""

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    async def chunks(self) -> AsyncIterator[bytes]:
        """Bytes as they arrive. Raises CallFailed where the stream breaks or falls silent."""
        while chunk := await self.chunk():
            yield chunk

    async def chunk(self, within_s: float | None = None) -> bytes | None:
        """The next bytes, empty at the end; None where none came within this time: then one may ask again. Raises CallFailed."""
        limit = None if within_s is None else asyncio.timeout(within_s)
        try:
            if limit is None:
                return await self._response.content.readany()
            async with limit:
                return await self._response.content.readany()
        except TimeoutError:
            if limit is not None and limit.expired():
                return None
            raise CallFailed(Fault(Failure.SLOW, f"it sent nothing for {self._limits.idle_s:g} s")) from None
        except (aiohttp.ClientError, OSError) as error:
            raise CallFailed(Fault(Failure.CUT, f"its connection broke ({_kind(error)})")) from None

    async def body(self, limit_bytes: int = ANSWER_BYTES_MAX) -> bytes:
        """The whole body. Raises CallFailed where it breaks or is longer than the limit."""
        pieces: list[bytes] = []
        size_bytes = 0
        async for chunk in self.chunks():
            size_bytes += len(chunk)
            if size_bytes > limit_bytes:
                raise CallFailed(Fault(Failure.DOWN, f"its answer is longer than {limit_bytes:,} bytes", self.status))
            pieces.append(chunk)
        return self.without_key(b"".join(pieces)) if self.status != OK else b"".join(pieces)


def _nobody_asks() -> None:
    """For calls of which it does not matter."""


async def _sent(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceRequestHeadersSentParams) -> None:
    context.trace_request_ctx()


class Upstream:
    """The pool of connections to all providers. Open it once; close it at shutdown."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._proxies: dict[str, str | None] = {}
        watched = aiohttp.TraceConfig()
        watched.on_request_headers_sent.append(_sent)
        # Not `trust_env`: it also sends what stands in ~/.netrc for a provider's host, and asks two threads at every call.
        self._pool = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60, ttl_dns_cache=300),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect_s, sock_read=self._limits.idle_s),
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[watched],
        )

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def open(self, call: HttpCall, sent: Callable[[], None] = _nobody_asks) -> AsyncGenerator[Answer]:
        """Send the call; the answer's headers are there on entry. Leaving closes the connection if the answer was not read to its end.
        `sent` is called once the connection stands and the request goes out: before that nobody can have worked on it."""
        try:
            secret = keys.look_up(call.key)
            headers = {**call.headers, **keys.auth_headers(call.auth, secret)}
        except keys.NoKey as error:
            raise CallFailed(Fault(Failure.KEY, str(error))) from None
        try:
            async with asyncio.timeout(self._limits.first_byte_s):
                response = await self._pool.request(
                    call.method,
                    call.url,
                    data=call.body,
                    headers=headers,
                    allow_redirects=False,
                    proxy=self._proxy(call.url),
                    trace_request_ctx=sent,
                )
        except aiohttp.ConnectionTimeoutError:
            raise CallFailed(Fault(Failure.DOWN, f"no connection within {self._limits.connect_s:g} s")) from None
        except TimeoutError:
            raise CallFailed(Fault(Failure.SLOW, f"it did not begin to answer within {self._limits.first_byte_s:g} s")) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise CallFailed(Fault(Failure.DOWN, _no_answer(error))) from None
        try:
            lower = {name.lower(): value for name, value in response.headers.items()}
            yield Answer(response.status, lower, response, self._limits, lambda body: keys.without(secret, body))
        finally:
            # Reading to the end has given the connection back already; otherwise it is cut, so that the provider stops.
            response.close()

    def _proxy(self, url: str) -> str | None:
        if url not in self._proxies:
            self._proxies[url] = proxy_for(url)
        return self._proxies[url]


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for an address. It is for the world outside: what runs on this machine is asked directly."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_here(host) or proxy_bypass(host):
        return None
    proxy = getproxies().get(parts.scheme, "")
    return proxy if proxy.startswith("http://") else None


def is_here(host: str) -> bool:
    """Whether a host is this machine, by its name or address alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _no_answer(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientResponseError):
        return "what it answered is not HTTP"
    if isinstance(error, aiohttp.ClientConnectorError | ValueError):
        return f"no connection ({_kind(error)})"
    return f"its connection broke before it answered ({_kind(error)})"


def _kind(error: Exception) -> str:
    """What went wrong with a connection, without addresses or anything that was sent."""
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return "the proxy that the environment names does not answer"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its host name is not known"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "its certificate is not trusted"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "refused or unreachable"
    if isinstance(error, ValueError):
        return "its address cannot be used"
    return type(error).__name__
