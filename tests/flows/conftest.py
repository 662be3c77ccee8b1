"""A whole daemon in the test's own process: real server, real books, real connections, and a provider that plays a script."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from stepfare.paths import paths_from
from stepfare.runtime.clock import World
from stepfare.runtime.startup import House, wake
from stepfare.server.app import application
from tests.fakes.provider import Play, Provider, playing

SETTINGS = """
[providers.lab]
dialect = "openai"
base_url = "{base_url}"
api_key = "env:LAB_KEY"

[[models]]
id = "lab/small"
tier = "frugal"
context_tokens = 200_000
max_output_tokens = 8_000
capabilities = ["tools", "structured"]
price = {{ input = 0.10, cache_read = 0.01, output = 0.50 }}

[[models]]
id = "lab/middle"
tier = "balanced"
context_tokens = 200_000
max_output_tokens = 8_000
capabilities = ["tools", "vision"]
price = {{ input = 2, cache_read = 0.20, output = 10 }}

[[models]]
id = "lab/large"
tier = "premium"
context_tokens = 400_000
max_output_tokens = 8_000
capabilities = ["tools", "vision"]
price = {{ input = 20, cache_read = 2, output = 100 }}
"""


@dataclass
class Running:
    """A daemon that runs, its provider, and a client that talks to it."""

    house: House
    url: str
    client: aiohttp.ClientSession
    provider: Provider
    home: Path

    def headers(self, **more: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.house.local_token}", **{name.replace("_", "-"): value for name, value in more.items()}}

    def chat(self, body: object, **headers: str) -> aiohttp.client._RequestContextManager:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(
            f"{self.url}/v1/chat/completions", data=data, headers={"content-type": "application/json", **self.headers(**headers)}
        )

    async def control(self, method: str, path: str, body: object = None) -> tuple[int, dict]:
        headers = {"authorization": f"Bearer {self.house.control_token}"}
        async with self.client.request(method, f"{self.url}/control/v1/{path}", json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def last_session(self) -> dict:
        _, detail = await self.control("GET", "sessions/last")
        return detail


def ask(text: str = "What does this do?", *, stream: bool = True, model: str = "auto", **more: object) -> dict:
    return {"model": model, "stream": stream, "messages": [{"role": "user", "content": text}], **more}


@asynccontextmanager
async def daemon(
    home: Path,
    provider: Provider,
    settings: str = SETTINGS,
    more: str = "",
    keys: Sequence[str] = (),
    world: World | None = None,
    *,
    until_opened: bool = True,
) -> AsyncGenerator[Running]:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(more + settings.format(base_url=provider.base_url))
    environ: Mapping[str, str] = {"STEPFARE_HOME": str(home), "LAB_KEY": "sk-lab", **dict.fromkeys(keys, "sk-lab")}
    house = await wake(paths_from(environ), environ, world or World())
    house.start_watching()
    runner = web.AppRunner(application(house, "127.0.0.1"), access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        if until_opened:
            await house.opened()
        async with aiohttp.ClientSession() as client:
            yield Running(house, f"http://127.0.0.1:{runner.addresses[0][1]}", client, provider, home)
    finally:
        await runner.cleanup()
        await house.close()


Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Start]:
    """Starts a daemon whose provider plays this script; `more` is put before the settings, `keys` are variables that hold a key, `world`
    is another time than that of now. With `until_opened`, it has opened its books."""
    monkeypatch.setenv("LAB_KEY", "sk-lab")
    async with AsyncExitStack() as stack:

        async def begin(
            *script: Play,
            settings: str = SETTINGS,
            more: str = "",
            home: Path | None = None,
            keys: Sequence[str] = (),
            world: World | None = None,
            until_opened: bool = True,
        ) -> Running:
            for variable in keys:
                monkeypatch.setenv(variable, "sk-lab")
            provider = await stack.enter_async_context(playing(*script))
            running = daemon(home or tmp_path / "stepfare-home", provider, settings, more, keys, world, until_opened=until_opened)
            return await stack.enter_async_context(running)

        yield begin
