"""The daemon as seen from here: absent, or there with its last overview, kept fresh by its event feed.

What is shown of it is the features' business. A daemon that is absent is an ordinary state with its own words.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from stepfare.control.client import Absent, Daemon, Refused, Unreachable, look_for_daemon, running_daemon
from stepfare.control.protocol import DaemonFile, Overview
from stepfare.paths import Paths

LOOK_EVERY_S = 1.0
"""How often to look for a daemon where there is none; a look is one look at one small file."""
BACK_OFF_S_MIN = 0.25
BACK_OFF_S_MAX = 8.0
REFRESH_EVERY_S = 60.0
"""How often to ask again when nothing happens: at midnight today's spend begins anew without an event."""

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Offline:
    """There is no daemon to talk to. `words` say why and what to do."""

    words: str


@dataclass(frozen=True, slots=True)
class Connecting:
    """A daemon was found; it has not answered yet."""


@dataclass(frozen=True, slots=True)
class Online:
    """The daemon answers; `overview` is what it last said."""

    daemon: Daemon
    overview: Overview


State: TypeAlias = Offline | Connecting | Online


class Link:
    """Looks for the daemon, follows it, and finds it again. `on_change` is told every new state."""

    def __init__(self, paths: Paths, on_change: Callable[[State], None]) -> None:
        self.paths = paths
        self.state: State = Connecting()
        self._on_change = on_change
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look at once: the daemon may just have been started."""
        self._woken.set()

    async def ask(self, question: Callable[[Daemon], Awaitable[T]]) -> T:
        """The daemon's answer. Raises Unreachable or Refused."""
        state = self.state
        if isinstance(state, Online):
            try:
                return await question(state.daemon)
            except Unreachable:
                self.wake()  # It may have been replaced by another one a moment ago.
        async with running_daemon(self.paths) as daemon:
            self.wake()
            return await question(daemon)

    async def run(self) -> None:
        """Keep the state true until cancelled."""
        wait_s = BACK_OFF_S_MIN
        while True:
            found = look_for_daemon(self.paths)
            if isinstance(found, Absent):
                wait_s = BACK_OFF_S_MIN
                self._change(Offline(found.words))
                await self._rest(LOOK_EVERY_S)
                continue
            try:
                await self._stay(found)
                wait_s = BACK_OFF_S_MIN
            except (Unreachable, Refused) as trouble:
                self._change(Offline(str(trouble)))
            except Exception as bug:  # A fault of ours must not leave the editor with a picture that never changes again.
                log.exception("lost the daemon")
                self._change(Offline(f"The language server lost the daemon ({bug!r}) and tries again."))
            await self._rest(wait_s)
            wait_s = min(wait_s * 2, BACK_OFF_S_MAX)

    async def _stay(self, file: DaemonFile) -> None:
        """Follow that daemon until its feed ends."""
        if not isinstance(self.state, Offline):
            self._change(Connecting())
        async with Daemon(file) as daemon:
            overview = await daemon.overview()
            self._change(Online(daemon, overview))
            stale = asyncio.Event()
            refreshing = asyncio.create_task(self._refresh(daemon, stale))
            try:
                async with aclosing(daemon.events(overview.seq)) as events:
                    async for _ in events:
                        stale.set()
            finally:
                # Before the connection closes, so that nobody asks over one that is closing.
                self._change(Connecting())
                refreshing.cancel()
                # Not awaited itself: its end as cancelled could not be told from our own.
                await asyncio.wait({refreshing})

    async def _refresh(self, daemon: Daemon, stale: asyncio.Event) -> None:
        # Events come in handfuls; what they changed is asked for once, as soon as the last answer is in.
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_EVERY_S):
                    await stale.wait()
            stale.clear()
            try:
                self._change(Online(daemon, await daemon.overview()))
            except (Unreachable, Refused) as trouble:
                log.warning("the daemon gave no overview: %s", trouble)

    def _change(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self._on_change(state)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()
