"""A simulator in a process of its own, as providers are: what it bills is held against the daemon's books, and faults are asked of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from stepfare.core.step import Tier
from stepfare.simulator.app import running
from stepfare.simulator.options import SimulatorOptions

ROOT = Path(__file__).parents[2]
START_S_MAX = 30
ANSWER_S_MAX = 10.0
CHUNK_MS = 5


@dataclass(frozen=True, slots=True)
class Simulator:
    """Where it answers, without /v1."""

    address: str

    def bill(self) -> list[dict[str, object]]:
        """Its account of every call that it took, oldest first."""
        return cast("list[dict[str, object]]", self._asked("GET", "/simulator/bill")["lines"])

    def fault(self, *specs: str) -> None:
        """The next calls fail so, in this order."""
        self._asked("POST", "/simulator/faults", {"faults": list(specs)})

    def _asked(self, method: str, path: str, body: object = None) -> dict[str, object]:
        parts = urlsplit(self.address)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_S_MAX)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, text
            return cast("dict[str, object]", json.loads(text))
        finally:
            connection.close()


@contextmanager
def simulator(*eager: Tier) -> Iterator[Simulator]:
    """A simulator that runs for as long as the block lasts. Its models of the `eager` tiers edit too early; then all of them take their
    time, so that there is something to break off."""
    words = [sys.executable, "-m", "tests.e2e.provider", *(tier.word for tier in eager)]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://"), f"the simulator did not start: {address}"
        yield Simulator(address.removesuffix("/v1"))
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(START_S_MAX)


async def _serve(eager: frozenset[Tier]) -> None:
    async with running(SimulatorOptions(eager=eager, chunk_ms=CHUNK_MS if eager else 0)) as base_url:
        print(base_url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(frozenset(Tier.of(word) for word in sys.argv[1:])))
