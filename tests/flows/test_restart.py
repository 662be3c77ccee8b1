"""What a restart keeps: sessions, tokens, warm caches; and what a crash leaves is booked as lost."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from stepfare.core.entry import Entry, Lost, Reserved, Settled, Voided
from stepfare.ledger import codec
from stepfare.store.errors import StoreError
from stepfare.store.store import Remembered, Store
from stepfare.store.verify import verify
from tests.fakes.provider import stream
from tests.flows.conftest import Start, ask

STEPS = 200
CONCURRENT = 5
ALIVE_S = (0.1, 1.0)
"""How long a daemon serves before it is killed."""


async def test_a_session_goes_on_after_a_restart(start: Start, tmp_path: Path) -> None:
    home = tmp_path / "kept-home"
    conversation = [{"role": "user", "content": "Begin"}]
    first = await start(stream("An answer"), home=home)
    async with first.chat({**ask(), "messages": conversation}) as answer:
        session = answer.headers["x-stepfare-session"]
        await answer.text()
    token = first.house.local_token
    first.house.announce("127.0.0.1", 1)
    await first.house.books.finish()
    await first.house.store.close()
    conversation += [{"role": "assistant", "content": "An answer"}, {"role": "user", "content": "Go on"}]
    second = await start(stream("More"), home=home)
    assert second.house.local_token == token
    async with second.chat({**ask(), "messages": conversation}) as answer:
        assert answer.headers["x-stepfare-session"] == session
        await answer.text()


async def test_who_asks_before_all_is_remembered_waits_and_lands_in_the_old_session(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, more = tmp_path / "kept-home", "[budget]\nday_usd = 5\n"
    conversation = [{"role": "user", "content": "Begin"}]
    first = await start(stream("An answer"), home=home)
    async with first.chat({**ask(), "messages": conversation}) as answer:
        session = answer.headers["x-stepfare-session"]
        await answer.text()
    await first.house.close()
    read, go_on = Store.remembered, asyncio.Event()

    async def slowly(*arguments: Any) -> Remembered:
        await go_on.wait()
        return await read(*arguments)

    monkeypatch.setattr(Store, "remembered", slowly)
    second = await start(stream("More"), home=home, more=more, until_opened=False)
    conversation += [{"role": "assistant", "content": "An answer"}, {"role": "user", "content": "Go on"}]

    async def go() -> tuple[int, str, str]:
        async with second.chat({**ask(), "messages": conversation}) as answer:
            return answer.status, answer.headers["x-stepfare-session"], await answer.text()

    asked, looked = asyncio.create_task(go()), asyncio.create_task(second.control("GET", "overview"))
    async with second.client.get(f"{second.url}/health") as health:
        assert (await health.json())["status"] == "ok"
    await asyncio.wait([asked, looked], timeout=0.2)
    assert not asked.done()
    assert not looked.done()
    assert second.provider.asked == []
    go_on.set()
    assert (await asked)[:2] == (200, session)
    status, overview = await looked
    assert (status, overview["today"]["steps"] >= 1) == (200, True)
    _, overview = await second.control("GET", "overview")
    assert overview["today"]["steps"] == 2
    assert overview["budgets"][0]["spent_pusd"] == overview["today"]["spent_pusd"] > 0


async def test_books_that_cannot_be_read_end_the_start_in_words(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any) -> Remembered:
        raise StoreError("the ledger cannot be read: the disk is broken.")

    monkeypatch.setattr(Store, "remembered", refuse)
    running = await start(stream(), until_opened=False)
    with pytest.raises(StoreError, match="the disk is broken"):
        await running.house.opened()


def free_port() -> int:
    with socket.socket() as knock:
        knock.bind(("127.0.0.1", 0))
        return knock.getsockname()[1]


def serve(home: Path, port: int) -> subprocess.Popen[bytes]:
    environ = {**os.environ, "STEPFARE_HOME": str(home), "STEPFARE_TOKEN": "the-token"}
    daemon = subprocess.Popen(
        [sys.executable, "-m", "stepfare", "serve", "--port", str(port)], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    for _ in range(400):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                return daemon
        except OSError:
            if daemon.poll() is not None:
                pytest.fail(f"the daemon ended: {daemon.stderr.read().decode() if daemon.stderr else ''}")
            time.sleep(0.02)
    pytest.fail("the daemon never answered")


class Traffic:
    """Streamed steps sent by some threads until the daemon dies under them."""

    def __init__(self) -> None:
        self.begun = 0
        self.finished: set[str] = set()
        """Sessions whose step was seen to its end mark."""
        self._guard = threading.Lock()

    def run(self, port: int) -> None:
        while True:
            with self._guard:
                number = self.begun = self.begun + 1
            body = json.dumps(ask(f"question {number} of a run")).encode()
            headers = {"content-type": "application/json", "authorization": "Bearer the-token"}
            request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/chat/completions", body, headers)
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:
                    session = answer.headers["x-stepfare-session"]
                    if answer.read().endswith(b"data: [DONE]\n\n"):
                        self.finished.add(session)
            except (OSError, http.client.HTTPException):
                return  # The daemon was killed under it.


def test_kill_9_at_random_points_of_200_streamed_steps_loses_no_settled_entry(tmp_path: Path) -> None:
    """Whatever a client saw to its end is settled, the rest is lost, nothing is open, and the chain holds over all the lives."""
    home, traffic, dice, kills = tmp_path / "home", Traffic(), random.Random(4884), 0
    while traffic.begun < STEPS:
        daemon = serve(home, port := free_port())
        workers = [threading.Thread(target=traffic.run, args=(port,)) for _ in range(CONCURRENT)]
        for worker in workers:
            worker.start()
        time.sleep(dice.uniform(*ALIVE_S))
        daemon.send_signal(signal.SIGKILL)
        kills += 1
        for worker in workers:
            worker.join()
        end(daemon)
    last = serve(home, free_port())
    last.terminate()
    assert end(last) == 0
    assert verify(home / "ledger.db").problems == ()
    entries = exported(home)
    settled = {entry.session for entry in entries if isinstance(entry, Settled)}
    reserved = {entry.attempt for entry in entries if isinstance(entry, Reserved)}
    closed = {entry.attempt for entry in entries if isinstance(entry, Settled | Voided | Lost)}
    assert kills > 1
    assert traffic.finished, "no step came to its end before a kill"
    assert traffic.finished <= settled
    assert reserved == closed
    assert any(isinstance(entry, Lost) for entry in entries), "no kill met an open attempt"


def end(daemon: subprocess.Popen[bytes]) -> int:
    code = daemon.wait(20)
    if daemon.stderr:
        daemon.stderr.close()
    return code


def exported(home: Path) -> list[Entry]:
    with sqlite3.connect(f"file:{home / 'ledger.db'}?mode=ro", uri=True) as connection:
        return [codec.decode(body) for (body,) in connection.execute("SELECT CAST(body AS BLOB) FROM journal ORDER BY row")]
