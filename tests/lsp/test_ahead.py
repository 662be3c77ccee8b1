"""Answers that are there before they are asked for: the last one at once, a new one soon, an old one never."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from stepfare.control.client import Daemon
from stepfare.control.protocol import Budgets
from stepfare.paths import paths_from
from stepfare_lsp.ahead import Ahead
from stepfare_lsp.link import Link
from tests.control.fake_daemon import FakeDaemon


class Looked:
    """Somebody who looks, and how often there was news."""

    def __init__(self, home: Path) -> None:
        self.news = 0
        self.tasks: list[asyncio.Task[None]] = []
        self.ahead = Ahead(Link(paths_from({"STEPFARE_HOME": str(home)}), lambda _: None), self._aside, self._told)

    def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.create_task(work))

    def _told(self) -> None:
        self.news += 1

    async def asked(self) -> None:
        await asyncio.gather(*self.tasks)
        self.tasks.clear()


async def budgets(daemon: Daemon) -> Budgets:
    return await daemon.budgets()


async def test_nobody_waits_and_what_changed_is_told(stepfare_home: Path) -> None:
    looked = Looked(stepfare_home)
    with FakeDaemon(paths_from({"STEPFARE_HOME": str(stepfare_home)})) as daemon:
        daemon.answer("budgets", Budgets(burn_pusd_per_hour=1))
        assert looked.ahead.known("b", budgets) is None
        assert looked.ahead.known("b", budgets) is None  # asked once, however often it is looked at
        await looked.asked()
        assert looked.ahead.known("b", budgets) == Budgets(burn_pusd_per_hour=1)
        assert (looked.news, len(daemon.asked)) == (1, 1)
        daemon.answer("budgets", Budgets(burn_pusd_per_hour=2))
        assert looked.ahead.known("b", budgets, fresh_s=0) == Budgets(burn_pusd_per_hour=1)
        await looked.asked()
        assert looked.ahead.known("b", budgets) == Budgets(burn_pusd_per_hour=2)
        assert looked.news == 2
        looked.ahead.known("b", budgets, fresh_s=0)
        await looked.asked()
        assert looked.news == 2  # the same again is no news
        assert looked.ahead.known("b", budgets, shown_s=0) is None  # too old to be shown
        looked.ahead.forget()
        assert await looked.ahead.soon("b", budgets, 10) == Budgets(burn_pusd_per_hour=2)


async def test_without_a_daemon_there_is_no_answer_and_the_next_look_asks_again(stepfare_home: Path) -> None:
    looked = Looked(stepfare_home)
    assert await looked.ahead.soon("b", budgets, 10) is None
    await looked.asked()
    with FakeDaemon(paths_from({"STEPFARE_HOME": str(stepfare_home)})) as daemon:
        daemon.answer("budgets", Budgets())
        assert await looked.ahead.soon("b", budgets, 10) == Budgets()
