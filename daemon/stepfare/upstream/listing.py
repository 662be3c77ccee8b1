"""Asks for lists of models and prices, where the user wants newer ones: no key goes with the question, and answers have bounds.

What a list means is the business of `providers.openrouter_list` and `providers.renewal`.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import aiohttp

from stepfare import __version__
from stepfare.providers.openrouter_list import ModelList, read_list
from stepfare.upstream.client import CONNECT_S, proxy_for

LIST_S = 30.0
LIST_BYTES_MAX = 16 * 1024 * 1024
PAGES_MAX = 20


class NoList(Exception):
    """There is no list to be had; the message says whose, why and what to do."""


async def openrouter_models(base_url: str) -> tuple[ModelList, ...]:
    """OpenRouter's list, all its pages. Raises NoList."""
    url = f"{base_url}/models"
    found: list[ModelList] = []
    async with _session() as session:
        while url and len(found) < PAGES_MAX:
            text = await _fetched(session, url)
            try:
                page = read_list(text)
            except ValueError as trouble:
                raise NoList(f"What {_place(url)} answered cannot be used: {trouble}. Prices stay as they are; try again later.") from None
            found.append(page)
            following = urljoin(url, page.next_page) if page.next_page else ""
            # A list leads to its own pages only.
            url = following if urlsplit(following)[:2] == urlsplit(url)[:2] and following != url else ""
    return tuple(found)


async def price_table(url: str) -> str:
    """The text of a price table at that address. Raises NoList."""
    async with _session() as session:
        text = await _fetched(session, url)
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise NoList(f"What {_place(url)} answered is no text. Prices stay as they are; check [prices] url in config.toml.") from None


def _session() -> aiohttp.ClientSession:
    limits = aiohttp.ClientTimeout(total=LIST_S, sock_connect=CONNECT_S)
    agent = {"user-agent": f"stepfare/{__version__}", "accept": "application/json"}
    return aiohttp.ClientSession(timeout=limits, headers=agent, cookie_jar=aiohttp.DummyCookieJar())


async def _fetched(session: aiohttp.ClientSession, url: str) -> bytes:
    try:
        async with session.get(url, allow_redirects=False, proxy=proxy_for(url)) as answer:
            if answer.status != 200:
                raise NoList(f"{_place(url)} answered {answer.status}. Prices stay as they are; try again later.")
            pieces: list[bytes] = []
            size_bytes = 0
            async for chunk in answer.content.iter_any():
                size_bytes += len(chunk)
                if size_bytes > LIST_BYTES_MAX:
                    raise NoList(f"What {_place(url)} answers is longer than {LIST_BYTES_MAX:,} bytes. Prices stay as they are.")
                pieces.append(chunk)
            return b"".join(pieces)
    except TimeoutError:
        raise NoList(f"{_place(url)} did not answer within {LIST_S:g} s. Prices stay as they are; try again later.") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        words = f"{_place(url)} cannot be reached ({type(error).__name__}). Prices stay as they are; check the connection and try again."
        raise NoList(words) from None


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
