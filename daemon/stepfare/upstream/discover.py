"""Asks the servers of this machine which models they have. Only this machine is asked, briefly, and all servers at once.

What their answers mean is the business of `providers.local`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from urllib.parse import urlsplit

import aiohttp

from stepfare.core.model import Model, Provider
from stepfare.providers import local
from stepfare.upstream.client import is_here

ASK_S = 0.3
"""How long one question may take: a server of this machine that needs longer is busy with something else."""
SERVER_S = 1.5
"""How long one server is asked in all."""
BODY_BYTES_MAX = 4 * 1024 * 1024
QUESTIONS_MAX = 8
"""To one server at a time."""

Ask = Callable[..., Awaitable[object]]


async def discover(providers: Iterable[Provider]) -> tuple[Model, ...]:
    """The models of those of these providers that are servers of this machine, listen, and are what they are taken for."""
    asked = [one for one in providers if one.local and one.id in SERVERS and is_here(urlsplit(one.base_url).hostname or "")]
    if not asked:
        return ()
    limits = aiohttp.ClientTimeout(total=ASK_S)
    async with aiohttp.ClientSession(timeout=limits, cookie_jar=aiohttp.DummyCookieJar()) as session:
        answers = await asyncio.gather(*(_models_of(provider, session) for provider in asked))
    return tuple(model for models in answers for model in models)


async def _models_of(provider: Provider, session: aiohttp.ClientSession) -> tuple[Model, ...]:
    root = provider.base_url.rstrip("/").removesuffix("/v1")
    free = asyncio.Semaphore(QUESTIONS_MAX)

    async def ask(path: str, body: Mapping[str, str] | None = None) -> object:
        """The decoded answer, or None where there is none that can be read."""
        async with free:
            try:
                async with session.request("GET" if body is None else "POST", root + path, json=body, allow_redirects=False) as answer:
                    if answer.status != 200:
                        return None
                    return json.loads(await _read(answer))
            except (aiohttp.ClientError, OSError, ValueError, RecursionError):
                return None

    try:
        async with asyncio.timeout(SERVER_S):
            return local.found_models(provider.id, await SERVERS[provider.id](ask))
    except TimeoutError:
        return ()


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    data = b""
    async for chunk in answer.content.iter_any():
        data += chunk
        if len(data) > BODY_BYTES_MAX:
            raise ValueError("longer than any list of models")
    return data


async def _ollama(ask: Ask) -> tuple[local.Said, ...]:
    names = local.ollama_names(await ask("/api/tags"))
    if not names:
        return ()
    running, *shown = await asyncio.gather(ask("/api/ps"), *(ask("/api/show", {"model": name}) for name in names))
    return tuple(local.ollama_model(name, one, running) for name, one in zip(names, shown, strict=True))


async def _lmstudio(ask: Ask) -> tuple[local.Said, ...]:
    return local.lmstudio_models(await ask("/api/v0/models"))


async def _llamacpp(ask: Ask) -> tuple[local.Said, ...]:
    # Port 8080 is everybody's: only llama.cpp has its settings there.
    props = await ask("/props")
    return local.llamacpp_models(await ask("/v1/models"), props) if props is not None else ()


async def _vllm(ask: Ask) -> tuple[local.Said, ...]:
    return local.vllm_models(await ask("/v1/models"))


SERVERS: Mapping[str, Callable[[Ask], Awaitable[tuple[local.Said, ...]]]] = {
    "ollama": _ollama,
    "lmstudio": _lmstudio,
    "llamacpp": _llamacpp,
    "vllm": _vllm,
}
"""How each server is asked, by the id of its provider."""
