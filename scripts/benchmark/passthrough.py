"""The bare pass-through that the daemon is measured against, a process of its own: aiohttp in, aiohttp out, nothing known or kept.

It has the same settings that decide on aiohttp's behaviour as the daemon: no limit on connections, no total time, no decompression.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

import aiohttp
from aiohttp import web

BODY_BYTES_MAX = 64 * 1024 * 1024
CONNECT_S = 10.0
BACKLOG = 2048
UPSTREAM: web.AppKey[aiohttp.ClientSession] = web.AppKey("upstream", aiohttp.ClientSession)


def application(base_url: str) -> web.Application:
    async def forward(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {"content-type": "application/json", "authorization": request.headers.get("authorization", "")}
        async with request.app[UPSTREAM].post(base_url + "/chat/completions", data=body, headers=headers) as answer:
            response = web.StreamResponse(status=answer.status, headers={"content-type": answer.headers["content-type"]})
            if "content-length" in answer.headers:
                response.content_length = int(answer.headers["content-length"])
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response

    async def pool(app: web.Application):
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout, auto_decompress=False) as session:
            app[UPSTREAM] = session
            yield

    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app.cleanup_ctx.append(pool)
    app.router.add_post("/v1/chat/completions", forward)
    return app


async def main(base_url: str) -> None:
    runner = web.AppRunner(application(base_url), access_log=None, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=BACKLOG)
    await site.start()
    loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
    print(runner.addresses[0][1], loop, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("base_url")
    base_url: str = parser.parse_args().base_url
    try:
        import uvloop  # pyright: ignore[reportMissingImports]

        run = uvloop.run
    except ImportError:
        run = asyncio.run
    try:
        run(main(base_url))
    except KeyboardInterrupt:
        sys.exit(0)
