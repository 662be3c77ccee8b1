"""Publishes events to whoever listens. A slow listener loses the oldest, and never slows the writer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from stepfare.control.protocol import Event

QUEUE_MAX = 1_000
REPLAY_MAX = 1_000
"""Events kept for a listener that was away for a moment."""
LISTENERS_MAX = 64


class TooManyListeners(Exception):
    """The feed has as many listeners as it serves."""


class Hub:
    """`seq` is the number of the last event. Numbers go on across listeners and start anew with the daemon."""

    def __init__(self) -> None:
        self.seq = 0
        self._kept: deque[Event] = deque(maxlen=REPLAY_MAX)
        self._queues: set[asyncio.Queue[Event]] = set()

    def publish(self, event: Event) -> None:
        """Number the event and hand it to every listener; it is for the caller to leave `seq` at 0."""
        self.seq += 1
        numbered = event.model_copy(update={"seq": self.seq})
        self._kept.append(numbered)
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(numbered)

    @property
    def listened(self) -> bool:
        return bool(self._queues)

    async def follow(self, after: int) -> AsyncIterator[Event]:
        """Events with a number above `after`, those of a moment ago first. Raises TooManyListeners."""
        if len(self._queues) >= LISTENERS_MAX:
            raise TooManyListeners
        queue: asyncio.Queue[Event] = asyncio.Queue(QUEUE_MAX)
        for event in self._kept:
            if event.seq > after:
                queue.put_nowait(event)
        self._queues.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)
