"""The books as files to download, streamed. `stepfare ledger export` writes them, in a process of its own: reading a million entries here
would hold up the steps that are served meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import web

from stepfare.server.inference import HOUSE
from stepfare.server.messages import failure

AT_ONCE_MAX = 2
PIECE_BYTES = 64 * 1024
WORDS_CHARS_MAX = 1_000
NICENESS = 10
"""Serving goes before exporting."""
COMMAND = (sys.executable, "-P", "-m", "stepfare", "ledger", "export")
FILES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    f"{what}.{form}": (content_type, ("--format", form, *options))
    for what, options in (("ledger", ()), ("decisions", ("--decisions",)))
    for form, content_type in (("csv", "text/csv"), ("json", "application/json"))
}
"""What there is, with its type and the options that say it."""
UNDER_WAY = web.AppKey("downloads", set[Process])


async def download(request: web.Request) -> web.StreamResponse:
    """The ledger or the decisions, whole, as csv or json; broken off where the books cannot be read to their end."""
    name, running = request.match_info["name"], request.app[UNDER_WAY]
    if name not in FILES:
        return failure(404, "no-file", f"there are {', '.join(FILES)}")
    if len(running) >= AT_ONCE_MAX:
        return failure(503, "busy", f"{AT_ONCE_MAX} downloads are under way; wait until one of them has ended")
    content_type, options = FILES[name]
    environ = {**os.environ, **request.app[HOUSE].environ}
    process = await asyncio.create_subprocess_exec(*COMMAND, *options, env=environ, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    running.add(process)
    try:
        return await _streamed(request, process, name, content_type)
    finally:
        running.discard(process)
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _streamed(request: web.Request, process: Process, name: str, content_type: str) -> web.StreamResponse:
    assert process.stdout is not None
    assert process.stderr is not None
    with suppress(OSError, AttributeError):  # Gone already, or a system that knows no such thing.
        os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
    piece = await process.stdout.read(PIECE_BYTES)
    if not piece:
        words = (await process.stderr.read(WORDS_CHARS_MAX)).decode("utf-8", "replace").strip()
        return failure(503, "ledger", words or "the books could not be read")
    response = web.StreamResponse(headers={"content-disposition": f'attachment; filename="stepfare-{name}"'})
    response.content_type, response.charset = content_type, "utf-8"
    await response.prepare(request)
    while piece:
        await response.write(piece)
        piece = await process.stdout.read(PIECE_BYTES)
    if await process.wait() != 0 and request.transport is not None:
        # Half a ledger must not look whole.
        request.transport.abort()
    return response
