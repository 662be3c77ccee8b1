"""Publishes events to whoever listens. A slow listener loses the oldest, and never slows the writer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TypeAlias

from stepfare.control.protocol import Event

QUEUE_MAX = 1_000
REPLAY_MAX = 1_000
"""Events kept for a listener that was away for a moment."""
LISTENERS_MAX = 64


Listener: TypeAlias = Callable[[], Awaitable[Event | None]]
"""Waits for the next event; None says that the feed has ended."""


class TooManyListeners(Exception):
    """The feed has as many listeners as it serves."""


class Hub:
    """`seq` is the number of the last event. Numbers go on across listeners and start anew with the daemon."""

    def __init__(self) -> None:
        self.seq = 0
        self._kept: deque[tuple[int, Event]] = deque(maxlen=REPLAY_MAX)
        self._queues: set[asyncio.Queue[Event | None]] = set()
        self._closed = False

    def publish(self, event: Event) -> None:
        """Number the event and hand it to every listener; it is for the caller to leave `seq` at 0."""
        self.seq += 1
        self._kept.append((self.seq, event))
        for queue in self._queues:
            _hand(queue, _numbered(self.seq, event))

    def close(self) -> None:
        """End every feed: the daemon stops, and nobody waits for the next event."""
        self._closed = True
        for queue in self._queues:
            _hand(queue, None)

    @contextmanager
    def listen(self, after: int) -> Generator[Listener]:
        """A place from which to hear events with a number above `after`, those of a moment ago first. Raises TooManyListeners."""
        if len(self._queues) >= LISTENERS_MAX:
            raise TooManyListeners
        queue: asyncio.Queue[Event | None] = asyncio.Queue(QUEUE_MAX)
        for seq, event in self._kept:
            if seq > after:
                queue.put_nowait(_numbered(seq, event))
        if self._closed:
            _hand(queue, None)
        self._queues.add(queue)
        try:
            yield queue.get
        finally:
            self._queues.discard(queue)


def _numbered(seq: int, event: Event) -> Event:
    return event.model_copy(update={"seq": seq})


def _hand(queue: asyncio.Queue[Event | None], event: Event | None) -> None:
    """Where there is no room, the oldest goes."""
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(event)
