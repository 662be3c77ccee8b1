"""When the status line goes out: at once after quiet, once a pause at most, on change only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from stepfare.control.client import Daemon
from stepfare.control.protocol import PROTOCOL, Bucket, DaemonFile, Overview, Session, Totals
from stepfare_lsp.link import Offline, Online
from stepfare_lsp.spend import SpendLine
from stepfare_lsp.wire import Spend

PAUSE_S = 0.05
UNASKED = Daemon(DaemonFile(protocol=PROTOCOL, version="1", pid=1, port=1, started_ms=0, local_token="", control_token=""))
"""One that nobody asks anything."""


class Bar:
    """What an editor's status bar got, and when."""

    def __init__(self) -> None:
        self.got: list[Spend] = []
        self.at_s: list[float] = []
        self.asked: list[str] = []
        self._news = asyncio.Event()
        self.line = SpendLine(self._take, list, self.asked.append, pause_s=PAUSE_S)

    def _take(self, spend: Spend) -> None:
        self.got.append(spend)
        self.at_s.append(asyncio.get_running_loop().time())
        self._news.set()

    def texts(self) -> list[object]:
        return [spend.text for spend in self.got]

    async def next(self) -> None:
        self._news.clear()
        await asyncio.wait_for(self._news.wait(), 10)


def state(spent_pusd: int, tiers: Mapping[str, int]) -> Online:
    totals = Totals(steps=sum(tiers.values()), spent_pusd=spent_pusd, by_tier={name: Bucket(steps=steps) for name, steps in tiers.items()})
    session = Session(id="s_1", started_ms=1, last_ms=2, totals=totals)
    overview = Overview(version="1", seq=0, started_ms=0, mode="live", today=totals, sessions=[session], providers=[], problems=[])
    return Online(UNASKED, overview)


CENT = 10**10


def found() -> Bar:
    """A bar that has shown a daemon with a session that has cost nothing yet."""
    bar = Bar()
    bar.line.update(state(0, {}))
    return bar


async def test_the_first_news_after_quiet_goes_out_at_once() -> None:
    bar = found()
    assert bar.texts() == ["$0.00"]
    bar.line.update(state(CENT, {"frugal": 1}))
    assert bar.texts() == ["$0.00", "$0.01 . frugal"]


async def test_further_news_waits_for_the_pause_and_only_the_last_is_told() -> None:
    bar = found()
    for cents in (1, 2, 3):
        bar.line.update(state(cents * CENT, {"frugal": cents}))
    assert bar.texts()[1:] == ["$0.01 . frugal"]
    await bar.next()
    assert bar.texts()[1:] == ["$0.01 . frugal", "$0.03 . frugal"]
    assert bar.at_s[2] - bar.at_s[1] >= PAUSE_S * 0.99


async def test_what_a_step_cost_does_not_wait_for_the_news_that_it_began() -> None:
    bar = Bar()
    bar.line.update(Offline("a"))
    bar.line.update(state(0, {}))
    assert bar.texts() == ["stepfare is off"]
    await bar.next()
    assert bar.texts() == ["stepfare is off", "$0.00"]
    bar.line.update(state(CENT, {"frugal": 1}))
    assert bar.texts()[2:] == ["$0.01 . frugal"]


async def test_what_is_no_news_is_not_sent() -> None:
    bar = Bar()
    bar.line.update(Offline("a"))
    bar.line.update(Offline("a"))
    bar.line.update(state(CENT, {"frugal": 1}))
    await bar.next()
    bar.line.update(state(CENT, {"frugal": 1}))
    assert bar.texts() == ["stepfare is off", "$0.01 . frugal"]


async def test_the_tier_is_that_of_the_last_step() -> None:
    bar = found()
    bar.line.update(state(CENT, {"frugal": 1}))
    bar.line.update(state(2 * CENT, {"frugal": 1, "balanced": 1}))
    await bar.next()
    assert bar.got[-1].tier == "balanced"
    assert bar.asked == []


async def test_where_sums_do_not_tell_the_tier_the_daemon_is_asked_once() -> None:
    bar = Bar()
    bar.line.update(state(CENT, {"frugal": 1, "premium": 1}))
    assert bar.texts() == ["$0.01"]
    bar.line.update(state(CENT, {"frugal": 1, "premium": 1}))
    assert bar.asked == ["s_1"]
    bar.line.tier_known("s_1", "premium")
    await bar.next()
    assert bar.texts() == ["$0.01", "$0.01 . premium"]
    bar.line.update(state(2 * CENT, {"frugal": 2, "premium": 1}))
    bar.line.tier_known("s_1", "premium")  # an answer that a step has overtaken
    assert bar.texts()[2:] == ["$0.02 . frugal"]


async def test_stopping_leaves_nothing_to_come() -> None:
    bar = found()
    bar.line.update(state(CENT, {"frugal": 1}))
    bar.line.update(state(2 * CENT, {"frugal": 2}))
    bar.line.stop()
    await asyncio.sleep(2 * PAUSE_S)  # nothing is to happen, so there is nothing else to wait for
    assert bar.texts() == ["$0.00", "$0.01 . frugal"]
