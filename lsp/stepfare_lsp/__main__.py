"""The program: an editor's language server on stdin and stdout, or for one editor on a TCP port."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from threading import Event
from typing import BinaryIO, cast

from pygls.io_ import run_async

from stepfare import __version__
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.server import stepfare_server

HEADER_BYTES_MAX = 8 * 1024
MESSAGE_BYTES_MAX = 64 * 1024 * 1024
LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
SKIP_BYTES = 1024 * 1024

log = logging.getLogger(__name__)


class BoundedInput:
    """Input that no message can fill memory with: endless header lines are cut, and a body beyond the bound is read and dropped."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source

    def readline(self) -> bytes:
        return self._source.readline(HEADER_BYTES_MAX)

    def read(self, size: int) -> bytes:
        if size <= MESSAGE_BYTES_MAX:
            return self._source.read(size)
        log.error("a message of %d bytes was dropped; at most %d are taken", size, MESSAGE_BYTES_MAX)
        while size > 0:
            chunk = self._source.read(min(size, SKIP_BYTES))
            if not chunk:
                return b""
            size -= len(chunk)
        return b"null"  # something that is no message, so that reading goes on behind it


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the editor leaves. Returns the exit code."""
    options = parser().parse_args(arguments)
    logging.basicConfig(
        handlers=[logging.FileHandler(options.log_file) if options.log_file else logging.StreamHandler(sys.stderr)],
        level=LEVELS[min(int(options.verbose), len(LEVELS) - 1)],
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    server = stepfare_server()
    if options.tcp:
        return _serve_tcp(server, options.host, options.port)
    server.start_io(cast(BinaryIO, BoundedInput(sys.stdin.buffer)), _only_stdout())
    return 0


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stepfare-lsp", description="stepfare's language server: spend, reasons and the checking of .stepfare.toml in an editor."
    )
    parser.add_argument("--version", action="version", version=f"stepfare-lsp {__version__}")
    parser.add_argument("--stdio", action="store_true", help="speak on stdin and stdout (that is so anyway; some editors say it)")
    parser.add_argument("--tcp", action="store_true", help="wait for one editor on a TCP port instead")
    parser.add_argument("--host", default="127.0.0.1", help="the address to wait on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="the port to wait on (default: any free one, named on stderr)")
    parser.add_argument("--log-file", help="where to write the log (default: stderr)")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="log more; twice for every message")
    return parser


def _only_stdout() -> BinaryIO:
    """The editor's channel, which from now on nobody else can write to: whatever prints, here or in a child, prints to stderr."""
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout = sys.stderr
    return channel


def _serve_tcp(server: StepfareServer, host: str, port: int) -> int:
    """Serve the first editor that connects; nobody else is let in, since answers would go to the wrong one."""

    async def serve() -> None:
        left = asyncio.Event()
        taken = asyncio.Event()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if taken.is_set():
                writer.close()
                return
            taken.set()
            server.protocol.set_writer(writer)
            try:
                await run_async(Event(), reader, server.protocol, log, server.report_server_error)
            finally:
                server.end()
                writer.close()
                left.set()

        listener = await asyncio.start_server(connected, host, port, limit=MESSAGE_BYTES_MAX)
        _tell(f"stepfare-lsp waits on {host}:{listener.sockets[0].getsockname()[1]}")
        await taken.wait()
        listener.close()
        await left.wait()

    try:
        asyncio.run(serve())
    except OSError as error:
        _tell(f"stepfare-lsp cannot wait on {host}:{port} ({error.strerror or error}). Choose another port.")
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _tell(words: str) -> None:
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
