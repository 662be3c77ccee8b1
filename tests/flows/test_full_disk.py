"""A disk that refuses: nothing is sent that cannot be booked, what was sent is booked as soon as it can be, and both are said."""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from stepfare.core.entry import Opened, Reserved
from stepfare.store.verify import verify
from tests.fakes.provider import DONE, USAGE, Play, chunk, stream
from tests.flows.conftest import Start, ask
from tests.flows.test_hang_up import until


class Disk:
    """The process's own limit on the size of files stands for a disk without room."""

    def __init__(self) -> None:
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, self._before[1]))

    def clear(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


@pytest.fixture
def disk() -> Iterator[Disk]:
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    disk = Disk()
    yield disk
    disk.clear()
    signal.signal(signal.SIGXFSZ, before)


async def test_nothing_is_sent_that_cannot_be_booked(start: Start, disk: Disk) -> None:
    running = await start(stream())
    disk.fill()
    async with running.chat(ask()) as answer:
        status, error = answer.status, (await answer.json())["error"]
        wait = answer.headers["retry-after"]
    problems = running.house.state.problems()
    disk.clear()
    assert (status, error["code"]) == (503, "ledger_unavailable")
    assert int(wait) > 0
    assert not running.provider.asked
    assert [one.words.endswith("Calls are refused until it can be written.") for one in problems] == [True]
    async with running.chat(ask()) as answer:
        assert answer.status == 200
        await answer.text()
    assert running.house.state.problems() == ()
    _, overview = await running.control("GET", "overview")
    assert overview["today"]["steps"] == 1
    assert overview["today"]["reserved_pusd"] == 0
    # Whoever comes again is booked with all that a session is known by.
    assert [one["title"] for one in overview["sessions"]] == ["What does this do?"]


async def test_what_was_sent_is_booked_as_soon_as_there_is_room(start: Start, disk: Disk) -> None:
    slow = Play(
        pieces=[chunk({"content": "word "}), chunk({"content": "word "}), chunk(None, "stop"), chunk(None, None, USAGE), DONE], pause_s=0.2
    )
    running = await start(slow, stream())
    async with running.chat(ask()) as answer:
        await answer.content.readany()
        disk.fill()
        text = await answer.text()
        await until(running.house.state.problems, "the trouble was said")
        problems = running.house.state.problems()
        disk.clear()
    assert text.endswith("data: [DONE]\n\n")
    assert "wait in memory" in problems[0].words
    async with running.chat(ask("another question")) as answer:
        assert answer.status == 200
        await answer.text()
    assert running.house.state.problems() == ()
    _, overview = await running.control("GET", "overview")
    assert overview["today"]["steps"] == 2
    assert overview["today"]["spent_pusd"] == 8_200_000_000


async def test_a_client_that_leaves_while_it_is_being_booked_leaves_nothing_open(start: Start, tmp_path: Path) -> None:
    running = await start(stream(before_s=5))
    books = running.house.books
    before = running.house.store.append

    async def slowly(*entries: object, **more: object) -> None:
        task.cancel()
        await before(*entries, **more)  # type: ignore[arg-type]

    reserved = Reserved("a_1", "d_1", "s_1", 1, 1, "lab/small", "frugal", "run", "frugal", "settings", 5, "unknown")
    opened = Opened("s_1", 1, "unknown", "", "", "", "")
    task = asyncio.ensure_future(books.reserve(opened, reserved))
    running.house.store.append = slowly  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await task
    running.house.store.append = before  # type: ignore[method-assign]
    await books.finish()
    assert await running.house.store.open_reservations() == []
    assert verify(running.home / "ledger.db").problems == ()
