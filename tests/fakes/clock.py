"""A clock that stands still until a test moves it. It leaves to the test what is handed the clock."""

from __future__ import annotations

START_MS = 1_780_000_000_000


class FakeClock:
    """Wall time in ms since the epoch and monotonic seconds, moved together. Calling it gives the wall time, so it fits `now_ms=clock`."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self._now_ms = now_ms
        self._started_ms = now_ms

    def __call__(self) -> int:
        return self._now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return (self._now_ms - self._started_ms) / 1000

    def advance(self, ms: int) -> int:
        """Move forward by `ms` and give the new wall time. Time does not run back."""
        assert ms >= 0, ms
        self._now_ms += ms
        return self._now_ms
